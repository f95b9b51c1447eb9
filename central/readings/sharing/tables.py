"""Tables of sharing: groups, and keys of their producers and consumers with validity."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

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
