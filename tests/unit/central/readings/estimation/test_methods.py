"""Methods of estimation by examples computed by hand."""

from datetime import date

import numpy as np
import pytest

from central.readings.estimation.methods import (
    balance,
    choose_like_days,
    clock_slots,
    count_within,
    gaps,
    linear,
    mean_by_slot,
    scale,
    slots_a_day,
)
from shared.holidays import DayType
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity

W, SA, SU = DayType.WORKDAY, DayType.SATURDAY, DayType.SUNDAY


@pytest.mark.parametrize(
    ("before", "after", "count", "expected"),
    [
        (100, 200, 1, [150]),
        (100, 200, 3, [125, 150, 175]),
        (200, 100, 3, [175, 150, 125]),
        (10, 11, 1, [11]),  # 10.5, half up
        (0, 10, 2, [3, 7]),  # 3.33, 6.67
        (-10, 10, 3, [-5, 0, 5]),
        (-1, -2, 1, [-1]),  # -1.5, half up
        (7, None, 2, [7, 7]),  # flat where one side is known
        (None, 9, 1, [9]),
        (2**31 - 1, -(2**31) + 1, 1, [0]),
    ],
)
def test_linear_interpolation(before: int | None, after: int | None, count: int, expected: list[int]) -> None:
    assert linear(before, after, count).tolist() == expected


def test_a_gap_without_neighbours_has_no_line() -> None:
    with pytest.raises(ValueError, match="without neighbours"):
        linear(None, None, 2)


@pytest.mark.parametrize(
    ("types", "usable", "place", "expected"),
    [
        ([W, W, W, W, W], [1, 1, 1, 1, 0], 4, [3, 2, 1]),  # the three most recent
        ([W, W, W, SA, SU, W], [1, 1, 1, 1, 1, 0], 5, [2, 1, 0]),  # over the weekend
        ([W, W, W, W, W], [1, 1, 0, 1, 0], 4, [3, 1, 0]),  # a bad day is passed over
        ([SA, W, W, SA], [1, 1, 1, 0], 3, [0]),  # fewer than three
        ([W, W, W, W], [0, 1, 1, 1], 1, []),  # only earlier days
    ],
)
def test_like_days(types: list[DayType], usable: list[int], place: int, expected: list[int]) -> None:
    assert choose_like_days(types, np.array(usable, np.bool_), place, 3, 30) == expected


def test_like_days_reach_back_so_far_and_no_further() -> None:
    types, usable = [W] * 40, np.array([True] * 5 + [False] * 35)
    assert choose_like_days(types, usable, 33, 3, 30) == [4, 3]
    assert choose_like_days(types, usable, 35, 3, 30) == []


def test_means_on_the_clock() -> None:
    plain = (np.array([10, 20, 30, 41], np.int32), np.array([0, 1, 2, 3]))
    spring = (np.array([13, 31], np.int32), np.array([0, 3]))  # two hours skipped
    autumn = (np.array([0, 40, 20, 9, 9], np.int32), np.array([0, 1, 1, 2, 3]))  # one doubled
    means, known = mean_by_slot([plain, spring, autumn], 5)
    assert means.tolist() == [8, 27, 20, 27, MISSING_VALUE]  # 23/3, 80/3, 39/2, 81/3
    assert known.tolist() == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("commodity", "day", "length", "first", "hole", "doubled"),
    [
        (Commodity.ELECTRICITY, date(2026, 3, 28), 96, 0, [], []),
        (Commodity.ELECTRICITY, date(2026, 3, 29), 92, 0, [8, 9, 10, 11], []),
        (Commodity.ELECTRICITY, date(2026, 10, 25), 100, 0, [], [8, 9, 10, 11]),
        (Commodity.GAS, date(2026, 3, 28), 23, 6, [2], []),
        (Commodity.GAS, date(2026, 10, 24), 25, 6, [], [2]),
        (Commodity.GAS, date(2026, 6, 1), 24, 6, [], []),
    ],
)
def test_clock_of_every_length_of_day(
    commodity: Commodity, day: date, length: int, first: int, hole: list[int], doubled: list[int]
) -> None:
    metering = MeteringDay(commodity, day)
    slots = clock_slots(metering)
    counts = np.bincount(slots, minlength=slots_a_day(metering))
    assert (len(slots), slots[0]) == (length, first)
    assert np.flatnonzero(counts == 0).tolist() == hole
    assert np.flatnonzero(counts == 2).tolist() == doubled


@pytest.mark.parametrize(
    ("shape", "difference", "known", "expected"),
    [
        ([100, 100], 300, 100, [100, 100]),
        ([10, 20, 30], 100, 10, [15, 30, 45]),  # x 1.5
        ([1, 1, 1], 10, 0, [4, 3, 3]),  # the rest to the largest remainders
        ([5, 5], 100, 100, [0, 0]),
        ([0, 0], 7, 0, [4, 3]),  # nothing to go by: equal
    ],
)
def test_scaling_to_register_states(shape: list[int], difference: int, known: int, expected: list[int]) -> None:
    assert scale(np.array(shape, np.int64), difference, known).tolist() == expected


def test_more_measured_than_counted_is_not_scaled() -> None:
    with pytest.raises(ValueError, match="100 was measured where the register counted 99"):
        scale(np.array([1], np.int64), 99, 100)


def test_balance_of_a_node() -> None:
    gone = MISSING_VALUE
    parent, one, two = (np.array(row, np.int64) for row in ([10, 20, gone, 5], [3, gone, 1, 6], [1, 1, 1, 1]))
    assert balance(parent, [one, two]).tolist() == [6, gone, gone, -2]


def test_gaps_and_counts() -> None:
    assert gaps(np.array([1, 1, 0, 1, 0, 0, 1], np.bool_)) == [(0, 2), (3, 4), (6, 7)]
    assert gaps(np.zeros(3, np.bool_)) == []
    assert count_within(np.array([1, 0, 1, 1], np.bool_), 2).tolist() == [1, 1, 1, 2]
