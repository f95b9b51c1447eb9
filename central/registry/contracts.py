"""Contracts and their items: create, find, require, revise, close."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import BadInput, NotFound, Refused
from central.platform.overview import Column, Kind, Overview
from central.platform.reconcile import Outcome, ids_of, reconcile
from central.registry.contract_tables import (
    CONTRACT_FACTS,
    CONTRACT_KINDS,
    PAYMENTS,
    SPREADS,
    contract,
    contract_item,
    contract_past,
)
from central.registry.form import Spec, check_contract_item
from central.registry.gas_capacity import check_days
from central.registry.party_tables import contract_account, party
from central.registry.point_tables import gas_capacity, reserved_capacity, supply_point
from central.registry.validity import ends, starts, validity
from central.registry.versions import Version, Versioned, read_versions, revised

VERSIONED = Versioned(contract, contract_past, CONTRACT_FACTS)

TERMS = ("signed_on", "due_days", "payment", "statement_months", "advance_months", "advance_spread", "advance_amount")
CAPACITIES = {"reserved_capacity_year_kw": "year", "reserved_capacity_month_kw": "month"}
GAS_CAPACITIES = {"gas_capacity_month_m3": "month", "gas_capacity_sliding_m3": "sliding"}
"""What an item names and the point keeps, in the time of the item."""
_OF_POINTS = CAPACITIES.keys() | GAS_CAPACITIES.keys()

_customer, _payer = party.alias("customer_party"), party.alias("payer_party")

OVERVIEW = Overview(
    name="contracts",
    source=contract,
    key=contract.c.id,
    joined=contract.join(_customer, _customer.c.id == contract.c.customer)
    .join(_payer, _payer.c.id == contract.c.payer)
    .outerjoin(contract_account, contract_account.c.id == contract.c.account),
    columns=(
        Column("id", contract.c.id, Kind.INTEGER),
        Column("number", contract.c.number, searched=True),
        Column("kind", contract.c.kind, Kind.CHOICE, CONTRACT_KINDS),
        Column("customer", contract.c.customer, Kind.INTEGER),
        Column("customer_code", _customer.c.code),
        Column("customer_name", _customer.c.name),
        Column("payer", contract.c.payer, Kind.INTEGER),
        Column("payer_code", _payer.c.code),
        Column("payer_name", _payer.c.name),
        Column("account", contract.c.account, Kind.INTEGER),
        Column("account_number", contract_account.c.number),
        Column("signed_on", contract.c.signed_on, Kind.DATE),
        Column("due_days", contract.c.due_days, Kind.INTEGER),
        Column("payment", contract.c.payment, Kind.CHOICE, PAYMENTS),
        Column("statement_months", contract.c.statement_months, Kind.INTEGER),
        Column("advance_months", contract.c.advance_months, Kind.INTEGER),
        Column("advance_spread", contract.c.advance_spread, Kind.CHOICE, SPREADS),
        Column("advance_amount", contract.c.advance_amount, Kind.DECIMAL),
        Column("valid_from", starts(contract.c.valid), Kind.DATE),
        Column("valid_to", ends(contract.c.valid), Kind.DATE),
        Column("since", contract.c.since, Kind.DATE),
    ),
    default_sort=(("number", False),),
    search=func.fold(contract.c.number),
)


def create_contracts(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create contracts with their items.

    `customer` and `payer` (default: the customer) are codes of parties, `account` is a number, `items` lists with
    `supply_point` as EAN or EIC; an item without validity has the contract's. Reserved capacities given with an item
    become rows of the point's consumption diagram with the item's validity. Counts contracts and items.
    """
    for spec in specs:
        for item in spec["items"]:
            check_contract_item(item)
    codes = [spec.get(role) for spec in specs for role in ("customer", "payer")]
    codes += [item.get("operator") for spec in specs for item in spec["items"]]
    parties: dict[Any, Any] = {None: None, **ids_of(connection, party, "party", "code", codes)}
    accounts = ids_of(connection, contract_account, "contract account", "number", [s.get("account") for s in specs])
    headers = [_header(spec, parties, accounts) for spec in specs]
    require_roles(connection, headers)
    done = reconcile(connection, contract, "contract", ("number",), headers)
    numbers = ids_of(connection, contract, "contract", "number", (spec["number"] for spec in specs))
    eans = ids_of(
        connection,
        supply_point,
        "supply point",
        "ean",
        (item["supply_point"] for spec in specs for item in spec["items"]),
    )
    items = [_item(spec, item, numbers, eans, parties) for spec in specs for item in spec["items"]]
    done_items = _store_items(connection, items)
    return Outcome(done.inserted + done_items.inserted, done.unchanged + done_items.unchanged)


