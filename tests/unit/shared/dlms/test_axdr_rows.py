"""Compact arrays, delta types, and rows of one pattern: octets by hand, and the same as the slow way."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dlms import axdr
from shared.dlms.axdr import BitString, Delta, decode
from shared.dlms.errors import DecodeError

STAMP = "07ea0302010f0000" + "00ffc400"
"""2 March 2026, 15:00 CET, 12 octets."""


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("1cff", Delta(-1)),
        ("1dff00", Delta(-256)),
        ("1effffffff", Delta(-1)),
        ("1fff", Delta(255)),
        ("20ffff", Delta(65535)),
        ("21ffffffff", Delta(4294967295)),
    ],
)
def test_differences(octets: str, value: Delta) -> None:
    found = decode(bytes.fromhex(octets))
    assert (type(found), found) == (Delta, value)


def test_dont_care_is_no_value() -> None:
    assert decode(bytes.fromhex("ff")) is None


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("1312" + "06" + "000100020003", [1, 2, 3]),  # uint16
        ("1312" + "00", []),
        ("1309" + "05" + "02aabb" + "0111", [b"\xaa\xbb", b"\x11"]),
        ("130a" + "03" + "024869", ["Hi"]),
        ("1304" + "03" + "0ca540", [BitString(b"\xa5\x40", 12)]),
        # (date-time, uint8, uint32) twice
        (
            "130203191106" + "22" + STAMP + "08" + "000003e8" + STAMP + "00" + "000003e9",
            [(bytes.fromhex(STAMP), 8, 1000), (bytes.fromhex(STAMP), 0, 1001)],
        ),
        ("130202001d" + "04" + "0005" + "fffb", [(None, Delta(5)), (None, Delta(-5))]),
        ("1302020911" + "05" + "01aa07" + "0009", [(b"\xaa", 7), (b"", 9)]),
        ("1301000211" + "04" + "01020304", [[1, 2], [3, 4]]),  # arrays of two uint8
        (
            "1302" + "02" + "02021111" + "11" + "06" + "010203040506",
            [((1, 2), 3), ((4, 5), 6)],
        ),  # structure in a structure
        ("0202" + "1311020102" + "11ff", ([1, 2], 255)),  # what follows is found again
    ],
)
def test_compact_arrays(octets: str, value: Any) -> None:
    assert decode(bytes.fromhex(octets)) == value


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("1312" + "03" + "000100", "cut off"),
        ("13" + "0202" + "1111" + "03" + "010203", "do not fill"),
        ("1312" + "06" + "0001", "cut off"),
        ("13", "cut off"),
        ("1302", "cut off"),
        ("1300" + "01" + "00", "without octets"),
        ("1313" + "00", "not known"),  # no compact array in a compact array
        ("13" + "0102ff" * 9 + "11" + "00", "deeper"),
        # 65,535 x 65,535 nulls for each octet
        ("130202" + "01ffff" + "01ffff" + "00" + "11" + "01" + "01", "values an octet"),
    ],
)
def test_compact_arrays_that_are_refused(octets: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode(bytes.fromhex(octets))


def test_differences_in_rows_of_one_pattern() -> None:
    first = axdr.structure(axdr.octet_string(bytes.fromhex(STAMP)), axdr.uint8(0), axdr.uint32(70_000))
    rows = [axdr.structure(axdr.NULL, axdr.NULL, axdr.delta_int16(n)) for n in (5, -7, 300)]
    decoded = decode(axdr.array([first, *rows]))
    assert decoded == [(bytes.fromhex(STAMP), 0, 70_000), (None, None, 5), (None, None, -7), (None, None, 300)]
    assert [type(row[2]) for row in decoded] == [int, Delta, Delta, Delta]


cells = st.one_of(
    st.just((axdr.NULL, None)),
    st.integers(0, 2**8 - 1).map(lambda value: (axdr.uint8(value), value)),
    st.integers(0, 2**32 - 1).map(lambda value: (axdr.uint32(value), value)),
    st.integers(-(2**15), 2**15 - 1).map(lambda value: (axdr.delta_int16(value), Delta(value))),
    st.booleans().map(lambda value: (axdr.boolean(value), value)),
    st.binary(min_size=12, max_size=13).map(lambda value: (axdr.octet_string(value), value)),
    st.text("ab", max_size=2).map(lambda value: (axdr.visible_string(value), value)),
    st.just((axdr.structure(axdr.uint8(1)), (1,))),
)
row = st.lists(cells, max_size=4).map(
    lambda pairs: (axdr.structure(*(octets for octets, _ in pairs)), tuple(value for _, value in pairs))
)
tables = st.lists(
    st.one_of(row.flatmap(lambda each: st.integers(1, 6).map(lambda times: [each] * times)), row.map(lambda r: [r])),
    max_size=8,
).map(lambda runs: [each for run in runs for each in run])


@settings(max_examples=200)
@given(tables)
def test_rows_are_the_same_with_and_without_pattern(table: list[tuple[bytes, tuple[Any, ...]]]) -> None:
    values = decode(axdr.array(octets for octets, _ in table))
    assert values == [value for _, value in table]
    assert [[type(cell) for cell in each] for each in values] == [[type(cell) for cell in each] for _, each in table]


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_no_octets_of_a_compact_array_raise_anything_else(octets: bytes) -> None:
    try:
        value = decode(b"\x13" + octets)
    except DecodeError:
        return
    assert isinstance(value, list)
