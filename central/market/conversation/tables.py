"""Tables of conversations."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE

from central.platform.database import metadata

market_process_event = Table(
    "market_process_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("process", BigInteger, ForeignKey("market_process.id"), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("person", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("from_state", Text, comment="NULL: it was opened"),
    Column("to_state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("message", BigInteger, ForeignKey("market_message.id")),
    Column("inbox", BigInteger, ForeignKey("market_inbox.id")),
    comment="Append-only: every step of a conversation, by which message, who, when, why",
)

market_outage = Table(
    "market_outage",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("valid", TSTZRANGE, nullable=False),
    Column("channel", Text, comment="NULL: all channels"),
    Column("why", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("cancelled_at", DateTime(timezone=True)),
    CheckConstraint("NOT isempty(valid) AND NOT lower_inf(valid) AND NOT upper_inf(valid)", name="valid"),
    comment="Plánovaná odstávka: when the market operator takes nothing; nothing is sent meanwhile",
)
Index(
    "market_outage_valid_ix",
    func.upper(market_outage.c.valid),
    postgresql_where=text("cancelled_at IS NULL"),
)
