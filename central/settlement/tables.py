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
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, JSONB, TSTZRANGE, ExcludeConstraint

from central.platform.database import metadata
from central.settlement.correction_tables import correction as correction
from central.settlement.service_tables import contract_service as contract_service
from central.settlement.service_tables import item_price_list as item_price_list
from central.settlement.service_tables import own_price as own_price
from central.settlement.service_tables import own_price_list as own_price_list
from central.settlement.service_tables import own_service as own_service
from central.settlement.service_tables import own_service_price as own_service_price
from central.settlement.service_tables import settled_from as settled_from
from central.settlement.stock_tables import stock_item as stock_item

RUN_STATES = ("draft", "approved", "discarded")
STATEMENTS = ("regular", "preliminary", "accrual", "annual", "corrective", "final")
SERVICES = ("distribution", "supply", "other", "purchase")
"""What a basis bills; "purchase" is what the superior distributor should bill: compared, never invoiced."""
BASIS_STATES = ("new", "approved", "invoiced", "cancelled")

settlement_run = Table(
    "settlement_run",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("period", DATERANGE, nullable=False),
    Column("statement", Text, nullable=False),
    Column("scope", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("packages", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("approved_at", DateTime(timezone=True)),
    Column("approved_by", Text),
    Column("reason", Text, comment="Of a corrective run: why what was billed is corrected"),
    CheckConstraint("state IN ('draft', 'approved', 'discarded')", name="state"),
    CheckConstraint(
        "statement IN ('regular', 'preliminary', 'accrual', 'annual', 'corrective', 'final')", name="statement"
    ),
    CheckConstraint("NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)", name="period"),
    CheckConstraint("(state = 'approved') = (approved_at IS NOT NULL)", name="approved"),
    Index("settlement_run_period_ix", "period", postgresql_using="gist"),
    comment="Zúčtování: one settlement of a period with the packages it used; approval pins its inputs",
)

settlement_input = Table(
    "settlement_input",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run", BigInteger, ForeignKey("settlement_run.id"), nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False, index=True),
    Column("contract_item", BigInteger, ForeignKey("contract_item.id"), nullable=False),
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
    Column(
        "beside",
        JSONB,
        comment="Of a part of a month that has a maximum: inputs and lines of the rest that it counted, by id",
    ),
    Column(
        "replaced_by",
        BigInteger,
        ForeignKey("settlement_run.id"),
        comment="The run of the update that took the place of this input",
    ),
    CheckConstraint("replaced_by IS NULL OR NOT approved", name="replaced"),
    UniqueConstraint("run", "contract_item", "statement_type", "valid"),
    ExcludeConstraint(
        ("contract_item", "="),
        ("statement_type", "="),
        ("valid", "&&"),
        using="gist",
        where="approved",
        name="settlement_input_contract_item_valid_excl",
    ),
    comment="What a run used for one contract item of a point: registry facts, profile versions, states; one approved "
    "at a time",
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
    Column("run", BigInteger, ForeignKey("settlement_run.id"), comment="NULL: made by hand"),
    Column("input", BigInteger, ForeignKey("settlement_input.id"), index=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("contract_item", BigInteger, ForeignKey("contract_item.id"), nullable=False, index=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), nullable=False, index=True),
    Column("customer", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("service", Text, nullable=False),
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
    Column(
        "fingerprint",
        Text,
        nullable=False,
        comment="Digest of everything the line says; an update keeps a basis whose fingerprint stays",
    ),
    Column(
        "original",
        BigInteger,
        ForeignKey("billing_basis.id"),
        comment="The basis that this one cancels, corrects or settles",
    ),
    Column("reason", Text),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column(
        "earlier_runs",
        ARRAY(BigInteger),
        nullable=False,
        server_default=text("'{}'"),
        comment="Runs that held the basis before updates that found it unchanged",
    ),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("cancelled_by", Text),
    Column("cancelled_why", Text),
    Column(
        "replaced_by",
        BigInteger,
        ForeignKey("settlement_run.id"),
        comment="The run of the update that cancelled this basis",
    ),
    CheckConstraint(
        "(state = 'cancelled') = (cancelled_at IS NOT NULL) AND (cancelled_at IS NULL) = (cancelled_by IS NULL) "
        "AND (cancelled_at IS NULL) = (cancelled_why IS NULL)",
        name="cancelled",
    ),
    CheckConstraint("run IS NOT NULL OR original IS NOT NULL OR reason IS NOT NULL", name="by_hand"),
    CheckConstraint("state IN ('new', 'approved', 'invoiced', 'cancelled')", name="state"),
    CheckConstraint("statement_type BETWEEN 0 AND 16", name="statement_type"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("service IN ('distribution', 'supply', 'other', 'purchase')", name="service"),
    CheckConstraint("service <> 'purchase' OR state <> 'invoiced'", name="never_invoiced"),
    CheckConstraint("statement_type NOT IN (7, 12, 13, 14, 16) OR original IS NOT NULL", name="cancelling"),
    CheckConstraint("statement_type NOT IN (7, 8, 9, 10, 12, 13, 14, 15, 16) OR reason IS NOT NULL", name="reason"),
    Index("billing_basis_run_ix", "run", "supply_point"),
    Index("billing_basis_supply_point_ix", "supply_point", text("upper(valid)")),
    Index("billing_basis_original_ix", "original", postgresql_where=text("original IS NOT NULL")),
    Index(
        "billing_basis_earlier_runs_ix",
        "earlier_runs",
        postgresql_using="gin",
        postgresql_where=text("earlier_runs <> '{}'"),
    ),
    Index("billing_basis_payer_ix", "payer", postgresql_where=text("state = 'approved'")),
    comment="Podklad pro fakturaci: one line to be invoiced, by rate code (sazba) and statement type",
)
