"""Stock items (kmenové karty zboží): what accounting item a billed line stands for, with its OTE invoice item type.

A basis has the item of its rate; of several that of its component, then that of who invoices.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_new
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound
from central.registry.tables import party
from central.settlement.stock_tables import stock_item

_SHIPPED: Final = Path(__file__).with_name("stock_items.json")

OF_BASIS: Final = """
       SELECT k.id, k.code, k.ote_item_type FROM stock_item k
        WHERE k.rate = b.rate AND (k.component IS NULL OR k.component = b.component)
          AND (k.owner IS NULL OR k.owner = b.seller)
        ORDER BY k.component IS NULL, k.owner IS NULL LIMIT 1
"""
"""The stock item of a billing basis b, for a LATERAL join."""


class ShippedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stock item that comes with the product; `source` is a name in the file's sources."""

    code: str
    name_cs: str
    name_en: str
    rate: int
    ote_item_type: str | None
    mark: Literal["documented", "assumed"]
    source: str


class ShippedItems(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stock items of the rates that the product bills."""

    sources: dict[str, str]
    items: list[ShippedItem]


@cache
def shipped_items() -> ShippedItems:
    """As they ship."""
    return msgspec.json.decode(_SHIPPED.read_bytes(), type=ShippedItems)


def install_stock_items(connection: Connection) -> int:
    """Add shipped items that are not there, idempotently; those of the operator stay. Returns how many were added."""
    shipped = shipped_items()
    rows = [{**msgspec.structs.asdict(each), "source": shipped.sources[each.source]} for each in shipped.items]
    added = connection.execute(insert_new(stock_item).values(rows).on_conflict_do_nothing().returning(stock_item.c.id))
    return len(added.all())


def require_stock_item(connection: Connection, code: str, *, lock: bool = False) -> RowMapping:
    """A stock item with its owner's code, or NotFound."""
    query = (
        select(stock_item, party.c.code.label("owner_code"))
        .select_from(stock_item.outerjoin(party, party.c.id == stock_item.c.owner))
        .where(stock_item.c.code == code)
    )
    row = connection.execute(query.with_for_update(of=stock_item) if lock else query).mappings().first()
    if row is None:
        raise NotFound("stock_item_not_found", f"There is no stock item {code}; see GET /v1/stock-items.")
    return row


def create_stock_item(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Add an item of the operator; Refused where the code, or one for the same rate, component and owner, is there."""
    _write(connection, lambda: insert(stock_item).values(**_columns(connection, facts), mark="own"))


def revise_stock_item(connection: Connection, code: str, facts: Mapping[str, Any]) -> None:
    """Change all but its code; it is the operator's from then on."""
    columns = _columns(connection, facts)
    _write(connection, lambda: update(stock_item).where(stock_item.c.code == code).values(**columns, mark="own"))


def _columns(connection: Connection, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with the owner's id instead of the code."""
    owner = facts["owner"]
    found = None
    if owner is not None:
        found = connection.execute(select(party.c.id).where(party.c.code == owner)).scalar()
        if found is None:
            raise BadInput("owner", f"There is no party {owner}; give the code of the one who invoices.")
    return {**facts, "owner": found}


def _write(connection: Connection, statement: Any) -> None:
    try:
        with connection.begin_nested():
            connection.execute(statement())
    except IntegrityError as error:
        raise explain(error) from error
