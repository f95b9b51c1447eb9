"""What an edit would change: pure arithmetic on a month's newest profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from central.readings.profiles import Profiles
from shared.quantities import MISSING_VALUE


@dataclass(frozen=True, slots=True)
class Maximum:
    """The highest interval of a month and when it begins."""

    value: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Effect:
    """Values of the edited intervals before (None: missing) and after, sums of the day, maxima of the month.

    `changed` is the sum of the absolute differences, a missing value counting as 0: what the limit is about, so that
    energy moved from one interval to another counts as well.
    """

    before: list[int | None]
    after: list[int]
    quality_before: list[int]
    sum_before: int
    sum_after: int
    missing_before: int
    missing_after: int
    changed: int
    maximum_before: Maximum | None
    maximum_after: Maximum | None


def effect_of(month: Profiles, day: int, first: int, values: Sequence[int]) -> Effect:
    """The effect of putting `values` from interval `first` of the month's day at place `day` on, of its only channel.

    The intervals must lie within the day.
    """
    start = int(month.offset[day])
    edited = slice(start + first, start + first + len(values))
    whole = slice(start, int(month.offset[day + 1]))
    before = month.values[0]
    after = before.copy()
    after[edited] = values
    old = before[edited].astype(np.int64)
    known = old != MISSING_VALUE
    return Effect(
        [int(value) if is_known else None for value, is_known in zip(old, known, strict=True)],
        list(values),
        month.quality[0, edited].tolist(),
        _sum(before[whole]),
        _sum(after[whole]),
        int((before[whole] == MISSING_VALUE).sum()),
        int((after[whole] == MISSING_VALUE).sum()),
        int(np.abs(np.asarray(values, np.int64) - np.where(known, old, 0)).sum()),
        _maximum(month, before),
        _maximum(month, after),
    )


def in_thousands(total: int, exponent: int, unit: str) -> Decimal:
    """A quantity in the unit of its limit: Wh and varh in thousands, m3 as they are."""
    return Decimal(total).scaleb(exponent if unit == "m3" else exponent - 3)


def _sum(values: NDArray[np.int32]) -> int:
    return int(np.where(values == MISSING_VALUE, 0, values).astype(np.int64).sum())


def _maximum(month: Profiles, values: NDArray[np.int32]) -> Maximum | None:
    """MISSING_VALUE is the lowest 32-bit integer: it is the highest only where nothing is known."""
    place = int(values.argmax())
    if values[place] == MISSING_VALUE:
        return None
    return Maximum(int(values[place]), month.days[0].start + place * month.days[0].step)