def add_items(connection: Connection, row: RowMapping, given: Sequence[Spec]) -> set[int]:
    """Add items to a contract that is stored; the ids of the new ones."""
    for item in given:
        check_contract_item(item)
    valid = row["valid"]
    spec = {"number": row["number"], "kind": row["kind"], "valid_from": valid.lower, "valid_to": valid.upper}
    parties: dict[Any, Any] = {
        None: None, **ids_of(connection, party, "party", "code", [item.get("operator") for item in given])
    }  # fmt: skip
    eans = ids_of(connection, supply_point, "supply point", "ean", [item["supply_point"] for item in given])
    before = _ids_of_items(connection, row["id"])
    items = [_item(spec, item, {row["number"]: row["id"]}, eans, parties) for item in given]
    if not _store_items(connection, items).inserted:
        raise Refused("exists", f"The contract {row['number']} has this item already.")
    return _ids_of_items(connection, row["id"]) - before


def _ids_of_items(connection: Connection, contract_id: int) -> set[int]:
    return set(connection.execute(select(contract_item.c.id).where(contract_item.c.contract == contract_id)).scalars())


TAKEN = text("""
    -- an item of another contract (or time) that serves a point in the time of a given one
    SELECT sp.ean, mine.number AS mine, given.start, given.end, other.number AS other, lower(o.valid) AS since,
           upper(o.valid) AS until
      FROM unnest(CAST(:points AS bigint[]), CAST(:contracts AS bigint[]), CAST(:kinds AS text[]),
                  CAST(:starts AS date[]), CAST(:ends AS date[])) AS given (point, contract, kind, start, "end")
      JOIN contract_item o ON o.supply_point = given.point AND o.valid && daterange(given.start, given.end)
       AND contract_services(o.kind) && contract_services(given.kind)
      JOIN contract mine ON mine.id = given.contract JOIN contract other ON other.id = o.contract
      JOIN supply_point sp ON sp.id = given.point
     WHERE NOT (o.contract = given.contract AND o.valid = daterange(given.start, given.end))
     ORDER BY sp.ean, given.start, o.id LIMIT 1
""")


def _require_free(connection: Connection, items: Sequence[Mapping[str, Any]]) -> None:
    given = {
        "points": [item["supply_point"] for item in items],
        "contracts": [item["contract"] for item in items],
        "kinds": [item["kind"] for item in items],
        "starts": [item["valid"].lower for item in items],
        "ends": [item["valid"].upper for item in items],
    }
    for row in connection.execute(TAKEN, given):
        raise Refused(
            "overlap",
            f"The item of {row.ean} under contract {row.mine} from {row.start} to {row.end or 'open'} overlaps that "
            f"under contract {row.other}, valid {row.since} to {row.until or 'open'}; end one where the other begins.",
        )


