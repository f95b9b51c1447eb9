"""Routes of the readings: profiles, versions, trace, states, completeness."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from central.network.channels import find_channels
from central.platform.identity import Person, require
from central.platform.web import Db
from central.readings import profile_view, trace
from central.readings.balance_api import router as balance_router
from central.readings.completeness_api import router as completeness_router
from central.readings.edits.api import router as edits_router
from central.readings.estimation.api import router as estimation_router
from central.readings.formula_api import router as formula_router
from central.readings.gas.api import router as gas_router
from central.readings.load_profile_api import router as load_profile_router
from central.readings.periods import check_period
from central.readings.registers.api import router as registers_router
from central.readings.sharing.allocation_api import router as allocation_router
from central.readings.sharing.api import router as sharing_router
from central.readings.states import WITHIN, states_at
from central.readings.states_api import StateOut
from central.readings.sums_api import router as sums_router
from central.readings.transfer.api import router as transfer_router
from central.readings.vee.api import router as vee_router

router = APIRouter(prefix="/v1", tags=["readings"])
router.include_router(formula_router)
router.include_router(balance_router)
router.include_router(sums_router)
router.include_router(load_profile_router)
router.include_router(estimation_router)
router.include_router(edits_router)
router.include_router(completeness_router)
router.include_router(gas_router)
router.include_router(sharing_router)
router.include_router(allocation_router)
router.include_router(transfer_router)
router.include_router(vee_router)
router.include_router(registers_router)

Reader = Annotated[Person, Depends(require("read"))]
First = Annotated[date, Query(alias="from", description="first metering day")]
End = Annotated[date, Query(alias="to", description="the day after the last one")]


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


@router.get("/channels/{identifier}/profile", summary="Profile of a channel")
def get_profile(connection: Db, _: Reader, identifier: int, first: First, end: End) -> ProfileOut:
    """The newest version of each metering day; an open day is read from blocks."""
    check_period(first, end)
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


def _check_day(day: date) -> None:
    check_period(day, day + timedelta(days=1) if day < date.max else day)
