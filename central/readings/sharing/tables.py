"""Tables of sharing: groups, keys of their producers and consumers with validity, and what was allocated by day."""

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
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, ExcludeConstraint

from central.platform.database import metadata

sharing_group = Table(
    "sharing_group",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("kind IN ('grid', 'house')", name="kind"),
    comment="Skupina sdílení: a group registered at EDC, over the grid or within one house",
)

sharing_key = Table(
    "sharing_key",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("group", Text, ForeignKey("sharing_group.code"), nullable=False),
    Column("producer", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("consumer", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("hundredths", Integer, nullable=False, comment="Alokační klíč in hundredths of a percent"),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("hundredths BETWEEN 0 AND 10000", name="hundredths"),
    CheckConstraint("producer <> consumer", name="other"),
    CheckConstraint("NOT isempty(valid) AND NOT lower_inf(valid)", name="valid"),
    ExcludeConstraint(
        ("group", "="),
        ("producer", "="),
        ("consumer", "="),
        ("valid", "&&"),
        name="sharing_key_valid_excl",
        using="gist",
    ),
    Index("sharing_key_producer_ix", "producer"),
    Index("sharing_key_consumer_ix", "consumer"),
    comment="Alokační klíč: the part of a producer's energy that a consumer is offered, with validity by days",
)

sharing_allocation = Table(
    "sharing_allocation",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("group", Text, ForeignKey("sharing_group.code"), nullable=False),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("source", Text, nullable=False, comment="edc: as EDC settled it; computed: ours, by the keys"),
    Column("version", Integer, nullable=False),
    Column("units", ARRAY(Integer), nullable=False, comment="Shared energy of each quarter-hour in 0.01 kWh"),
    Column("total", BigInteger, nullable=False, comment="Their sum in 0.01 kWh"),
    Column("origin", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("role IN ('producer', 'consumer')", name="role"),
    CheckConstraint("source IN ('edc', 'computed')", name="source"),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint("cardinality(units) IN (92, 96, 100)", name="units"),
    CheckConstraint("total >= 0", name="total"),
    UniqueConstraint(
        "supply_point", "role", "day", "group", "source", "version", name="sharing_allocation_version_key"
    ),
    Index("sharing_allocation_group_ix", "group", "day"),
    comment="Append-only: what a member was allocated of shared energy by day; another content is a new version",
)
