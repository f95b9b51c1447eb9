"""Simulated meter's side of general block transfer: requests put together, answers cut and streamed.

A long answer begins with as many blocks as the client is known to take, one if it has not said. Each block of the
client's tells how far it has come: what follows is sent, again where need be.
"""

from typing import Final

from shared.dlms.errors import DecodeError
from shared.dlms.general_block import HEADER, GeneralBlock

MAX_REQUEST: Final = 1 << 20
"""Longest request that is put together, octets."""


class GeneralBlocks:
    """Transfers of one association. `window`: blocks that the meter takes; `limit`: the client's largest message."""

    def __init__(self, window: int, limit: int) -> None:
        self._window = window
        self._limit = limit
        self._client_window = 1
        self._request = b""
        self._taken = 0
        """The client's last block in sequence."""
        self._answer: list[bytes] = []
        self._first = 1
        """Number of the first block of the answer."""

    def take(self, block: GeneralBlock) -> bytes | list[bytes]:
        """The whole request that `block` completed, or blocks to send for now. Raises DecodeError."""
        self._client_window = max(block.window, 1)
        if not block.data:
            self._taken = block.number
            return self._stream(block.acknowledged + 1)
        if block.number == 1:
            self._request, self._taken, self._answer = b"", 0, []
        if block.number == self._taken + 1:
            self._taken = block.number
            self._request += block.data
            if len(self._request) > MAX_REQUEST:
                raise DecodeError(f"A request of more than {MAX_REQUEST} octets is not put together.")
            if block.last:
                request, self._request = self._request, b""
                return request
        return [GeneralBlock(False, False, self._window, self._taken, self._taken).encode()]

    def give(self, answer: bytes, *, in_blocks: bool) -> list[bytes]:
        """An answer: whole if the client takes it so (and did not ask in blocks), else the first blocks of it."""
        if len(answer) <= self._limit and not in_blocks:
            self._answer, self._taken = [], 0
            return [answer]
        if not in_blocks:
            self._taken = 0
        room = self._limit - HEADER
        self._answer = [answer[place : place + room] for place in range(0, len(answer), room)]
        self._first = self._taken if in_blocks else 1
        return self._stream(self._first)

    def _stream(self, start: int) -> list[bytes]:
        """Blocks from number `start` on, as many as the client takes."""
        index = start - self._first
        if not 0 <= index < len(self._answer):
            return []
        end = min(index + self._client_window, len(self._answer))
        return [
            GeneralBlock(
                place == len(self._answer) - 1,
                place < end - 1,
                self._window,
                (self._first + place) & 0xFFFF,
                self._taken,
                self._answer[place],
            ).encode()
            for place in range(index, end)
        ]
