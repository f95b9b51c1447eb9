"""Metering days as numpy arrays: the same calendar as `shared.metering_day`, for many instants at once.

A day is numbered by its local date, days since 1970-01-01 (so 2026-03-29 is 20541 for both commodities).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from shared.metering_day import MeteringDay, day_of
from shared.quantities import Commodity

Ints = NDArray[np.int64]

EPOCH_DATE = date(1970, 1, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMMODITIES = (Commodity.ELECTRICITY, Commodity.GAS)
"""A commodity's code in arrays is its place here."""


def number_of(day: date) -> int:
    """Number of a local date."""
    return (day - EPOCH_DATE).days


def date_of(number: int) -> date:
    """Local date of a number."""
    return EPOCH_DATE + timedelta(days=int(number))


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware instant."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """The instant in UTC."""
    return EPOCH + timedelta(milliseconds=int(ms))


@dataclass(frozen=True, slots=True)
class DayTable:
    """Borders of consecutive metering days of one commodity: day `first + i` is [borders[i], borders[i + 1]) in ms."""

    first: int
    borders: Ints

    @classmethod
    def covering(cls, commodity: Commodity, from_ms_: int, to_ms_: int) -> "DayTable":
        """A table with every day that touches [from, to)."""
        first = day_of(commodity, from_ms(from_ms_)).date
        last = day_of(commodity, from_ms(max(to_ms_ - 1, from_ms_))).date
        days = [first + timedelta(days=n) for n in range((last - first).days + 2)]
        return cls(number_of(first), np.array([to_ms(MeteringDay(commodity, day).start) for day in days], np.int64))

    def numbers(self, instants_ms: Ints) -> Ints:
        """Day number of each instant; the table must cover them."""
        return np.searchsorted(self.borders, instants_ms, side="right") - 1 + self.first

    def starts(self, numbers: Ints) -> Ints:
        """Beginning of each day in ms."""
        return self.borders[numbers - self.first]

    def ends(self, numbers: Ints) -> Ints:
        """End of each day in ms."""
        return self.borders[numbers - self.first + 1]


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """For counts [2, 0, 3]: owners [0, 0, 2, 2, 2] and places within the owner [0, 1, 0, 1, 2]."""
    owners = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    places = np.arange(len(owners), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return owners, places
