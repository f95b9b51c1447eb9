"""Tables of register states that people enter, and of switching times."""

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
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, ExcludeConstraint

from central.platform.database import metadata

KINDS = (
    "own",
    "customer",
    "estimate",
    "exchange",
    "change_of_supplier",
    "change_of_customer",
    "initial",
    "contractual_initial",
    "removal",
)
"""Own (of the operator's reader), customer's, estimate, at exchange, at change of supplier or customer, initial state
(počáteční stav), contractual initial state (smluvní počáteční stav), at removal. A remote state is evidence and is not
entered here."""

meter_state = Table(
    "meter_state",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("evidence_channel", Integer, ForeignKey("evidence_channel.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("period_start", DateTime(timezone=True)),
    Column("pz_date", Date),
    Column("rolled_over", Boolean, nullable=False, server_default=text("false")),
    Column("note", Text, nullable=False, server_default=""),
    Column("document", Text),
    Column("entered_at", DateTime(timezone=True), nullable=False),
    Column("entered_by", Text, nullable=False),
    Column("locked_by", Text),
    Column("locked_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_by", Text),
    Column("revoked_reason", Text),
    Index(
        "meter_state_active_key",
        "evidence_channel",
        "at",
        "kind",
        unique=True,
        postgresql_where=text("revoked_at IS NULL"),
    ),
    CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
    CheckConstraint("value >= 0", name="value"),
    CheckConstraint("period_start < at", name="period"),
    CheckConstraint("(locked_by IS NULL) = (locked_at IS NULL)", name="locked"),
    CheckConstraint(
        "(revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (revoked_reason IS NULL)",
        name="revoked",
    ),
    CheckConstraint("locked_at IS NULL OR revoked_at IS NULL", name="locked_stays"),
    comment="Stav měřidla entered by a person or imported, with its meaning; at is the end of its measuring period",
)

tariff_schedule = Table(
    "tariff_schedule",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    comment="Spínání sazeb: a command of the ripple control (povel HDO) or a clock in the meter",
)

switching_time = Table(
    "switching_time",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("schedule", Integer, ForeignKey("tariff_schedule.id"), nullable=False),
    Column("day_kind", SmallInteger, nullable=False),
    Column("low", ARRAY(SmallInteger), nullable=False),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("day_kind BETWEEN 1 AND 8", name="day_kind"),
    CheckConstraint("cardinality(low) % 2 = 0", name="low"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("schedule", "="),
        ("day_kind", "="),
        ("valid", "&&"),
        using="gist",
        name="switching_time_schedule_day_kind_valid_excl",
    ),
    comment="Low tariff (NT) of a kind of day: pairs of minutes of local time, end exclusive; "
    "1 Monday .. 7 Sunday, 8 holiday",
)

channel_schedule = Table(
    "channel_schedule",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False),
    Column("schedule", Integer, ForeignKey("tariff_schedule.id"), nullable=False),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(("channel", "="), ("valid", "&&"), using="gist", name="channel_schedule_channel_valid_excl"),
    comment="By which switching times the tariffs of a channel are told apart, by validity",
)
