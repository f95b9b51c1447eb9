"""Tables of the advances: prescriptions, deposits and their documents, deductions; year-end work; degree days."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint

from central.platform.database import metadata
from central.registry.past import one_of

ADVANCE_STATES = ("prescribed", "sent", "paid", "deducted", "cancelled")
YEAR_END_KINDS = ("annual", "accrual", "accrual_cancel")
YEAR_END_STATES = ("waiting", "done", "failed")

advance_face = Table(
    "advance_face",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("content", JSONB, nullable=False),
    comment="What papers of advances say of both parties and the points as of issuing; equal ones share a row",
)

advance = Table(
    "advance",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, unique=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), nullable=False),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("period", DATERANGE, nullable=False),
    Column("due", Date, nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("vat_percent", Numeric(5, 2), nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("issued_on", Date),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column(
        "face", BigInteger, ForeignKey("advance_face.id"), comment="Missing where it was sent before faces were kept"
    ),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("vat_percent BETWEEN 0 AND 100", name="vat_percent"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint(one_of("state", ADVANCE_STATES), name="state"),
    CheckConstraint("NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)", name="period"),
    CheckConstraint("(number IS NULL) = (issued_on IS NULL)", name="issued"),
    CheckConstraint("number IS NOT NULL OR state IN ('prescribed', 'cancelled')", name="number"),
    ExcludeConstraint(
        ("contract", "="),
        ("seller", "="),
        ("payer", "="),
        ("period", "&&"),
        using="gist",
        where=text("state <> 'cancelled'"),
        name="advance_one_excl",
    ),
    Index("advance_due_ix", "due", "id"),
    Index("advance_payer_ix", "payer", "due", "id"),
    comment="Předpis zálohy: what a payer is asked for a contract's period; numbered and an open item once it is sent",
)

advance_part = Table(
    "advance_part",
    metadata,
    Column("advance", BigInteger, ForeignKey("advance.id", ondelete="CASCADE"), primary_key=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), primary_key=True, index=True),
    Column("amount", Numeric(14, 2), nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
    comment="The part of an advance for one supply point; the parts sum to the advance",
)

advance_document = Table(
    "advance_document",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("document_type", SmallInteger, nullable=False),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payment", BigInteger, index=True),
    Column("issue_date", Date, nullable=False),
    Column("tax_date", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("vat_rows", JSONB, nullable=False),
    Column("net", Numeric(14, 2), nullable=False),
    Column("vat", Numeric(14, 2), nullable=False),
    Column("gross", Numeric(14, 2), nullable=False),
    Column("original", BigInteger, ForeignKey("advance_document.id"), index=True),
    Column("reason", Text),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("issued_by", Text, nullable=False),
    Column(
        "face", BigInteger, ForeignKey("advance_face.id"), comment="Missing where it was issued before faces were kept"
    ),
    CheckConstraint("document_type IN (5, 6)", name="document_type"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint("net + vat = gross", name="gross"),
    CheckConstraint("(document_type = 6) = (gross < 0)", name="sign"),
    CheckConstraint(
        "(document_type = 6) = (original IS NOT NULL) AND (document_type = 6) = (reason IS NOT NULL)", name="credit"
    ),
    Index("advance_document_payer_ix", "payer", "tax_date", "id"),
    comment="Daňový doklad k přijaté platbě (5) and its credit note (6): one a customer and payment",
)

advance_deposit = Table(
    "advance_deposit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("advance", BigInteger, ForeignKey("advance.id"), nullable=False, index=True),
    Column("payment", BigInteger),
    Column("allocation", BigInteger, nullable=False, unique=True),
    Column("received_on", Date, nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("vat_percent", Numeric(5, 2), nullable=False),
    Column("vat", Numeric(14, 2), nullable=False),
    Column("document", BigInteger, ForeignKey("advance_document.id"), index=True),
    Column("credit_note", BigInteger, ForeignKey("advance_document.id")),
    Column("deducted", Numeric(14, 2), nullable=False, server_default="0"),
    Column("released_on", Date),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("vat BETWEEN 0 AND amount AND (document IS NOT NULL OR vat = 0)", name="vat"),
    CheckConstraint("deducted BETWEEN 0 AND amount", name="deducted"),
    CheckConstraint("released_on IS NULL OR deducted = 0", name="released"),
    CheckConstraint("credit_note IS NULL OR released_on IS NOT NULL", name="credit_note"),
    comment="Přijatá záloha: a payment allocated to an advance, its VAT from inside, and how much of it is deducted",
)

advance_deduction = Table(
    "advance_deduction",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("deposit", BigInteger, ForeignKey("advance_deposit.id"), nullable=False),
    Column("invoice", BigInteger, ForeignKey("invoice.id"), nullable=False, index=True),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("vat", Numeric(14, 2), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("undone_at", DateTime(timezone=True)),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("vat >= 0", name="vat"),
    Index("advance_deduction_once_ix", "deposit", "invoice", unique=True, postgresql_where=text("undone_at IS NULL")),
    comment="Odpočet zálohy: how much of a received advance an invoice took off, and its VAT",
)

advance_file = Table(
    "advance_file",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("advance", BigInteger, ForeignKey("advance.id")),
    Column("document", BigInteger, ForeignKey("advance_document.id")),
    Column("kind", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    CheckConstraint("kind IN ('pdf', 'isdoc')", name="kind"),
    CheckConstraint("num_nonnulls(advance, document) = 1", name="owner"),
    UniqueConstraint("advance", "kind"),
    UniqueConstraint("document", "kind"),
    comment="The paper of an advance or of its tax document, never made again",
)

degree_day = Table(
    "degree_day",
    metadata,
    Column("zone", Text, primary_key=True),
    Column("month", Date, primary_key=True),
    Column("normal", Numeric(8, 1), nullable=False),
    Column("actual", Numeric(8, 1), nullable=False),
    Column("source", Text, nullable=False),
    CheckConstraint("extract(day FROM month) = 1", name="month"),
    CheckConstraint("normal >= 0", name="normal"),
    CheckConstraint("actual >= 0", name="actual"),
    comment="Denostupně: normal and actual degree days of a month in a temperature zone",
)

year_end = Table(
    "year_end",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("year", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("year BETWEEN 1990 AND 2400", name="year"),
    CheckConstraint(one_of("kind", YEAR_END_KINDS), name="kind"),
    UniqueConstraint("year", "kind"),
    comment="Year-end work of one kind: annual statements, accrual bases, or the cancelling of these",
)

year_end_contract = Table(
    "year_end_contract",
    metadata,
    Column("year_end", BigInteger, ForeignKey("year_end.id"), primary_key=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), primary_key=True, index=True),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("done_at", DateTime(timezone=True)),
    CheckConstraint(one_of("state", YEAR_END_STATES), name="state"),
    CheckConstraint("(state = 'waiting') = (done_at IS NULL)", name="done"),
    CheckConstraint("state <> 'failed' OR reason IS NOT NULL", name="reason"),
    comment="A contract in year-end work: waiting, done with its runs, or failed and why",
)

year_end_run = Table(
    "year_end_run",
    metadata,
    Column("year_end", BigInteger, primary_key=True),
    Column("contract", BigInteger, primary_key=True),
    Column("run", BigInteger, ForeignKey("settlement_run.id"), primary_key=True, index=True),
    ForeignKeyConstraint(
        ["year_end", "contract"], ["year_end_contract.year_end", "year_end_contract.contract"], ondelete="CASCADE"
    ),
    comment="The runs that year-end work made for a contract; of cancelling accruals those cancelled",
)
