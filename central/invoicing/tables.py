"""Tables of the invoicing: number series, invoices, their lines and files."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from central.invoicing.advances.tables import (
    advance,
    advance_deduction,
    advance_deposit,
    advance_document,
    advance_part,
    degree_day,
    year_end,
    year_end_contract,
)
from central.invoicing.payments.tables import receivable
from central.platform.database import metadata

invoice_series = Table(
    "invoice_series",
    metadata,
    Column("series", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
    CheckConstraint("last >= 0", name="last"),
    comment="Číselná řada: the last number given; its row is locked by whoever issues, so numbers have no holes",
)

invoice = Table(
    "invoice",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("document_type", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("run", BigInteger, ForeignKey("settlement_run.id"), nullable=False, index=True),
    Column("supplier", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("issue_date", Date, nullable=False),
    Column("tax_date", Date, nullable=False),
    Column("due_date", Date, nullable=False),
    Column("variable_symbol", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("net", Numeric(14, 2), nullable=False),
    Column("vat", Numeric(14, 2), nullable=False),
    Column("gross", Numeric(14, 2), nullable=False),
    Column("vat_rows", JSONB, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("issued_by", Text, nullable=False),
    CheckConstraint("document_type BETWEEN 1 AND 7", name="document_type"),
    CheckConstraint("state IN ('issued', 'sent', 'cancelled')", name="state"),
    CheckConstraint("net + vat = gross", name="gross"),
    CheckConstraint("due_date >= issue_date", name="due_date"),
    comment="Faktura: one document of one payer, for one or more supply points",
)

invoice_line = Table(
    "invoice_line",
    metadata,
    Column("invoice", BigInteger, ForeignKey("invoice.id"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("basis", BigInteger, ForeignKey("billing_basis.id"), unique=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("rate", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("quantity", Numeric, nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", Numeric, nullable=False),
    Column("price_unit", Text, nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("vat_percent", Numeric(5, 2), nullable=False),
    Column("information", Boolean, nullable=False),
    CheckConstraint("information = (basis IS NULL)", name="information"),
    CheckConstraint("NOT information OR amount = 0", name="amount"),
    Index("invoice_line_supply_point_ix", "supply_point"),
    comment="A line of an invoice: one billing basis, or information with amount 0.00",
)

invoice_file = Table(
    "invoice_file",
    metadata,
    Column("invoice", BigInteger, ForeignKey("invoice.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    CheckConstraint("kind IN ('pdf', 'isdoc')", name="kind"),
    comment="The issued documents themselves, never made again",
)

__all__ = [
    "advance",
    "advance_deduction",
    "advance_deposit",
    "advance_document",
    "advance_part",
    "degree_day",
    "invoice",
    "invoice_file",
    "invoice_line",
    "invoice_series",
    "receivable",
    "year_end",
    "year_end_contract",
]
