"""A-XDR data of COSEM attributes (IEC 62056-53/-62, type Data): decoding to plain values, encoding by named type.

Decoded: null None, array list, structure tuple, octet-string bytes, visible-string and utf8-string str, bit-string
`BitString`, integers and enum int, floats float, date-time/date/time their octets. Encoders return octets, so that a
value's type is said where it is written: `structure(int8(-1), enum(30))`.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final, NamedTuple

from shared.dlms.errors import DecodeError

MAX_DEPTH: Final = 16
"""Deepest nesting that is decoded; an object list of an association nests 6 deep."""


class Tag(IntEnum):
    """First octet of a Data value."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BIT_STRING = 4
    INT32 = 5
    UINT32 = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    BCD = 13
    INT8 = 15
    INT16 = 16
    UINT8 = 17
    UINT16 = 18
    INT64 = 20
    UINT64 = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27


class BitString(NamedTuple):
    """A bit-string of `length` bits; `octets` hold them from the most significant bit on, padded with zeros."""

    octets: bytes
    length: int


_FIXED_FORMATS: Final = {
    Tag.BOOLEAN: "?",
    Tag.INT32: "i",
    Tag.UINT32: "I",
    Tag.BCD: "B",
    Tag.INT8: "b",
    Tag.INT16: "h",
    Tag.UINT8: "B",
    Tag.UINT16: "H",
    Tag.INT64: "q",
    Tag.UINT64: "Q",
    Tag.ENUM: "B",
    Tag.FLOAT32: "f",
    Tag.FLOAT64: "d",
    Tag.DATE_TIME: "12s",
    Tag.DATE: "5s",
    Tag.TIME: "4s",
}
_FIXED: Final = {
    tag: (struct.Struct(f">{code}").unpack_from, 1 + struct.calcsize(f">{code}"))
    for tag, code in _FIXED_FORMATS.items()
}
# By octet, as a tuple: one indexing per value instead of a hash of an IntEnum.
_NULL: Final = 0  # plain ints for the loop: comparing with an IntEnum costs three times as much
_ARRAY: Final = 1
_STRUCTURE: Final = 2
_OCTET_STRING: Final = 9
_BY_TAG: Final = tuple(_FIXED.get(tag) for tag in range(256))  # type: ignore[call-overload]  # int keys equal Tags


def decode_length(data: bytes, place: int) -> tuple[int, int]:
    """A length at `place` and where it ends. Raises IndexError past the end, DecodeError on an unknown form."""
    first = data[place]
    if first < 0x80:
        return first, place + 1
    size = first & 0x7F
    if not 1 <= size <= 4:
        raise DecodeError(f"A length in {size} octets (first octet {first:02x}) is not used in DLMS; at most 4 are.")
    end = place + 1 + size
    if end > len(data):
        raise IndexError
    return int.from_bytes(data[place + 1 : end]), end


def decode(data: bytes) -> Any:
    """The one value that `data` holds. Raises DecodeError if it is cut off, of an unknown type, or followed by more."""
    value, end = decode_from(data, 0)
    if end != len(data):
        raise DecodeError(f"The value ends after {end} octets but {len(data)} came: {_shown(data, end)} is too much.")
    return value


def decode_from(data: bytes, place: int) -> tuple[Any, int]:
    """The value that begins at `place`, and where it ends."""
    try:
        values, end = _decode_values(data, place, 1, 0)
    except (IndexError, struct.error):
        raise DecodeError(f"The value from octet {place} on is cut off at octet {len(data)}.") from None
    except UnicodeDecodeError:
        raise DecodeError(f"A string in the value from octet {place} on is not in its character set.") from None
    return values[0], end


