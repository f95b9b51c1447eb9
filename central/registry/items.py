"""Items of contracts: find, require, revise from a day on, close, remove."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.overview import Column, Kind, Overview
from central.platform.reconcile import ids_of
from central.registry.contract_tables import (
    CONTRACT_KINDS,
    TARIFF_CHANGES,
    contract,
    contract_amendment,
    contract_item,
    item_tariff_change,
)
from central.registry.form import check_contract_item
from central.registry.party_tables import party
from central.registry.point_tables import supply_point
from central.registry.validity import ends, starts

ITEM_FACTS = (
    "prices", "rate", "breaker_phases", "breaker_amps", "breaker_characteristic", "reserved_input_kw",
    "reserved_output_kw", "annual_mwh", "gas_daily_capacity_m3", "operator", "gas_category", "amendment",
    "unmetered_w", "unmetered_flat",
)  # fmt: skip
_change = item_tariff_change.c
TOLD_CHANGE = (
    _change.tariff_change, _change.tariff_change_since, _change.received_rate, _change.received_breaker_phases,
    _change.received_breaker_amps,
)  # fmt: skip
"""The attribute Změna jističe nebo distribuční sazby: what billing data received say of the item (check 7)."""
_NUMBERS = {"reserved_input_kw", "reserved_output_kw", "annual_mwh", "gas_daily_capacity_m3", "unmetered_w"}
_WHOLE = {"breaker_phases", "breaker_amps", "operator", "amendment"}


def _kind(name: str) -> Kind:
    if name == "unmetered_flat":
        return Kind.BOOLEAN
    return Kind.DECIMAL if name in _NUMBERS else Kind.INTEGER if name in _WHOLE else Kind.TEXT


OVERVIEW = Overview(
    name="contract items",
    source=contract_item,
    key=contract_item.c.id,
    joined=contract_item.join(contract, contract.c.id == contract_item.c.contract)
    .join(supply_point, supply_point.c.id == contract_item.c.supply_point)
    .outerjoin(item_tariff_change, _change.contract_item == contract_item.c.id),
    columns=(
        Column("id", contract_item.c.id, Kind.INTEGER),
        Column("contract", contract_item.c.contract, Kind.INTEGER),
        Column("contract_number", contract.c.number),
        Column("kind", contract_item.c.kind, Kind.CHOICE, CONTRACT_KINDS),
        Column("supply_point", contract_item.c.supply_point, Kind.INTEGER),
        Column("ean", supply_point.c.ean),
        *(Column(name, contract_item.c[name], _kind(name)) for name in ITEM_FACTS),
        Column("valid_from", starts(contract_item.c.valid), Kind.DATE),
        Column("valid_to", ends(contract_item.c.valid), Kind.DATE),
        Column("tariff_change", _change.tariff_change, Kind.CHOICE, TARIFF_CHANGES),
        Column("tariff_change_since", _change.tariff_change_since, Kind.DATE),
        Column("received_rate", _change.received_rate),
        Column("received_breaker_phases", _change.received_breaker_phases, Kind.INTEGER),
        Column("received_breaker_amps", _change.received_breaker_amps, Kind.DECIMAL),
    ),
    default_sort=(("id", False),),
)


def find_items(
    connection: Connection, *, contract_id: int | None = None, valid_on: date | None = None
) -> Sequence[RowMapping]:
    """Contract items with the EAN of their supply point and their validity as two dates."""
    facts = [column for column in contract_item.c if column.name != "valid"]
    query = (
        select(
            *facts,
            supply_point.c.ean,
            starts(contract_item.c.valid).label("valid_from"),
            ends(contract_item.c.valid).label("valid_to"),
            *TOLD_CHANGE,
        )
        .join(supply_point, supply_point.c.id == contract_item.c.supply_point)
        .outerjoin(item_tariff_change, _change.contract_item == contract_item.c.id)
        .order_by(contract_item.c.contract, supply_point.c.ean, starts(contract_item.c.valid))
    )
    if contract_id is not None:
        query = query.where(contract_item.c.contract == contract_id)
    if valid_on is not None:
        query = query.where(contract_item.c.valid.contains(valid_on))
    return connection.execute(query).mappings().all()


def tariff_change_of(connection: Connection, item: int) -> Mapping[str, Any]:
    """What billing data received say of an item; None under each name where they said nothing yet."""
    found = connection.execute(select(*TOLD_CHANGE).where(_change.contract_item == item)).mappings().first()
    return dict(found) if found is not None else dict.fromkeys(column.name for column in TOLD_CHANGE)


def require_item(connection: Connection, identifier: int, *, lock: bool = False) -> RowMapping:
    """An item with its contract's number and its point's EAN, or NotFound."""
    query = (
        select(contract_item, supply_point.c.ean, contract.c.number)
        .join(supply_point, supply_point.c.id == contract_item.c.supply_point)
        .join(contract, contract.c.id == contract_item.c.contract)
        .where(contract_item.c.id == identifier)
    )
    query = query.with_for_update(of=contract_item) if lock else query
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound("item_not_found", f"There is no contract item {identifier}.")
    return found


def revised_item(connection: Connection, row: RowMapping, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The item's facts after a change; `operator` is a code, `amendment` the amendment's number."""
    named = dict(changes)
    if "operator" in changes:
        named["operator"] = ids_of(connection, party, "party", "code", [changes["operator"]]).get(changes["operator"])
    if changes.get("amendment") is not None:
        named["amendment"] = _amendment(connection, row, changes["amendment"])
    facts = {name: row[name] for name in ITEM_FACTS} | named
    check_contract_item({"supply_point": row["ean"], **facts})
    return facts


