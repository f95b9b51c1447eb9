"""DLMS wrapper for TCP (IEC 62056-47): version 1, source wPort, destination wPort, length, application message."""

import struct
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct(">HHHH")
_VERSION: Final = 1
_VERSION_OCTETS: Final = b"\x00\x01"


class WrapperFrame(NamedTuple):
    """One application message with its addresses (client SAP, server wPort)."""

    source: int
    destination: int
    payload: bytes

    def encode(self) -> bytes:
        """Header and message."""
        return _HEADER.pack(_VERSION, self.source, self.destination, len(self.payload)) + self.payload


class WrapperParser:
    """Finds wrapper frames in a TCP stream. Never raises: octets that are no header are skipped and counted.

    TCP loses nothing, so noise means a peer that speaks something else; the next version field may begin a frame.
    """

    def __init__(self) -> None:
        self.discarded = 0
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Octets of a frame that is not complete yet."""
        return len(self._buffer)

    def reset(self) -> None:
        """Forget an incomplete frame."""
        self.discarded += len(self._buffer)
        self._buffer.clear()

    def feed(self, data: bytes) -> list[WrapperFrame]:
        """The frames that `data` completed."""
        buffer = self._buffer
        buffer += data
        frames: list[WrapperFrame] = []
        position = 0
        while len(buffer) - position >= _HEADER.size:
            version, source, destination, length = _HEADER.unpack_from(buffer, position)
            if version != _VERSION:
                found = buffer.find(_VERSION_OCTETS, position + 1)
                skipped_to = found if found >= 0 else len(buffer) - 1
                self.discarded += skipped_to - position
                position = skipped_to
                continue
            end = position + _HEADER.size + length
            if end > len(buffer):
                break
            frames.append(WrapperFrame(source, destination, bytes(buffer[position + _HEADER.size : end])))
            position = end
        del buffer[:position]
        return frames
