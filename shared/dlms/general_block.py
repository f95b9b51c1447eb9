"""General block transfer, E0 (Green Book 9.4.8): pieces of any message, ciphered or not, in a stream with a window."""

from typing import Final, NamedTuple

from shared.dlms import axdr
from shared.dlms.errors import DecodeError

GENERAL_BLOCK_TAG: Final = 0xE0
HEADER: Final = 1 + 1 + 2 + 2 + 3
"""Octets of a block around up to 65,535 octets of data."""
MAX_WINDOW: Final = 63
_LAST: Final = 0x80
_STREAMING: Final = 0x40


class GeneralBlock(NamedTuple):
    """One block. `window` is how many its sender takes in a stream; `number` counts from 1 what its sender sent;
    `acknowledged` is the last in sequence that it has received. `streaming`: another follows without being asked for.
    """

    last: bool
    streaming: bool
    window: int
    number: int
    acknowledged: int
    data: bytes = b""

    def encode(self) -> bytes:
        control = self.last * _LAST | self.streaming * _STREAMING | self.window
        header = bytes((GENERAL_BLOCK_TAG, control)) + self.number.to_bytes(2) + self.acknowledged.to_bytes(2)
        return header + axdr.encode_length(len(self.data)) + self.data


def decode_general_block(apdu: bytes) -> GeneralBlock:
    """Raises DecodeError."""
    try:
        if apdu[0] != GENERAL_BLOCK_TAG:
            raise DecodeError(f"A general block begins with e0, not {apdu[0]:02x}.")
        control = apdu[1]
        size, start = axdr.decode_length(apdu, 6)
        if start + size > len(apdu):
            raise IndexError
    except IndexError:
        raise DecodeError(f"The general block {apdu[:16].hex()} is cut off.") from None
    if start + size != len(apdu):
        raise DecodeError(f"{len(apdu) - start - size} octets follow the general block {apdu[:16].hex()}.")
    return GeneralBlock(
        bool(control & _LAST),
        bool(control & _STREAMING),
        control & MAX_WINDOW,
        int.from_bytes(apdu[2:4]),
        int.from_bytes(apdu[4:6]),
        apdu[start:],
    )
