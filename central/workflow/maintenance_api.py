"""Routes of maintenance that drive several rooms: look for causes of service cases, and the figures of them."""

from datetime import date, datetime, time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy import text

from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.workflow.service_cases import look
from shared.metering_day import PRAGUE

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]

# The subject's name by what the cases are gathered by; from our own table, never from the request.
_GATHERED = {"kind": "c.kind", "model": "m.model", "place": "coalesce(p.place, k.place)", "cause": "c.cause"}
_FIGURES = """
    SELECT coalesce({by}, '') AS name, count(*) AS opened, count(*) FILTER (WHERE c.state = 'closed') AS closed,
           count(*) FILTER (WHERE c.state <> 'closed') AS unresolved,
           extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY c.closed_at - c.opened_at)) / 3600
               AS median_hours,
           extract(epoch FROM max(coalesce(c.closed_at, :now) - c.opened_at)) / 3600 AS longest_hours,
           count(o.orders) AS with_order, coalesce(sum(o.orders), 0) AS orders
    FROM service_case c
    LEFT JOIN meter m ON m.id = c.meter
    LEFT JOIN measuring_point p ON p.id = c.measuring_point
    LEFT JOIN concentrator k ON k.id = c.concentrator
    LEFT JOIN LATERAL (SELECT nullif(count(*), 0) AS orders FROM work_order w WHERE w.service_case = c.id) o ON true
    WHERE c.opened_at >= :first AND c.opened_at < :end
    GROUP BY 1
    ORDER BY 2 DESC, 1
"""


class LookedOut(BaseModel):
    """What a look did: cases opened and closed, orders proposed or planned."""

    opened: int
    closed: int
    orders: int


class FigureOut(BaseModel):
    """Service cases that were opened in the period, of one kind, model, place or cause. Hours from opening to closing;
    the longest counts those that are not closed until now."""

    name: str
    opened: int
    closed: int
    unresolved: int
    median_hours: float | None
    longest_hours: float
    with_order: int
    orders: int


@router.post("/service-cases/look", summary="Look for causes of service cases now")
def look_now(connection: Db, person: Operator, clock: Now) -> LookedOut:
    """What the maintenance service does by itself from time to time."""
    looked = look(connection, clock.now(), person)
    return LookedOut(opened=looked.opened, closed=looked.closed, orders=looked.orders)


@router.get("/service-cases/figures", summary="How many service cases, how long, by type, place or cause")
def get_figures(
    connection: Db,
    _: Reader,
    clock: Now,
    first: Annotated[date, Query(alias="from")],
    end: Annotated[date, Query(alias="to", description="exclusive")],
    by: Literal["kind", "model", "place", "cause"] = "kind",
) -> list[FigureOut]:
    """Controlling: of the cases that were opened in the period."""
    if not 1990 <= first.year <= end.year <= 2400 or first >= end:
        raise BadInput("period", f"The period {first} to {end} must have days, in the years 1990 to 2400.")
    parameters: dict[str, datetime] = {
        "first": datetime.combine(first, time(), PRAGUE),
        "end": datetime.combine(end, time(), PRAGUE),
        "now": clock.now(),
    }
    rows = connection.execute(text(_FIGURES.format(by=_GATHERED[by])), parameters).mappings()
    return [FigureOut(**row) for row in rows]
