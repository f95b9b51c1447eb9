"""Local time of many intervals at once: Europe/Prague as shared.metering_day has it, on integer arrays."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from firmware_sims.loads.noise import Ints
from shared.metering_day import PRAGUE

MINUTES_A_DAY: Final = 1440
_HOUR: Final = timedelta(hours=1)
_EPOCH_WEEKDAY: Final = 3
"""1 January 1970 was a Thursday; Monday is 0."""


class LocalTime(NamedTuple):
    """Where each instant lies in local time."""

    day: Ints
    """Local calendar days since 1970-01-01."""
    minute: Ints
    """Minutes since local midnight by the clock on the wall, 0 to 1439."""

    @property
    def weekday(self) -> Ints:
        """0 Monday to 6 Sunday."""
        return (self.day + _EPOCH_WEEKDAY) % 7

    @property
    def day_of_year(self) -> Ints:
        """0 for 1 January."""
        days = self.day.astype("datetime64[D]")
        first = days.astype("datetime64[Y]").astype("datetime64[D]")
        result: Ints = (days - first).astype(np.int64)
        return result


@lru_cache(maxsize=64)
def _changes(year: int) -> tuple[tuple[int, int], ...]:
    """(minutes since 1970 UTC, offset in minutes from then on) at the beginning of a UTC year and at each change."""
    instant = datetime(year, 1, 1, tzinfo=UTC)
    found: list[tuple[int, int]] = []
    while instant.year == year:
        offset = instant.astimezone(PRAGUE).utcoffset()
        assert offset is not None
        minutes = offset // timedelta(minutes=1)
        if not found or found[-1][1] != minutes:
            found.append((int(instant.timestamp()) // 60, minutes))
        instant += _HOUR
    return tuple(found)


def local_time(minutes: Ints) -> LocalTime:
    """Local time of ascending instants given in minutes since 1970-01-01 UTC."""
    if not len(minutes):
        return LocalTime(minutes, minutes)
    first, last = (datetime.fromtimestamp(int(minutes[i]) * 60, UTC).year for i in (0, -1))
    changes = [change for year in range(first, last + 1) for change in _changes(year)]
    since = np.array([at for at, _ in changes], dtype=np.int64)
    offsets = np.array([offset for _, offset in changes], dtype=np.int64)
    day, minute = np.divmod(minutes + offsets[np.searchsorted(since, minutes, side="right") - 1], MINUTES_A_DAY)
    return LocalTime(day, minute)
