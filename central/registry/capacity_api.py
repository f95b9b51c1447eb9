"""Routes of the consumption diagram: reserved capacities of a supply point, ordered and closed; the rules in force."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.errors import BadInput
from central.platform.etag import IfMatch, etag_of, require_match
from central.platform.hooks import Change
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import capacity, points
from central.registry.acts import Ask, record
from central.registry.capacity_rules import Order, rules
from central.registry.item_api import Kw
from central.registry.web import Body, Day, Ending, Operator, Reader, Why
from shared.metering_day import day_of
from shared.quantities import Commodity

router = APIRouter()


class CapacityOrder(Body):
    """An order of capacity: `valid_to` is exclusive (a monthly one needs it); `ordered_on` is today unless given."""

    kind: Literal["year", "month"]
    kw: Kw
    valid_from: Day
    valid_to: Day | None = None
    ordered_on: Day | None = None
    via_supplier: bool = False
    why: Why


class CapacityOut(BaseModel):
    """A row of the diagram."""

    id: int
    kind: str
    kw: Decimal
    valid_from: date | None
    valid_to: date | None
    ordered_on: date | None
    via_supplier: bool


class RuleOut(BaseModel):
    """A rule as data, with what it stands on."""

    name: str
    text: str
    source: str
    mark: str
    valid_from: date
    valid_to: date | None
    parameters: dict[str, int | bool]


@router.get("/registry/rules", summary="Rules of reserved capacity, as data")
def find_rules(_: Reader) -> list[RuleOut]:
    """With source and mark: documented, inferred or assumed."""
    return [RuleOut(**{name: getattr(rule, name) for name in RuleOut.model_fields}) for rule in rules()]


@router.get("/supply-points/{ean}/reserved-capacity", summary="Consumption diagram of a supply point")
def find_capacities(connection: Db, _: Reader, response: Response, ean: str) -> list[CapacityOut]:
    """Yearly rows, then monthly ones; its ETag is that of the whole diagram."""
    return _shown(connection, response, points.require_supply_point(connection, ean)["id"])


@router.post("/supply-points/{ean}/reserved-capacity", status_code=201, summary="Order reserved capacity")
def order_capacity(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    ean: str,
    body: CapacityOrder,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> list[CapacityOut] | Preview:
    """Refused by the rules in force with a sentence for each that is broken."""
    row = points.require_supply_point(connection, ean, lock=True)
    today = day_of(Commodity.ELECTRICITY, clock.now()).date
    if body.ordered_on is not None and body.ordered_on > today:
        raise BadInput("ordered_on", f"The order of {ean} is dated {body.ordered_on}, after today {today}.")
    if body.valid_to is not None and body.valid_to <= body.valid_from:
        raise BadInput("validity", f"The order of {ean} ends {body.valid_to}, not after its start {body.valid_from}.")
    order = Order(ean, body.kind, body.kw, body.valid_from, body.valid_to, body.ordered_on or today, body.via_supplier)
    change = _change(row["id"], ean, "order", body.valid_from, body.valid_to)
    before = _diagram(connection, row["id"])
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    capacity.order_capacity(connection, row["id"], order)
    ask = Ask(person, clock, None, body.why, subject=f"supply_point/{ean}")
    record(connection, change, ask, before, _diagram(connection, row["id"]), [sentence(each) for each in touched])
    return _shown(connection, response, row["id"])


@router.post("/supply-points/{ean}/reserved-capacity/{identifier}/close", summary="End a reserved capacity on a day")
def close_capacity(
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
) -> list[CapacityOut] | Preview:
    """Needs If-Match with the diagram's ETag. Refused where it lowers what may not be lowered yet."""
    row = points.require_supply_point(connection, ean, lock=True)
    before = _diagram(connection, row["id"])
    require_match(if_match, before, f"the consumption diagram of {ean}")
    change = _change(row["id"], ean, "end_capacity", body.on, None)
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    capacity.close_capacity(connection, row["id"], ean, identifier, body.on)
    ask = Ask(person, clock, if_match, body.why, subject=f"supply_point/{ean}")
    record(connection, change, ask, before, _diagram(connection, row["id"]), [sentence(each) for each in touched])
    return _shown(connection, response, row["id"])


def _change(point: int, ean: str, act: str, since: date, until: date | None) -> Change:
    return Change("reserved_capacity", point, ean, act, since, until, frozenset({"kw"}), (point,))


def _diagram(connection: Db, point: int) -> dict[str, Any]:
    rows: list[Any] = plain([dict(row) for row in capacity.find_capacities(connection, point)])
    return {"reserved_capacity": rows}


def _shown(connection: Db, response: Response, point: int) -> list[CapacityOut]:
    response.headers["ETag"] = etag_of(_diagram(connection, point))
    return [CapacityOut(**row) for row in capacity.find_capacities(connection, point)]
