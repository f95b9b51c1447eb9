"""Integers shared out by weights: the sum is exact whatever the weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.shares import share_out


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        (10, [1, 1, 1], [4, 3, 3]),  # the rest goes to the earlier one
        (10, [1, 2, 4], [1, 3, 6]),  # 1.43, 2.86, 5.71: two units to the two largest remainders
        (100, [0.5, 0.25, 0.25], [50, 25, 25]),
        (7, [0, 0], [4, 3]),  # no shape: equal
        (0, [3, 5], [0, 0]),
        (-10, [1, 1, 1], [-4, -3, -3]),
        (5, [0.0, 1.0], [0, 5]),
        (2**40, [1, 3], [2**38, 3 * 2**38]),
    ],
)
def test_examples(total: int, weights: list[float], expected: list[int]) -> None:
    assert share_out(total, np.array(weights)).tolist() == expected


@given(
    st.integers(-(2**50), 2**50),
    st.lists(st.one_of(st.floats(0, 1e12), st.integers(0, 2**31)).map(float), min_size=1, max_size=100),
)
def test_shares_sum_to_the_total_and_lie_within_a_unit_of_proportion(total: int, weights: list[float]) -> None:
    given_weights = np.array(weights)
    shares = share_out(total, given_weights)
    assert int(shares.sum()) == total
    assert (shares >= 0).all() if total >= 0 else (shares <= 0).all()
    if given_weights.sum() > 0:
        ideal = total * (given_weights / given_weights.sum())
        # 30 bits of weight move a share by at most the total x 2^-29
        assert np.abs(shares - ideal).max() <= 1 + abs(total) * 2.0**-28


@pytest.mark.parametrize("weights", [[-1.0], [float("nan"), 1.0], []])
def test_bad_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"weights|no interval"):
        share_out(1, np.array(weights))
