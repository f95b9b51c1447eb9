"""Integers in a unit and a power of ten."""

from decimal import Decimal

import numpy as np
import pytest

from shared.quantities import MISSING_VALUE, Flag, Quality, scaled


@pytest.mark.parametrize(
    ("value", "exponent", "to", "result"),
    [(118_456_000, 0, 6, "118.456"), (123, 1, 0, "1230"), (2943, -3, 0, "2.943"), (0, 0, 6, "0")],
)
def test_scaled_is_exact(value: int, exponent: int, to: int, result: str) -> None:
    assert scaled(value, exponent, to) == Decimal(result)


def test_the_missing_value_is_the_least_int32() -> None:
    assert np.iinfo(np.int32).min == MISSING_VALUE


def test_codes_are_those_that_the_database_holds() -> None:
    assert [int(q) for q in Quality] == [0, 1, 2, 3, 4, 5]
    assert sum(Flag) == 511
