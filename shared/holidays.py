"""Czech public holidays (zákon č. 245/2000 Sb.) and the three types of day that loads are compared by."""

from datetime import date, timedelta
from enum import IntEnum
from functools import lru_cache

# (month, day): new year and restoration of the state, labour, victory, Cyril and Methodius, Jan Hus, statehood,
# independence, 17 November, Christmas. In force in this form since 2000; Good Friday is one since 2016.
_FIXED = (
    (1, 1),
    (5, 1),
    (5, 8),
    (7, 5),
    (7, 6),
    (9, 28),
    (10, 28),
    (11, 17),
    (12, 24),
    (12, 25),
    (12, 26),
)
_GOOD_FRIDAY_SINCE = 2016


class DayType(IntEnum):
    """Types of day whose loads are alike."""

    WORKDAY = 0
    """Monday to Friday."""
    SATURDAY = 1
    SUNDAY = 2
    """Sunday or a public holiday."""


def easter_sunday(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the algorithm of Meeus, Jones and Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    ell = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * ell) // 451
    month, day = divmod(h + ell - 7 * m + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=64)
def holidays_of(year: int) -> frozenset[date]:
    """The public holidays of a year."""
    easter = easter_sunday(year)
    moving = [easter + timedelta(days=1)]
    if year >= _GOOD_FRIDAY_SINCE:
        moving.append(easter - timedelta(days=2))
    return frozenset([date(year, month, day) for month, day in _FIXED] + moving)


def is_holiday(day: date) -> bool:
    """Whether a day is a public holiday."""
    return day in holidays_of(day.year)


def day_type(day: date) -> DayType:
    """The type of a day; a holiday counts as a Sunday."""
    if is_holiday(day) or day.isoweekday() == 7:
        return DayType.SUNDAY
    return DayType.SATURDAY if day.isoweekday() == 6 else DayType.WORKDAY
