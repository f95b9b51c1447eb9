"""DataBlock-SA: the piece of a long parameter or result in the block transfers of SET and ACTION (Green Book 9.5)."""

from typing import Final, NamedTuple

from shared.dlms import axdr


class DataBlock(NamedTuple):
    """Piece `number` (from 1) of an encoded value; `last` ends it."""

    last: bool
    number: int
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.last,)) + self.number.to_bytes(4) + axdr.encode_length(len(self.data)) + self.data


HEADER: Final = 1 + 4 + 3
"""Octets of a block around up to 65,535 octets of data."""


def decode_block(apdu: bytes, place: int) -> DataBlock:
    """The block that begins at `place` and ends the message. Raises IndexError if it is cut off, DecodeError."""
    last, number = bool(apdu[place]), int.from_bytes(apdu[place + 1 : place + 5])
    size, start = axdr.decode_length(apdu, place + 5)
    if start + size > len(apdu):
        raise IndexError
    return DataBlock(last, number, apdu[start : start + size])


def cut(data: bytes, first: int, others: int) -> list[DataBlock]:
    """`data` in blocks of `first`, then `others` octets; one empty block if there are none."""
    places = [0, *range(max(first, 1), len(data), max(others, 1))]
    ends = [*places[1:], len(data)]
    return [
        DataBlock(number == len(places), number, data[place:end])
        for number, (place, end) in enumerate(zip(places, ends, strict=True), 1)
    ]
