"""Registers to integers: word orders, powers of ten, rounding, and what means that there is no value."""

import math
import struct
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.modbus.maps import checked_scale, value_of
from shared.modbus.numbers import NotAvailableError, scaled
from tests.unit.edge.modbus.examples import item, words


@pytest.mark.parametrize(
    ("kind", "raw", "exponent", "expected"),
    [
        ("float32", struct.pack(">f", 12345.67), 1, 1_234_567),
        ("float32", struct.pack(">f", 131071.99), 1, 13_107_199),
        ("uint32", (987654).to_bytes(4, "big"), 3, 987_654),
        ("int64", (-5).to_bytes(8, "big", signed=True), 3, -5),
        ("uint64", (2**40).to_bytes(8, "big"), 3, 2**40),
        ("uint16", b"\x13\x88", 1, 500_000),
        ("int16", b"\xff\xfb", 5, 0),
        ("int16", b"\xff\xce", 5, 0),
        ("int16", b"\xff\xcd", 5, -1),
    ],
)
def test_values(kind: str, raw: bytes, exponent: int, expected: int) -> None:
    each = item(type=kind)
    assert value_of(each, words(raw), exponent) == expected
    swapped = item(type=kind, word_order="low-first")
    assert value_of(swapped, list(reversed(words(raw))), exponent) == expected


@given(st.integers(0, 13_107_199))
def test_a_float_of_kwh_gives_back_every_ten_wh(tens: int) -> None:
    raw = struct.pack(">f", float(Decimal(tens).scaleb(-2)))
    assert value_of(item(), words(raw), 1) == tens


def test_a_float_of_wh_loses_them_above_16_777_216() -> None:
    """The trap of the UMG 96RM: not ours to mend, but not made worse either."""
    each = item(exponent=0)
    assert [value_of(each, words(struct.pack(">f", wh)), 0) for wh in (16_777_215, 16_777_217)] == [
        16_777_215,
        16_777_216,
    ]


@given(st.floats(width=32), st.integers(-20, 20))
def test_floats_are_scaled_as_decimals_would_be(raw: float, power: int) -> None:
    if not math.isfinite(raw):
        with pytest.raises(NotAvailableError):
            scaled(raw, power)
        return
    assert scaled(raw, power) == int(Decimal(raw).scaleb(power).to_integral_value(ROUND_HALF_EVEN))


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-20, 20))
def test_integers_are_scaled_as_decimals_would_be(raw: int, power: int) -> None:
    expected = Decimal(raw) * Decimal(10) ** power if power >= 0 else Decimal(raw) / Decimal(10) ** -power
    assert scaled(raw, power) == int(expected.to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("uint16", "FFFF"),
        ("int16", "7FFF"),
        ("int16", "8000"),
        ("uint32", "FFFFFFFF"),
        ("uint32", "00000000"),
        ("int32", "7FFFFFFF"),
        ("uint64", "FFFFFFFFFFFFFFFF"),
        ("int64", "8000000000000000"),
    ],
)
@pytest.mark.parametrize("order", ["high-first", "low-first"])
def test_patterns_that_mean_no_value(kind: str, pattern: str, order: str) -> None:
    raw = words(bytes.fromhex(pattern))
    sent = raw if order == "high-first" else raw[::-1]
    with pytest.raises(NotAvailableError):
        value_of(item(type=kind, not_available=(pattern,), word_order=order), sent, 0)
    value_of(item(type=kind, not_available=(), word_order=order), sent, 0)


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_not_available(raw: float) -> None:
    with pytest.raises(NotAvailableError):
        value_of(item(), words(struct.pack(">f", raw)), 1)


def test_scale_factors() -> None:
    assert [checked_scale(raw) for raw in (-10, 0, 10)] == [-10, 0, 10]
    with pytest.raises(NotAvailableError):
        checked_scale(-0x8000)
    with pytest.raises(ValueError, match="the scale factor is 11, expected -10 to 10"):
        checked_scale(11)
