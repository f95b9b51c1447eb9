"""Tables of the market room: what we send, what happened to it, what was received."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, DATERANGE, JSONB

from central.market.states import Act, State
from central.platform.database import metadata

OUTCOMES = ("applied", "duplicate", "unknown_reference", "conflict", "refused")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


market_message = Table(
    "market_message",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", Text, nullable=False, comment="id in the XML, unique per sender"),
    Column("message_code", Text, nullable=False),
    Column("direction", Text, nullable=False, server_default="out"),
    Column("format_package", Text, nullable=False),
    Column("format_digest", Text, nullable=False, comment="SHA-256 of the package's files"),
    Column("sender", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("period", DATERANGE, nullable=False),
    Column("version", Integer, nullable=False, comment="grows with every correction of (point, code, period)"),
    Column("state", Text, nullable=False),
    Column("xml", BYTEA, nullable=False),
    Column("basis", JSONB, nullable=False, comment="what the message was made from: profile versions"),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("sent_at", DateTime(timezone=True), comment="when it was given to the channel last"),
    Column("answered_at", DateTime(timezone=True)),
    Column("receipt", Text, comment="the other end's technical receipt of the last delivery"),
    Column("reasons", JSONB, comment="the answer's reasons: type, code, text"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", DateTime(timezone=True), comment="wall time: when to send or repeat, or to stop waiting"),
    UniqueConstraint("sender", "message_id"),
    UniqueConstraint("supply_point", "message_code", "period", "version"),
    CheckConstraint("direction IN ('out', 'in')", name="direction"),
    CheckConstraint(_one_of("state", tuple(State)), name="state"),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint("NOT isempty(period)", name="period"),
    Index("market_message_due_ix", "due_at", postgresql_where=text("state IN ('saved', 'sent', 'timed_out')")),
    comment="Zpráva pro OTE: one message of ours with its bytes as sent; corrected by a message of the next version",
)

market_message_event = Table(
    "market_message_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message", BigInteger, ForeignKey("market_message.id"), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("person", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("from_state", Text, nullable=False),
    Column("to_state", Text, nullable=False),
    Column("why", Text, nullable=False),
    CheckConstraint(_one_of("act", tuple(Act)), name="act"),
    comment="Append-only: every change of a message's state, who, when, why",
)

market_inbox = Table(
    "market_inbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("person", Text, nullable=False, comment="whose token brought it"),
    Column("sender", Text),
    Column("message_id", Text),
    Column("message_code", Text),
    Column("digest", BYTEA, nullable=False, comment="SHA-256 of the bytes kept"),
    Column("xml", BYTEA, nullable=False, comment="as received; of one too large only its beginning"),
    Column("outcome", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("messages", ARRAY(BigInteger), nullable=False, comment="messages of ours that it answers"),
    CheckConstraint(_one_of("outcome", OUTCOMES), name="outcome"),
    Index("market_inbox_sender_message_id_ix", "sender", "message_id"),
    comment="Append-only: everything that came in, with what became of it; nothing is dropped",
)
