"""Tables of the registry: who, where, under what contract."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata

ROLES = ("operator", "customer", "supplier", "superior_distributor", "market_operator")
COMMODITIES = ("electricity", "gas")
VOLTAGE_LEVELS = ("VVN", "VN", "NN")
METERING_TYPES = ("A", "B", "C1", "C2", "C3", "C4")
POINT_TYPES = ("consumption", "production", "entry")
CATEGORIES = ("household", "business")
CONTRACT_KINDS = ("connection", "distribution", "framework", "combined", "supply", "purchase")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


party = Table(
    "party",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("ico", Text),
    Column("dic", Text),
    Column("street", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("postal_code", Text, nullable=False),
    Column("country", Text, nullable=False, server_default="CZ"),
    Column("ean13", Text, unique=True),
    Column("eic", Text),
    Column("iban", Text),
    Column("licence", Text),
    Column("registration", Text),
    Column("vat_payer", Boolean, nullable=False, server_default="true"),
    Column("email", Text),
    Column("superior", BigInteger, ForeignKey("party.id")),
    CheckConstraint(_one_of("role", ROLES), name="role"),
    CheckConstraint("ean13 ~ '^[0-9]{13}$'", name="ean13"),
    comment="Subjekt: licence holder, customer or payer, supplier, superior distributor, market operator",
)

supply_point = Table(
    "supply_point",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("ean", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("street", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("postal_code", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("point_type", Text, nullable=False, server_default="consumption"),
    Column("voltage_level", Text),
    Column("metering_type", Text),
    Column("category", Text, nullable=False, server_default="business"),
    Column("load_profile_class", Text),
    Column("operator", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("supplier", BigInteger, ForeignKey("party.id")),
    CheckConstraint(_one_of("commodity", COMMODITIES), name="commodity"),
    CheckConstraint(_one_of("point_type", POINT_TYPES), name="point_type"),
    CheckConstraint(_one_of("voltage_level", VOLTAGE_LEVELS), name="voltage_level"),
    CheckConstraint(_one_of("metering_type", METERING_TYPES), name="metering_type"),
    CheckConstraint(_one_of("category", CATEGORIES), name="category"),
    CheckConstraint(
        "CASE commodity WHEN 'electricity' THEN ean ~ '^[0-9]{18}$' ELSE ean ~ '^[0-9A-Z-]{15}[0-9A-Z]$' END",
        name="ean",
    ),
    CheckConstraint("(commodity = 'electricity') = (voltage_level IS NOT NULL)", name="level_of_commodity"),
    comment="Odběrné nebo předávací místo (OPM); ean holds EAN 18 for electricity, EIC 16 for gas",
)

contract = Table(
    "contract",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("customer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint(_one_of("kind", CONTRACT_KINDS), name="kind"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    comment="Smlouva: the customer takes the service, the payer gets the invoice",
)

contract_item = Table(
    "contract_item",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract", BigInteger, ForeignKey("contract.id"), nullable=False, index=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("prices", Text, nullable=False),
    Column("rate", Text),
    Column("breaker_phases", SmallInteger),
    Column("breaker_amps", Integer),
    Column("reserved_capacity_year_kw", Numeric(12, 3)),
    Column("reserved_capacity_month_kw", Numeric(12, 3)),
    Column("reserved_input_kw", Numeric(12, 3)),
    Column("annual_mwh", Numeric(14, 3)),
    Column("gas_daily_capacity_m3", Numeric(14, 3)),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("breaker_phases IN (1, 3)", name="breaker_phases"),
    CheckConstraint("breaker_amps > 0", name="breaker_amps"),
    CheckConstraint("(breaker_phases IS NULL) = (breaker_amps IS NULL)", name="breaker"),
    CheckConstraint(
        "least(reserved_capacity_year_kw, reserved_capacity_month_kw, reserved_input_kw, annual_mwh,"
        " gas_daily_capacity_m3) >= 0",
        name="not_negative",
    ),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("supply_point", "="), ("valid", "&&"), using="gist", name="contract_item_supply_point_valid_excl"
    ),
    comment="Položka smlouvy: one supply point under a contract, with price list, rate, breaker or capacities",
)
