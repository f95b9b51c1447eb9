"""The operator's own services and own price lists (Ceník NN): create, find, require, price from a day on."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, insert, select, text
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound
from central.registry.following import add_row, find_rows
from central.settlement.service_tables import own_price, own_price_list, own_service, own_service_price

LISTED = {"electricity": ("fixed", "vt", "nt", "energy"), "gas": ("fixed", "energy")}
"""Components of an own price list by commodity: "energy" is the price of a single tariff."""

_POINTS = {
    own_service.name: text("""
        -- points with a service attached
        SELECT DISTINCT i.supply_point FROM contract_service s JOIN contract_item i ON i.id = s.contract_item
         WHERE s.service = :id ORDER BY 1
    """),
    own_price_list.name: text("""
        -- points that energy is sold to by a list
        SELECT DISTINCT i.supply_point FROM item_price_list l JOIN contract_item i ON i.id = l.contract_item
         WHERE l.price_list = :id ORDER BY 1
    """),
}


def find_services(connection: Connection) -> Sequence[RowMapping]:
    """The catalogue, by code."""
    return connection.execute(select(own_service).order_by(own_service.c.code)).mappings().all()


def find_price_lists(connection: Connection) -> Sequence[RowMapping]:
    """Own price lists, by code."""
    return connection.execute(select(own_price_list).order_by(own_price_list.c.code)).mappings().all()


def require_service(connection: Connection, code: str, *, lock: bool = False) -> RowMapping:
    """A service by its code, or NotFound."""
    return _require(connection, own_service, "service", code, lock=lock)


def require_price_list(connection: Connection, code: str, *, lock: bool = False) -> RowMapping:
    """An own price list by its code, or NotFound."""
    return _require(connection, own_price_list, "price list", code, lock=lock)


def create_service(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Add a service to the catalogue; code and rate code are taken once."""
    _create(connection, own_service, facts)


def create_price_list(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Add an empty price list."""
    _create(connection, own_price_list, facts)


def prices_of_service(connection: Connection, service: int) -> Sequence[RowMapping]:
    """Prices of a service in the order of time."""
    return find_rows(connection, own_service_price, {"service": service})


def prices_of_list(connection: Connection, price_list: int) -> Sequence[RowMapping]:
    """Prices of a list in the order of time."""
    return find_rows(connection, own_price, {"price_list": price_list})


def set_service_price(
    connection: Connection, service: int, price: Decimal, source: str, start: date, end: date | None
) -> None:
    """A price of a service from `start` on, until `end` or the next one."""
    add_row(connection, own_service_price, {"service": service}, {"price": price, "source": source}, start, end)


def set_list_price(
    connection: Connection, row: RowMapping, component: str, rate: str, price: Decimal, source: str, start: date,
    end: date | None,
) -> None:  # fmt: skip
    """A price of a component of a list from `start` on; `rate` "" is for any rate without a price of its own."""
    known = LISTED[row["commodity"]]
    if component not in known:
        raise BadInput(
            "component",
            f"The price list {row['code']} is for {row['commodity']}: {component} is none of {', '.join(known)}.",
        )
    keys = {"price_list": row["id"], "component": component, "rate": rate}
    add_row(connection, own_price, keys, {"price": price, "source": source}, start, end)


def points_by(connection: Connection, table: Table, identifier: int) -> tuple[int, ...]:
    """The supply points that are billed by a service or a price list."""
    return tuple(connection.execute(_POINTS[table.name], {"id": identifier}).scalars())


def _create(connection: Connection, table: Table, facts: Mapping[str, Any]) -> None:
    try:
        connection.execute(insert(table).values(dict(facts)))
    except IntegrityError as error:
        raise explain(error) from error


def _require(connection: Connection, table: Table, what: str, code: str, *, lock: bool) -> RowMapping:
    query = select(table).where(table.c.code == code)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound(f"{table.name}_not_found", f"There is no {what} {code}; create it first or correct the code.")
    return found
