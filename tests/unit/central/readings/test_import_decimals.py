"""Decimal numbers of files, exactly."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.transfer.decimals import parse_decimals, to_decimal_texts, to_integers


@pytest.mark.parametrize(
    ("text", "sign", "thousands", "expected"),
    [
        ("1,5", ",", "", (1, 500_000_000)),
        ("-0,03", ",", "", (0, -30_000_000)),
        ("+7", ",", "", (7, 0)),
        (",25", ",", "", (0, 250_000_000)),
        ("5,", ",", "", (5, 0)),
        ("1 234\u00a0567,8", ",", " ", (1_234_567, 800_000_000)),
        ("1.234,5", ",", ".", (1234, 500_000_000)),
        ("0.1234567890000", ".", "", (0, 123_456_789)),
        ("999999999999999", ".", "", (999_999_999_999_999, 0)),
    ],
)
def test_numbers_are_read(text: str, sign: str, thousands: str, expected: tuple[int, int]) -> None:
    good, whole, nano = parse_decimals(pa.array([text]), sign, thousands)
    assert good.all()
    assert (whole[0], nano[0]) == expected


@pytest.mark.parametrize(
    "text", ["", ",", "-", "1,5,6", "1.5", "1e5", "x", "١", "--1", "1234567890123456", "0,1234567891"]
)
def test_what_is_no_number_is_told(text: str) -> None:
    good, whole, nano = parse_decimals(pa.array([text]), ",")
    assert not good.any()
    assert (whole[0], nano[0]) == (0, 0)


@given(st.integers(-(10**14), 10**14), st.integers(0, 9), st.integers(-6, 6))
def test_a_value_is_exact_or_refused(value: int, places: int, shift: int) -> None:
    number = Decimal(value).scaleb(-places)
    good, whole, nano = parse_decimals(pa.array([f"{number:f}"]))
    assert good.all()
    result, exact, fits = to_integers(whole, nano, shift)
    wanted = number.scaleb(shift)
    assert exact[0] == (wanted == wanted.to_integral_value())
    if exact[0] and fits[0]:
        assert int(result[0]) == wanted


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1), st.integers(-9, 6), st.sampled_from(".,"))
def test_texts_of_integers_are_exact(values: list[int], exponent: int, sign: str) -> None:
    texts = to_decimal_texts(np.array(values, np.int64), exponent, sign).to_pylist()
    assert [Decimal(text.replace(",", ".")) for text in texts] == [Decimal(value).scaleb(exponent) for value in values]
