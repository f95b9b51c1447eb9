"""Routes of contract items: overview, one item, add, revise from a day on, close, remove."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping

from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.etag import IfMatch, require_match, show
from central.platform.hooks import Change
from central.platform.overview import Asked
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import contracts, items
from central.registry.acts import Ask, record
from central.registry.contract_tables import contract_item
from central.registry.item_acts import change_of, facts_of
from central.registry.item_acts import revise_item as revise
from central.registry.points import require_supply_point
from central.registry.web import Body, Day, Ending, Operator, Reader, Why

router = APIRouter()

Kw = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=3)]
Mwh = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=3)]
Watts = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=3)]
DailyVolume = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=3)]
Amps = Annotated[int, Field(gt=0, le=100_000)]
Characteristic = Literal["A", "B", "C", "D", "K", "Z"]
GasCategory = Literal["household", "low", "medium", "large"]


class ItemIn(Body):
    """An item of a contract; without validity it has the contract's. `operator` is a code.

    An unmetered take (rate C60d) has its installed power in `unmetered_w`, or is paid flat (`unmetered_flat`).
    """

    supply_point: str
    prices: str
    rate: str | None = None
    breaker_phases: Literal[1, 3] | None = None
    breaker_amps: Amps | None = None
    breaker_characteristic: Characteristic | None = None
    reserved_capacity_year_kw: Kw | None = None
    reserved_capacity_month_kw: Kw | None = None
    reserved_input_kw: Kw | None = None
    reserved_output_kw: Kw | None = None
    annual_mwh: Mwh | None = None
    gas_daily_capacity_m3: Mwh | None = None
    gas_capacity_month_m3: DailyVolume | None = None
    gas_capacity_sliding_m3: DailyVolume | None = None
    operator: str | None = None
    gas_category: GasCategory | None = None
    unmetered_w: Watts | None = None
    unmetered_flat: bool = False
    valid_from: Day | None = None
    valid_to: Day | None = None


class ItemChange(Body):
    """What becomes another from `since` on: the item ends there and a new one begins. `amendment` is its number."""

    since: Day
    why: Why
    prices: str | None = None
    rate: str | None = None
    breaker_phases: Literal[1, 3] | None = None
    breaker_amps: Amps | None = None
    breaker_characteristic: Characteristic | None = None
    reserved_input_kw: Kw | None = None
    reserved_output_kw: Kw | None = None
    annual_mwh: Mwh | None = None
    gas_daily_capacity_m3: Mwh | None = None
    operator: str | None = None
    gas_category: GasCategory | None = None
    unmetered_w: Watts | None = None
    unmetered_flat: bool = False
    amendment: Annotated[int, Field(gt=0, lt=100_000)] | None = None


class ItemRemoval(Body):
    """Why the item is taken away as if it had never been."""

    why: Why


class ItemOut(BaseModel):
    """An item of a contract as stored; `operator` and `amendment` are ids.

    `tariff_change` says whether rate and breaker agree with the billing data received (DUF) since
    `tariff_change_since`, as check 7 found it; the `received_` ones are what they say.
    """

    id: int
    contract: int
    kind: str
    supply_point: int
    ean: str
    prices: str
    rate: str | None
    breaker_phases: int | None
    breaker_amps: int | None
    breaker_characteristic: str | None
    reserved_input_kw: Decimal | None
    reserved_output_kw: Decimal | None
    annual_mwh: Decimal | None
    gas_daily_capacity_m3: Decimal | None
    operator: int | None
    gas_category: str | None
    amendment: int | None
    unmetered_w: Decimal | None
    unmetered_flat: bool
    valid_from: date | None
    valid_to: date | None
    tariff_change: Literal["agrees", "differs"] | None
    tariff_change_since: date | None
    received_rate: str | None
    received_breaker_phases: int | None
    received_breaker_amps: Decimal | None


@router.get("/contract-items", summary="Contract items: filter, sort, page")
def find_contract_items(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(items.OVERVIEW.asked("valid_on"))],
    valid_on: Annotated[date | None, Query(description="valid on this day")] = None,
) -> list[ItemOut]:
    """Items of all contracts."""
    conditions = [] if valid_on is None else [contract_item.c.valid.contains(valid_on)]
    page = items.OVERVIEW.find(connection, asked, *conditions)
    page.tell(request, response)
    return [ItemOut(**row) for row in page.rows]


@router.get("/contract-items/{identifier}", summary="One contract item")
def get_item(connection: Db, _: Reader, response: Response, identifier: int) -> ItemOut:
    """By its id."""
    return _shown(connection, response, identifier)


@router.post("/contracts/{number:path}/items", status_code=201, summary="Add an item to a contract")
def add_item(
    connection: Db,
    person: Operator,
    clock: Now,
    number: str,
    body: ItemIn,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> list[ItemOut] | Preview:
    """Refused when its validity is outside the contract's or overlaps another item of the supply point.

    With `preview=true` only says what would be touched.
    """
    row = contracts.require_contract(connection, number, lock=True)
    since = body.valid_from or row["valid"].lower or date(1990, 1, 1)
    point = require_supply_point(connection, body.supply_point)["id"]
    change = Change("contract", row["id"], number, "add_item", since, body.valid_to, frozenset(), (point,))
    after: dict[str, Any] = plain(body.model_dump())
    if preview:
        return look(connection, change, {}, after)
    touched = weigh(connection, change, confirmed=confirmed)
    made = contracts.add_items(connection, row, [body.model_dump()])
    ask = Ask(person, clock, None, "added")
    record(connection, change, ask, None, after, [sentence(each) for each in touched])
    return [ItemOut(**each) for each in items.find_items(connection, contract_id=row["id"]) if each["id"] in made]


@router.post("/contract-items/{identifier}/revise", summary="Change an item from a day on")
def revise_item(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: int,
    body: ItemChange,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ItemOut | Preview:
    """The item ends on `since` and one with the new facts begins. Needs If-Match."""
    row = items.require_item(connection, identifier, lock=True)
    require_match(if_match, row, _what(row))
    changes = body.model_dump(exclude_unset=True, exclude={"since", "why"})
    subject = f"contract/{row['number']}"
    made = revise(
        connection, row, changes, body.since, Ask(person, clock, if_match, body.why, preview, confirmed, subject)
    )
    if isinstance(made, Preview):
        return made
    return _shown(connection, response, made)


@router.post("/contract-items/{identifier}/close", summary="End an item on a day")
def close_item(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: int,
    body: Ending,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ItemOut | Preview:
    """Refused when the point is billed beyond that day. Needs If-Match."""
    row = items.require_item(connection, identifier, lock=True)
    require_match(if_match, row, _what(row))
    change = change_of(row, "close", body.on, frozenset())
    before, after = facts_of(row), facts_of(row) | {"valid": [plain(row["valid"].lower), plain(body.on)]}
    if preview:
        return look(connection, change, before, after)
    touched = weigh(connection, change, confirmed=confirmed)
    items.close_item(connection, row, body.on)
    ask = Ask(person, clock, if_match, body.why, subject=f"contract/{row['number']}")
    record(connection, change, ask, before, after, [sentence(each) for each in touched])
    return _shown(connection, response, identifier)


@router.post("/contract-items/{identifier}/remove", status_code=204, summary="Take an item away")
def remove_item(
    connection: Db,
    person: Operator,
    clock: Now,
    identifier: int,
    body: ItemRemoval,
    if_match: IfMatch = None,
    confirmed: Confirmed = False,
) -> None:
    """For what was entered by mistake; refused when anything was billed by it. Needs If-Match."""
    row = items.require_item(connection, identifier, lock=True)
    require_match(if_match, row, _what(row))
    change = change_of(row, "remove", row["valid"].lower or date(1990, 1, 1), frozenset())
    touched = weigh(connection, change, confirmed=confirmed)
    items.remove_item(connection, row)
    ask = Ask(person, clock, if_match, body.why, subject=f"contract/{row['number']}")
    record(connection, change, ask, facts_of(row), None, [sentence(each) for each in touched])


def _what(row: RowMapping) -> str:
    return f"the item of {row['ean']} under contract {row['number']}"


def _shown(connection: Db, response: Response, identifier: int) -> ItemOut:
    row = items.require_item(connection, identifier)
    show(response, row)
    # beside the row: what the check keeps is no part of what If-Match names
    told = items.tariff_change_of(connection, identifier)
    return ItemOut(**row, **told, valid_from=row["valid"].lower, valid_to=row["valid"].upper)
