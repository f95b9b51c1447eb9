"""Methods of estimation: pure functions on integer arrays. What is not known is MISSING_VALUE."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from central.readings.shares import share_out
from shared.holidays import DayType
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import MISSING_VALUE


def linear(before: int | None, after: int | None, count: int) -> Ints:
    """Values of a gap of `count` intervals: x_i = x_a + (x_b - x_a) x i / (n + 1), rounded half up.

    Flat where only one side is known. Raises ValueError where none is.
    """
    if before is None and after is None:
        raise ValueError("a gap without neighbours cannot be interpolated")
    left = before if before is not None else after
    right = after if after is not None else before
    assert left is not None and right is not None
    place = np.arange(1, count + 1, dtype=np.int64)
    return round_half_up(left * (count + 1) + (right - left) * place, count + 1)


def round_half_up(numerator: Ints, denominator: Ints | int) -> Ints:
    """Integer quotient rounded half up (towards plus infinity); the denominator is positive."""
    result: Ints = (2 * numerator + denominator) // (2 * np.asarray(denominator, np.int64))
    return result


@lru_cache(maxsize=512)
def clock_slots(day: MeteringDay) -> Ints:
    """For each interval of a day its place on a local clock of 24 hours, so that days of 23 and 25 hours compare."""
    steps = int(day.step.total_seconds() // 60)
    local = [day.instant(index).astimezone(PRAGUE) for index in range(day.length)]
    slots = np.array([(at.hour * 60 + at.minute) // steps for at in local], np.int64)
    slots.setflags(write=False)  # it is shared
    return slots


def slots_a_day(day: MeteringDay) -> int:
    """Places on the clock: 96 of electricity, 24 of gas."""
    return 24 * 60 // int(day.step.total_seconds() // 60)


def choose_like_days(
    types: Sequence[DayType], usable: NDArray[np.bool_], place: int, days: int, days_back: int
) -> list[int]:
    """Places of the `days` most recent usable days of the same type as day `place`, at most `days_back` before it.

    Fewer where there are not as many; only earlier days, so that an estimate does not change with the days to come.
    """
    found = []
    for candidate in range(place - 1, max(place - days_back, 0) - 1, -1):
        if usable[candidate] and types[candidate] is types[place]:
            found.append(candidate)
            if len(found) == days:
                break
    return found


def mean_by_slot(references: Sequence[tuple[NDArray[np.int32], Ints]], slots: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Means of reference days at each place on the clock, rounded half up, and where there is one.

    A reference is its values and their places; the doubled hour of a 25-hour day counts twice, the skipped hour of a
    23-hour day not at all.
    """
    sums, counts = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    for values, places in references:
        np.add.at(sums, places, values.astype(np.int64))
        np.add.at(counts, places, 1)
    known = counts > 0
    return np.where(known, round_half_up(sums, np.maximum(counts, 1)), MISSING_VALUE), known


def scale(shape: NDArray[np.int64] | NDArray[np.float64], difference: int, known: int) -> Ints:
    """Estimates between two register states, made to fit: x'_t = x_t x (difference - known) / sum(x), in integers
    whose sum is exactly `difference - known` (largest remainders).

    `difference` and `known`, the sum of what was measured between the states, are in the profile's unit. Raises
    ValueError where more was measured than the register counted, or where the shape has a negative value.
    """
    if difference < known:
        raise ValueError(f"{known} was measured where the register counted {difference}")
    return share_out(difference - known, shape)


def balance(parent: Ints, others: Sequence[Ints]) -> Ints:
    """What a node's other meters leave over: parent less the others; MISSING_VALUE where one of them is not known."""
    result = parent.copy()
    known = parent != MISSING_VALUE
    for other in others:
        known &= other != MISSING_VALUE
        result -= other
    return np.where(known, result, MISSING_VALUE)


def gaps(missing: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of missing values as [first, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def count_within(flags: NDArray[np.bool_], within: int) -> Ints:
    """For each day how many of the `within` days that end with it are flagged."""
    total = np.concatenate([[0], np.cumsum(flags.astype(np.int64))])
    last = np.arange(1, len(flags) + 1)
    result: Ints = total[last] - total[np.maximum(last - within, 0)]
    return result
