"""Metering days: the calendar that turns (day, index) into an instant and back, in this one place.

Electricity: the local calendar day in quarter-hours, 96, on clock-change days 92 or 100. Gas: the gas day 06:00 to
06:00 local time in hours, 24, 23 or 25 (the day *before* the last Sunday of March has 23). Instants are aware and in
UTC.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from shared.quantities import Commodity

PRAGUE: Final = ZoneInfo("Europe/Prague")
STEP: Final = {Commodity.ELECTRICITY: timedelta(minutes=15), Commodity.GAS: timedelta(hours=1)}
DAY_START: Final = {Commodity.ELECTRICITY: time(0), Commodity.GAS: time(6)}


class CalendarError(ValueError):
    """An instant or index that a metering day does not have."""


def occurs_twice(at: datetime, zone: tzinfo) -> bool:
    """Whether clocks of `zone` show what they show at the aware instant `at` an hour earlier or later once more."""
    wall = at.astimezone(zone)
    return wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()


@lru_cache(maxsize=4096)
def _day_start(commodity: Commodity, day: date) -> datetime:
    return datetime.combine(day, DAY_START[commodity], PRAGUE).astimezone(UTC)


@dataclass(frozen=True, slots=True, order=True)
class MeteringDay:
    """One metering day (obchodní den, plynárenský den) of a commodity, half-open in UTC."""

    commodity: Commodity
    date: date

    @property
    def start(self) -> datetime:
        """Beginning of the first interval."""
        return _day_start(self.commodity, self.date)

    @property
    def end(self) -> datetime:
        """End of the last interval."""
        return _day_start(self.commodity, self.date + timedelta(days=1))

    @property
    def step(self) -> timedelta:
        """Length of one interval."""
        return STEP[self.commodity]

    @property
    def length(self) -> int:
        """Number of intervals: 92, 96, 100 quarter-hours or 23, 24, 25 hours."""
        return (self.end - self.start) // self.step

    def instant(self, index: int) -> datetime:
        """Beginning of interval `index`, 0 to length - 1."""
        if not 0 <= index < self.length:
            raise CalendarError(
                f"The {self.commodity} day {self.date} has intervals 0 to {self.length - 1}, not {index}."
            )
        return self.start + index * self.step

    def index(self, instant: datetime) -> int:
        """Index of the interval that begins at `instant`, exactly."""
        index, rest = divmod(instant - self.start, self.step)
        if rest or not 0 <= index < self.length:
            raise CalendarError(f"No interval of the {self.commodity} day {self.date} begins at {instant.isoformat()}.")
        return index

    @property
    def next(self) -> "MeteringDay":
        """The day after."""
        return MeteringDay(self.commodity, self.date + timedelta(days=1))


def day_of(commodity: Commodity, instant: datetime) -> MeteringDay:
    """The metering day in which `instant` lies."""
    if instant.tzinfo is None:
        raise CalendarError(f"A metering day needs an aware instant; {instant.isoformat()} has no zone.")
    day = MeteringDay(commodity, instant.astimezone(PRAGUE).date())
    return day if day.start <= instant else MeteringDay(commodity, day.date - timedelta(days=1))


def days_between(commodity: Commodity, first: date, last_exclusive: date) -> list[MeteringDay]:
    """The metering days from `first` up to, not including, `last_exclusive`."""
    return [MeteringDay(commodity, first + timedelta(days=n)) for n in range((last_exclusive - first).days)]


def next_month(year: int, month: int) -> date:
    """The first day of the month after."""
    return date(year + month // 12, month % 12 + 1, 1)


def month_days(commodity: Commodity, year: int, month: int) -> list[MeteringDay]:
    """The metering days of a calendar month."""
    return days_between(commodity, date(year, month, 1), next_month(year, month))


def month_bounds(commodity: Commodity, year: int, month: int) -> tuple[datetime, datetime]:
    """Beginning and end of a month in UTC; of gas, 06:00 local on both sides."""
    return _day_start(commodity, date(year, month, 1)), _day_start(commodity, next_month(year, month))
