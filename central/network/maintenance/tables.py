"""Tables of maintenance: verification of meters, reading rounds, periodic activities, service cases."""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint

from central.network.maintenance.case_states import CaseState
from central.network.point_tables import one_of
from central.platform.database import metadata

MARKS = ("documented", "inferred", "assumed")
ACTIVITY_KINDS = ("verification", "sampling", "reading", "inspection", "exchange")

verification_period = Table(
    "verification_period",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("years", SmallInteger),
    Column("extension_years", SmallInteger),
    Column("to_year_end", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("installed_by", Text, nullable=False),
    Column("since", Date, nullable=False),
    Column("valid", DATERANGE, nullable=False),
    UniqueConstraint("kind", "installed_by"),
    CheckConstraint("years > 0", name="years"),
    CheckConstraint("extension_years > 0", name="extension"),
    CheckConstraint(one_of("mark", MARKS), name="mark"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(("kind", "="), ("valid", "&&"), using="gist", name="verification_period_kind_valid_excl"),
    comment="Doba platnosti ověření by kind of instrument: law as data; years NULL: without limit",
)

sampling_group = Table(
    "sampling_group",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("sample_size", Integer, nullable=False),
    Column("tested_on", Date),
    Column("passed", Boolean),
    Column("extended_until", Date),
    CheckConstraint("sample_size > 0", name="sample_size"),
    CheckConstraint(
        "(tested_on IS NULL) = (passed IS NULL) AND (extended_until IS NOT NULL) = coalesce(passed, false)",
        name="result",
    ),
    comment="Výběrová skupina: meters of one kind whose validity a test of drawn samples extends for all",
)

meter_verification = Table(
    "meter_verification",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("meter", Text, ForeignKey("meter.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("verified_on", Date, nullable=False),
    Column("until", Date),
    Column("certificate", Text, nullable=False, server_default=""),
    Column("sampling_group", Integer, ForeignKey("sampling_group.id"), index=True),
    Column("drawn", Boolean, nullable=False, server_default="false"),
    Column("entered_at", DateTime(timezone=True), nullable=False),
    Column("entered_by", Text, nullable=False),
    UniqueConstraint("meter", "verified_on"),
    CheckConstraint("until >= verified_on", name="until"),
    CheckConstraint("NOT drawn OR sampling_group IS NOT NULL", name="drawn"),
    comment="Ověření (cejchování) of a meter; until: the last day that it holds, NULL: always",
)

reading_group = Table(
    "reading_group",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    comment="Odečtová skupina: measuring points that are read on one round",
)

reading_group_member = Table(
    "reading_group_member",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("reading_group", Integer, ForeignKey("reading_group.id"), nullable=False, index=True),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id"), nullable=False),
    Column("route_order", Integer, nullable=False),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("route_order >= 0", name="route_order"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("measuring_point", "="),
        ("valid", "&&"),
        using="gist",
        name="reading_group_member_measuring_point_valid_excl",
    ),
    comment="A measuring point in a reading group, one group at a time, and its place on the way",
)

activity = Table(
    "activity",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("reading_group", Integer, ForeignKey("reading_group.id")),
    Column("element", Integer, ForeignKey("network_element.id")),
    Column("every_months", SmallInteger),
    Column("next_due", Date),
    Column("lead_days", SmallInteger, nullable=False),
    Column("instructions", Text, nullable=False, server_default=""),
    Column("active", Boolean, nullable=False, server_default="true"),
    CheckConstraint(one_of("kind", ACTIVITY_KINDS), name="kind"),
    CheckConstraint("every_months > 0", name="every_months"),
    CheckConstraint("lead_days BETWEEN 0 AND 1100", name="lead_days"),
    CheckConstraint(
        "(kind = 'reading') = (reading_group IS NOT NULL) AND (element IS NULL OR kind = 'inspection')",
        name="subject",
    ),
    CheckConstraint(
        "(kind IN ('reading', 'inspection')) = (every_months IS NOT NULL)"
        " AND (every_months IS NULL) = (next_due IS NULL)",
        name="round",
    ),
    comment="Pravidelná aktivita: every so many months, or (verification, sampling, exchange) by expiry of each meter",
)

service_rule = Table(
    "service_rule",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("order_kind", Text, nullable=False),
    Column("due_days", SmallInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("mark", Text, nullable=False),
    CheckConstraint("jsonb_typeof(parameters) = 'object'", name="parameters"),
    CheckConstraint("severity BETWEEN 1 AND 3", name="severity"),
    CheckConstraint("due_days >= 0", name="due_days"),
    comment="When a service case is opened, and which work it proposes: thresholds as data",
)

service_case = Table(
    "service_case",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("kind", Text, ForeignKey("service_rule.kind"), nullable=False),
    Column("cause", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("meter", Text, ForeignKey("meter.id"), index=True),
    Column("concentrator", Text, ForeignKey("concentrator.id")),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id")),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("closed_by", Text),
    Column("reason", Text),
    CheckConstraint(one_of("state", tuple(str(state) for state in CaseState)), name="state"),
    CheckConstraint("severity BETWEEN 1 AND 3", name="severity"),
    CheckConstraint("num_nonnulls(meter, concentrator) >= 1", name="subject"),
    CheckConstraint(
        "(state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by IS NULL)"
        " AND (closed_at IS NULL) = (reason IS NULL)",
        name="closed",
    ),
    Index("service_case_cause_key", "cause", unique=True, postgresql_where=text("state <> 'closed'")),
    Index("service_case_opened_at_ix", "opened_at", "id"),
    Index("service_case_state_ix", "state", "opened_at"),
    comment="Servisní případ: one open case per cause, closed when the cause is gone",
)
