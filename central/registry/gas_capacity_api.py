"""Routes of the daily capacity of a gas point beside the yearly one of its contract items."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.etag import IfMatch, etag_of, require_match
from central.platform.hooks import Change
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import gas_capacity, points
from central.registry.acts import Ask, record
from central.registry.item_api import DailyVolume
from central.registry.web import Body, Day, Ending, Operator, Reader, Why

router = APIRouter()


class GasCapacityOrder(Body):
    """Capacity in m3 a day; `valid_to` is exclusive. A monthly one holds in whole months, a sliding one in any days."""

    kind: Literal["month", "sliding"]
    m3_a_day: DailyVolume
    valid_from: Day
    valid_to: Day
    why: Why


class GasCapacityOut(BaseModel):
    """A capacity as stored."""

    id: int
    kind: str
    m3_a_day: Decimal
    valid_from: date
    valid_to: date


@router.get("/supply-points/{ean}/gas-capacity", summary="Monthly and sliding daily capacity of a gas point")
def find_gas_capacities(connection: Db, _: Reader, response: Response, ean: str) -> list[GasCapacityOut]:
    """By kind and time; the yearly capacity is that of the contract items. Its ETag is that of all rows."""
    return _shown(connection, response, points.require_supply_point(connection, ean)["id"])


@router.post("/supply-points/{ean}/gas-capacity", status_code=201, summary="Order daily capacity of gas")
def order_gas_capacity(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    ean: str,
    body: GasCapacityOrder,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> list[GasCapacityOut] | Preview:
    """It adds to the yearly one, which an item must agree; one of a kind at a time."""
    row = points.require_supply_point(connection, ean, lock=True)
    gas_capacity.check_days(ean, body.kind, body.valid_from, body.valid_to)
    change = _change(row["id"], ean, "order", body.valid_from, body.valid_to)
    before = _held(connection, row["id"])
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    gas_capacity.order_gas_capacity(connection, row, body.kind, body.m3_a_day, body.valid_from, body.valid_to)
    ask = Ask(person, clock, None, body.why, subject=f"supply_point/{ean}")
    record(connection, change, ask, before, _held(connection, row["id"]), [sentence(each) for each in touched])
    return _shown(connection, response, row["id"])


@router.post("/supply-points/{ean}/gas-capacity/{identifier}/close", summary="End a daily capacity of gas on a day")
def close_gas_capacity(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    ean: str,
    identifier: int,
    body: Ending,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> list[GasCapacityOut] | Preview:
    """Needs If-Match with the ETag of all rows; on its first day the capacity is taken away."""
    row = points.require_supply_point(connection, ean, lock=True)
    before = _held(connection, row["id"])
    require_match(if_match, before, f"the daily capacities of {ean}")
    change = _change(row["id"], ean, "end_capacity", body.on, None)
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    gas_capacity.close_gas_capacity(connection, row, identifier, body.on)
    ask = Ask(person, clock, if_match, body.why, subject=f"supply_point/{ean}")
    record(connection, change, ask, before, _held(connection, row["id"]), [sentence(each) for each in touched])
    return _shown(connection, response, row["id"])


def _change(point: int, ean: str, act: str, since: date, until: date | None) -> Change:
    return Change("gas_capacity", point, ean, act, since, until, frozenset({"m3_a_day"}), (point,))


def _held(connection: Db, point: int) -> dict[str, Any]:
    rows: list[Any] = plain([dict(row) for row in gas_capacity.find_gas_capacities(connection, point)])
    return {"gas_capacity": rows}


def _shown(connection: Db, response: Response, point: int) -> list[GasCapacityOut]:
    response.headers["ETag"] = etag_of(_held(connection, point))
    return [GasCapacityOut(**row) for row in gas_capacity.find_gas_capacities(connection, point)]
