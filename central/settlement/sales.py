"""What is sold under a contract item and what it is settled from: services, price list, channels; with validity."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, Table

from central.network.channels import require_channel
from central.network.collections import nodes_between, require_collection
from central.platform.errors import BadInput, NotFound, Refused
from central.readings.formulas.total import check_total
from central.registry.following import add_row, end_row, find_rows
from central.registry.items import require_inside
from central.registry.points import require_supply_point
from central.registry.validity import validity
from central.settlement.catalogue import require_price_list, require_service
from central.settlement.service_tables import contract_service, item_price_list, settled_from
from central.settlement.services import UNITS

PARTS: Mapping[str, Table] = {
    "services": contract_service, "price-lists": item_price_list, "settled-from": settled_from
}  # fmt: skip
"""Parts of a contract item's sales by their name in routes."""


def find_sales(connection: Connection, item: int) -> dict[str, list[dict[str, Any]]]:
    """All that is attached to an item, by part, in the order of time."""
    return {
        name: [dict(row) for row in find_rows(connection, table, {"contract_item": item})]
        for name, table in PARTS.items()
    }


def attach_service(
    connection: Connection, item: RowMapping, code: str, given: Mapping[str, Any], start: date, end: date | None
) -> None:
    """A service under an item from `start` on; the same service attached before ends there.

    `given` are the columns that say the quantity; BadInput where they do not belong together or cannot be counted.
    """
    service = require_service(connection, code)
    _require_days(item, f"service {code}", start, end)
    values = dict(given)
    if values.get("collection") is not None:
        values["collection"] = require_collection(connection, values["collection"])["id"]
    _check_quantity(connection, service, values, start, end)
    add_row(connection, contract_service, {"contract_item": item["id"], "service": service["id"]}, values, start, end)


def attach_price_list(connection: Connection, item: RowMapping, code: str, start: date, end: date | None) -> None:
    """Sell energy under an item by a price list from `start` on; Refused where the item's contract sells none."""
    row = require_price_list(connection, code)
    _require_days(item, f"price list {code}", start, end)
    if item["kind"] not in ("combined", "supply"):
        raise Refused(
            "no_supply",
            f"The contract {item['number']} of {item['ean']} is {item['kind']}: energy is sold under combined and "
            "supply contracts only.",
        )
    add_row(connection, item_price_list, {"contract_item": item["id"]}, {"price_list": row["id"]}, start, end)


def settle_from(
    connection: Connection, item: RowMapping, direction: str, channel: int, start: date, end: date | None
) -> None:
    """Settle an item's direction by another channel, physical or virtual, from `start` on."""
    found = require_channel(connection, channel)
    commodity = require_supply_point(connection, item["ean"])["commodity"]
    _require_days(item, f"channel {channel}", start, end)
    expected = {"direction": direction, "commodity": commodity}
    for name, value in expected.items():
        if found[name] != value:
            raise BadInput(
                "channel", f"Channel {channel} has the {name} {found[name]}; {item['ean']} needs {value} there."
            )
    keys = {"contract_item": item["id"], "direction": direction}
    add_row(connection, settled_from, keys, {"channel": channel}, start, end)


def end_part(connection: Connection, item: RowMapping, part: str, identifier: int, on: date) -> None:
    """End what is attached on a day (exclusive); on its first day it is taken away."""
    table = PARTS[part]
    for row in find_rows(connection, table, {"contract_item": item["id"]}):
        if row["id"] == identifier:
            what = part.replace("-", " ").removesuffix("s")
            end_row(connection, table, row, f"The {what} {identifier} of {item['ean']}", on)
            return
    raise NotFound("sales_not_found", f"The item {item['id']} of {item['ean']} has no {identifier} among its {part}.")


def _require_days(item: RowMapping, what: str, start: date, end: date | None) -> None:
    require_inside(item, start)
    validity(what, start, end)


def _check_quantity(
    connection: Connection, service: RowMapping, given: Mapping[str, Any], start: date, end: date | None
) -> None:
    """That the quantity can be counted in the service's unit."""
    code, unit = service["code"], service["unit"]
    match given["quantity"]:
        case "area" if unit != "m2":
            raise BadInput("quantity", f"The service {code} is billed by {unit}; an area is in m2.")
        case "channel":
            _convertible(code, unit, require_channel(connection, given["channel"])["unit"])
        case "formula":
            _convertible(code, unit, check_total(connection, given["formula"]))
        case "node":
            nodes = nodes_between(connection, given["collection"], start, end or date.max)
            measured = next((node for node in nodes if node.name == given["node"] and node.channel is not None), None)
            if measured is None or measured.channel is None:
                raise BadInput(
                    "quantity", f"The node {given['node']} is not in the collection on {start}, or not measured."
                )
            if not any(node.parent == measured.name for node in nodes):
                raise BadInput("quantity", f"The node {given['node']} has nothing below it; there is no rest to bill.")
            _convertible(code, unit, require_channel(connection, measured.channel)["unit"])


def _convertible(code: str, unit: str, counted: str) -> None:
    if (counted, unit) not in UNITS:
        known = ", ".join(sorted(into for basic, into in UNITS if basic == counted)) or "nothing"
        raise BadInput("quantity", f"The service {code} is billed by {unit}; {counted} is turned into {known} only.")
