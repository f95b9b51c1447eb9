"""Tables of the network: what measures, where it hangs, and which settled channel its registers feed."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

from central.network import collection_tables as collection_tables
from central.network import control_tables as control_tables
from central.network import line_tables as line_tables
from central.network import point_tables as point_tables
from central.network import register_tables as register_tables
from central.network import topology_tables as topology_tables
from central.network.maintenance import order_tables as order_tables
from central.platform.database import metadata

COMMODITIES = ("electricity", "gas")
KINDS = ("interval", "state")
DIRECTIONS = ("A+", "A-", "R+", "R-", "V", "VT", "NT", "JT")
"""Active import/export, reactive import/export, volume of gas; registers of high, low and single tariff."""


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


concentrator = Table(
    "concentrator",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("place", Text, nullable=False),
    comment="Koncentrátor: the edge agent that reads meters; its id is the edge id on the wire",
)

meter = Table(
    "meter",
    metadata,
    Column("id", Text, primary_key=True),
    Column("serial", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("concentrator", Text, ForeignKey("concentrator.id"), nullable=False, index=True),
    Column("place", Text, nullable=False, server_default=""),
    UniqueConstraint("model", "serial"),
    CheckConstraint(_one_of("commodity", COMMODITIES), name="commodity"),
    Index(
        "meter_search_ix",
        func.fold(text("(((id || ' '::text) || serial) || ' '::text) || place")).label("folded"),
        postgresql_using="gin",
        postgresql_ops={"folded": "gin_trgm_ops"},
    ),
    Index("meter_serial_ix", "serial", "id"),
    Index("meter_model_ix", "model", "id"),
    Index("meter_commodity_ix", "commodity", "id"),
    comment="Měřidlo: a physical meter; its id is the device id on the wire",
)

evidence_channel = Table(
    "evidence_channel",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("concentrator", Text, ForeignKey("concentrator.id"), nullable=False),
    Column("device", Text, ForeignKey("meter.id"), nullable=False, index=True),
    Column("register", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("exponent", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step_ms", Integer, nullable=False),
    Column("min_value", BigInteger),
    Column("max_value", BigInteger),
    UniqueConstraint("concentrator", "device", "register"),
    CheckConstraint(_one_of("kind", KINDS), name="kind"),
    CheckConstraint("step_ms >= 0 AND (kind = 'state') = (step_ms = 0)", name="step"),
    CheckConstraint("min_value <= max_value", name="limits"),
    comment="A physical register as delivered: integers in unit x 10^exponent; step_ms 0 for states",
)

channel = Table(
    "channel",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), index=True),
    Column("point", Text, ForeignKey("measuring_point.name", onupdate="CASCADE"), nullable=False),
    Column("direction", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("exponent", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step_ms", Integer, nullable=False),
    Column("logical_meter", Integer, ForeignKey("logical_meter.id"), nullable=False, index=True),
    UniqueConstraint("point", "direction", "kind"),
    CheckConstraint(_one_of("direction", DIRECTIONS), name="direction"),
    CheckConstraint(_one_of("commodity", COMMODITIES), name="commodity"),
    CheckConstraint(_one_of("kind", KINDS), name="kind"),
    CheckConstraint("step_ms >= 0 AND (kind = 'state') = (step_ms = 0)", name="step"),
    comment="What is settled: outlives the meters that feed it; point is the measuring point's name",
)

channel_mapping = Table(
    "channel_mapping",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("evidence_channel", Integer, ForeignKey("evidence_channel.id"), nullable=False),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False),
    Column("multiplier", Integer, nullable=False, server_default="1"),
    Column("sign", SmallInteger, nullable=False, server_default="1"),
    Column("valid", TSTZRANGE, nullable=False),
    Column(
        "consolidated_at",
        DateTime(timezone=True),
        comment="When the days of blocks that were there before the mapping were made; NULL: to be done",
    ),
    Index("channel_mapping_unconsolidated_ix", "id", postgresql_where=text("consolidated_at IS NULL")),
    CheckConstraint("multiplier > 0", name="multiplier"),
    CheckConstraint("sign IN (-1, 1)", name="sign"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("evidence_channel", "="), ("valid", "&&"), using="gist", name="channel_mapping_evidence_channel_valid_excl"
    ),
    ExcludeConstraint(("channel", "="), ("valid", "&&"), using="gist", name="channel_mapping_channel_valid_excl"),
    comment="Which register feeds which channel, since when until when: a meter exchange adds a row here",
)
