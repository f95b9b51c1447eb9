"""Types of A-XDR data: tags, lengths, and the types whose octets are of a fixed number."""

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple

from shared.dlms.errors import DecodeError


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
    COMPACT_ARRAY = 19
    INT64 = 20
    UINT64 = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DELTA_INT8 = 28
    DELTA_INT16 = 29
    DELTA_INT32 = 30
    DELTA_UINT8 = 31
    DELTA_UINT16 = 32
    DELTA_UINT32 = 33
    DONT_CARE = 255


class BitString(NamedTuple):
    """A bit-string of `length` bits; `octets` hold them from the most significant bit on, padded with zeros."""

    octets: bytes
    length: int


class Delta(int):
    """A difference to the same value of the row before, in the buffer of a profile."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Delta({int(self):+d})"


FORMATS: Final[dict[int, str]] = {
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
    Tag.DELTA_INT8: "b",
    Tag.DELTA_INT16: "h",
    Tag.DELTA_INT32: "i",
    Tag.DELTA_UINT8: "B",
    Tag.DELTA_UINT16: "H",
    Tag.DELTA_UINT32: "I",
}
"""Types of a fixed number of octets, as `struct` has them (big-endian)."""
DELTAS: Final = frozenset(range(Tag.DELTA_INT8, Tag.DELTA_UINT32 + 1))


class Fixed(NamedTuple):
    """How a type of a fixed number of octets is read; `size` without the tag."""

    unpack_from: Callable[[bytes, int], tuple[Any, ...]]
    size: int


# By octet, as a tuple: one indexing per value instead of a hash of an IntEnum.
FIXED: Final[tuple[Fixed | None, ...]] = tuple(
    Fixed(struct.Struct(f">{FORMATS[tag]}").unpack_from, struct.calcsize(f">{FORMATS[tag]}"))
    if tag in FORMATS
    else None
    for tag in range(256)
)


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


def encode_length(length: int) -> bytes:
    """A length, short form below 128."""
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size)


def shown(data: bytes, place: int) -> str:
    """The octets from `place` on, for a message."""
    cut = data[place : place + 16].hex()
    return cut if len(data) <= place + 16 else f"{cut}..."
