"""Tables of the market room: what we send, what happened to it, what was received."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
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

from central.market.channels.tables import (
    market_archive,
    market_aside,
    market_unasked,
    market_waiting_reply,
)
from central.market.conversation.tables import market_outage, market_process_event
from central.market.received_tables import received_invoice, received_invoice_item, received_tariff
from central.market.states import Act, State
from central.platform.database import metadata

__all__ = [
    "DUTY_STATES",
    "OUTCOMES",
    "PROPOSAL_STATES",
    "SUBJECT_KINDS",
    "market_archive",
    "market_aside",
    "market_duty",
    "market_inbox",
    "market_message",
    "market_message_event",
    "market_month",
    "market_outage",
    "market_process",
    "market_process_event",
    "market_proposal",
    "market_unasked",
    "market_waiting_reply",
    "received_invoice",
    "received_invoice_item",
    "received_tariff",
]

OUTCOMES = ("applied", "proposed", "kept", "duplicate", "unknown_reference", "conflict", "refused")
"""What becomes of something received. proposed: waits for a person's decision; kept: understood, and nothing here is
changed by it, for a reason; refused: could not be read, or not believed."""
SUBJECT_KINDS = ("supply_point", "network", "document", "request")
"""What a message, a duty or a conversation is about."""
DUTY_STATES = ("open", "told", "done", "waived")
PROPOSAL_STATES = ("waiting", "taken", "refused")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


market_process = Table(
    "market_process",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("scenario", Text, nullable=False),
    Column(
        "reference",
        Text,
        nullable=False,
        comment="What tells it from others of its scenario: the request's id, ours or theirs",
    ),
    Column("subject_kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("state", Text, nullable=False, comment="A state of the scenario's transition table"),
    Column("deadline", DateTime(timezone=True)),
    Column("data", JSONB, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    UniqueConstraint("scenario", "reference"),
    CheckConstraint(_one_of("subject_kind", SUBJECT_KINDS), name="subject_kind"),
    Index("market_process_open_ix", "deadline", postgresql_where=text("closed_at IS NULL")),
    comment="Scénář komunikace: one conversation with the market operator by a scenario (registration, change of "
    "supplier)",
)

market_duty = Table(
    "market_duty",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message_code", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("period", DATERANGE, nullable=False),
    Column("month", Date, nullable=False, comment="The month that is not done before this is"),
    Column(
        "why",
        Text,
        nullable=False,
        comment="Kind of what made it arise: registration, exchange, month, bill_issued, ...",
    ),
    Column(
        "cause",
        JSONB,
        nullable=False,
        comment="The records that made it arise, by kind and id; another cause makes another version",
    ),
    Column("state", Text, nullable=False),
    Column("problem", Text, comment="Why no message could be made yet"),
    Column("arose_at", DateTime(timezone=True), nullable=False),
    Column("deadline", DateTime(timezone=True)),
    Column("done_at", DateTime(timezone=True)),
    Column("handed_over_by", Text, comment="Who handed the data over by hand; NULL: an accepted message told them"),
    UniqueConstraint("message_code", "subject_kind", "subject", "period", "why"),
    CheckConstraint(_one_of("subject_kind", SUBJECT_KINDS), name="subject_kind"),
    CheckConstraint(_one_of("state", DUTY_STATES), name="state"),
    CheckConstraint("NOT isempty(period)", name="period"),
    CheckConstraint("extract(day FROM month) = 1", name="month"),
    Index("market_duty_month_ix", "month", "state"),
    Index("market_duty_due_ix", "deadline", postgresql_where=text("state IN ('open', 'told')")),
    comment="Co je třeba sdělit: a message that the market operator must get, because of a registry act, closed days "
    "or a bill",
)

market_month = Table(
    "market_month",
    metadata,
    Column("month", Date, primary_key=True),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("extract(day FROM month) = 1", name="month"),
    comment="Měsíc hlášení: when it was looked last for what the market operator must be told of a month",
)

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
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("subject_kind", Text, nullable=False),
    Column(
        "subject",
        Text,
        nullable=False,
        comment="What the message is about: EAN or EIC of a point, code of a network, number of a document, id of a "
        "request",
    ),
    Column("period", DATERANGE, nullable=False),
    Column("version", Integer, nullable=False, comment="grows with every correction of (subject, code, period)"),
    Column("state", Text, nullable=False),
    Column("xml", BYTEA, nullable=False),
    Column("basis", JSONB, nullable=False, comment="what the message was made from: records by kind, id and version"),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("sent_at", DateTime(timezone=True), comment="when it was given to the channel last"),
    Column("answered_at", DateTime(timezone=True)),
    Column("receipt", Text, comment="the other end's technical receipt of the last delivery"),
    Column("reasons", JSONB, comment="the answer's reasons: type, code, text"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", DateTime(timezone=True), comment="wall time: when to send or repeat, or to stop waiting"),
    Column("duty", BigInteger, ForeignKey("market_duty.id"), index=True),
    Column("process", BigInteger, ForeignKey("market_process.id"), index=True),
    Column("deadline", DateTime(timezone=True), comment="until when it must be accepted"),
    Column("environment", Text, comment="of the channel that it was given to last"),
    UniqueConstraint("sender", "message_id"),
    UniqueConstraint("message_code", "subject_kind", "subject", "period", "version", name="market_message_subject_key"),
    CheckConstraint(_one_of("subject_kind", SUBJECT_KINDS), name="subject_kind"),
    CheckConstraint("direction IN ('out', 'in')", name="direction"),
    CheckConstraint(_one_of("state", tuple(State)), name="state"),
    CheckConstraint("environment IN ('production', 'sandbox')", name="environment"),
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
    Index("market_inbox_messages_ix", "messages", postgresql_using="gin"),
    comment="Append-only: everything that came in, with what became of it; nothing is dropped",
)

market_proposal = Table(
    "market_proposal",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("inbox", BigInteger, ForeignKey("market_inbox.id"), nullable=False, index=True),
    Column("process", BigInteger, ForeignKey("market_process.id")),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("proposed", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False, comment="Why it waits, or why it was decided so"),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("result", JSONB, comment="The records that it changed, by kind and id"),
    CheckConstraint(_one_of("state", PROPOSAL_STATES), name="state"),
    CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided"),
    Index("market_proposal_waiting_ix", "made_at", postgresql_where=text("state = 'waiting'")),
    comment="Návrh z došlé zprávy: what a received message would change here, waiting for a decision or decided",
)
