"""Routes of manual edits."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from central.platform.identity import Person, require
from central.platform.settings import Settings
from central.platform.web import Db, Now
from central.readings.edits import service
from central.readings.edits.effect import Maximum
from shared.quantities import MISSING_VALUE

router = APIRouter(prefix="/edits", tags=["readings"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Identifier = Annotated[int, Field(ge=1, le=2**31 - 1)]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
Reason = Annotated[str, Field(max_length=2_000)]
Value = Annotated[int, Field(ge=-(2**31) + 1, le=2**31 - 1)]


class EditIn(BaseModel):
    """Values for the intervals of a channel's metering day from `first` (0 is the day's first) on."""

    model_config = ConfigDict(extra="forbid")

    channel: Identifier
    day: Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2400, 1, 1))]
    first: Annotated[int, Field(ge=0, le=99)]
    values: Annotated[list[Value], Field(min_length=1, max_length=100)]

    def wanted(self) -> service.Wanted:
        """As the service takes it."""
        return service.Wanted(self.channel, self.day, self.first, self.values)


class ProposalIn(EditIn):
    """An edit with its reason and the version that its preview showed."""

    reason: Reason
    based_on: Annotated[int, Field(ge=1, le=2**31 - 1)]


class ReasonIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class MaximumOut(BaseModel):
    """The highest interval of a month and when it begins."""

    value: int
    at: datetime


class PreviewOut(BaseModel):
    """The effect, in unit x 10^exponent. `closed_by` names what has pinned the day: an edit of it is late."""

    version: int
    unit: str
    exponent: int
    before: list[int | None]
    after: list[int]
    quality_before: list[int]
    sum_before: int
    sum_after: int
    difference: int
    missing_before: int
    missing_after: int
    month_maximum_before: MaximumOut | None
    month_maximum_after: MaximumOut | None
    closed: bool
    closed_by: list[str]
    changed: int
    limit: Annotated[Decimal, Field(description="of the channel's month, in kWh, kvarh or m3")]
    needs_second: bool


class EditOut(BaseModel):
    """An edit, who decided what and when. `contradicted_at`: since then other values are in evidence."""

    id: int
    channel: int
    point: str
    direction: str
    unit: str
    exponent: int
    day: date
    first: int
    values: list[int]
    before: list[int | None]
    based_on: int
    changed: int
    reason: str
    state: str
    needs_second: bool
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    undone_at: datetime | None
    undone_by: str | None
    undone_because: str | None
    contradicted_at: datetime | None


def limits(request: Request) -> service.Limits:
    """What one person may change alone, from the settings."""
    settings: Settings = request.app.state.settings
    return service.Limits(settings.edit_limit_kwh, settings.edit_limit_m3)


Limits = Annotated[service.Limits, Depends(limits)]


@router.post("/preview", summary="Effect of a manual edit")
def post_preview(connection: Db, _: Reader, allowed: Limits, body: EditIn) -> PreviewOut:
    """Old and new values, sums, the month's maximum, and whether the day is closed; nothing is stored."""
    found = service.preview(connection, body.wanted(), allowed)
    effect = found.effect
    return PreviewOut(
        version=found.version,
        unit=found.unit,
        exponent=found.exponent,
        before=effect.before,
        after=effect.after,
        quality_before=effect.quality_before,
        sum_before=effect.sum_before,
        sum_after=effect.sum_after,
        difference=effect.sum_after - effect.sum_before,
        missing_before=effect.missing_before,
        missing_after=effect.missing_after,
        month_maximum_before=_maximum(effect.maximum_before),
        month_maximum_after=_maximum(effect.maximum_after),
        closed=bool(found.closed_by),
        closed_by=list(found.closed_by),
        changed=effect.changed,
        limit=found.limit,
        needs_second=found.needs_second,
    )


@router.post("", status_code=201, summary="Edit values of a day by hand")
def post_edit(connection: Db, clock: Now, person: Operator, allowed: Limits, body: ProposalIn) -> EditOut:
    """In force at once, or when a second person has approved it: the day then gets a new version."""
    row = service.propose(connection, body.wanted(), body.based_on, body.reason, allowed, person, clock.now())
    return _edit(row)


@router.get("", summary="Manual edits")
def list_edits(
    connection: Db,
    _: Reader,
    channel: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    state: Literal["proposed", "active", "refused", "undone"] | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="the last number seen")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[EditOut]:
    """Newest first."""
    rows = service.find_edits(connection, channel=channel, state=state, before=before, limit=limit)
    return [_edit(row) for row in rows]


@router.get("/{number}", summary="One manual edit")
def get_edit(connection: Db, _: Reader, number: Number) -> EditOut:
    """With who decided on it."""
    return _edit(service.require_edit(connection, number))


@router.post("/{number}/approve", summary="Approve a manual edit as the second person")
def post_approve(connection: Db, clock: Now, person: Operator, number: Number) -> EditOut:
    """Another person than the one who proposed it."""
    return _edit(service.approve(connection, number, person, clock.now()))


@router.post("/{number}/refuse", summary="Refuse a proposed edit")
def post_refuse(connection: Db, clock: Now, person: Operator, number: Number, body: ReasonIn) -> EditOut:
    """With the reason; the proposer takes it back so."""
    return _edit(service.refuse(connection, number, body.reason, person, clock.now()))


@router.post("/{number}/undo", summary="Undo an edit")
def post_undo(connection: Db, clock: Now, person: Operator, number: Number, body: ReasonIn) -> EditOut:
    """The day gets a new version without it."""
    return _edit(service.undo(connection, number, body.reason, person, clock.now()))


def _maximum(maximum: Maximum | None) -> MaximumOut | None:
    return None if maximum is None else MaximumOut(value=maximum.value, at=maximum.at)


def _edit(row: Any) -> EditOut:
    return EditOut(**{**row, "before": [None if value == MISSING_VALUE else value for value in row["before"]]})
