"""Tables of the validation: work to be done, findings, parameters that the operator set, exemptions."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, JSONB, ExcludeConstraint

from central.platform.database import metadata

FINDING_STATES = ("open", "confirmed", "overruled", "gone")
EXEMPTIONS = ("idle", "outage")

vee_work = Table(
    "vee_work",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("bucket", Integer, nullable=False),
    Column("channels", ARRAY(Integer), nullable=False),
    Column("first", Date, nullable=False),
    Column("last", Date, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("cardinality(channels) > 0", name="channels"),
    CheckConstraint("first <= last", name="days"),
    Index("vee_work_bucket_ix", "bucket", "id"),
    comment="Days (first to last, both included) of channels of one bucket whose validation is to be done",
)

finding = Table(
    "finding",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False),
    Column("day", Date, nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("first_index", SmallInteger, nullable=False),
    Column("last_index", SmallInteger, nullable=False),
    Column("measured", Float(53)),
    Column("allowed", Float(53)),
    Column("evidence", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("reason", Text),
    UniqueConstraint("channel", "day", "rule", name="finding_channel_day_rule_key"),
    CheckConstraint("severity BETWEEN 1 AND 3", name="severity"),
    CheckConstraint("state IN ('open', 'confirmed', 'overruled', 'gone')", name="state"),
    CheckConstraint("first_index BETWEEN 0 AND last_index", name="index"),
    CheckConstraint(
        "(decided_by IS NULL) = (decided_at IS NULL)"
        " AND (state NOT IN ('confirmed', 'overruled') OR decided_by IS NOT NULL)"
        " AND (state <> 'overruled' OR reason IS NOT NULL)",
        name="decided",
    ),
    Index("finding_state_ix", "state", "day", "id"),
    comment="What a rule found on a channel's day: numbers compared, state, and who decided it; "
    "a re-run changes it in place",
)

vee_parameter = Table(
    "vee_parameter",
    metadata,
    Column("class", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("parameters", JSONB, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("jsonb_typeof(parameters) = 'object'", name="parameters"),
    comment="Parameters of rules that the operator set for a class of channels, over those that ship",
)

vee_exemption = Table(
    "vee_exemption",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("days", DATERANGE, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("kind IN ('idle', 'outage')", name="kind"),
    CheckConstraint("NOT isempty(days)", name="days"),
    ExcludeConstraint(("channel", "="), ("days", "&&"), using="gist", name="vee_exemption_channel_days_excl"),
    comment="Days on which a channel may measure nothing: known to be idle, or without supply",
)
