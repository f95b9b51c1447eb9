"""Routes of what must be told: duties, a month's state, a pass now."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from central.market.channels.open_channels import leads_to_production
from central.market.duties.overview import DUTIES, is_done, looked_at, month_state, shown
from central.market.months import month_of
from central.platform.identity import Person, require
from central.platform.overview import Asked
from central.platform.settings import Settings
from central.platform.web import Db, Now
from central.workflow.telling.tell import tell

router = APIRouter(prefix="/market", tags=["market"])
"""To be included by the router of `central.workflow.api`, which begins with /v1."""

Reader = Annotated[Person, Depends(require("read"))]
Actor = Annotated[Person, Depends(require("market"))]
Duties = Annotated[Asked, Depends(DUTIES.asked())]


class Problem(BaseModel):
    """A duty of which no message could be made, and why."""

    duty: int
    why: str


class ToldOut(BaseModel):
    """What a pass did; `problems` are those of this pass, a thousand at most."""

    arose: int
    changed: int
    waived: int
    made: int
    problems: list[Problem]


class CodeOut(BaseModel):
    """Duties of a message code in a month."""

    message_code: str
    open: int
    told: int
    accepted: int
    rejected: int
    waived: int
    by_hand: int
    with_problem: int
    late: int
    warned: int
    deadline: datetime | None


class MonthOut(BaseModel):
    """A month is done when it is over and every due message is accepted, or its data were handed over by hand.

    What is due of it is known once it was looked for it after its end: `looked_at` is when that was done last.
    """

    month: date
    done: bool
    looked_at: datetime | None
    codes: list[CodeOut]


@router.post("/tell", summary="Find what must be told and make its messages now")
def tell_now(
    request: Request,
    person: Actor,
    db: Db,
    clock: Now,
    again: Annotated[bool, Query(description="also what was rejected, as a new version")] = False,
) -> ToldOut:
    """The same as the housekeeping service does every few minutes; nothing is doubled when it is repeated."""
    settings: Settings = request.app.state.settings
    told = tell(
        db,
        settings.market_since,
        clock,
        person,
        sender=settings.ote_sender,
        again=again,
        bulk_from=settings.market_bulk_from,
        is_production=leads_to_production(settings),
    )
    problems = [Problem(duty=number, why=why) for number, why in sorted(told.problems.items())[:1000]]
    return ToldOut(arose=told.arose, changed=told.changed, waived=told.waived, made=told.made, problems=problems)


@router.get("/duties", summary="What must be told")
def find_duties(db: Db, _: Reader, request: Request, response: Response, asked: Duties) -> list[dict[str, Any]]:
    """Every duty with its reason, its deadline, from when on that is warned of, and what stands in its way."""
    page = DUTIES.find(db, asked)
    page.tell(request, response)
    return shown(page.rows)


@router.get("/months/{month}", summary="How far a month is told")
def get_month(db: Db, _: Reader, clock: Now, month: str) -> MonthOut:
    """Duties of the month `2026-03` by message code."""
    first, now = month_of(month), clock.now()
    states = month_state(db, first, now)
    looked = looked_at(db, first)
    done = is_done(first, states, looked, now)
    return MonthOut(month=first, done=done, looked_at=looked, codes=[CodeOut(**asdict(state)) for state in states])
