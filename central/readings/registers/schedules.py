"""Schedules of tariffs (spínání sazeb): create them and their times, assign them to channels, read them for masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.network.channels import find_channels
from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound
from central.readings.registers.state_tables import channel_schedule, switching_time, tariff_schedule
from central.readings.registers.tariff_mask import (
    HOLIDAY,
    MINUTES,
    Bools,
    NoSwitchingTimesError,
    Schedule,
    SwitchingTimes,
    tariff_mask,
)
from shared.holidays import holidays_of
from shared.metering_day import MeteringDay

DIRECTIONS = ("A+", "A-", "VT", "NT")
"""Channels whose tariffs a schedule tells apart."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The schedule of a channel over [since, until)."""

    schedule: Schedule
    since: date | None
    until: date | None


_ASSIGNED = text("""
    SELECT a.channel, lower(a.valid) AS since, upper(a.valid) AS until, s.id AS schedule, s.code
    FROM channel_schedule a JOIN tariff_schedule s ON s.id = a.schedule
    WHERE a.channel = ANY(:channels) ORDER BY a.channel, lower(a.valid)
""")
_TIMES = text("""
    SELECT schedule, day_kind, low, lower(valid) AS since, upper(valid) AS until
    FROM switching_time WHERE schedule = ANY(:schedules) ORDER BY schedule, day_kind, lower(valid)
""")


def create_schedule(connection: Connection, code: str, name: str) -> int:
    """A schedule without times; its id. Refused where the code is in use."""
    try:
        made = connection.execute(
            insert(tariff_schedule).values(code=code, name=name).returning(tariff_schedule.c.id)
        ).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    return int(made)


def add_times(
    connection: Connection,
    code: str,
    day_kinds: Sequence[int],
    low: Sequence[tuple[int, int]],
    since: date,
    until: date | None,
) -> None:
    """Say when low tariff holds on these kinds of day: [from, to) in minutes of local time, ascending, apart."""
    schedule = _require(connection, code)
    flat = [minute for pair in low for minute in pair]
    if any(not 0 <= minute <= MINUTES for minute in flat) or any(b <= a for a, b in pairwise(flat)):
        raise BadInput(
            "low",
            f"The times of low tariff of {code} must be pairs from, to within a day of {MINUTES} minutes, ascending "
            "and apart; low tariff over midnight is two of them, on two kinds of day.",
        )
    if not day_kinds or any(not 1 <= kind <= HOLIDAY for kind in day_kinds):
        raise BadInput("day_kinds", f"The times of {code} need kinds of day: 1 Monday to 7 Sunday, 8 holiday.")
    valid = _validity(code, since, until)
    rows = [{"schedule": schedule, "day_kind": kind, "low": flat, "valid": valid} for kind in sorted(set(day_kinds))]
    try:
        connection.execute(insert(switching_time), rows)
    except IntegrityError as error:
        raise explain(error) from error


def assign_schedule(connection: Connection, code: str, point: str, since: date, until: date | None) -> list[int]:
    """Let a schedule tell the tariffs of a metering point's channels apart; the channels. Overlaps are Refused."""
    schedule = _require(connection, code)
    channels = [row["id"] for row in find_channels(connection, point=point) if row["direction"] in DIRECTIONS]
    if not channels:
        raise NotFound("point_not_found", f"There is no metering point {point} with channels of active energy.")
    valid = _validity(code, since, until)
    rows = [{"channel": channel, "schedule": schedule, "valid": valid} for channel in channels]
    try:
        connection.execute(insert(channel_schedule), rows)
    except IntegrityError as error:
        raise explain(error) from error
    return channels


def find_schedules(connection: Connection) -> list[dict[str, Any]]:
    """All schedules by code, with their switching times."""
    schedules = connection.execute(select(tariff_schedule).order_by(tariff_schedule.c.code)).all()
    times = _times(connection, [row.id for row in schedules])
    return [{"code": row.code, "name": row.name, "times": times.get(row.id, [])} for row in schedules]


def read_assignments(connection: Connection, channels: Sequence[int]) -> dict[int, list[Assignment]]:
    """The schedules of channels, oldest first; two queries. A channel without any is absent."""
    rows = connection.execute(_ASSIGNED, {"channels": list(channels)}).all()
    times = _times(connection, sorted({row.schedule for row in rows}))
    schedules = {row.schedule: Schedule(row.code, tuple(times.get(row.schedule, ()))) for row in rows}
    found: dict[int, list[Assignment]] = {}
    for row in rows:
        found.setdefault(row.channel, []).append(Assignment(schedules[row.schedule], row.since, row.until))
    return found


def low_tariff(assignments: Sequence[Assignment], days: Sequence[MeteringDay]) -> Bools | None:
    """True where an interval of the days falls to low tariff by a channel's schedules; None where a day has none."""
    holidays = frozenset().union(*(holidays_of(year) for year in {day.date.year for day in days}))
    parts = []
    for day in days:
        schedule = next((each.schedule for each in assignments if _holds(each, day.date)), None)
        if schedule is None:
            return None
        try:
            parts.append(tariff_mask(schedule, [day], holidays))
        except NoSwitchingTimesError:
            return None
    return np.concatenate(parts) if parts else None


def _holds(assignment: Assignment, day: date) -> bool:
    return (assignment.since is None or assignment.since <= day) and (
        assignment.until is None or day < assignment.until
    )


def _times(connection: Connection, schedules: Sequence[int]) -> Mapping[int, list[SwitchingTimes]]:
    found: dict[int, list[SwitchingTimes]] = {}
    for row in connection.execute(_TIMES, {"schedules": list(schedules)}):
        low = tuple(zip(row.low[::2], row.low[1::2], strict=True))
        found.setdefault(row.schedule, []).append(SwitchingTimes(row.day_kind, low, row.since, row.until))
    return found


def _require(connection: Connection, code: str) -> int:
    found = connection.execute(select(tariff_schedule.c.id).where(tariff_schedule.c.code == code)).scalar()
    if found is None:
        raise NotFound("schedule_not_found", f"There is no schedule of tariffs {code}; create it first or correct it.")
    return int(found)


def _validity(code: str, since: date, until: date | None) -> Range[date]:
    if until is not None and until <= since:
        raise BadInput(
            "validity", f"The validity of {code} ends {until}, not after its start {since}; the end is exclusive."
        )
    return Range(since, until, bounds="[)")
