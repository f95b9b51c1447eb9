"""What a register counted: rollover by digits, accepted only where it is plausible."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.registers.difference import (
    NO_DIGITS,
    NO_LIMIT,
    Difference,
    Verdict,
    difference,
    differences,
    most_through_breaker,
)


@pytest.mark.parametrize(
    ("before", "after", "digits", "largest", "units", "verdict"),
    [
        (99_999_678, 123, 8, None, 445, Verdict.ROLLED_OVER),
        (99_999_678, 123, 8, 445, 445, Verdict.ROLLED_OVER),
        (99_999_678, 123, 8, 444, 0, Verdict.TOO_MUCH),
        (99_999, 0, 5, None, 1, Verdict.ROLLED_OVER),
        (90_000, 89_999, 5, None, 99_999, Verdict.ROLLED_OVER),
        (89_999, 5, 5, None, 0, Verdict.NOT_AT_TOP),
        (4_000, 3_999, 6, None, 0, Verdict.NOT_AT_TOP),
        (123, 99_999_678, 8, None, 99_999_555, Verdict.COUNTED),
        (7, 7, 1, 0, 0, Verdict.COUNTED),
        (99_999_678, 123, None, None, 0, Verdict.FELL),
        (99_999_678, 100_000_123, None, None, 445, Verdict.COUNTED),
        (99_999_678, 100_000_123, 8, None, 0, Verdict.OUT_OF_RANGE),
        (10**18 - 1, 0, 18, None, 1, Verdict.ROLLED_OVER),
    ],
)
def test_the_difference_of_two_states(
    before: int, after: int, digits: int | None, largest: int | None, units: int, verdict: Verdict
) -> None:
    assert difference(before, after, digits, largest) == Difference(units, verdict)


def test_the_published_example_counts_the_step_over_zero() -> None:
    """A water utility's page counts 123 + (99999999 - 99999678) = 444: the step from 99999999 to 0 is one more."""
    published = 123 + (99_999_999 - 99_999_678)
    assert difference(99_999_678, 123, 8).units == published + 1 == 445


def test_a_person_may_confirm_a_rollover_from_below_the_top() -> None:
    assert difference(50_000, 10_000, 5).verdict is Verdict.NOT_AT_TOP
    assert difference(50_000, 10_000, 5, confirmed=True) == Difference(60_000, Verdict.ROLLED_OVER)
    assert difference(50_000, 10_000, 5, 59_999, confirmed=True).verdict is Verdict.TOO_MUCH
    assert difference(50_000, 10_000, None, confirmed=True).verdict is Verdict.FELL


@given(st.integers(1, 18), st.data())
def test_a_rollover_gives_back_what_was_counted(digits: int, data: st.DataObject) -> None:
    size: int = 10**digits
    before = data.draw(st.integers(size - size // 10, size - 1))
    counted = data.draw(st.integers(size - before, size - 1))
    assert difference(before, (before + counted) % size, digits) == Difference(counted, Verdict.ROLLED_OVER)


@given(st.lists(st.tuples(st.integers(0, 999_999), st.integers(0, 999_999)), min_size=1, max_size=8))
def test_many_registers_are_judged_as_one_by_one(pairs: list[tuple[int, int]]) -> None:
    digits = [NO_DIGITS, 5, 6, 7] * 2
    largest = [NO_LIMIT, 20_000, NO_LIMIT, 5] * 2
    columns = [np.array(column, np.int64) for column in (*zip(*pairs, strict=True), digits, largest)]
    units, verdict = differences(*(column[: len(pairs)] for column in columns))
    singles = [
        difference(before, after, digits[place] or None, None if largest[place] == NO_LIMIT else largest[place])
        for place, (before, after) in enumerate(pairs)
    ]
    assert list(zip(units, verdict, strict=True)) == [(single.units, single.verdict) for single in singles]


def test_what_a_breaker_lets_through() -> None:
    hour = timedelta(hours=1)
    assert most_through_breaker(3, Decimal(25), hour) == 20_700  # 3 x 25 A x 230 V, and a fifth
    assert most_through_breaker(1, Decimal("6.3"), hour * 10) == 17_388
