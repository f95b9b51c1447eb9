"""Tables of virtual meters."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, ExcludeConstraint

from central.platform.database import metadata

_SINCE = "NOT lower_inf(valid)"

formula = Table(
    "formula",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False),
    Column("text", Text, nullable=False),
    Column("coefficients", ARRAY(Text), nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint(_SINCE, name="valid"),
    ExcludeConstraint(("channel", "="), ("valid", "&&"), using="gist", name="formula_channel_valid_excl"),
    comment="Virtuální měřidlo: what a channel without mapping is computed from, by metering days; empty: replaced",
)

formula_input = Table(
    "formula_input",
    metadata,
    Column("formula", Integer, ForeignKey("formula.id"), primary_key=True),
    Column("point", Text, primary_key=True),
    Column("direction", Text, primary_key=True),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False, index=True),
    comment="The channel that a name in a formula is bound to",
)

formula_coefficient = Table(
    "formula_coefficient",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("value", Numeric(24, 12), nullable=False),
    Column("unit", Text, nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("source", Text, nullable=False),
    CheckConstraint(_SINCE, name="valid"),
    ExcludeConstraint(("name", "="), ("valid", "&&"), using="gist", name="formula_coefficient_name_valid_excl"),
    comment="Named coefficients of formulas, by metering days; source: where a value is from",
)

formula_work = Table(
    "formula_work",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("day", Date, nullable=False),
    Column("channels", ARRAY(Integer), nullable=False),
    Column("due", DateTime(timezone=True), nullable=False),
    Index("formula_work_due_ix", "due"),
    comment="Days of channels that changed and have virtual meters above them, or are such; deleted when computed",
)

formula_source = Table(
    "formula_source",
    metadata,
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("formula", Integer, ForeignKey("formula.id"), nullable=False),
    Column("inputs", ARRAY(Integer), nullable=False),
    Column("versions", ARRAY(Integer), nullable=False),
    CheckConstraint("cardinality(inputs) = cardinality(versions)", name="versions"),
    comment="What a version of a virtual meter's day was computed from: formula, input channels and their versions",
)
