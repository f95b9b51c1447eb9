"""Routes of corrections: look, list, order, leave as it is."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import func

from central.checks.bases import Scope as CheckScope
from central.checks.run import run_checks
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now
from central.registry.tables import supply_point
from central.settlement.correction_tables import CORRECTION_STATES, correction
from central.workflow.corrections import dismiss, look, order_corrections

router = APIRouter(prefix="/corrections")

Reader = Annotated[Person, Depends(require("read"))]
Settler = Annotated[Person, Depends(require("settle"))]
Id = Annotated[int, Field(gt=0, lt=2**63)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]
Why = Annotated[str, Field(min_length=3, max_length=1_000, pattern="^[^\x00]*$", description="kept with the record")]

CORRECTIONS = Overview(
    name="corrections",
    source=correction,
    key=correction.c.id,
    joined=correction.join(supply_point, supply_point.c.id == correction.c.supply_point),
    columns=(
        Column("id", correction.c.id, Kind.INTEGER),
        Column("ean", supply_point.c.ean, through=(correction.c.supply_point, supply_point.c.id)),
        Column("period_from", func.lower(correction.c.period), Kind.DATE),
        Column("period_to", func.upper(correction.c.period), Kind.DATE),
        Column("statement_type", correction.c.statement_type, Kind.INTEGER),
        Column("state", correction.c.state, Kind.CHOICE, CORRECTION_STATES),
        Column("billed", correction.c.billed, Kind.DECIMAL),
        Column("correct", correction.c.correct, Kind.DECIMAL),
        Column("difference", correction.c.correct - correction.c.billed, Kind.DECIMAL),
        Column("vat_difference", correction.c.correct_vat - correction.c.billed_vat, Kind.DECIMAL),
        Column(
            "gross_difference",
            correction.c.correct + correction.c.correct_vat - correction.c.billed - correction.c.billed_vat,
            Kind.DECIMAL,
        ),
        Column("causes", correction.c.causes),
        Column("lines", correction.c.lines),
        Column("found_at", correction.c.found_at, Kind.INSTANT),
        Column("looked_at", correction.c.looked_at, Kind.INSTANT),
        Column("run", correction.c.run, Kind.INTEGER),
        Column("decided_at", correction.c.decided_at, Kind.INSTANT),
        Column("decided_by", correction.c.decided_by),
        Column("why", correction.c.why),
    ),
    default_sort=(("id", True),),
)
Corrections = Annotated[Asked, Depends(CORRECTIONS.asked())]


MONEY = ("billed", "correct", "difference", "vat_difference", "gross_difference")


class LookOrder(BaseModel, extra="forbid"):
    """Judge what is invoiced of periods that touch the days `from` to before `to`, of these points or of all."""

    first: Annotated[Day, Field(alias="from")]
    end: Annotated[Day, Field(alias="to")]
    points: Annotated[list[Id], Field(min_length=1, max_length=100_000)] | None = None


class CorrectionOrder(BaseModel, extra="forbid"):
    """Correct these; the reason stands on the corrective document."""

    corrections: Annotated[list[Id], Field(min_length=1, max_length=10_000)]
    why: Why


class Reason(BaseModel, extra="forbid"):
    """Why, kept with the record."""

    why: Why


@router.post("/look", summary="Look for what is billed and would be billed otherwise today")
def look_now(body: LookOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Newer profiles, states, registry facts or packages under invoiced lines, with the difference in money.

    Nothing of what is invoiced changes. The same look is taken every night over the time that may still be corrected.
    """
    if body.end <= body.first:
        raise BadInput("period", f"The days {body.first} to {body.end} are none; the end is exclusive.")
    done = look(connection, body.first, body.end, clock, body.points)
    return {"points": done.points, "open": done.open, "gone": done.gone, "left_out": list(done.left_out)}


@router.get("", summary="Corrections")
def find_corrections(
    connection: Db, person: Reader, request: Request, response: Response, asked: Corrections
) -> list[dict[str, Any]]:
    """What is to be corrected (K opravě), was ordered, dismissed or is gone; causes and lines with both figures."""
    page = CORRECTIONS.find(connection, asked)
    page.tell(request, response)
    return [{**row, **{name: _told(row[name]) for name in MONEY}} for row in page.rows]


@router.post("/order", status_code=201, summary="Correct")
def order(body: CorrectionOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Cancelling and corrective bases, approved and checked, ready for a corrective document."""
    done = order_corrections(connection, body.corrections, body.why, clock, person)
    for run in done.runs:
        run_checks(connection, CheckScope(run=run), "automatic", person, clock.now())
    return {
        "runs": list(done.runs),
        "cancelled": done.cancelled,
        "corrective": done.corrective,
        "nothing_left": list(done.gone),
    }


def _told(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


@router.post("/{number}/dismiss", summary="Leave a difference as it is")
def leave(
    number: Annotated[int, Path(gt=0, lt=2**63)], body: Reason, connection: Db, clock: Now, person: Settler
) -> dict[str, Any]:
    """It comes back only when it becomes another one."""
    dismiss(connection, number, body.why, person, clock.now())
    return {"id": number, "state": "dismissed"}
