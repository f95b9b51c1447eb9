"""Aggregates of a period, channel by channel: sums by tariff and the highest interval. Pure, on whole matrices."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from central.readings.profiles import Profiles
from shared.quantities import MISSING_VALUE, Quality

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PeriodSums:
    """One entry a channel: sums in low (NT) and high (VT) tariff, the highest interval with its place (the first of
    equal ones; -1 without any value), and how many values are missing: those stand in no sum."""

    channels: Ints
    low: Ints
    high: Ints
    maximum: Ints
    maximum_at: Ints
    missing: Ints

    @property
    def total(self) -> Ints:
        """Both tariffs together."""
        return self.low + self.high

    @classmethod
    def join(cls, parts: Iterable["PeriodSums"]) -> "PeriodSums":
        """Chunks one after another."""
        each = list(parts)
        return cls(*(np.concatenate([getattr(part, field.name) for part in each]) for field in fields(cls)))


def sum_period(chunk: Profiles, low: Bools, schedule: Ints) -> PeriodSums:
    """Sums and maxima of every channel of a chunk.

    `low` is (schedules, intervals), true where low tariff holds; `schedule` gives each channel's row of it, -1 for a
    channel with one tariff, whose energy is all high (VT).
    """
    values = chunk.values
    maximum_at = values.argmax(axis=1)  # a missing value is the lowest that there is and never wins
    maximum = np.take_along_axis(values, maximum_at[:, None], axis=1)[:, 0].astype(np.int64)
    missing = np.zeros(len(values), np.int64)
    holed = np.flatnonzero((chunk.quality == Quality.MISSING).any(axis=1))
    if len(holed):
        gaps = values[holed] == MISSING_VALUE
        missing[holed] = gaps.sum(axis=1)
        values = values.copy()
        values[holed] = np.where(gaps, 0, values[holed])
        maximum_at = np.where(maximum == MISSING_VALUE, -1, maximum_at)
    total = values.sum(axis=1, dtype=np.int64)
    in_low = np.zeros(len(values), np.int64)
    for number in np.unique(schedule[schedule >= 0]).tolist():
        rows = np.flatnonzero(schedule == number)
        in_low[rows] = _sum_where(values, rows, low[number])
    return PeriodSums(np.asarray(chunk.channels, np.int64), in_low, total - in_low, maximum, maximum_at, missing)


def _sum_where(values: NDArray[np.int32], rows: Ints, mask: Bools) -> Ints:
    """Sum of each row over the intervals of a mask: runs of intervals at once, as tariffs switch seldom."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    result = np.zeros(len(rows), np.int64)
    for begin, end in edges.tolist():
        result += values[rows, begin:end].sum(axis=1, dtype=np.int64)
    return result
