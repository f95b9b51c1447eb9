"""Tables of the supply topology: elements with states, what feeds what, outages and the points they hit."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

from central.network.element_states import ElementState
from central.network.point_tables import one_of
from central.platform.database import metadata

ELEMENT_KINDS = ("node", "feeder", "transformer")
_STATES = one_of("state", tuple(str(state) for state in ElementState))

network_element = Table(
    "network_element",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_since", Date, nullable=False),
    Column("project", Text, nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default=""),
    Column("rated_kva", Integer),
    CheckConstraint(one_of("kind", ELEMENT_KINDS), name="kind"),
    CheckConstraint(_STATES, name="state"),
    CheckConstraint("rated_kva > 0", name="rated_kva"),
    comment="Prvek sítě: node, feeder or transformer",
)

network_element_step = Table(
    "network_element_step",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("element", Integer, ForeignKey("network_element.id"), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("since", Date, nullable=False),
    Column("project", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint(_STATES, name="state"),
    comment="Append-only: every state of a network element with its date and project",
)

element_supply = Table(
    "element_supply",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("element", Integer, ForeignKey("network_element.id"), nullable=False),
    Column("fed_from", Integer, ForeignKey("network_element.id"), nullable=False, index=True),
    Column("valid", TSTZRANGE, nullable=False),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("element <> fed_from", name="self"),
    ExcludeConstraint(("element", "="), ("valid", "&&"), using="gist", name="element_supply_element_valid_excl"),
    comment="What feeds a network element, since when until when; one at a time",
)

point_supply = Table(
    "point_supply",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id"), nullable=False),
    Column("element", Integer, ForeignKey("network_element.id"), index=True),
    Column("parent", Integer, ForeignKey("measuring_point.id"), index=True),
    Column("valid", TSTZRANGE, nullable=False),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("num_nonnulls(element, parent) >= 1", name="source"),
    CheckConstraint("parent <> measuring_point", name="self"),
    ExcludeConstraint(
        ("measuring_point", "="), ("valid", "&&"), using="gist", name="point_supply_measuring_point_valid_excl"
    ),
    comment="Which element and which parent meter's point a measuring point hangs behind",
)

outage = Table(
    "outage",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("planned", Boolean, nullable=False),
    Column("cause", Text, nullable=False),
    Column("element", Integer, ForeignKey("network_element.id")),
    Column("valid", TSTZRANGE, nullable=False),
    Column("announced_at", DateTime(timezone=True)),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("revision", Integer, nullable=False, server_default="1"),
    CheckConstraint("NOT isempty(valid) AND NOT lower_inf(valid)", name="valid"),
    Index("outage_valid_ix", "valid", postgresql_using="gist"),
    comment="Odstávka (planned) or porucha: no energy flows, so a zero there has a reason",
)

outage_point = Table(
    "outage_point",
    metadata,
    Column("outage", Integer, ForeignKey("outage.id"), primary_key=True, autoincrement=False),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id"), primary_key=True, autoincrement=False),
    Column("named_by", Text, nullable=False),
    CheckConstraint(one_of("named_by", ("topology", "hand")), name="named_by"),
    Index("outage_point_measuring_point_ix", "measuring_point"),
    comment="Measuring points that an outage hits: found by topology, or named by hand",
)