def _decode_values(data: bytes, place: int, count: int, depth: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    append = values.append
    end = len(data)
    for _ in range(count):
        tag = data[place]
        fixed = _BY_TAG[tag]
        if fixed is not None:
            append(fixed[0](data, place + 1)[0])
            place += fixed[1]
        elif tag == _NULL:
            append(None)
            place += 1
        elif tag == _OCTET_STRING:
            size, start = decode_length(data, place + 1)
            place = start + size
            if place > end:
                raise IndexError
            append(data[start:place])
        elif tag <= _STRUCTURE:  # it or an array
            size, place = decode_length(data, place + 1)
            if depth >= MAX_DEPTH:
                raise DecodeError(f"The value nests deeper than {MAX_DEPTH} arrays and structures.")
            if size > end - place:  # each element takes an octet at least
                raise IndexError
            inner, place = _decode_values(data, place, size, depth + 1)
            append(inner if tag == _ARRAY else tuple(inner))
        else:
            value, place = _decode_text_or_bits(data, place, tag)
            append(value)
    return values, place


def _decode_text_or_bits(data: bytes, place: int, tag: int) -> tuple[str | BitString, int]:
    if tag not in (Tag.VISIBLE_STRING, Tag.UTF8_STRING, Tag.BIT_STRING):
        raise DecodeError(f"Octet {place} has the type {tag}, which is not known: {_shown(data, place)}.")
    size, start = decode_length(data, place + 1)
    stop = start + ((size + 7) // 8 if tag == Tag.BIT_STRING else size)
    if stop > len(data):
        raise IndexError
    octets = data[start:stop]
    if tag == Tag.BIT_STRING:
        return BitString(octets, size), stop
    return octets.decode("utf-8" if tag == Tag.UTF8_STRING else "latin-1"), stop


def _shown(data: bytes, place: int) -> str:
    cut = data[place : place + 16].hex()
    return cut if len(data) <= place + 16 else f"{cut}..."


def encode_length(length: int) -> bytes:
    """A length, short form below 128."""
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size)


NULL: Final = b"\x00"
_pack_int8 = struct.Struct(">Bb").pack
_pack_int16 = struct.Struct(">Bh").pack
_pack_int32 = struct.Struct(">Bi").pack
_pack_int64 = struct.Struct(">Bq").pack
_pack_uint8 = struct.Struct(">BB").pack
_pack_uint16 = struct.Struct(">BH").pack
_pack_uint32 = struct.Struct(">BI").pack
_pack_uint64 = struct.Struct(">BQ").pack
_pack_float32 = struct.Struct(">Bf").pack
_pack_float64 = struct.Struct(">Bd").pack


def boolean(value: bool) -> bytes:
    return b"\x03\x01" if value else b"\x03\x00"


def int8(value: int) -> bytes:
    return _pack_int8(Tag.INT8, value)


def int16(value: int) -> bytes:
    return _pack_int16(Tag.INT16, value)


def int32(value: int) -> bytes:
    return _pack_int32(Tag.INT32, value)


def int64(value: int) -> bytes:
    return _pack_int64(Tag.INT64, value)


def uint8(value: int) -> bytes:
    return _pack_uint8(Tag.UINT8, value)


def uint16(value: int) -> bytes:
    return _pack_uint16(Tag.UINT16, value)


def uint32(value: int) -> bytes:
    return _pack_uint32(Tag.UINT32, value)


def uint64(value: int) -> bytes:
    return _pack_uint64(Tag.UINT64, value)


def enum(value: int) -> bytes:
    return _pack_uint8(Tag.ENUM, value)


def float32(value: float) -> bytes:
    return _pack_float32(Tag.FLOAT32, value)


def float64(value: float) -> bytes:
    return _pack_float64(Tag.FLOAT64, value)


def octet_string(octets: bytes) -> bytes:
    return b"\x09" + encode_length(len(octets)) + octets


def visible_string(text: str) -> bytes:
    octets = text.encode("latin-1")
    return b"\x0a" + encode_length(len(octets)) + octets


def utf8_string(text: str) -> bytes:
    octets = text.encode()
    return b"\x0c" + encode_length(len(octets)) + octets


def bit_string(bits: BitString) -> bytes:
    return b"\x04" + encode_length(bits.length) + bits.octets


def array(elements: Iterable[bytes]) -> bytes:
    """An array of encoded elements."""
    encoded = list(elements)
    return b"\x01" + encode_length(len(encoded)) + b"".join(encoded)


def structure(*elements: bytes) -> bytes:
    """A structure of encoded elements."""
    return b"\x02" + encode_length(len(elements)) + b"".join(elements)
