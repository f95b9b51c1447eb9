"""A whole that is split sums to itself, whatever the weights."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.splitting import NoWeightError, split_amount, split_units

WEIGHTS = st.lists(st.fractions(min_value=0, max_value=10**9), min_size=1, max_size=30).filter(any)


def test_the_largest_remainders_get_what_is_left() -> None:
    thirds = [Fraction(1)] * 3
    assert split_amount(Decimal("100.00"), thirds) == [Decimal("33.34"), Decimal("33.33"), Decimal("33.33")]
    # 1000.01 Kč by energy: 647.307, 350.823 and 1.880; two haléře are left for the largest remainders
    energy = [Fraction("118.456"), Fraction("64.2"), Fraction("0.344")]
    assert split_amount(Decimal("1000.01"), energy) == [Decimal("647.31"), Decimal("350.82"), Decimal("1.88")]


def test_a_credit_is_split_like_a_bill() -> None:
    weights = [Fraction(2), Fraction(1)]
    assert split_amount(Decimal("-0.05"), weights) == [-each for each in split_amount(Decimal("0.05"), weights)]


def test_nothing_can_be_split_by_nothing_but_nothing() -> None:
    assert split_units(0, [Fraction(0), Fraction(0)]) == [0, 0]
    with pytest.raises(NoWeightError):
        split_units(1, [Fraction(0), Fraction(0)])
    with pytest.raises(NoWeightError):
        split_units(1, [])
    with pytest.raises(ValueError, match="negative"):
        split_units(1, [Fraction(-1), Fraction(2)])
    with pytest.raises(ValueError, match="whole number"):
        split_amount(Decimal("0.001"), [Fraction(1)])


@given(st.integers(-(10**14), 10**14), WEIGHTS)
def test_parts_sum_to_the_whole_and_are_within_a_step_of_their_share(total: int, weights: list[Fraction]) -> None:
    parts = split_units(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    assert all(abs(part - total * weight / whole) < 1 for part, weight in zip(parts, weights, strict=True))
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)
