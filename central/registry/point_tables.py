"""Tables of supply points: what holds, what held, the tree of objects, the reserved capacity."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata
from central.registry.party_tables import COMMODITIES
from central.registry.past import one_of, past_of
from central.registry.point_states import STATES

VOLTAGE_LEVELS = ("VVN", "VN", "NN")
METERING_TYPES = ("A", "B", "C1", "C2", "C3", "C4")
POINT_TYPES = ("consumption", "production", "entry")
CATEGORIES = ("household", "business")
PRESSURE_LEVELS = ("low", "medium", "high")
OBJECT_KINDS = ("site", "building", "flat", "other")

site_object = Table(
    "site_object",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parent", BigInteger, ForeignKey("site_object.id"), index=True),
    Column("street", Text),
    Column("city", Text),
    Column("postal_code", Text),
    Column("area_m2", Numeric(12, 2)),
    CheckConstraint(one_of("kind", OBJECT_KINDS), name="kind"),
    CheckConstraint("area_m2 >= 0", name="area_m2"),
    comment="Objekt: a site, its buildings, their flats; parent is what it is a part of",
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
    Column("state", Text, nullable=False, server_default="connected"),
    Column("area", BigInteger),
    Column("site_object", BigInteger, ForeignKey("site_object.id")),
    Column("temperature_zone", Text),
    Column("planned_mwh", Numeric(14, 3)),
    Column("pressure_level", Text),
    Column("gas_group", Text),
    Column(
        "since",
        Date,
        comment="Since when the row holds; what held before stands in supply_point_past. NULL: from the beginning",
    ),
    Column(
        "search",
        Text,
        Computed("fold(ean || ' ' || name || ' ' || object || ' ' || street || ' ' || city)", persisted=True),
    ),
    CheckConstraint(one_of("commodity", COMMODITIES), name="commodity"),
    CheckConstraint(one_of("point_type", POINT_TYPES), name="point_type"),
    CheckConstraint(one_of("voltage_level", VOLTAGE_LEVELS), name="voltage_level"),
    CheckConstraint(one_of("metering_type", METERING_TYPES), name="metering_type"),
    CheckConstraint(one_of("category", CATEGORIES), name="category"),
    CheckConstraint(one_of("state", STATES), name="state"),
    CheckConstraint("planned_mwh >= 0", name="planned_mwh"),
    CheckConstraint(one_of("pressure_level", PRESSURE_LEVELS), name="pressure_level"),
    CheckConstraint("commodity = 'gas' OR num_nonnulls(pressure_level, gas_group) = 0", name="gas_facts"),
    CheckConstraint(
        "CASE commodity WHEN 'electricity' THEN ean ~ '^[0-9]{18}$' ELSE ean ~ '^[0-9A-Z-]{15}[0-9A-Z]$' END",
        name="ean",
    ),
    CheckConstraint("(commodity = 'electricity') = (voltage_level IS NOT NULL)", name="level_of_commodity"),
    UniqueConstraint("id", "commodity"),
    ForeignKeyConstraint(
        ["area", "operator"], ["network_area.id", "network_area.licensee"], name="supply_point_area_operator_fkey"
    ),
    Index("supply_point_search_ix", "search", postgresql_using="gin", postgresql_ops={"search": "gin_trgm_ops"}),
    Index("supply_point_name_ix", "name", "id"),
    Index("supply_point_object_ix", "object", "id"),
    Index("supply_point_city_ix", "city", "id"),
    Index("supply_point_planned_mwh_ix", "planned_mwh", "id"),
    Index("supply_point_ean_id_ix", "ean", "id"),
    Index("supply_point_state_ix", "state", "ean", "id"),
    Index("supply_point_category_ix", "category", "ean", "id"),
    Index("supply_point_point_type_ix", "point_type", "ean", "id"),
    Index("supply_point_commodity_level_ix", "commodity", "voltage_level", "metering_type", "ean", "id"),
    Index("supply_point_level_type_ix", "voltage_level", "metering_type", "ean", "id"),
    Index("supply_point_operator_ix", "operator", "ean"),
    Index("supply_point_supplier_ix", "supplier", "ean", "id"),
    Index("supply_point_area_ix", "area", "ean"),
    Index("supply_point_site_object_ix", "site_object"),
    comment="Odběrné nebo předávací místo (OPM); ean holds EAN 18 for electricity, EIC 16 for gas",
)

POINT_FACTS = (
    "name", "object", "street", "city", "postal_code", "voltage_level", "metering_type", "category",
    "load_profile_class", "temperature_zone", "planned_mwh", "operator", "supplier", "area", "site_object", "state",
    "pressure_level", "gas_group",
)  # fmt: skip
"""What may change of a supply point, with validity; its EAN, commodity and type stay."""

supply_point_past = past_of(
    supply_point,
    POINT_FACTS,
    Column("commodity", Text, nullable=False),
    ForeignKeyConstraint(["supply_point", "commodity"], ["supply_point.id", "supply_point.commodity"]),
    ForeignKeyConstraint(
        ["area", "operator"], ["network_area.id", "network_area.licensee"], name="supply_point_past_area_operator_fkey"
    ),
    CheckConstraint("(commodity = 'electricity') = (voltage_level IS NOT NULL)", name="level_of_commodity"),
    CheckConstraint("commodity = 'gas' OR num_nonnulls(pressure_level, gas_group) = 0", name="gas_facts"),
    CheckConstraint(one_of("state", STATES), name="state"),
    own_key=False,
)

reserved_capacity = Table(
    "reserved_capacity",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("kw", Numeric(12, 3), nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("ordered_on", Date),
    Column("via_supplier", Boolean, nullable=False, server_default="false"),
    CheckConstraint(one_of("kind", ("year", "month")), name="kind"),
    CheckConstraint("kw >= 0", name="kw"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("supply_point", "="),
        ("kind", "="),
        ("valid", "&&"),
        using="gist",
        name="reserved_capacity_supply_point_kind_valid_excl",
    ),
    comment="Odběrový diagram: yearly and monthly reserved capacity of a supply point, each with its validity; they "
    "add up",
)

gas_capacity = Table(
    "gas_capacity",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("m3_a_day", Numeric(14, 3), nullable=False),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint(one_of("kind", ("month", "sliding")), name="kind"),
    CheckConstraint("m3_a_day > 0", name="m3_a_day"),
    CheckConstraint("NOT isempty(valid) AND lower(valid) IS NOT NULL AND upper(valid) IS NOT NULL", name="valid"),
    CheckConstraint(
        "kind <> 'month' OR (extract(day FROM lower(valid)) = 1 AND extract(day FROM upper(valid)) = 1)",
        name="whole_months",
    ),
    ExcludeConstraint(
        ("supply_point", "="),
        ("kind", "="),
        ("valid", "&&"),
        using="gist",
        name="gas_capacity_supply_point_kind_valid_excl",
    ),
    comment="Daily capacity of a gas point beside the yearly one of its contract items: monthly and sliding; they add "
    "up",
)
