"""Tables of contracts: terms now and before, amendments, items, periods, payment calendar."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata
from central.registry.past import one_of, past_of

CONTRACT_KINDS = ("connection", "distribution", "framework", "combined", "supply", "purchase")
PAYMENTS = ("transfer", "debit", "sipo", "cash")
SPREADS = ("even", "manual", "curve", "expected")
"""How a year's advances lie over it: all alike, by hand, by the curve of consumption, by expected invoicing."""
GAS_CATEGORIES = ("household", "low", "medium", "large")
TARIFF_CHANGES = ("agrees", "differs")
CHARACTERISTICS = ("A", "B", "C", "D", "K", "Z")

contract = Table(
    "contract",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("customer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("valid", DATERANGE, nullable=False),
    Column("account", BigInteger, ForeignKey("contract_account.id", name="contract_account_fkey"), index=True),
    Column("signed_on", Date),
    Column("due_days", Integer, nullable=False, server_default="14"),
    Column("payment", Text, nullable=False, server_default="transfer"),
    Column("statement_months", Integer, nullable=False, server_default="1"),
    Column("advance_months", Integer, nullable=False, server_default="0"),
    Column("advance_spread", Text, nullable=False, server_default="even"),
    Column("advance_amount", Numeric(14, 2)),
    Column("since", Date),
    CheckConstraint(one_of("kind", CONTRACT_KINDS), name="kind"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("due_days BETWEEN 0 AND 365", name="due_days"),
    CheckConstraint(one_of("payment", PAYMENTS), name="payment"),
    CheckConstraint("statement_months IN (1, 3, 6, 12)", name="statement_months"),
    CheckConstraint("advance_months IN (0, 1, 2, 3, 6)", name="advance_months"),
    CheckConstraint(one_of("advance_spread", SPREADS), name="advance_spread"),
    CheckConstraint("advance_amount >= 0", name="advance_amount"),
    CheckConstraint("advance_months = 0 OR advance_amount IS NOT NULL", name="advance"),
    UniqueConstraint("id", "kind"),
    Index(
        "contract_number_trgm_ix",
        func.fold(text("number")).label("folded"),
        postgresql_using="gin",
        postgresql_ops={"folded": "gin_trgm_ops"},
    ),
    comment="Smlouva: the customer takes the service, the payer gets the invoice",
)

CONTRACT_FACTS = (
    "customer", "payer", "account", "due_days", "payment", "statement_months", "advance_months", "advance_spread",
    "advance_amount",
)  # fmt: skip
"""What may change of a contract, with validity."""

contract_past = past_of(contract, CONTRACT_FACTS)

contract_amendment = Table(
    "contract_amendment",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("signed_on", Date),
    Column("effective", Date, nullable=False),
    CheckConstraint("number > 0", name="number"),
    UniqueConstraint("contract", "number"),
    UniqueConstraint("id", "contract"),
    comment="Dodatek: a numbered change of a contract; items say which one they are by",
)

contract_item = Table(
    "contract_item",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), nullable=False, index=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False, index=True),
    Column("prices", Text, nullable=False),
    Column("rate", Text),
    Column("breaker_phases", SmallInteger),
    Column("breaker_amps", Integer),
    Column("reserved_input_kw", Numeric(12, 3)),
    Column("annual_mwh", Numeric(14, 3)),
    Column("gas_daily_capacity_m3", Numeric(14, 3)),
    Column("valid", DATERANGE, nullable=False),
    Column("kind", Text, nullable=False, server_default="distribution"),
    Column("breaker_characteristic", Text),
    Column("reserved_output_kw", Numeric(12, 3)),
    Column("operator", BigInteger, ForeignKey("party.id"), index=True),
    Column("gas_category", Text),
    Column("amendment", BigInteger),
    Column("unmetered_w", Numeric(12, 3)),
    Column("unmetered_flat", Boolean, nullable=False, server_default="false"),
    CheckConstraint("breaker_phases IN (1, 3)", name="breaker_phases"),
    CheckConstraint("breaker_amps > 0", name="breaker_amps"),
    CheckConstraint("(breaker_phases IS NULL) = (breaker_amps IS NULL)", name="breaker"),
    CheckConstraint(one_of("breaker_characteristic", CHARACTERISTICS), name="breaker_characteristic"),
    CheckConstraint("breaker_characteristic IS NULL OR breaker_amps IS NOT NULL", name="characteristic_of_breaker"),
    CheckConstraint("least(reserved_input_kw, annual_mwh, gas_daily_capacity_m3) >= 0", name="not_negative"),
    CheckConstraint("reserved_output_kw >= 0", name="reserved_output_kw"),
    CheckConstraint(one_of("gas_category", GAS_CATEGORIES), name="gas_category"),
    CheckConstraint("unmetered_w > 0", name="unmetered_w"),
    CheckConstraint("NOT (unmetered_flat AND unmetered_w IS NOT NULL)", name="unmetered_once"),
    CheckConstraint("rate IS NOT NULL OR NOT (unmetered_flat OR unmetered_w IS NOT NULL)", name="rate_of_unmetered"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ForeignKeyConstraint(
        ["contract", "kind"], ["contract.id", "contract.kind"], name="contract_item_contract_kind_fkey"
    ),
    ForeignKeyConstraint(
        ["amendment", "contract"],
        ["contract_amendment.id", "contract_amendment.contract"],
        name="contract_item_amendment_contract_fkey",
    ),
    ExcludeConstraint(
        ("supply_point", "="),
        (text("contract_services(kind)"), "&&"),
        ("valid", "&&"),
        using="gist",
        name="contract_item_supply_point_valid_excl",
    ),
    ExcludeConstraint(
        ("supply_point", "="),
        ("valid", "&&"),
        using="gist",
        where=text("reserved_input_kw IS NOT NULL"),
        name="contract_item_reserved_input_valid_excl",
    ),
    ExcludeConstraint(
        ("supply_point", "="),
        ("valid", "&&"),
        using="gist",
        where=text("reserved_output_kw IS NOT NULL"),
        name="contract_item_reserved_output_valid_excl",
    ),
    comment="Položka smlouvy: one supply point under a contract, with price list, rate, breaker or capacities",
)

processing_period = Table(
    "processing_period",
    metadata,
    Column("month", Date, primary_key=True),
    Column("active", Boolean, nullable=False, server_default="false"),
    Column("active_for_checks", Boolean, nullable=False, server_default="false"),
    CheckConstraint("extract(day FROM month) = 1", name="month"),
    Index("processing_period_active_ix", "active", unique=True, postgresql_where=text("active")),
    comment="Měsíční období zpracování: one is active for invoicing, several may be active for checks",
)

item_tariff_change = Table(
    "item_tariff_change",
    metadata,
    Column("contract_item", BigInteger, ForeignKey("contract_item.id", ondelete="CASCADE"), primary_key=True),
    Column("tariff_change", Text, nullable=False),
    Column("tariff_change_since", Date, nullable=False),
    Column("received_rate", Text),
    Column("received_breaker_phases", Integer),
    Column("received_breaker_amps", Numeric(8, 1)),
    Column("refreshed_on", Date, nullable=False),
    CheckConstraint(one_of("tariff_change", TARIFF_CHANGES), name="tariff_change"),
    comment="Změna jističe nebo distribuční sazby: what billing data received (DUF) say of a contract item (check 7)",
)

payment_calendar = Table(
    "payment_calendar",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), nullable=False, index=True),
    Column("period", DATERANGE, nullable=False),
    Column("advance_due", Boolean, nullable=False),
    Column("regular_due", Boolean, nullable=False),
    Column("annual_due", Boolean, nullable=False),
    Column("advance_amount", Numeric(14, 2)),
    Column("advance_on", Date),
    Column("edited", Boolean, nullable=False, server_default="false"),
    CheckConstraint("NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)", name="period"),
    CheckConstraint("advance_amount >= 0", name="advance_amount"),
    CheckConstraint(
        "advance_due = (advance_amount IS NOT NULL) AND advance_due = (advance_on IS NOT NULL)", name="advance"
    ),
    ExcludeConstraint(("contract", "="), ("period", "&&"), using="gist", name="payment_calendar_contract_period_excl"),
    comment="Platební kalendář: a row per contract and period with the events that are to come; edited rows stay as "
    "they are",
)
