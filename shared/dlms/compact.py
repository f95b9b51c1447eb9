"""Compact arrays (Data choice 19): one description of the elements' type, then their octets without tags.

    description: a tag; structure = 02, count, description of each member; array = 01, uint16 count, element's
    contents:    a length and the elements one after the other; strings carry their length

Nothing tells how many elements there are: they end with the contents.
"""

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from shared.dlms.axdr_types import DELTAS, FIXED, FORMATS, BitString, Delta, Tag, decode_length, shown
from shared.dlms.errors import DecodeError

MAX_DEPTH: Final = 8
VALUES_PER_OCTET: Final = 32
"""Most values that a compact array may stand for: a few octets could otherwise describe more than memory holds."""

Reader = Callable[[bytes, int], tuple[Any, int]]


class _Type(NamedTuple):
    """A described type: how one value is read, its smallest size in octets, how many values it stands for."""

    read: Reader
    least: int
    values: int
    code: str = ""
    """`struct` code of a scalar whose octets are its value."""
    row: str = ""
    """`struct` codes of a structure of nothing but such scalars: read many at a time."""


def decode_compact_array(data: bytes, place: int) -> tuple[list[Any], int]:
    """The elements of the compact array whose description begins at `place`, and where it ends.

    Raises IndexError past the end, DecodeError for what is not allowed.
    """
    described = place
    element, place = _described(data, place, 0)
    size, start = decode_length(data, place)
    end = start + size
    if end > len(data):
        raise IndexError
    if element.least == 0 and size:
        raise DecodeError(f"A compact array of elements without octets has {size} octets: {shown(data, start)}.")
    if element.least and element.values * (size // element.least) > VALUES_PER_OCTET * (end - described):
        raise DecodeError(f"A compact array of {size} octets stands for more than {VALUES_PER_OCTET} values an octet.")
    if element.row and size:
        return _decode_rows(data[start:end], element.row), end
    contents = data[start:end]
    elements: list[Any] = []
    at = 0
    while at < size:
        value, at = element.read(contents, at)
        elements.append(value)
    return elements, end


def _decode_rows(contents: bytes, codes: str) -> list[Any]:
    layout = struct.Struct(f">{codes}")
    if len(contents) % layout.size:
        raise DecodeError(f"Elements of {layout.size} octets do not fill a compact array of {len(contents)} octets.")
    return list(layout.iter_unpack(contents))


def _described(data: bytes, place: int, depth: int) -> tuple[_Type, int]:
    """The type that is described at `place`, and where its description ends."""
    if depth > MAX_DEPTH:
        raise DecodeError(f"A compact array's description nests deeper than {MAX_DEPTH}.")
    tag = data[place]
    fixed = FIXED[tag]
    if fixed is not None:
        return _fixed(tag), place + 1
    match tag:
        case Tag.NULL | Tag.DONT_CARE:
            return _Type(lambda _, at: (None, at), 0, 1), place + 1
        case Tag.STRUCTURE:
            count, place = decode_length(data, place + 1)
            if count > len(data) - place:
                raise IndexError
            members: list[_Type] = []
            for _ in range(count):
                member, place = _described(data, place, depth + 1)
                members.append(member)
            return _structure(members), place
        case Tag.ARRAY:
            if place + 3 > len(data):
                raise IndexError
            element, end = _described(data, place + 3, depth + 1)
            return _array(element, int.from_bytes(data[place + 1 : place + 3])), end
        case Tag.OCTET_STRING | Tag.VISIBLE_STRING | Tag.UTF8_STRING | Tag.BIT_STRING:
            return _Type(_string(tag), 1, 1), place + 1
    raise DecodeError(f"A compact array's description has the type {tag}, which is not known: {shown(data, place)}.")


def _fixed(tag: int) -> _Type:
    known = FIXED[tag]
    assert known is not None
    unpack_from, size = known
    delta = tag in DELTAS

    def read(data: bytes, at: int) -> tuple[Any, int]:
        try:
            (value,) = unpack_from(data, at)
        except struct.error:
            raise IndexError from None
        return Delta(value) if delta else value, at + size

    return _Type(read, size, 1, "" if delta else FORMATS[tag])


def _structure(members: list[_Type]) -> _Type:
    readers = [member.read for member in members]

    def read(data: bytes, at: int) -> tuple[Any, int]:
        values: list[Any] = []
        for each in readers:
            value, at = each(data, at)
            values.append(value)
        return tuple(values), at

    row = "".join(member.code for member in members) if all(member.code for member in members) else ""
    least, values = sum(member.least for member in members), 1 + sum(member.values for member in members)
    return _Type(read, least, values, row=row)


def _array(element: _Type, count: int) -> _Type:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        values: list[Any] = []
        for _ in range(count):
            value, at = element.read(data, at)
            values.append(value)
        return values, at

    return _Type(read, count * element.least, 1 + count * element.values)


def _string(tag: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        size, start = decode_length(data, at)
        end = start + ((size + 7) // 8 if tag == Tag.BIT_STRING else size)
        if end > len(data):
            raise IndexError
        octets = data[start:end]
        if tag == Tag.BIT_STRING:
            return BitString(octets, size), end
        if tag == Tag.OCTET_STRING:
            return octets, end
        return octets.decode("utf-8" if tag == Tag.UTF8_STRING else "latin-1"), end

    return read
