"""Routes of the estimation: the order in force, days that wait, check channels."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings.estimation import checks
from central.readings.estimation.orders import find_orders
from central.readings.estimation.pending import find_pending

router = APIRouter(tags=["readings"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Identifier = Annotated[int, Field(ge=1, le=2**31 - 1)]


class OrderOut(BaseModel):
    """Steps for a metering type (empty: any) and class of channels over [first, end), with source and mark."""

    package: str
    package_version: str
    commodity: str
    metering_type: str
    channel_class: Annotated[str, Field(alias="class")]
    first: date
    end: date
    steps: list[dict[str, Any]]
    scale_to_states: bool
    most_estimated_days: int
    within_days: int
    source: str
    mark: str


class PendingOut(BaseModel):
    """A day that stays incomplete and why; `asked_at`: when the meter was asked again, `due`: when it is tried."""

    channel: int
    point: str
    direction: str
    day: date
    reason: str
    detail: str
    missing: int
    asked_at: datetime | None
    tried_at: datetime
    due: datetime | None


class CheckIn(BaseModel):
    """A channel that measures the same as another, from `since` until `until`."""

    model_config = ConfigDict(extra="forbid")

    channel: Identifier
    check_channel: Identifier
    since: AwareDatetime
    until: AwareDatetime | None = None


class CheckEndIn(BaseModel):
    """When a check channel ends."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime


class CheckOut(BaseModel):
    """A check channel (kontrolní měřidlo) with its validity."""

    id: int
    channel: int
    check_channel: int
    since: datetime | None
    until: datetime | None


@router.get("/estimation/orders", summary="Order of estimation")
def list_orders(connection: Db, _: Reader) -> list[OrderOut]:
    """As the installed packages set it; what is not documented says so."""
    return [OrderOut(**row) for row in find_orders(connection)]


@router.get("/estimation/pending", summary="Days that could not be estimated")
def list_pending(
    connection: Db,
    _: Reader,
    channel: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    reason: Annotated[str | None, Query(max_length=40)] = None,
    after_channel: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    after_day: Annotated[date, Query(ge=date(1990, 1, 1), lt=date(2400, 1, 1))] = date(1990, 1, 1),
    limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
) -> list[PendingOut]:
    """By channel and day, after the last one seen: they stay incomplete and block the bill."""
    after = (after_channel, after_day)
    return [
        PendingOut(**row) for row in find_pending(connection, channel=channel, reason=reason, after=after, limit=limit)
    ]


@router.post("/check-channels", status_code=201, summary="Name a check channel")
def post_check(connection: Db, clock: Now, person: Operator, body: CheckIn) -> CheckOut:
    """Both must be interval channels of one unit; a channel has one check at a time."""
    row = checks.create_check(connection, body.channel, body.check_channel, body.since, body.until, person, clock.now())
    return CheckOut(**row)


@router.get("/check-channels", summary="Check channels")
def list_checks(
    connection: Db, _: Reader, channel: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> list[CheckOut]:
    """Of a channel, or all."""
    return [CheckOut(**row) for row in checks.find_checks(connection, channel=channel)]


@router.post("/check-channels/{identifier}/close", summary="End a check channel")
def post_close(connection: Db, clock: Now, person: Operator, identifier: Identifier, body: CheckEndIn) -> CheckOut:
    """From `until` on it is none any more."""
    return CheckOut(**checks.close_check(connection, identifier, body.until, person, clock.now()))
