"""Decimal numbers of files as exact integers, whole columns at once."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from central.readings.calendar import Ints
from central.readings.transfer.series import NANO

WHOLE_DIGITS = 15
PLACES = 9
_INT64_MAX = 2**63 - 1


def parse_decimals(texts: Any, sign: str = ".", thousands: str = "") -> tuple[NDArray[np.bool_], Ints, Ints]:
    """Which of the texts (Arrow strings, trimmed) are decimal numbers, their whole part and billionths.

    At most 15 digits before and 9 after the decimal sign; both parts carry the number's sign.

    >>> parse_decimals(pa.array(["1 234,5", "-,25", "x"]), ",", " ")[1:]
    (array([1234,    0,    0]), array([ 500000000, -250000000,          0]))
    """
    for each in _thousands(thousands):
        texts = pc.replace_substring(texts, pattern=each, replacement="")
    point = "[.]" if sign == "." else ","
    number = rf"^(?P<sign>[+-]?)(?P<whole>[0-9]{{0,{WHOLE_DIGITS}}})(?:{point}(?P<part>[0-9]{{0,{PLACES}}})0*)?$"
    found = pc.extract_regex(texts, pattern=number)
    whole, part = pc.struct_field(found, "whole"), pc.struct_field(found, "part")
    digits = pc.add(pc.utf8_length(whole), pc.utf8_length(part))
    good = _numpy(pc.fill_null(pc.greater(digits, 0), False), np.bool_)
    wholes = _integers(pc.utf8_lpad(whole, width=1, padding="0"))
    parts = _integers(pc.utf8_rpad(part, width=PLACES, padding="0"))
    minus = _numpy(pc.fill_null(pc.equal(pc.struct_field(found, "sign"), "-"), False), np.bool_)
    signs = np.where(minus, -1, 1)
    return good, np.where(good, wholes * signs, 0), np.where(good, parts * signs, 0)


def to_integers(whole: Ints, nano: Ints, shift: int) -> tuple[Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    """(whole + nano x 10^-9) x 10^shift as integers, where that is exact, and where it fits 62 bits."""
    if shift < 0:
        power = 10**-shift
        return whole // power, (nano == 0) & (whole % power == 0), np.ones(len(whole), np.bool_)
    power = 10**shift
    fits = np.abs(whole) <= _INT64_MAX // 4 // power
    safe = np.where(fits, whole, 0)
    if shift <= PLACES:
        rest = 10 ** (PLACES - shift)
        exact = nano % rest == 0
        return safe * power + np.sign(nano) * (np.abs(nano) // rest), exact, fits
    return safe * power + nano * 10 ** (shift - PLACES), np.ones(len(whole), np.bool_), fits


def to_decimal_texts(values: Ints, exponent: int, sign: str = ".") -> Any:
    """`values` x 10^`exponent` as decimal texts (Arrow strings), exactly.

    >>> to_decimal_texts(np.array([12345, -5]), -3, ",").to_pylist()
    ['12,345', '-0,005']
    """
    if exponent >= 0:
        texts = pa.array(values).cast(pa.string())
        if not exponent:
            return texts
        zeros = pc.binary_join_element_wise(texts, "0" * exponent, "")
        return pc.if_else(pa.array(values == 0), "0", zeros)
    places = -exponent
    whole, rest = np.divmod(np.abs(values), 10**places)
    return pc.binary_join_element_wise(
        pc.if_else(pa.array(values < 0), "-", ""),
        pa.array(whole).cast(pa.string()),
        sign,
        pc.utf8_lpad(pa.array(rest).cast(pa.string()), width=places, padding="0"),
        "",
    )


def _thousands(thousands: str) -> tuple[str, ...]:
    """A space stands for the narrow and unbreakable ones too, which spreadsheets write."""
    return (" ", "\u00a0", "\u202f") if thousands == " " else (thousands,) if thousands else ()


def _integers(texts: Any) -> Ints:
    digits = pc.if_else(pc.fill_null(pc.greater(pc.utf8_length(texts), 0), False), texts, "0")
    return _numpy(digits.cast(pa.int64()), np.int64)


def _numpy(column: Any, dtype: Any) -> NDArray[Any]:
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values.astype(dtype)


assert NANO == 10**PLACES
