"""A-XDR data: each type's octets, round trips, and no octets that do anything but decode or raise DecodeError."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dlms import axdr
from shared.dlms.axdr import BitString, decode
from shared.dlms.errors import DecodeError


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("00", None),
        ("0301", True),
        ("0300", False),
        ("05fffffffe", -2),
        ("06fffffffe", 4294967294),
        ("0ffe", -2),
        ("10fffe", -2),
        ("11fe", 254),
        ("12fffe", 65534),
        ("14fffffffffffffffe", -2),
        ("15fffffffffffffffe", 18446744073709551614),
        ("161e", 30),
        ("173fc00000", 1.5),
        ("183ff8000000000000", 1.5),
        ("0906000001000" + "0ff", bytes.fromhex("0000010000ff")),
        ("0a03303132", "012"),
        ("0c02c599", "ř"),
        ("040aa540", BitString(bytes.fromhex("a540"), 10)),
        ("02020fff161e", (-1, 30)),  # scaler -1, unit Wh
        ("0102120001120002", [1, 2]),
        ("0100", []),
        ("19" + "07ea03010700000000ffc400", bytes.fromhex("07ea03010700000000ffc400")),
        ("1a07ea030107", bytes.fromhex("07ea030107")),
        ("1b00000000", bytes(4)),
    ],
)
def test_types(octets: str, value: Any) -> None:
    assert decode(bytes.fromhex(octets)) == value


# Pairs of octets and the value they mean, built together.
leaves: st.SearchStrategy[tuple[bytes, Any]] = st.one_of(
    st.just((axdr.NULL, None)),
    st.booleans().map(lambda value: (axdr.boolean(value), value)),
    st.integers(-(2**7), 2**7 - 1).map(lambda value: (axdr.int8(value), value)),
    st.integers(-(2**15), 2**15 - 1).map(lambda value: (axdr.int16(value), value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: (axdr.int32(value), value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: (axdr.int64(value), value)),
    st.integers(0, 2**8 - 1).map(lambda value: (axdr.uint8(value), value)),
    st.integers(0, 2**16 - 1).map(lambda value: (axdr.uint16(value), value)),
    st.integers(0, 2**32 - 1).map(lambda value: (axdr.uint32(value), value)),
    st.integers(0, 2**64 - 1).map(lambda value: (axdr.uint64(value), value)),
    st.integers(0, 255).map(lambda value: (axdr.enum(value), value)),
    st.floats(width=32, allow_nan=False).map(lambda value: (axdr.float32(value), value)),
    st.floats(allow_nan=False).map(lambda value: (axdr.float64(value), value)),
    st.binary(max_size=300).map(lambda value: (axdr.octet_string(value), value)),
    st.text(st.characters(max_codepoint=255), max_size=40).map(lambda value: (axdr.visible_string(value), value)),
    st.text(max_size=40).map(lambda value: (axdr.utf8_string(value), value)),
    st.binary(min_size=2, max_size=2).map(
        lambda octets: (axdr.bit_string(BitString(octets, 13)), BitString(octets, 13))
    ),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map(
            lambda pairs: (axdr.array(octets for octets, _ in pairs), [value for _, value in pairs])
        ),
        st.lists(inner, max_size=6).map(
            lambda pairs: (axdr.structure(*(octets for octets, _ in pairs)), tuple(value for _, value in pairs))
        ),
    ),
    max_leaves=30,
)


@given(trees)
def test_round_trip(tree: tuple[bytes, Any]) -> None:
    octets, value = tree
    assert decode(octets) == value


@given(trees, st.data())
def test_cut_off_anywhere(tree: tuple[bytes, Any], data: st.DataObject) -> None:
    octets, _ = tree
    with pytest.raises(DecodeError):
        decode(octets[: data.draw(st.integers(0, len(octets) - 1))])


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_lengths(length: int) -> None:
    octets = axdr.encode_length(length)
    assert axdr.decode_length(octets, 0) == (length, len(octets))


def test_an_array_of_more_than_127_elements() -> None:
    octets = axdr.array([axdr.uint8(1)] * 200)
    assert octets[:3].hex() == "0181c8"
    assert decode(octets) == [1] * 200


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("", "cut off"),
        ("22", "not known"),
        ("1100ff", "too much"),
        ("0984ffffffff00", "cut off"),
        ("0985ffffffffff", "length"),
        ("0184ffffffff00", "cut off"),  # four thousand million elements announced
        ("0c01ff", "character set"),
        ("01" * 40, "cut off|deeper"),
    ],
)
def test_what_is_refused(octets: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode(bytes.fromhex(octets))


def test_nesting_is_bounded() -> None:
    with pytest.raises(DecodeError, match="deeper"):
        decode(b"\x01\x01" * 5000 + b"\x00")


@settings(max_examples=400)
@given(st.binary(max_size=120))
def test_no_octets_raise_anything_else(octets: bytes) -> None:
    try:
        value, end = axdr.decode_from(octets, 0)
    except DecodeError:
        return
    assert 0 < end <= len(octets)
    assert value is None or isinstance(value, bool | int | float | str | bytes | tuple | list)


def test_not_a_number_is_a_value() -> None:
    assert math.isnan(decode(axdr.float32(math.nan)))