def _amendment(connection: Connection, row: RowMapping, number: int) -> int:
    amendments = contract_amendment.c
    query = select(amendments.id).where(amendments.contract == row["contract"], amendments.number == number)
    found = connection.execute(query).scalar()
    if found is None:
        raise NotFound(
            "amendment_not_found", f"The contract {row['number']} has no amendment {number}; create it first."
        )
    return int(found)


def split_item(connection: Connection, row: RowMapping, facts: Mapping[str, Any], since: date) -> int:
    """Let the item end on `since` and a new one with other facts begin; returns the item that holds from then on.

    An item that begins on that very day is changed itself.
    """
    require_inside(row, since)
    valid: Range[date] = row["valid"]
    if since == valid.lower:
        connection.execute(update(contract_item).where(contract_item.c.id == row["id"]).values(**facts))
        return int(row["id"])
    connection.execute(
        update(contract_item)
        .where(contract_item.c.id == row["id"])
        .values(valid=Range(valid.lower, since, bounds="[)"))
    )
    same = {name: row[name] for name in ("contract", "supply_point", "kind")}
    new = insert(contract_item).values(**same, **facts, valid=Range(since, valid.upper, bounds="[)"))
    return int(connection.execute(new.returning(contract_item.c.id)).scalar_one())


def close_item(connection: Connection, row: RowMapping, on: date) -> None:
    """End the item on a day (exclusive) within its validity."""
    valid: Range[date] = row["valid"]
    if (valid.lower is not None and on <= valid.lower) or (valid.upper is not None and on > valid.upper):
        raise Refused(
            "validity",
            f"The item of {row['ean']} under contract {row['number']} is valid {valid.lower} to "
            f"{valid.upper or 'open'}: it cannot be closed on {on}; choose a day between, or remove the item.",
        )
    ended = (
        update(contract_item).where(contract_item.c.id == row["id"]).values(valid=Range(valid.lower, on, bounds="[)"))
    )
    connection.execute(ended)


def remove_item(connection: Connection, row: RowMapping) -> None:
    """Take an item away as if it had never been; refused by the database when anything names it."""
    try:
        connection.execute(delete(contract_item).where(contract_item.c.id == row["id"]))
    except IntegrityError as error:
        raise explain(error) from error


def require_inside(row: RowMapping, since: date) -> None:
    """BadInput unless the item is valid on the day."""
    valid: Range[date] = row["valid"]
    if (valid.lower is not None and since < valid.lower) or (valid.upper is not None and since >= valid.upper):
        raise BadInput(
            "since",
            f"The item of {row['ean']} under contract {row['number']} is valid {valid.lower} to "
            f"{valid.upper or 'open'}: it cannot change on {since}.",
        )
