"""Routes of registers: enter, list and revoke states, preview a split, and the switching times of tariffs."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from central.network.channels import find_channels
from central.platform import audit
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings.periods import YEARS
from central.readings.registers import entering, schedules
from central.readings.registers.preview import preview_split
from central.readings.states import states_between
from central.readings.states_api import StateOut

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=2000)]
MOST_DAYS = 1200
MOST_CUTS = 40


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StateIn(_Body):
    """A state as somebody read it or agreed on it; `at` is the end of its measuring period."""

    meter: str
    register_: Annotated[str, Field(alias="register")]
    kind: Literal[
        "own",
        "customer",
        "estimate",
        "exchange",
        "change_of_supplier",
        "change_of_customer",
        "initial",
        "contractual_initial",
        "removal",
    ]
    at: AwareDatetime
    value: int
    """In the register's last digit."""
    period_start: AwareDatetime | None = None
    """Default: the state before; none for an initial state."""
    pz_date: date | None = None
    """Stands for the beginning of the period where it is set."""
    rollover: bool = False
    """Confirms that the register passed its highest state since the state before."""
    note: Annotated[str, StringConstraints(max_length=2000)] = ""
    document: Annotated[str, StringConstraints(max_length=500)] | None = None
    """Reference of a photo or a protocol."""


class EntryOut(BaseModel):
    """An entered state as stored, with its lock and its revocation."""

    id: int
    meter: str
    register_: Annotated[str, Field(alias="register")]
    evidence_channel: int
    kind: str
    at: datetime
    value: int
    period_start: datetime | None
    pz_date: date | None
    rolled_over: bool
    note: str
    document: str | None
    entered_at: datetime
    entered_by: str
    locked_by: str | None
    locked_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_reason: str | None


class Revocation(_Body):
    """Why a state is taken back."""

    reason: Reason


class ScheduleIn(_Body):
    """A schedule of tariffs: a command of the ripple control, or a clock in the meter."""

    code: Name
    name: Name


class TimesIn(_Body):
    """Low tariff on kinds of day (1 Monday to 7 Sunday, 8 holiday): pairs of minutes of local time, end exclusive."""

    day_kinds: Annotated[list[int], Field(min_length=1, max_length=8)]
    low: Annotated[list[tuple[int, int]], Field(max_length=48)]
    since: date
    until: date | None = None


class AssignmentIn(_Body):
    """The metering point whose channels have their tariffs told apart by a schedule."""

    point: str
    since: date
    until: date | None = None


class TimesOut(BaseModel):
    """Low tariff of one kind of day."""

    day_kind: int
    low: list[tuple[int, int]]
    since: date
    until: date | None


class ScheduleOut(BaseModel):
    """A schedule with its switching times."""

    code: str
    name: str
    times: list[TimesOut]


@router.post("/meter-states", status_code=201, summary="Enter a state of a register")
def enter_state(connection: Db, person: Operator, clock: Now, body: StateIn) -> EntryOut:
    """Refused where it contradicts the state before or after it and no confirmed rollover explains it."""
    facts = body.model_dump(by_alias=True)
    return EntryOut(**entering.enter_state(connection, entering.Entry(**facts), person, clock.now()))