def _store_items(connection: Connection, items: Sequence[Mapping[str, Any]]) -> Outcome:
    _require_free(connection, items)
    stored = [{name: value for name, value in item.items() if name not in _OF_POINTS} for item in items]
    done = reconcile(connection, contract_item, "contract item", ("contract", "supply_point", "valid"), stored)
    capacities = [
        {"supply_point": item["supply_point"], "kind": kind, "kw": item[name], "valid": item["valid"]}
        for item in items
        for name, kind in CAPACITIES.items()
        if item.get(name) is not None
    ]
    reconcile(connection, reserved_capacity, "reserved capacity", ("supply_point", "kind", "valid"), capacities)
    daily = [
        {"supply_point": item["supply_point"], "kind": kind, "m3_a_day": item[name], "valid": item["valid"]}
        for item in items
        for name, kind in GAS_CAPACITIES.items()
        if item.get(name) is not None
    ]
    reconcile(connection, gas_capacity, "gas capacity", ("supply_point", "kind", "valid"), daily)
    return done


ROLES_NEEDED = {"framework": ("payer", "supplier"), "purchase": ("customer", "operator")}
"""Under a framework contract a supplier pays for its points; from the superior distributor an operator purchases."""


def require_roles(connection: Connection, headers: Sequence[Mapping[str, Any]]) -> None:
    """Refused when the party of a framework or purchase contract lacks the role that such a contract is made in."""
    needed = [(header, *ROLES_NEEDED[header["kind"]]) for header in headers if header["kind"] in ROLES_NEEDED]
    ids = {header[side] for header, side, _ in needed}
    known = connection.execute(select(party.c.id, party.c.code, party.c.roles).where(party.c.id.in_(ids)))
    parties = {row.id: row for row in known} if ids else {}
    for header, side, role in needed:
        found = parties.get(header[side])
        if found is not None and role not in found.roles:
            raise Refused(
                "role",
                f"The {header['kind']} contract {header['number']} needs a {side} who is {role}; {found.code} is "
                f"{', '.join(found.roles)}.",
            )


def _header(spec: Spec, parties: Mapping[Any, Any], accounts: Mapping[Any, Any]) -> dict[str, Any]:
    terms = {name: spec[name] for name in TERMS if spec.get(name) is not None}
    if spec.get("account") is not None:
        terms["account"] = accounts[spec["account"]]
    return {
        "number": spec["number"],
        "kind": spec["kind"],
        "customer": parties[spec["customer"]],
        "payer": parties[spec.get("payer") or spec["customer"]],
        "valid": validity(f"contract {spec['number']}", spec["valid_from"], spec.get("valid_to")),
        **terms,
    }


def _item(
    spec: Spec, item: Spec, numbers: Mapping[Any, Any], eans: Mapping[Any, Any], parties: Mapping[Any, Any]
) -> dict[str, Any]:
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
    for name, kind in GAS_CAPACITIES.items():
        if item.get(name) is not None:
            check_days(what, kind, start, end)
    facts = {name: value for name, value in item.items() if name not in {"valid_from", "valid_to", "operator"}}
    if "operator" in item:
        facts["operator"] = parties[item["operator"]]
    if "unmetered_flat" in item:
        facts["unmetered_flat"] = bool(item["unmetered_flat"])  # an empty cell of an import is none
    return {
        **facts,
        "contract": numbers[spec["number"]],
        "kind": spec["kind"],
        "supply_point": eans[item["supply_point"]],
        "valid": validity(what, start, end),
    }


def require_contract(connection: Connection, number: str, *, lock: bool = False) -> RowMapping:
    """A contract by number, or NotFound; with `lock` nobody else changes it in this transaction."""
    query = select(contract).where(contract.c.number == number)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("contract_not_found", f"There is no contract {number}.")
    return found


def points_of(connection: Connection, contract_id: int, since: date) -> tuple[int, ...]:
    """Supply points that are under the contract on or after a day."""
    items = contract_item.c
    query = select(items.supply_point).where(items.contract == contract_id)
    query = query.where(func.upper_inf(items.valid) | (ends(items.valid) > since)).distinct()
    return tuple(connection.execute(query).scalars())


