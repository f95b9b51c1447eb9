"""Tables of load-profile classes (typové diagramy dodávky, TDD): imported series, every import kept."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, DATERANGE, ExcludeConstraint

from central.platform.database import metadata

KINDS = ("normalised", "recomputed")
"""Normalizovaný (for a mean year, sums to 1 over it) and přepočtený (by the real temperature, known afterwards)."""

MARKS = ("documented", "inferred", "assumed")

load_profile_import = Table(
    "load_profile_import",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("commodity", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("zone", Text, nullable=False, server_default=""),
    Column("source", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("digest", BYTEA, nullable=False, unique=True),
    Column("days", Integer, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("imported_by", Text, nullable=False),
    CheckConstraint("commodity IN ('electricity', 'gas')", name="commodity"),
    CheckConstraint("kind IN ('normalised', 'recomputed')", name="kind"),
    CheckConstraint("mark IN ('documented', 'inferred', 'assumed')", name="mark"),
    comment="One import of TDD series, with its source and how sure they are; digest makes a repetition harmless",
)

load_profile_class_value = Table(
    "load_profile_class_value",
    metadata,
    Column("commodity", Text, primary_key=True),
    Column("class", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("zone", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("import_id", BigInteger, ForeignKey("load_profile_import.id"), primary_key=True),
    Column("values", ARRAY(Double), nullable=False),
    CheckConstraint("cardinality(values) > 0", name="values"),
    comment="TDD of a class on a metering day: hours or quarter-hours (gas: the day or hours); newest import counts",
)

load_profile_rate = Table(
    "load_profile_rate",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("package", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("rate", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("source", Text, nullable=False),
    Column("mark", Text, nullable=False),
    CheckConstraint("commodity IN ('electricity', 'gas')", name="commodity"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("mark IN ('documented', 'inferred', 'assumed')", name="mark"),
    ExcludeConstraint(
        ("commodity", "="), ("rate", "="), ("valid", "&&"), using="gist", name="load_profile_rate_valid_excl"
    ),
    comment="Třída TDD of a distribution rate: law as data, for points that have no class of their own",
)
