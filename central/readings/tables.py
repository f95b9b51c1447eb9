"""Tables of the readings: day profiles (truth, versioned), days that are still open, periods that are closed."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, DATERANGE

from central.platform.database import metadata
from central.readings import completeness_tables as completeness_tables
from central.readings import estimation_tables as estimation_tables
from central.readings import load_profile_tables as load_profile_tables
from central.readings import vee_tables as vee_tables
from central.readings.formulas import formula_tables as formula_tables
from central.readings.gas.tables import gas_area as gas_area
from central.readings.registers import state_tables as state_tables
from central.readings.sharing.tables import sharing_allocation as sharing_allocation
from central.readings.sharing.tables import sharing_group as sharing_group
from central.readings.sharing.tables import sharing_key as sharing_key
from central.readings.transfer import import_tables as import_tables

day_profile = Table(
    "day_profile",
    metadata,
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("values", ARRAY(Integer), nullable=False),
    Column("quality", ARRAY(SmallInteger)),
    Column("method", ARRAY(SmallInteger)),
    Column("step_ms", Integer, nullable=False),
    Column("missing", SmallInteger, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("batches", ARRAY(BigInteger), nullable=False),
    Column("digest", BYTEA, nullable=False),
    Column("base_digest", BYTEA, comment="Digest of the content before estimation; NULL: the same as digest"),
    Column(
        "late",
        Boolean,
        nullable=False,
        server_default="false",
        comment="Made after the day was closed by an approved settlement",
    ),
    Column(
        "total",
        BigInteger,
        comment="Sum of the values that are there; NULL in versions made before this column",
    ),
    Column(
        "peak",
        Integer,
        comment="Highest value, -2147483648 where none is there; NULL in versions made before this column",
    ),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint("cardinality(values) > 0", name="values"),
    Index("day_profile_incomplete_ix", "channel", "day", postgresql_where=text("missing > 0")),
    comment="Truth: all values of one channel and metering day, in one version; appended, never changed",
)

open_day = Table(
    "open_day",
    metadata,
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("due", DateTime(timezone=True), nullable=False),
    Index("open_day_due_ix", "due"),
    comment="Days with blocks and no version yet; due: when to look again (the day's end, then the deadline)",
)

closed_period = Table(
    "closed_period",
    metadata,
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("closed_by", Text, primary_key=True),
    Column("days", DATERANGE, nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("NOT isempty(days)", name="days"),
    comment="Days of a channel that are pinned by what names itself in closed_by: later versions of them are late",
)