def revised_contract(connection: Connection, row: RowMapping, changes: Mapping[str, Any], since: date) -> list[Version]:
    """The contract's versions after a change from `since` on; parties are codes, the account is a number."""
    named = dict(changes)
    for role in ("customer", "payer"):
        if role in changes:
            named[role] = ids_of(connection, party, "party", "code", [changes[role]]).get(changes[role])
    if "account" in changes:
        found = ids_of(connection, contract_account, "contract account", "number", [changes["account"]])
        named["account"] = found.get(changes["account"])
    valid = row["valid"]
    if (valid.lower is not None and since < valid.lower) or (valid.upper is not None and since >= valid.upper):
        raise BadInput(
            "since",
            f"The contract {row['number']} is valid {valid.lower} to {valid.upper or 'open'}: it cannot change on "
            f"{since}.",
        )
    versions = revised(read_versions(connection, VERSIONED, row["id"]), named, since)
    if {"customer", "payer"} & set(named):
        same = {"number": row["number"], "kind": row["kind"]}
        require_roles(connection, [{**version.facts, **same} for version in versions])
    return versions


BEGINS_LATER = text("""
    SELECT sp.ean, lower(ci.valid) AS begins FROM contract_item ci JOIN supply_point sp ON sp.id = ci.supply_point
     WHERE ci.contract = :contract AND lower(ci.valid) >= :on ORDER BY lower(ci.valid), sp.ean LIMIT 1
""")
END_ITEMS = text("""
    UPDATE contract_item SET valid = daterange(lower(valid), :on)
     WHERE contract = :contract AND (upper(valid) IS NULL OR upper(valid) > :on)
""")
END_CALENDAR = text("""
    -- rows to come fall away, but for those that somebody edited
    DELETE FROM payment_calendar WHERE contract = :contract AND lower(period) >= :on AND NOT edited
""")


EXTEND_ITEMS = text("""
    -- items that would end with the contract go on with it
    UPDATE contract_item SET valid = daterange(lower(valid), CAST(:to AS date))
     WHERE contract = :contract AND upper(valid) = :ended
""")


def extend_contract(connection: Connection, row: RowMapping, to: date | None) -> None:
    """Let the contract, and the items that would end with it, go on until `to` (exclusive; None: open).

    Refused when it is open, ends later already, or a point is under another contract of that service by then.
    """
    valid = row["valid"]
    if valid.upper is None or (to is not None and to <= valid.upper):
        raise Refused(
            "validity",
            f"The contract {row['number']} is valid {valid.lower} to {valid.upper or 'open'}: it cannot be extended to "
            f"{to or 'open'}; choose a later day.",
        )
    connection.execute(
        update(contract).where(contract.c.id == row["id"]).values(valid=Range(valid.lower, to, bounds="[)"))
    )
    connection.execute(EXTEND_ITEMS, {"contract": row["id"], "ended": valid.upper, "to": to})


def close_contract(connection: Connection, row: RowMapping, on: date) -> None:
    """End the contract and its items on a day (exclusive); rows of its calendar after it fall away.

    Refused when it ends earlier already, begins later, or has an item that begins later.
    """
    valid = row["valid"]
    if (valid.lower is not None and on <= valid.lower) or (valid.upper is not None and on >= valid.upper):
        raise Refused(
            "validity",
            f"The contract {row['number']} is valid {valid.lower} to {valid.upper or 'open'}: it cannot be closed on "
            f"{on}; choose a day between.",
        )
    later = connection.execute(BEGINS_LATER, {"contract": row["id"], "on": on}).first()
    if later is not None:
        raise Refused(
            "item_later",
            f"The item of {later.ean} under contract {row['number']} begins on {later.begins}, after the closing on "
            f"{on}; remove it first.",
        )
    connection.execute(
        update(contract).where(contract.c.id == row["id"]).values(valid=Range(valid.lower, on, bounds="[)"))
    )
    connection.execute(END_ITEMS, {"contract": row["id"], "on": on})
    connection.execute(END_CALENDAR, {"contract": row["id"], "on": on})
