"""A-XDR data of COSEM attributes (IEC 62056-53/-62, type Data): decoding to plain values, encoding by named type.

Decoded: null and don't-care None, array and compact array list, structure tuple, octet-string bytes, visible-string
and utf8-string str, bit-string `BitString`, integers and enum int, delta types `Delta`, floats float,
date-time/date/time their octets. Encoders return octets, so that a value's type is said where it is written:
`structure(int8(-1), enum(30))`.
"""

import struct
from collections.abc import Iterable
from typing import Any, Final

from shared.dlms.axdr_rows import row_pattern
from shared.dlms.axdr_types import FIXED, BitString, Delta, Tag, decode_length, encode_length, shown
from shared.dlms.compact import decode_compact_array
from shared.dlms.errors import DecodeError

__all__ = ["BitString", "Delta", "Tag", "decode", "decode_from", "decode_length", "encode_length"]

MAX_DEPTH: Final = 16
"""Deepest nesting that is decoded; an object list of an association nests 6 deep."""
_FEW_ROWS: Final = 4
"""Shorter arrays are not worth looking for a pattern in."""
_FUTILE: Final = 3
"""After so many patterns in a row that fit no further row, an array has none."""

# Plain ints for the loop: comparing with an IntEnum costs three times as much.
_NULL: Final = 0
_ARRAY: Final = 1
_STRUCTURE: Final = 2
_OCTET_STRING: Final = 9
_DELTA_FIRST: Final = 28


def decode(data: bytes) -> Any:
    """The one value that `data` holds. Raises DecodeError if it is cut off, of an unknown type, or followed by more."""
    value, end = decode_from(data, 0)
    if end != len(data):
        raise DecodeError(f"The value ends after {end} octets but {len(data)} came: {shown(data, end)} is too much.")
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
        fixed = FIXED[tag]
        if fixed is not None:
            value = fixed[0](data, place + 1)[0]
            append(value if tag < _DELTA_FIRST else Delta(value))
            place += 1 + fixed[1]
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
            if tag == _ARRAY and size >= _FEW_ROWS and data[place] == _STRUCTURE:
                inner, place = _decode_rows(data, place, size, depth + 1)
            else:
                inner, place = _decode_values(data, place, size, depth + 1)
            append(inner if tag == _ARRAY else tuple(inner))
        else:
            value, place = _decode_rare(data, place, tag)
            append(value)
    return values, place


def _decode_rows(data: bytes, place: int, count: int, depth: int) -> tuple[list[Any], int]:
    """Elements of an array of structures, as many at a time as have the pattern of one before."""
    rows: list[Any] = []
    futile = 0
    while len(rows) < count:
        row, end = _decode_values(data, place, 1, depth)
        rows += row
        if futile < _FUTILE and type(row[0]) is tuple and (pattern := row_pattern(data, place, end)) is not None:
            more, end = pattern.rows(data, end, count - len(rows))
            futile = 0 if more else futile + 1
            rows += more
        place = end
    return rows, place


def _decode_rare(data: bytes, place: int, tag: int) -> tuple[Any, int]:
    if tag == Tag.COMPACT_ARRAY:
        return decode_compact_array(data, place + 1)
    if tag == Tag.DONT_CARE:
        return None, place + 1
    if tag not in (Tag.VISIBLE_STRING, Tag.UTF8_STRING, Tag.BIT_STRING):
        raise DecodeError(f"Octet {place} has the type {tag}, which is not known: {shown(data, place)}.")
    size, start = decode_length(data, place + 1)
    stop = start + ((size + 7) // 8 if tag == Tag.BIT_STRING else size)
    if stop > len(data):
        raise IndexError
    octets = data[start:stop]
    if tag == Tag.BIT_STRING:
        return BitString(octets, size), stop
    return octets.decode("utf-8" if tag == Tag.UTF8_STRING else "latin-1"), stop


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


def delta_int8(value: int) -> bytes:
    return _pack_int8(Tag.DELTA_INT8, value)


def delta_int16(value: int) -> bytes:
    return _pack_int16(Tag.DELTA_INT16, value)


def delta_int32(value: int) -> bytes:
    return _pack_int32(Tag.DELTA_INT32, value)


def delta_uint8(value: int) -> bytes:
    return _pack_uint8(Tag.DELTA_UINT8, value)


def delta_uint16(value: int) -> bytes:
    return _pack_uint16(Tag.DELTA_UINT16, value)


def delta_uint32(value: int) -> bytes:
    return _pack_uint32(Tag.DELTA_UINT32, value)


def compact_array(description: bytes, contents: bytes) -> bytes:
    """A compact array of what `description` says (a type's tag, or 02, count, members), elements in `contents`."""
    return b"\x13" + description + encode_length(len(contents)) + contents
