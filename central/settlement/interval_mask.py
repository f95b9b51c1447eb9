"""Which intervals a rule evaluates, where it is not all of them: by months, kinds of day and hours of local time.

A package spells it in one parameter: words separated by spaces, `months:11+12+1`, `working` (Monday to Friday without
public holidays) and `hours:6-10+17-20` (whole hours, end exclusive); what is left out does not restrict.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from central.readings.profiles import Profiles
from central.readings.registers.tariff_mask import HOLIDAY, Bools, Schedule, SwitchingTimes, tariff_mask
from shared.holidays import holidays_of
from shared.metering_day import MeteringDay

EVERY_INTERVAL = "all"
_WORD = re.compile(
    r"(?P<working>working)|months:(?P<months>[0-9]{1,2}(?:\+[0-9]{1,2})*)"
    r"|hours:(?P<hours>[0-9]{1,2}-[0-9]{1,2}(?:\+[0-9]{1,2}-[0-9]{1,2})*)"
)
_DAY = ((0, 24),)
_YEAR = frozenset(range(1, 13))


@dataclass(frozen=True, slots=True)
class IntervalMask:
    """The evaluated intervals: calendar months (1 to 12), working days only or all, hours [from, to) of local time."""

    months: frozenset[int]
    working: bool
    hours: tuple[tuple[int, int], ...]

    def of(self, days: Sequence[MeteringDay]) -> Bools:
        """True where an interval of these days is evaluated; days one after another.

        An interval belongs to the hour that its middle lies in; on the day that clocks go back the repeated hour counts
        twice.
        """
        low = tuple((since * 60, until * 60) for since, until in self.hours)
        off = () if self.working else low
        kinds = {**dict.fromkeys(range(1, 6), low), 6: off, 7: off, HOLIDAY: off}
        schedule = Schedule("", tuple(SwitchingTimes(kind, times, date.min) for kind, times in kinds.items()))
        holidays = frozenset().union(*(holidays_of(year) for year in {day.date.year for day in days}))
        hours = tariff_mask(schedule, days, holidays)
        evaluated = np.array([day.date.month in self.months for day in days], np.bool_)
        return np.logical_and(hours, np.repeat(evaluated, [day.length for day in days]))

    def day_totals(self, profiles: Profiles) -> NDArray[np.int64]:
        """The sums of the evaluated intervals by day, (channels, days), of all channels at once.

        A missing value counts as it is stored: whoever asks has made sure that there is none.
        """
        mask = self.of(profiles.days)
        totals = np.zeros((len(profiles.channels), len(profiles.days)), np.int64)
        for place, (begin, end) in enumerate(zip(profiles.offset[:-1], profiles.offset[1:], strict=True)):
            edges = np.flatnonzero(np.diff(mask[begin:end].astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
            for since, until in (edges + begin).tolist():
                totals[:, place] += profiles.values[:, since:until].sum(axis=1, dtype=np.int64)
        return totals


@lru_cache(maxsize=64)
def parse_mask(text: str) -> IntervalMask | None:
    """The mask that a parameter spells; None for all intervals. Raises ValueError with what is wrong."""
    if text == EVERY_INTERVAL:
        return None
    found: dict[str, str] = {}
    for word in text.split(" "):
        match = _WORD.fullmatch(word)
        given = {} if match is None else {name: value for name, value in match.groupdict().items() if value is not None}
        if not given or given.keys() & found.keys():
            raise ValueError(f"{text!r} is no mask: all, or words of months:1+2, working, hours:6-10+17-20, each once")
        found |= given
    months = _YEAR
    if "months" in found:
        months = frozenset(int(each) for each in found["months"].split("+"))
    hours: tuple[tuple[int, int], ...] = _DAY
    if "hours" in found:
        pairs = [each.split("-") for each in found["hours"].split("+")]
        hours = tuple((int(since), int(until)) for since, until in pairs)
    if not months <= _YEAR or any(not since < until <= 24 for since, until in hours):
        raise ValueError(f"{text!r} has a month beyond 12 or hours that do not rise up to 24")
    return IntervalMask(months, "working" in found, hours)


def told_mask(parameters: Mapping[str, str]) -> str | None:
    """The mask of a rule as it stands in the package; None where every interval is evaluated."""
    text = parameters.get("intervals", EVERY_INTERVAL)
    return None if text == EVERY_INTERVAL else text
