"""Tables of collections: trees of meters, for settlement or for records."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata

PURPOSES = ("settlement", "records")

collection = Table(
    "collection",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    CheckConstraint("purpose IN ('settlement', 'records')", name="purpose"),
    comment="Kolekce měřidel: a tree of nodes for settlement or for records",
)


def _once(column: str) -> ExcludeConstraint:
    where = None if column == "node" else text(f"{column} IS NOT NULL")
    return ExcludeConstraint(
        ("collection", "="),
        (column, "="),
        ("valid", "&&"),
        using="gist",
        where=where,
        name=f"collection_node_{column}_valid_excl",
    )


collection_node = Table(
    "collection_node",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("collection", Integer, ForeignKey("collection.id"), nullable=False),
    Column("node", Text, nullable=False),
    Column("parent", Text),
    Column("channel", Integer, ForeignKey("channel.id"), index=True),
    Column("meter", Text, ForeignKey("meter.id")),
    Column("sign", SmallInteger, nullable=False, server_default="1"),
    Column("tolerance", Numeric(5, 4)),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("parent <> node", name="parent"),
    CheckConstraint("sign IN (-1, 1)", name="sign"),
    CheckConstraint("tolerance BETWEEN 0 AND 1", name="tolerance"),
    CheckConstraint("NOT isempty(valid) AND NOT lower_inf(valid)", name="valid"),
    CheckConstraint("num_nonnulls(channel, meter) <= 1", name="one_thing"),
    _once("node"),
    _once("channel"),
    _once("meter"),
    comment="A place in a collection's tree, since when until when: below which node, and what measures it",
)
