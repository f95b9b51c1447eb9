"""Working days of the Czech calendar (pracovní dny), and the terms of the market that are counted in them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.holidays import is_holiday

PRAGUE: Final = ZoneInfo("Europe/Prague")
_SATURDAY: Final = 5


def is_working_day(day: date) -> bool:
    """Monday to Friday, and no public holiday (Good Friday and Easter Monday included)."""
    return day.weekday() < _SATURDAY and not is_holiday(day)


def working_day(day: date, count: int) -> date:
    """The `count`-th working day behind a day (negative: before it); 0: the day itself."""
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        day += step
        left -= is_working_day(day)
    return day


@dataclass(frozen=True, slots=True)
class Term:
    """An instant of local time: so many days (working or all) behind, or with a negative count before, a day."""

    days: int
    until: time
    counts_working: bool = True

    def of(self, day: date) -> datetime:
        """When it ends, aware."""
        try:
            last = working_day(day, self.days) if self.counts_working else day + timedelta(days=self.days)
        except OverflowError:
            last = day
        return datetime.combine(last, self.until, PRAGUE)
