"""Table of what changes the price of a supply point while it holds."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata
from central.registry.past import one_of

CONDITIONS = ("loss", "capacity_exempt", "single_component", "storage", "tax_exempt")
STORAGES = ("storage", "pumped")

point_condition = Table(
    "point_condition",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("percent", Numeric(6, 3)),
    Column("choice", Text),
    Column("valid", DATERANGE, nullable=False),
    Column("source", Text, nullable=False),
    CheckConstraint(one_of("kind", CONDITIONS), name="kind"),
    CheckConstraint("percent > 0 AND percent <= 20", name="percent"),
    CheckConstraint(one_of("choice", STORAGES), name="choice"),
    CheckConstraint("NOT isempty(valid) AND NOT lower_inf(valid)", name="valid"),
    CheckConstraint("(kind = 'loss') = (percent IS NOT NULL)", name="percent_of_loss"),
    CheckConstraint("(kind = 'storage') = (choice IS NOT NULL)", name="choice_of_storage"),
    ExcludeConstraint(
        ("supply_point", "="),
        ("kind", "="),
        ("valid", "&&"),
        using="gist",
        name="point_condition_supply_point_kind_valid_excl",
    ),
    comment="What changes the price of a point while it holds: transformer losses, exemptions, a choice, storage",
)
