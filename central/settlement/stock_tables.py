"""Table of stock items: the accounting items that lines of bills stand for."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, Index, Integer, Table, Text, text

from central.platform.database import metadata

MARKS = ("documented", "inferred", "assumed", "own")
"""What the OTE invoice item type stands on; own: the operator's."""

stock_item = Table(
    "stock_item",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name_cs", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("rate", Integer, nullable=False),
    Column("component", Text, comment="NULL: of every component with the rate that has no item of its own"),
    Column(
        "owner",
        BigInteger,
        ForeignKey("party.id"),
        index=True,
        comment="Who invoices; NULL: everybody without an item of their own",
    ),
    Column(
        "ote_item_type",
        Text,
        comment="Typ položky faktury OTE: item code of message 127 as ours (DIST_USE), of gas the field of CDSGASPOF",
    ),
    Column("mark", Text, nullable=False),
    Column("source", Text, nullable=False),
    CheckConstraint("rate BETWEEN 1 AND 9999", name="rate"),
    CheckConstraint("mark IN ('documented', 'inferred', 'assumed', 'own')", name="mark"),
    Index(
        "stock_item_rate_key",
        "rate",
        text("coalesce(component, '')"),
        text("coalesce(owner, 0)"),
        unique=True,
    ),
    comment="Kmenová karta zboží: the accounting item of a billed line, by rate, component and who invoices",
)
