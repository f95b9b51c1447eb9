"""Tables of the settlement: runs, their pinned inputs, what they left out, and billing bases."""

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
    Numeric,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from central.platform.database import metadata

RUN_STATES = ("draft", "approved")
BASIS_STATES = ("new", "approved", "invoiced", "cancelled")

settlement_run = Table(
    "settlement_run",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("month", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("packages", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("approved_at", DateTime(timezone=True)),
    Column("approved_by", Text),
    CheckConstraint("state IN ('draft', 'approved')", name="state"),
    CheckConstraint("extract(day FROM month) = 1", name="month"),
    CheckConstraint("(state = 'approved') = (approved_at IS NOT NULL)", name="approved"),
    Index("settlement_run_month_ix", "month"),
    comment="Zúčtování: one settlement of a month with the packages it used; approval pins its inputs",
)

settlement_input = Table(
    "settlement_input",
    metadata,
    Column("run", BigInteger, ForeignKey("settlement_run.id"), primary_key=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), primary_key=True),
    Column("statement_type", SmallInteger, nullable=False),
    Column("valid", TSTZRANGE, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("package", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("quantities", JSONB, nullable=False),
    Column("profiles", JSONB, nullable=False),
    Column("readings", JSONB, nullable=False),
    Column("information", JSONB, nullable=False),
    Column("findings", JSONB, nullable=False),
    ExcludeConstraint(
        ("supply_point", "="),
        ("statement_type", "="),
        ("valid", "&&"),
        using="gist",
        where="approved",
        name="settlement_input_supply_point_valid_excl",
    ),
    comment="What a run used for one point: registry facts, profile versions, states; one approved at a time",
)

settlement_omission = Table(
    "settlement_omission",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run", BigInteger, ForeignKey("settlement_run.id"), nullable=False, index=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("component", Text, nullable=False),
    Column("day", Date),
    Column("reason", Text, nullable=False),
    comment="A supply point that a run left out, alone, and why",
)

billing_basis = Table(
    "billing_basis",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run", BigInteger, ForeignKey("settlement_run.id"), nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False, index=True),
    Column("contract_item", BigInteger, ForeignKey("contract_item.id"), nullable=False, index=True),
    Column("rate", Integer, nullable=False),
    Column("component", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("quantity", Numeric, nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", Numeric, nullable=False),
    Column("price_unit", Text, nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("vat_percent", Numeric(5, 2), nullable=False),
    Column("valid", TSTZRANGE, nullable=False),
    Column("statement_type", SmallInteger, nullable=False),
    Column("measurements", JSONB, nullable=False),
    Column("why", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    CheckConstraint("state IN ('new', 'approved', 'invoiced', 'cancelled')", name="state"),
    CheckConstraint("statement_type BETWEEN 0 AND 16", name="statement_type"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    Index("billing_basis_run_ix", "run", "supply_point"),
    comment="Podklad pro fakturaci: one line to be invoiced, by rate code (sazba) and statement type",
)