@router.get("/meter-states", summary="States that people entered, newest first")
def find_entries(
    connection: Db,
    _: Reader,
    meter: str | None = None,
    register: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[EntryOut]:
    """Revoked ones too."""
    found = entering.find_entries(connection, meter=meter, register=register, limit=limit)
    return [EntryOut(**row) for row in found]


@router.get("/meter-states/{identifier}", summary="One entered state")
def get_entry(connection: Db, _: Reader, identifier: int) -> EntryOut:
    """By its id."""
    return EntryOut(**entering.require_entry(connection, identifier))


@router.post("/meter-states/{identifier}/revoke", summary="Take an entered state back")
def revoke_state(connection: Db, person: Operator, clock: Now, identifier: int, body: Revocation) -> EntryOut:
    """Refused once a settlement run has billed by it."""
    return EntryOut(**entering.revoke_state(connection, identifier, body.reason, person, clock.now()))


@router.get("/readings/states/history", summary="All states of channels over a period, of both sources")
def find_history(
    connection: Db,
    _: Reader,
    first: Annotated[AwareDatetime, Query(alias="from")],
    end: Annotated[AwareDatetime, Query(alias="to")],
    channel: Annotated[list[int] | None, Query(description="state channels")] = None,
    point: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
) -> list[StateOut]:
    """By channel and time, with the kind of reading; of one instant the state that goes first before the others."""
    _check_period(first, end)
    wanted = list(channel or [])
    if point is not None:
        wanted += [row["id"] for row in find_channels(connection, kind="state", point=point)]
    if not wanted:
        raise BadInput("channel", "Name the channels or the metering point whose states you want.")
    return [StateOut(**asdict(state)) for state in states_between(connection, wanted, first, end, limit)]


@router.get("/readings/states/split", summary="How the difference of two states would be split")
def get_split(
    connection: Db,
    _: Reader,
    channel: int,
    cut: Annotated[list[AwareDatetime], Query(description="instants between the two states", max_length=MOST_CUTS)],
    profile_class: Annotated[str | None, Query(description="TDD class; none: by days")] = None,
) -> dict[str, Any]:
    """Between the last state before the first cut and the first one after the last, with the method of each part."""
    _check_period(min(cut), max(cut) + timedelta(seconds=1))
    return preview_split(connection, channel, sorted(set(cut)), profile_class)


@router.get("/tariff-schedules", summary="Schedules of tariffs with their switching times")
def find_schedules(connection: Db, _: Reader) -> list[ScheduleOut]:
    """By code."""
    return [
        ScheduleOut(code=row["code"], name=row["name"], times=[TimesOut(**asdict(times)) for times in row["times"]])
        for row in schedules.find_schedules(connection)
    ]


@router.post("/tariff-schedules", status_code=201, summary="Create a schedule of tariffs")
def create_schedule(connection: Db, person: Operator, clock: Now, body: ScheduleIn) -> ScheduleIn:
    """Refused where the code is in use."""
    schedules.create_schedule(connection, body.code, body.name)
    _record(connection, person, clock.now(), "tariff_schedule.create", body.code, body)
    return body


@router.post("/tariff-schedules/{code}/times", status_code=201, summary="Say when low tariff holds")
def add_times(connection: Db, person: Operator, clock: Now, code: str, body: TimesIn) -> TimesIn:
    """Refused where it overlaps times of the same kind of day."""
    schedules.add_times(connection, code, body.day_kinds, body.low, body.since, body.until)
    _record(connection, person, clock.now(), "tariff_schedule.times", code, body)
    return body


@router.post("/tariff-schedules/{code}/points", status_code=201, summary="Assign a schedule to a metering point")
def assign_schedule(connection: Db, person: Operator, clock: Now, code: str, body: AssignmentIn) -> list[int]:
    """The channels of active energy that it holds for now."""
    channels = schedules.assign_schedule(connection, code, body.point, body.since, body.until)
    _record(connection, person, clock.now(), "tariff_schedule.assign", code, body)
    return channels


def _record(connection: Db, person: Person, at: datetime, act: str, code: str, body: BaseModel) -> None:
    audit.record(connection, person, act, f"tariff_schedule/{code}", body.model_dump(mode="json"), at)


def _check_period(first: datetime, end: datetime) -> None:
    if not YEARS[0] <= first.year <= end.year <= YEARS[1]:
        raise BadInput("period", f"The period {first} to {end} must lie in the years {YEARS[0]} to {YEARS[1]}.")
    if not timedelta(0) < end - first <= timedelta(days=MOST_DAYS):
        raise BadInput("period", f"The period {first} to {end} must end after it begins, within {MOST_DAYS} days.")
