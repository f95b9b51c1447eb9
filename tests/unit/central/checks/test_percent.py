"""Differences in percent against the same in whole numbers without a limit."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from central.checks.percent import more_than

NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)
PERCENTS = st.decimals(0, 1_000_000, places=6, allow_nan=False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5), PERCENTS)
def test_it_is_exact(pairs: list[tuple[int, int]], percent: Decimal) -> None:
    difference = np.array([abs(one) for one, _ in pairs], dtype=np.int64)
    whole = np.array([other for _, other in pairs], dtype=np.int64)
    expected = [abs(one) * 100 > abs(other) * percent for one, other in pairs]
    assert more_than(difference, whole, percent).tolist() == expected


def test_exactly_so_many_percent_is_not_more_and_of_nothing_anything_is() -> None:
    difference, whole = np.array([1, 1, 2, 0, 1], dtype=np.int64), np.array([100, -100, 100, 0, 0], dtype=np.int64)
    assert more_than(difference, whole, Decimal(1)).tolist() == [False, False, True, False, True]
