"""Routes of housekeeping: rules of retention, what a run would drop, a run now."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from central.platform.identity import Person, require
from central.platform.settings import Settings
from central.platform.web import Db, Now
from central.workflow.housekeeping import keep
from central.workflow.housekeeping.edition import read_edition
from central.workflow.housekeeping.plan import Verdict

router = APIRouter(prefix="/housekeeping")

Reader = Annotated[Person, Depends(require("read"))]
Admin = Annotated[Person, Depends(require("admin"))]
Target = Literal["block", "register_reading", "day_profile", "edge_event"]


class RuleIn(BaseModel, extra="forbid"):
    """Days that a table is kept; null: for ever."""

    keep_days: Annotated[int, Field(ge=keep.SHORTEST, le=keep.LONGEST)] | None
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern="^[^\\x00]+$")]


class VerdictOut(BaseModel):
    """A piece that is older than its table's rule: whether it goes, and why."""

    target: str
    chunk: str
    start: datetime
    end: datetime
    drop: bool
    why: str


class PlanOut(BaseModel):
    """Rules by table, the edition of TimescaleDB, and the verdicts."""

    rules: dict[str, int | None]
    license: str
    columnstore: list[str]
    verdicts: list[VerdictOut]


@router.get("/plan", summary="What housekeeping would drop")
def get_plan(connection: Db, _: Reader, clock: Now, request: Request) -> PlanOut:
    """Changes nothing."""
    settings: Settings = request.app.state.settings
    edition = read_edition(connection)
    return PlanOut(
        rules=dict(keep.find_rules(connection)),
        license=edition.license,
        columnstore=sorted(edition.columnstore),
        verdicts=_told(keep.plan(connection, clock.now(), settings.pinned_retention_years)),
    )


@router.put("/retention/{target}", summary="Decide how long a table is kept")
def put_rule(target: Target, body: RuleIn, connection: Db, clock: Now, person: Admin) -> dict[str, Any]:
    """What stands under an approved run within the retention of invoices stays in any case."""
    keep.set_rule(connection, target, body.keep_days, person, body.reason, clock.now())
    return {"target": target, "keep_days": body.keep_days}


@router.post("/runs", summary="Drop what may go, now")
def run_now(connection: Db, clock: Now, person: Admin, request: Request) -> list[VerdictOut]:
    """The same as the service does once a day."""
    settings: Settings = request.app.state.settings
    return _told(keep.run(connection, clock.now(), settings.pinned_retention_years, person))


def _told(verdicts: list[Verdict]) -> list[VerdictOut]:
    return [
        VerdictOut(
            target=verdict.piece.target,
            chunk=verdict.piece.name,
            start=verdict.piece.start,
            end=verdict.piece.end,
            drop=verdict.drop,
            why=verdict.why,
        )
        for verdict in verdicts
    ]
