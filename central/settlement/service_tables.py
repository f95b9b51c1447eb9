"""Tables of own services and own price lists, and of what items are settled from."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata

RATES = (3000, 3999)
"""Rate codes of own services; the regulator's end below 2000, those that it lacks stand from 2001."""
QUANTITIES = ("fixed", "area", "channel", "formula", "node")
SHARES = ("whole", "percent", "energy", "area")
PRICED = ("fixed", "vt", "nt", "energy")

_VALID = "NOT isempty(valid) AND NOT lower_inf(valid)"


def _once(table: str, *columns: str) -> ExcludeConstraint:
    keys = tuple((column, "=") for column in columns)
    return ExcludeConstraint(*keys, ("valid", "&&"), using="gist", name=f"{table}_{'_'.join(columns)}_valid_excl")


own_service = Table(
    "own_service",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("rate", Integer, nullable=False, unique=True),
    Column("name_cs", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("vat_percent", Numeric(5, 2), nullable=False),
    CheckConstraint("rate BETWEEN 3000 AND 3999", name="rate"),
    CheckConstraint("vat_percent >= 0 AND vat_percent < 100", name="vat_percent"),
    comment="Vlastní služba: what the operator bills beside the regulated; not told to OTE",
)

own_service_price = Table(
    "own_service_price",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("service", BigInteger, ForeignKey("own_service.id"), nullable=False),
    Column("price", Numeric(18, 6), nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("source", Text, nullable=False),
    CheckConstraint(_VALID, name="valid"),
    _once("own_service_price", "service"),
    comment="Price of an own service without VAT, since when until when",
)

contract_service = Table(
    "contract_service",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract_item", BigInteger, ForeignKey("contract_item.id"), nullable=False),
    Column("service", BigInteger, ForeignKey("own_service.id"), nullable=False, index=True),
    Column("quantity", Text, nullable=False),
    Column("fixed", Numeric(18, 6)),
    Column("channel", Integer, ForeignKey("channel.id")),
    Column("formula", Text),
    Column("collection", Integer, ForeignKey("collection.id")),
    Column("node", Text),
    Column("share", Text),
    Column("percent", Numeric(9, 6)),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("quantity IN ('fixed', 'area', 'channel', 'formula', 'node')", name="quantity"),
    CheckConstraint("share IN ('whole', 'percent', 'energy', 'area')", name="share"),
    CheckConstraint("percent > 0 AND percent <= 100", name="percent"),
    CheckConstraint(_VALID, name="valid"),
    CheckConstraint("(quantity = 'fixed') = (fixed IS NOT NULL)", name="fixed_of_quantity"),
    CheckConstraint("(quantity = 'channel') = (channel IS NOT NULL)", name="channel_of_quantity"),
    CheckConstraint("(quantity = 'formula') = (formula IS NOT NULL)", name="formula_of_quantity"),
    CheckConstraint(
        "(quantity = 'node') = (collection IS NOT NULL) AND (quantity = 'node') = (node IS NOT NULL) "
        "AND (quantity = 'node') = (share IS NOT NULL)",
        name="node_of_quantity",
    ),
    CheckConstraint("(share IS NOT DISTINCT FROM 'percent') = (percent IS NOT NULL)", name="percent_of_share"),
    _once("contract_service", "contract_item", "service"),
    Index("contract_service_channel_ix", "channel", postgresql_where=text("channel IS NOT NULL")),
    comment="An own service under a contract item: what its quantity is, since when until when",
)

own_price_list = Table(
    "own_price_list",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    CheckConstraint("commodity IN ('electricity', 'gas')", name="commodity"),
    comment="Vlastní ceník dodávky (Ceník NN): what the licensee sells energy for",
)

own_price = Table(
    "own_price",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("price_list", BigInteger, ForeignKey("own_price_list.id"), nullable=False),
    Column("component", Text, nullable=False),
    Column(
        "rate",
        Text,
        nullable=False,
        server_default="",
        comment="Distribution rate that it is for; empty: any without a price of its own",
    ),
    Column("price", Numeric(18, 6), nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("source", Text, nullable=False),
    CheckConstraint("component IN ('fixed', 'vt', 'nt', 'energy')", name="component"),
    CheckConstraint(_VALID, name="valid"),
    _once("own_price", "price_list", "component", "rate"),
    comment="A price of an own price list without VAT: Kč/měs (fixed) or Kč/MWh",
)

item_price_list = Table(
    "item_price_list",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract_item", BigInteger, ForeignKey("contract_item.id"), nullable=False),
    Column("price_list", BigInteger, ForeignKey("own_price_list.id"), nullable=False, index=True),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint(_VALID, name="valid"),
    _once("item_price_list", "contract_item"),
    comment="The own price list by which energy is sold under a contract item",
)

settled_from = Table(
    "settled_from",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract_item", BigInteger, ForeignKey("contract_item.id"), nullable=False),
    Column("direction", Text, nullable=False),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False, index=True),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint(_VALID, name="valid"),
    _once("settled_from", "contract_item", "direction"),
    comment="The channel that a contract item is settled from instead of the own one of its point, physical or virtual",
)
