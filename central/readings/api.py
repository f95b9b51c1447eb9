"""Routes of the readings: profiles, versions, trace, states, completeness."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from central.network.channels import find_channels
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings import completeness, profile_view, trace
from central.readings.load_profile_api import router as load_profile_router
from central.readings.states import WITHIN, states_at

router = APIRouter(prefix="/v1", tags=["readings"])
router.include_router(load_profile_router)
from central.readings.gas.api import router as gas_router
from central.readings.states import WITHIN, states_at

router = APIRouter(prefix="/v1", tags=["readings"])
router.include_router(gas_router)

Reader = Annotated[Person, Depends(require("read"))]
First = Annotated[date, Query(alias="from", description="first metering day")]
End = Annotated[date, Query(alias="to", description="the day after the last one")]

YEARS = (1990, 2400)
"""Years that one may ask for: beyond them the calendar's arithmetic or the database's ends."""
LONGEST = 400
"""Days that one request may ask for."""


class DayOut(BaseModel):
    """One metering day. `version` is null while the day is open (read from blocks); a missing value is null."""

    day: date
    begin: datetime
    version: int | None
    values: list[int | None]
    quality: list[int]


class ProfileOut(BaseModel):
    """Values of a channel in unit x 10^exponent, an interval being `step_s` long."""

    channel: int
    unit: str
    exponent: int
    step_s: int
    days: list[DayOut]


class VersionOut(BaseModel):
    """One version of a day."""

    version: int
    made_at: datetime
    made_by: str
    missing: int
    batches: list[int]
    digest: str


class StateOut(BaseModel):
    """One register state; value is the meter's integer in unit x 10^exponent, factor turns it into the channel's."""

    channel: int
    evidence_channel: int
    concentrator: str
    meter: str
    register_: Annotated[str, Field(alias="register")]
    at: datetime
    value: int
    unit: str
    exponent: int
    factor: int
    quality: int
    batch: int


class CountOut(BaseModel):
    """Values that were to come and values that are there."""

    expected: int
    present: int
    missing: int


class DayCountOut(CountOut):
    """Of all meters on one day."""

    day: date


class ConcentratorCountOut(CountOut):
    """Of one concentrator."""

    concentrator: str


class MeterCountOut(ConcentratorCountOut):
    """Of one meter, with its days in the order of the `days` of the answer: values present, -1 where none was due."""

    meter: str
    present_by_day: list[int]


class CompletenessOut(CountOut):
    """Interval values of a period: the whole, by day, by concentrator, by meter."""

    days: list[DayCountOut]
    concentrators: list[ConcentratorCountOut]
    meters: list[MeterCountOut]


@router.get("/channels/{identifier}/profile", summary="Profile of a channel")
def get_profile(connection: Db, _: Reader, identifier: int, first: First, end: End) -> ProfileOut:
    """The newest version of each metering day; an open day is read from blocks."""
    _check_period(first, end)
    return ProfileOut(**profile_view.view(connection, identifier, first, end))


@router.get("/channels/{identifier}/days/{day}/versions", summary="Versions of a day's profile")
def find_versions(connection: Db, _: Reader, identifier: int, day: date) -> list[VersionOut]:
    """Oldest first, with what each was made from."""
    _check_day(day)
    return [VersionOut(**row) for row in profile_view.versions(connection, identifier, day)]


@router.get("/channels/{identifier}/days/{day}/trace", summary="Where a day's values came from")
def get_trace(connection: Db, _: Reader, identifier: int, day: date, version: int | None = None) -> dict[str, Any]:
    """Down to blocks, batches, concentrator and meter; default the newest version."""
    _check_day(day)
    return trace.trace_profile(connection, identifier, day, version)


@router.get("/readings/states", summary="Register states at an instant")
def find_states(
    connection: Db,
    _: Reader,
    at: Annotated[AwareDatetime, Query(description="the instant, with offset")],
    channel: Annotated[list[int] | None, Query(description="channels; default all state channels")] = None,
    supply_point: int | None = None,
    within_s: Annotated[int, Query(ge=0, le=86_400)] = int(WITHIN.total_seconds()),
) -> list[StateOut]:
    """The state at the instant or the first one after it, at most `within_s` later."""
    _check_day(at.date())
    wanted = channel or [row["id"] for row in find_channels(connection, kind="state", supply_point=supply_point)]
    found = states_at(connection, wanted, at, timedelta(seconds=within_s))
    return [StateOut(**asdict(state)) for state in found.values()]


@router.get("/readings/states/trace", summary="Where a register state came from")
def get_state_trace(
    connection: Db, _: Reader, evidence_channel: int, at: AwareDatetime, batch: int | None = None
) -> dict[str, Any]:
    """Down to batch, concentrator and meter."""
    _check_day(at.date())
    return trace.trace_state(connection, evidence_channel, at, batch)


@router.get("/completeness", summary="Expected and present interval values")
def get_completeness(
    connection: Db, _: Reader, clock: Now, first: First, end: End, concentrator: str | None = None
) -> CompletenessOut:
    """By day, concentrator and meter. Only intervals that are over are expected."""
    _check_period(first, end)
    cells = completeness.count(connection, first, end - timedelta(days=1), clock.now(), concentrator)
    return _fold(cells)


def _fold(cells: completeness.Cells) -> CompletenessOut:
    days = sorted({cell.day for cell in cells})
    place = {day: number for number, day in enumerate(days)}
    by_day: dict[date, list[int]] = {day: [0, 0] for day in days}
    by_concentrator: dict[str, list[int]] = {}
    by_meter: dict[tuple[str, str], list[int]] = {}
    map_of: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        meter = (cell.concentrator, cell.meter)
        map_of.setdefault(meter, [-1] * len(days))[place[cell.day]] = cell.present
        for total in (
            by_day[cell.day],
            by_concentrator.setdefault(cell.concentrator, [0, 0]),
            by_meter.setdefault(meter, [0, 0]),
        ):
            total[0] += cell.expected
            total[1] += cell.present
    whole = [sum(total[side] for total in by_day.values()) for side in (0, 1)]
    return CompletenessOut(
        **_counts(whole),
        days=[DayCountOut(day=day, **_counts(total)) for day, total in by_day.items()],
        concentrators=[ConcentratorCountOut(concentrator=name, **_counts(t)) for name, t in by_concentrator.items()],
        meters=[
            MeterCountOut(concentrator=meter[0], meter=meter[1], present_by_day=map_of[meter], **_counts(total))
            for meter, total in by_meter.items()
        ],
    )


def _counts(total: list[int]) -> dict[str, int]:
    return {"expected": total[0], "present": total[1], "missing": total[0] - total[1]}


def _check_day(day: date) -> None:
    _check_period(day, day + timedelta(days=1) if day < date.max else day)


def _check_period(first: date, end: date) -> None:
    if not YEARS[0] <= first.year <= end.year <= YEARS[1]:
        raise BadInput("period", f"The period {first} to {end} must lie in the years {YEARS[0]} to {YEARS[1]}.")
    if not 0 < (end - first).days <= LONGEST:
        raise BadInput(
            "period", f"The period {first} to {end} must have 1 to {LONGEST} days; its end is exclusive. Ask in parts."
        )
