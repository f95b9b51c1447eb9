"""Tables of conversations, and of what received messages leave here."""

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
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, TSTZRANGE

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

received_invoice = Table(
    "received_invoice",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("inbox", BigInteger, ForeignKey("market_inbox.id"), nullable=False, index=True),
    Column("issuer", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("corrects", Text),
    Column("point_code", Text, nullable=False, comment="EAN or EIC of the point as it came"),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("period", DATERANGE, nullable=False),
    Column("issued", Date, nullable=False),
    Column("tax_point", Date),
    Column("due", Date, nullable=False),
    Column("variable_symbol", Text, nullable=False),
    Column("net", Numeric(14, 2), nullable=False),
    Column("vat", Numeric(14, 2), nullable=False),
    Column("gross", Numeric(14, 2), nullable=False),
    Column("to_pay", Numeric(14, 2), nullable=False),
    Column("problems", ARRAY(Text), nullable=False, comment="What is not right in it, a sentence each"),
    Column("received_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("issuer", "number"),
    CheckConstraint("NOT isempty(period)", name="period"),
    comment="Přijatá faktura za distribuci: an invoice that came as a market message (127, GP6), one per issuer and "
    "number",
)

received_invoice_item = Table(
    "received_invoice_item",
    metadata,
    Column("invoice", BigInteger, ForeignKey("received_invoice.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("code", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("period", DATERANGE, nullable=False),
    Column("quantity", Numeric),
    Column("unit", Text),
    Column("unit_price", Numeric),
    Column("net", Numeric(14, 2), nullable=False),
    Column("vat_rate", Numeric(5, 2), nullable=False),
    CheckConstraint("NOT isempty(period)", name="period"),
    comment="Položka přijaté faktury: a line with its item code",
)

received_tariff = Table(
    "received_tariff",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("inbox", BigInteger, ForeignKey("market_inbox.id"), nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("segment", Text, nullable=False),
    Column("point_code", Text, nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("valid", DATERANGE, nullable=False),
    Column("rate", Text),
    Column("breaker_phases", Integer),
    Column("breaker_amps", Numeric(8, 1)),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    comment="Sazba a jistič podle DUF: rate and breaker over days as the billing data received say them, with their "
    "source",
)
