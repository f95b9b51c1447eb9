"""Contracts and their items: find, get, require, create."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import BadInput, NotFound
from central.platform.reconcile import Outcome, ids_of, reconcile
from central.registry.rules import Spec, check_contract_item
from central.registry.tables import contract, contract_item, party, supply_point


def create_contracts(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create contracts with their items.

    `customer` and `payer` (default: the customer) are codes of parties, `items` lists with `supply_point` as EAN or
    EIC; an item without validity has the contract's. Counts contracts and items.
    """
    for spec in specs:
        for item in spec["items"]:
            check_contract_item(item)
    codes = [spec.get(role) for spec in specs for role in ("customer", "payer")]
    parties = ids_of(connection, party, "party", "code", codes)
    headers = [
        {
            "number": spec["number"],
            "kind": spec["kind"],
            "customer": parties[spec["customer"]],
            "payer": parties[spec.get("payer") or spec["customer"]],
            "valid": _validity(f"contract {spec['number']}", spec["valid_from"], spec.get("valid_to")),
        }
        for spec in specs
    ]
    done = reconcile(connection, contract, "contract", ("number",), headers)
    numbers = ids_of(connection, contract, "contract", "number", (spec["number"] for spec in specs))
    eans = ids_of(
        connection,
        supply_point,
        "supply point",
        "ean",
        (item["supply_point"] for spec in specs for item in spec["items"]),
    )
    items = [_item(spec, item, numbers, eans) for spec in specs for item in spec["items"]]
    done_items = reconcile(connection, contract_item, "contract item", ("contract", "supply_point", "valid"), items)
    return Outcome(done.inserted + done_items.inserted, done.unchanged + done_items.unchanged)


def _item(spec: Spec, item: Spec, numbers: dict[Any, Any], eans: dict[Any, Any]) -> dict[str, Any]:
    what = f"item of {item['supply_point']} under contract {spec['number']}"
    start = item.get("valid_from") or spec["valid_from"]
    end = item.get("valid_to") or spec.get("valid_to")
    limit = spec.get("valid_to")
    if start < spec["valid_from"] or (limit is not None and (end is None or end > limit)):
        raise BadInput(
            "validity",
            f"The {what} is valid {start} to {end or 'open'}, outside the contract's {spec['valid_from']} to "
            f"{limit or 'open'}; shorten it or extend the contract.",
        )
    facts = {name: value for name, value in item.items() if name not in {"valid_from", "valid_to"}}
    return {
        **facts,
        "contract": numbers[spec["number"]],
        "supply_point": eans[item["supply_point"]],
        "valid": _validity(what, start, end),
    }


def _validity(what: str, start: date, end: date | None) -> Range[date]:
    if end is not None and end <= start:
        raise BadInput("validity", f"The {what} ends {end}, not after its start {start}; the end is exclusive.")
    return Range(start, end, bounds="[)")


def find_contracts(connection: Connection, *, valid_on: date | None = None) -> Sequence[RowMapping]:
    """Contracts by number, with the names of customer and payer."""
    customer, payer = party.alias("customer_party"), party.alias("payer_party")
    query = (
        select(
            contract.c.id,
            contract.c.number,
            contract.c.kind,
            contract.c.customer,
            customer.c.name.label("customer_name"),
            contract.c.payer,
            payer.c.name.label("payer_name"),
            func.lower(contract.c.valid).label("valid_from"),
            func.upper(contract.c.valid).label("valid_to"),
        )
        .join(customer, customer.c.id == contract.c.customer)
        .join(payer, payer.c.id == contract.c.payer)
        .order_by(contract.c.number)
    )
    if valid_on is not None:
        query = query.where(contract.c.valid.contains(valid_on))
    return connection.execute(query).mappings().all()


def require_contract(connection: Connection, number: str) -> RowMapping:
    """A contract by number, or NotFound."""
    found = connection.execute(select(contract).where(contract.c.number == number)).mappings().first()
    if found is None:
        raise NotFound("contract_not_found", f"There is no contract {number}.")
    return found


def find_items(
    connection: Connection, *, contract_id: int | None = None, valid_on: date | None = None
) -> Sequence[RowMapping]:
    """Contract items with the EAN of their supply point and their validity as two dates."""
    facts = [column for column in contract_item.c if column.name != "valid"]
    query = (
        select(
            *facts,
            supply_point.c.ean,
            func.lower(contract_item.c.valid).label("valid_from"),
            func.upper(contract_item.c.valid).label("valid_to"),
        )
        .join(supply_point, supply_point.c.id == contract_item.c.supply_point)
        .order_by(contract_item.c.contract, supply_point.c.ean, func.lower(contract_item.c.valid))
    )
    if contract_id is not None:
        query = query.where(contract_item.c.contract == contract_id)
    if valid_on is not None:
        query = query.where(contract_item.c.valid.contains(valid_on))
    return connection.execute(query).mappings().all()
