"""Tables of what received messages leave here: invoices, rates and breakers."""

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
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, DATERANGE

from central.platform.database import metadata

SOURCES = ("message", "isdoc", "hand")
COMMODITIES = ("electricity", "gas")

received_invoice = Table(
    "received_invoice",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("inbox", BigInteger, ForeignKey("market_inbox.id"), index=True),
    Column("issuer", Text, nullable=False, comment="EAN of the party, or its company number (IČO) where it has none"),
    Column("recipient", Text),
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("corrects", Text),
    Column("point_code", Text, index=True, comment="EAN or EIC of the point as it came; NULL: the items name theirs"),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("period", DATERANGE, nullable=False),
    Column("issued", Date, nullable=False),
    Column("tax_point", Date),
    Column("due", Date),
    Column("variable_symbol", Text),
    Column("net", Numeric(14, 2), nullable=False),
    Column("vat", Numeric(14, 2)),
    Column("gross", Numeric(14, 2)),
    Column("to_pay", Numeric(14, 2)),
    Column("problems", ARRAY(Text), nullable=False, comment="What is not right in it, a sentence each"),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("original", BYTEA, comment="The ISDOC as it came"),
    Column("person", Text, comment="Who entered or imported it"),
    Column("currency", Text, nullable=False, comment="Of all its amounts and prices"),
    UniqueConstraint("issuer", "number"),
    CheckConstraint("NOT isempty(period)", name="period"),
    CheckConstraint(f"source IN ({', '.join(repr(each) for each in SOURCES)})", name="source"),
    CheckConstraint(f"commodity IN ({', '.join(repr(each) for each in COMMODITIES)})", name="commodity"),
    CheckConstraint("(source = 'message') = (inbox IS NOT NULL)", name="origin"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    Index("received_invoice_corrects_ix", "issuer", "corrects", postgresql_where=text("corrects IS NOT NULL")),
    comment="Přijatá faktura za distribuci: from a market message (127, GP6), an ISDOC or by hand; one per issuer and "
    "number",
)

received_invoice_item = Table(
    "received_invoice_item",
    metadata,
    Column("invoice", BigInteger, ForeignKey("received_invoice.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column(
        "code",
        Text,
        comment="Item code of the message; of gas the field whose price the line has, such as "
        "DistributionSum.UnitPrice",
    ),
    Column("description", Text, nullable=False),
    Column("period", DATERANGE, nullable=False),
    Column("quantity", Numeric),
    Column("unit", Text),
    Column("unit_price", Numeric),
    Column("net", Numeric(14, 2), nullable=False),
    Column("vat_rate", Numeric(5, 2)),
    Column("rate", Integer, comment="Sazba: number of the service, where it is known"),
    Column(
        "effect",
        Numeric,
        comment="Part of the price that counts: of a year, of months; amount = quantity x unit price x effect",
    ),
    Column("point_code", Text),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id")),
    CheckConstraint("NOT isempty(period)", name="period"),
    Index("received_invoice_item_supply_point_ix", "supply_point", text("upper(period)")),
    comment="Položka přijaté faktury: a line with its item code",
)

received_tariff = Table(
    "received_tariff",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("inbox", BigInteger, ForeignKey("market_inbox.id"), nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("segment", Text, nullable=False),
    Column("point_code", Text, nullable=False, index=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("valid", DATERANGE, nullable=False),
    Column("rate", Text),
    Column("breaker_phases", Integer),
    Column("breaker_amps", Numeric(8, 1)),
    Column(
        "concerns",
        Text,
        comment="Number of the document that this one cancels or corrects: that one no longer counts",
    ),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    comment="Sazba a jistič podle DUF: rate and breaker over days as the billing data received say them, with their "
    "source",
)
