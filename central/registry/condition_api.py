"""Routes of the conditions of a supply point: losses, exemptions, choices; set from a day on and ended."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.etag import IfMatch, etag_of, require_match
from central.platform.hooks import Change
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import conditions, points
from central.registry.acts import Ask, record
from central.registry.validity import validity
from central.registry.web import Body, Day, Ending, Operator, Reader, Why

router = APIRouter()

Kind = Literal["loss", "capacity_exempt", "single_component", "storage", "tax_exempt"]


class ConditionIn(Body):
    """A condition from `valid_from` on (`valid_to` is exclusive).

    `loss`: surcharge for transformer losses in `percent`, where metered on the secondary side. `capacity_exempt`:
    neither reserved capacity nor its over-run is paid (§ 54a(2)). `single_component`: the single-component price was
    chosen. `storage`: the point is one, `choice` says which. `tax_exempt`: no tax on energy. `source`: what it stands
    on (contract, certificate, permit).
    """

    kind: Kind
    percent: Annotated[Decimal, Field(gt=0, le=20, max_digits=6, decimal_places=3)] | None = None
    choice: Literal["storage", "pumped"] | None = None
    source: Annotated[str, Field(min_length=1, max_length=500)]
    valid_from: Day
    valid_to: Day | None = None
    why: Why


class ConditionOut(BaseModel):
    """A condition as stored."""

    id: int
    kind: str
    percent: Decimal | None
    choice: str | None
    source: str
    valid_from: date
    valid_to: date | None


class ConditionsOut(BaseModel):
    """All conditions of a point, and sentences about those that break a commitment."""

    conditions: list[ConditionOut]
    warnings: list[str]


@router.get("/supply-points/{ean}/conditions", summary="What changes the price of a supply point")
def find_conditions(connection: Db, _: Reader, response: Response, ean: str) -> ConditionsOut:
    """Now, before and later; the ETag is that of all of them."""
    return _shown(connection, response, ean)


@router.post("/supply-points/{ean}/conditions", status_code=201, summary="Set a condition from a day on")
def set_condition(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    ean: str,
    body: ConditionIn,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ConditionsOut | Preview:
    """The one of its kind before it ends there. With `preview=true` only says what would be touched."""
    point = points.require_supply_point(connection, ean, lock=True)
    given = body.model_dump(include={"percent", "choice", "source"})
    conditions.check_condition(point, body.kind, given)
    validity(f"condition {body.kind} of {ean}", body.valid_from, body.valid_to)
    change = _change(point["id"], ean, "set_condition", body.kind, body.valid_from, body.valid_to)
    before = _told(connection, point["id"])
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    conditions.set_condition(connection, point["id"], body.kind, given, body.valid_from, body.valid_to)
    ask = Ask(person, clock, None, body.why, subject=f"supply_point/{ean}")
    record(connection, change, ask, before, _told(connection, point["id"]), [sentence(each) for each in touched])
    return _shown(connection, response, ean)


@router.post("/supply-points/{ean}/conditions/{identifier}/close", summary="End a condition on a day")
def close_condition(
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
) -> ConditionsOut | Preview:
    """Needs If-Match. On its first day it is taken away."""
    point = points.require_supply_point(connection, ean, lock=True)
    before = _told(connection, point["id"])
    require_match(if_match, before, f"the conditions of {ean}")
    row = conditions.require_condition(connection, point, identifier)
    change = _change(point["id"], ean, "end_condition", row["kind"], body.on, row["valid_to"])
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    conditions.end_condition(connection, point, row, body.on)
    ask = Ask(person, clock, if_match, body.why, subject=f"supply_point/{ean}")
    record(connection, change, ask, before, _told(connection, point["id"]), [sentence(each) for each in touched])
    return _shown(connection, response, ean)


def _change(point: int, ean: str, act: str, kind: str, since: date, until: date | None) -> Change:
    return Change("point_condition", point, ean, act, since, until, frozenset({kind}), (point,))


def _told(connection: Db, point: int) -> dict[str, Any]:
    rows: list[Any] = plain([dict(row) for row in conditions.find_conditions(connection, point)])
    return {"conditions": rows}


def _shown(connection: Db, response: Response, ean: str) -> ConditionsOut:
    point = points.require_supply_point(connection, ean)
    rows = conditions.find_conditions(connection, point["id"])
    response.headers["ETag"] = etag_of(_told(connection, point["id"]))
    return ConditionsOut(conditions=[ConditionOut(**row) for row in rows], warnings=conditions.warnings_of(point, rows))
