"""The surcharge for transformer losses keeps the sum of a day and the place of what is missing."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.loss import LossTerm, raised, raised_day
from shared.quantities import MISSING_VALUE

PERCENT = st.decimals("0.001", "20", places=3)


def exact_half_up(total: int, percent: Decimal) -> int:
    product = total * (1 + Fraction(percent) / 100)
    return int((product + Fraction(1, 2)).__floor__())


def test_four_quarter_hours_by_hand() -> None:
    # 4 % of 100, 101, 102, 103: running 104, 209.04, 315.12, 422.24
    values = np.array([100, 101, 102, 103], np.int32)
    assert raised_day(values, Decimal("4")).tolist() == [104, 105, 106, 107]


def test_a_missing_quarter_hour_stays_missing() -> None:
    values = np.array([50, MISSING_VALUE, 50], np.int32)
    assert raised_day(values, Decimal("1")).tolist() == [51, MISSING_VALUE, 50]


def test_only_the_days_of_a_coefficient_are_raised() -> None:
    values = np.array([100, 100, 200, 200], np.int32)
    days = [date(2026, 3, 1), date(2026, 3, 2)]
    terms = [LossTerm(Decimal("2"), date(2026, 3, 2), date.max)]
    assert raised(values, days, [0, 2, 4], terms).tolist() == [100, 100, 204, 204]
    assert raised(values, days, [0, 2, 4], []) is values


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError):
        raised_day(np.array([2_100_000_000], np.int32), Decimal("20"))


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=100), PERCENT)
def test_a_day_sums_to_its_exact_product(values: list[int], percent: Decimal) -> None:
    day = raised_day(np.array(values, np.int32), percent)
    assert int(day.astype(np.int64).sum()) == exact_half_up(sum(values), percent)
    factor = 1 + Fraction(percent) / 100
    assert all(abs(int(new) - old * factor) <= 1 for new, old in zip(day, values, strict=True))
