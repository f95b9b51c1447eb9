"""Tables of the invoicing: number series, documents of all kinds, their lines, deductions and files."""

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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from central.invoicing.advances.tables import (
    advance,
    advance_deduction,
    advance_deposit,
    advance_document,
    advance_face,
    advance_file,
    advance_part,
    degree_day,
    year_end,
    year_end_contract,
    year_end_run,
)
from central.invoicing.delivery.tables import delivery, print_batch
from central.invoicing.payments.reminder_tables import (
    journal_export,
    journal_file,
    journal_mark,
    reminder,
    reminder_item,
    reminder_level,
)
from central.invoicing.payments.settling_tables import allocation, matching_rule, payment_order, refund, set_off
from central.invoicing.payments.tables import (
    bank_file,
    bank_pickup,
    bank_statement,
    payment,
    receivable,
    receivable_closing,
)
from central.platform.database import metadata
from central.registry.past import one_of

KINDS = ("regular", "annual", "collective", "corrective", "cancelling")
"""Kinds of invoices; what each is numbered by and taxed on is data (kinds.json). Advances have their own tables."""
STATES = ("issued", "sent", "corrected", "cancelled")
LANGUAGES = ("cs", "en")

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
    Column("kind", Text, nullable=False),
    Column("document_type", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("supplier", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), index=True),
    Column("original", BigInteger, ForeignKey("invoice.id"), comment="The document that this one corrects or cancels"),
    Column("reason", Text),
    Column("language", Text, nullable=False),
    Column("issue_date", Date, nullable=False),
    Column("tax_date", Date, nullable=False),
    Column("due_date", Date, nullable=False),
    Column("variable_symbol", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("net", Numeric(14, 2), nullable=False),
    Column("vat", Numeric(14, 2), nullable=False),
    Column("gross", Numeric(14, 2), nullable=False),
    Column("deducted", Numeric(14, 2), nullable=False, comment="Gross sum of the advances that were deducted"),
    Column("payable", Numeric(14, 2), nullable=False),
    Column("vat_rows", JSONB, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("issued_by", Text, nullable=False),
    CheckConstraint("document_type BETWEEN 1 AND 7", name="document_type"),
    CheckConstraint(one_of("state", STATES), name="state"),
    CheckConstraint(one_of("kind", KINDS), name="kind"),
    CheckConstraint(one_of("language", LANGUAGES), name="language"),
    CheckConstraint("net + vat = gross", name="gross"),
    CheckConstraint("payable = gross - deducted", name="payable"),
    CheckConstraint(
        "kind NOT IN ('corrective', 'cancelling') OR original IS NOT NULL AND reason IS NOT NULL", name="original"
    ),
    CheckConstraint("due_date >= issue_date", name="due_date"),
    Index("invoice_original_ix", "original", postgresql_where=text("original IS NOT NULL")),
    comment="Faktura: one document of one payer, for one or more supply points; its kind says which",
)

invoice_line = Table(
    "invoice_line",
    metadata,
    Column("invoice", BigInteger, ForeignKey("invoice.id"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("basis", BigInteger, ForeignKey("billing_basis.id"), unique=True),
    Column(
        "input",
        BigInteger,
        ForeignKey("settlement_input.id"),
        comment="Of information: the input that tells it",
    ),
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
    CheckConstraint("information = (basis IS NULL) AND information = (input IS NOT NULL)", name="information"),
    CheckConstraint("NOT information OR amount = 0", name="amount"),
    Index("invoice_line_supply_point_ix", "supply_point"),
    Index("invoice_line_input_ix", "input", postgresql_where=text("input IS NOT NULL")),
    comment="A line of a document: one billing basis, or information with amount 0.00",
)

invoice_settled = Table(
    "invoice_settled",
    metadata,
    Column("invoice", BigInteger, ForeignKey("invoice.id"), primary_key=True),
    Column("settled", BigInteger, ForeignKey("invoice.id"), primary_key=True),
    Index("invoice_settled_settled_ix", "settled"),
    comment="Append-only: documents that annual statements take lines of back: together they say the VAT that stands",
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

document_language = Table(
    "document_language",
    metadata,
    Column("party", BigInteger, ForeignKey("party.id"), primary_key=True),
    Column("language", Text, nullable=False),
    CheckConstraint(one_of("language", LANGUAGES), name="language"),
    comment="The language of documents for a payer; who is not here gets them in Czech",
)

__all__ = [
    "advance",
    "advance_deduction",
    "advance_deposit",
    "advance_document",
    "advance_face",
    "advance_file",
    "advance_part",
    "allocation",
    "bank_file",
    "bank_pickup",
    "bank_statement",
    "degree_day",
    "delivery",
    "document_language",
    "invoice",
    "invoice_file",
    "invoice_line",
    "invoice_series",
    "journal_export",
    "journal_file",
    "journal_mark",
    "matching_rule",
    "payment",
    "payment_order",
    "print_batch",
    "receivable",
    "receivable_closing",
    "refund",
    "reminder",
    "reminder_item",
    "reminder_level",
    "set_off",
    "year_end",
    "year_end_contract",
    "year_end_run",
]
