"""High and low tariff (VT, NT) of metering intervals by switching times (povely HDO, spínací hodiny)."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from shared.metering_day import PRAGUE, MeteringDay

Bools = NDArray[np.bool_]

HOLIDAY = 8
"""Kind of day beside 1 Monday .. 7 Sunday; a schedule without it takes a holiday for a Sunday."""
SUNDAY = 7
MINUTES = 24 * 60


class NoSwitchingTimesError(ValueError):
    """A schedule does not say when it switches on a day that is asked for."""

    def __init__(self, schedule: str, day: date) -> None:
        super().__init__(f"The schedule {schedule} has no switching times for {day}; enter them.")
        self.day = day


@dataclass(frozen=True, slots=True)
class SwitchingTimes:
    """When low tariff holds on one kind of day: [from, to) in minutes of local time, valid [since, until)."""

    day_kind: int
    low: tuple[tuple[int, int], ...]
    since: date
    until: date | None = None

    def hold(self, day: date, kind: int) -> bool:
        return self.day_kind == kind and self.since <= day and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A command of the ripple control (povel HDO) or a clock in the meter: its switching times by kind of day."""

    code: str
    times: tuple[SwitchingTimes, ...]

    def low(self, day: date, holidays: Container[date]) -> tuple[tuple[int, int], ...]:
        """Times of low tariff on a day; NoSwitchingTimesError where none are known."""
        kinds = (HOLIDAY, SUNDAY) if day in holidays else (day.isoweekday(),)
        for kind in kinds:
            for times in self.times:
                if times.hold(day, kind):
                    return times.low
        raise NoSwitchingTimesError(self.code, day)


def tariff_mask(schedule: Schedule, days: Sequence[MeteringDay], holidays: Container[date] = frozenset()) -> Bools:
    """True where an interval of these days falls to low tariff (NT), False where to high (VT); days one after another.

    An interval belongs to the tariff that holds in its middle: switching is by minutes, metering by quarter-hours
    (assumed). Times are local: on the day that clocks go back, the repeated hour has the same tariff twice.
    """
    parts = [_low(_middles(day), schedule.low(day.date, holidays)) for day in days]
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def _middles(day: MeteringDay) -> Ints:
    """Minute of local time in the middle of each interval, (day.length,)."""
    step = int(day.step.total_seconds() // 60)
    first = day.start.astimezone(PRAGUE)
    begins = first.hour * 60 + first.minute + np.arange(day.length, dtype=np.int64) * step
    shift = day.length * step - MINUTES
    if shift:
        local = (day.instant(index).astimezone(PRAGUE) for index in range(day.length))
        begins = np.array([at.hour * 60 + at.minute for at in local], np.int64)
    return (begins + step // 2) % MINUTES


def _low(minutes: Ints, times: Sequence[tuple[int, int]]) -> Bools:
    mask = np.zeros(len(minutes), np.bool_)
    for since, until in times:
        mask |= (minutes >= since) & (minutes < until)
    return mask
