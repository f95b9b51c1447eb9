"""Client's side of general block transfer: one request and its answer, either of them in blocks.

We send one block at a time, since a half-duplex line has nobody to stream to; the meter streams up to `window` blocks
to us. A block that is missing is asked for by acknowledging what is there: the meter goes on behind it.
"""

from dataclasses import dataclass, field
from typing import Final

from edge.dlms.errors import ProtocolError
from edge.dlms.exchange import MAX_ANSWER
from edge.dlms.outcomes import Continue, Failed
from shared.dlms.general_block import HEADER, GeneralBlock, decode_general_block

MAX_ASKED_AGAIN: Final = 8
"""Times in a row that the same block is asked for, before the transfer has failed."""


@dataclass(slots=True)
class GeneralTransfer:
    """State of one exchange. `window` is how many blocks we take in a stream, `limit` the meter's largest message."""

    window: int
    limit: int
    _parts: list[bytes] = field(default_factory=list)
    _sending: int = 0
    """Number of our data block that is not acknowledged; 0 when the request is with the meter."""
    _own: int = 0
    """Number of our last block."""
    _taken: int = 0
    """The meter's last block in sequence."""
    _pieces: list[bytes] = field(default_factory=list)
    _size: int = 0
    _asked_again: int = 0

    def begin(self, apdu: bytes) -> bytes:
        """What to send of a request: itself if the meter takes it whole, else its first block."""
        room = self.limit - HEADER
        whole = len(apdu) <= self.limit
        self._parts = [] if whole else [apdu[place : place + room] for place in range(0, len(apdu), room)]
        self._own, self._taken, self._pieces, self._size, self._asked_again = 0, 0, [], 0, 0
        self._sending = 0 if whole else 1
        return apdu if whole else self._block()

    def receive(self, apdu: bytes) -> bytes | Continue | Failed | None:
        """What a general block means: the whole answer, something to send, a failure, or nothing yet. Raises
        DecodeError.
        """
        block = decode_general_block(apdu)
        if not self._sending:
            return self._take(block)
        if block.acknowledged < self._sending:
            return None
        if block.acknowledged > self._sending:
            wanted = f"one of block {self._sending}"
            return Failed(ProtocolError(f"a receipt of general block {block.acknowledged}", wanted))
        if not block.data:
            self._taken = max(self._taken, block.number)
        if self._sending < len(self._parts):
            self._sending += 1
            return Continue(self._block())
        self._sending = 0
        return self._take(block)

    def _take(self, block: GeneralBlock) -> bytes | Continue | Failed | None:
        """A block of the answer."""
        if not block.data and not block.last:
            return None  # a receipt, maybe again
        if not self._pieces and block.number == 1:
            self._taken = 0  # meters differ in whether their receipts for our blocks have taken numbers
        if block.number == self._taken + 1:
            self._taken, self._asked_again = block.number, 0
            self._pieces.append(block.data)
            self._size += len(block.data)
            if self._size > MAX_ANSWER:
                return Failed(ProtocolError(f"more than {MAX_ANSWER} octets in blocks", "a shorter answer"))
            if block.last:
                return b"".join(self._pieces)
        elif not block.streaming:
            self._asked_again += 1
            if self._asked_again > MAX_ASKED_AGAIN:
                wanted = f"block {self._taken + 1}, asked for {MAX_ASKED_AGAIN} times"
                return Failed(ProtocolError(f"general block {block.number}", wanted))
        # Within a stream nobody is asked: what is missing is told at its end.
        return None if block.streaming else Continue(self._acknowledgement())

    def repeat(self) -> bytes | None:
        """What to send again after silence: the block that is not acknowledged, or what we have of the answer; None if
        no transfer is under way.
        """
        if self._sending:
            self._own -= 1
            return self._block()
        return self._acknowledgement() if self._pieces else None

    def _block(self) -> bytes:
        self._own += 1
        last = self._sending == len(self._parts)
        return GeneralBlock(last, False, self.window, self._own, self._taken, self._parts[self._sending - 1]).encode()

    def _acknowledgement(self) -> bytes:
        self._own += 1
        return GeneralBlock(True, False, self.window, self._own & 0xFFFF, self._taken).encode()
