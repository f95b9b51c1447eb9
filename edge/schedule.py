"""What is due: pure. From the clock's reading, the configuration and what is stored already.

* A day of a load profile is due as soon as it is over, newest first; a day that was lost on the way is due again.
* States are sampled at each quarter-hour, or at the beginning of each month (gas: 06:00 local). The sample keeps its
  own time; later than `LATE` it is flagged. An instant whose window has passed unsampled is a gap: reported, never
  made up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from edge.config import DeviceConfig, States
from shared.metering_day import PRAGUE, MeteringDay, day_of, month_bounds
from shared.quantities import Commodity

QUARTER: Final = timedelta(minutes=15)
NO_PHASE: Final = timedelta()
LATE: Final = timedelta(seconds=60)
"""A sample later than this after its instant carries the late flag."""
WINDOW: Final[dict[States, timedelta]] = {"quarter-hour": QUARTER, "month": timedelta(days=1)}
"""So long after its instant a state may still be sampled."""
DAYS_AT_ONCE: Final = 8
"""Days of one meter that are read in one session, if nothing more urgent comes up."""
NOTHING_DUE: Final = timedelta(days=1)
"""A device that has nothing on the calendar (only live series) is looked at again after so long."""


class DayState(StrEnum):
    """What the outbox knows of a register's day."""

    READ = "read"
    AGAIN = "again"
    """Lost on the way to central, or perhaps there already: read again, and marked so."""


@dataclass(frozen=True, slots=True)
class SampleMark:
    """How far a device's samples have come: last instant dealt with (sampled or a gap), last instant sampled."""

    handled: datetime
    sampled: datetime | None = None


@dataclass(slots=True)
class DeviceProgress:
    """What is stored of one device."""

    days: dict[str, dict[date, DayState]] = field(default_factory=dict)
    """By register on the wire."""
    sample: SampleMark | None = None


@dataclass(frozen=True, slots=True)
class DayDue:
    """One metering day to be read, for `registers` (wire names); `again` of them marked as re-read."""

    day: MeteringDay
    registers: tuple[str, ...]
    again: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SampleDue:
    """States to be sampled for `instant`, until `until`."""

    instant: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class GapDue:
    """Instants `first` to `last` that nobody sampled."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Due:
    """All that is due for one device."""

    gap: GapDue | None = None
    sample: SampleDue | None = None
    days: tuple[DayDue, ...] = ()
    """Newest first, at most `DAYS_AT_ONCE`."""


def states_commodity(device: DeviceConfig) -> Commodity:
    """Whose months count for the device's states."""
    if device.states is not None and device.states.commodity is not None:
        return device.states.commodity
    return device.profile.commodity if device.profile is not None else Commodity.ELECTRICITY


def boundary(at: States, commodity: Commodity, now: datetime) -> datetime:
    """The last sampling instant at or before `now`."""
    if at == "quarter-hour":
        return now - timedelta(
            minutes=now.minute % 15, seconds=now.second, microseconds=now.microsecond
        )  # Prague is always whole hours from UTC
    local = now.astimezone(PRAGUE)
    start = month_bounds(commodity, local.year, local.month)[0]
    if start <= now:
        return start
    before = local.replace(day=1) - timedelta(days=1)
    return month_bounds(commodity, before.year, before.month)[0]


def following(at: States, commodity: Commodity, instant: datetime) -> datetime:
    """The sampling instant after the sampling instant `instant`."""
    if at == "quarter-hour":
        return instant + QUARTER
    local = instant.astimezone(PRAGUE)
    return month_bounds(commodity, local.year, local.month)[1]


def preceding(at: States, commodity: Commodity, instant: datetime) -> datetime:
    """The sampling instant before the sampling instant `instant`."""
    return boundary(at, commodity, instant - timedelta(microseconds=1))


def first_mark(device: DeviceConfig, now: datetime) -> SampleMark | None:
    """Where a device that was never sampled begins: with the instant that is right now, or else with the next."""
    if device.states is None:
        return None
    at, commodity = device.states.at, states_commodity(device)
    last = boundary(at, commodity, now)
    return SampleMark(preceding(at, commodity, last) if now - last <= LATE else last)


def due(device: DeviceConfig, progress: DeviceProgress, now: datetime, phase: timedelta = NO_PHASE) -> Due:
    """What is due for `device` at `now`; its samples `phase` after their instants."""
    gap, sample = _samples_due(device, progress, now - phase)
    return Due(gap, sample, tuple(_days_due(device, progress, now)))


def next_instant(device: DeviceConfig, now: datetime, phase: timedelta = NO_PHASE) -> datetime:
    """When, after `now`, something new can become due for `device`."""
    instants = []
    if device.profile is not None:
        instants.append(day_of(device.profile.commodity, now).end)
    if device.states is not None:
        at, commodity = device.states.at, states_commodity(device)
        last = boundary(at, commodity, now - phase)
        instants.append(following(at, commodity, last) + phase)
        if last + WINDOW[at] + phase > now:
            instants.append(last + WINDOW[at] + phase)
    return min(instants, default=now + NOTHING_DUE)


def days_left(device: DeviceConfig, progress: DeviceProgress, now: datetime) -> int:
    """Number of days that are over and not read."""
    return sum(1 for _ in _missing_days(device, progress, now))


def _samples_due(
    device: DeviceConfig, progress: DeviceProgress, now: datetime
) -> tuple[GapDue | None, SampleDue | None]:
    if device.states is None or progress.sample is None:
        return None, None
    at, commodity = device.states.at, states_commodity(device)
    handled, last = progress.sample.handled, boundary(at, commodity, now)
    if last <= handled:
        return None, None
    sample = SampleDue(last, last + WINDOW[at]) if now < last + WINDOW[at] else None
    last_missed = last if sample is None else preceding(at, commodity, last)
    if last_missed <= handled:
        return None, sample
    first_missed = following(at, commodity, handled)
    if at == "quarter-hour":
        count = (last_missed - first_missed) // QUARTER + 1
    else:
        count, instant = 1, first_missed
        while instant < last_missed:
            instant = following(at, commodity, instant)
            count += 1
    return GapDue(first_missed, last_missed, count), sample


def _missing_days(device: DeviceConfig, progress: DeviceProgress, now: datetime) -> Iterator[DayDue]:
    profile = device.profile
    if profile is None:
        return
    registers = [register.register for register in profile.registers]
    known = {name: progress.days.get(name, {}) for name in registers}
    first = day_of(profile.commodity, profile.since)
    if first.start < profile.since:
        first = first.next
    day = day_of(profile.commodity, now).date - timedelta(days=1)
    while day >= first.date:
        missing = tuple(name for name in registers if known[name].get(day) is not DayState.READ)
        if missing:
            again = frozenset(name for name in missing if known[name].get(day) is DayState.AGAIN)
            yield DayDue(MeteringDay(profile.commodity, day), missing, again)
        day -= timedelta(days=1)


def _days_due(device: DeviceConfig, progress: DeviceProgress, now: datetime) -> Iterator[DayDue]:
    for n, day in enumerate(_missing_days(device, progress, now)):
        if n == DAYS_AT_ONCE:
            return
        yield day
