"""Tables of the channels: all octets that left or came, and what is kept apart because it is nothing of ours."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from central.market.channels.allowed import Environment
from central.market.channels.port import LARGEST, Direction, Verdict
from central.platform.database import metadata


def _one_of(column: str, values: type[Environment] | type[Direction] | type[Verdict]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


market_archive = Table(
    "market_archive",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("direction", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("peer", Text, nullable=False, comment="The other end: its code, or the address it came from"),
    Column("identity", Text, nullable=False, comment="Message-ID of a mail, message id of a SOAP header, file name"),
    Column("message_id", Text, comment="id of our message in the octets sent"),
    Column("octets", LargeBinary, nullable=False, comment="As they travelled"),
    Column("sha256", LargeBinary, nullable=False),
    Column("signed", LargeBinary, comment="CMS SignedData where the octets travelled encrypted"),
    Column("content_sha256", LargeBinary, comment="Of the XML in the octets"),
    Column("certificate", Text, comment="SHA-256 of the signer's certificate, hex"),
    Column("verdict", Text, nullable=False),
    Column("why", Text),
    CheckConstraint(_one_of("direction", Direction), name="direction"),
    CheckConstraint(_one_of("environment", Environment), name="environment"),
    CheckConstraint(_one_of("verdict", Verdict), name="verdict"),
    CheckConstraint("sha256 = sha256(octets)", name="sha256"),
    CheckConstraint(f"octet_length(octets) <= {LARGEST}", name="octets"),
    CheckConstraint("verdict NOT IN ('refused', 'duplicate') OR why IS NOT NULL", name="why"),
    Index("market_archive_at_ix", "at"),
    Index("market_archive_identity_ix", "channel", "identity", postgresql_where=text("direction = 'in'")),
    Index("market_archive_content_ix", "content_sha256", postgresql_where=text("verdict = 'opened'")),
    Index("market_archive_message_id_ix", "message_id", postgresql_where=text("message_id IS NOT NULL")),
    comment="Append-only archiv komunikace: all that was sent to and received from the market operator, unchanged",
)

market_aside = Table(
    "market_aside",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("peer", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("octets", LargeBinary, nullable=False, comment="Of a large one only its beginning"),
    Column("sha256", LargeBinary, nullable=False, comment="Of the octets kept"),
    Column("why", Text, nullable=False),
    UniqueConstraint("channel", "identity", "sha256"),
    CheckConstraint("sha256 = sha256(octets)", name="sha256"),
    comment="What came and is no message for us, mail without signature and encryption: kept apart, never processed",
)

market_waiting_reply = Table(
    "market_waiting_reply",
    metadata,
    Column("archive", BigInteger, ForeignKey("market_archive.id"), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("environment", Text, nullable=False),
    CheckConstraint(_one_of("environment", Environment), name="environment"),
    comment="A direct reply with a market message in it that is not read yet",
)

market_unasked = Table(
    "market_unasked",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("kept", BigInteger, nullable=False),
    Column("kept_octets", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False, comment="Over the day's quota: counted, not kept"),
    Column("dropped_octets", BigInteger, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("kind IN ('refused', 'aside')", name="kind"),
    comment="What strangers brought, by channel and day (UTC), so that it cannot fill the archive",
)
