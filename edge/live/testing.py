"""A Modbus TCP connection in memory, for tests of who holds it."""

import time
from collections.abc import Callable

from edge.errors import LineDownError


class FakeHeldLink:
    """A `HeldLink` that keeps what was sent; `say` lets octets come, `hang_up` ends the connection, and `react` gives
    what comes back for a request.
    """

    name = "The connection to meter:502"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.react: Callable[[bytes], bytes] = lambda request: b""
        self._unread = b""
        self._receiver: Callable[[bytes], None] | None = None
        self._on_lost: Callable[[str], None] | None = None

    @property
    def received_at(self) -> float:
        return time.monotonic()

    async def open(self) -> None:
        self._unread = b""

    async def close(self) -> None:
        self.hold(None, None)

    def hold(self, receiver: Callable[[bytes], None] | None, on_lost: Callable[[str], None] | None) -> None:
        self._receiver, self._on_lost = receiver, on_lost

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        answer = self.react(data)
        if answer:
            self.say(answer)

    async def write(self, data: bytes) -> None:
        self.send(data)

    async def read(self, timeout: float) -> bytes:
        if not self._unread:
            raise TimeoutError
        data, self._unread = self._unread, b""
        return data

    async def set_speed(self, baud: int) -> bool:
        raise LineDownError(f"{self.name} has no speed.")

    def say(self, octets: bytes) -> None:
        """Octets come."""
        if self._receiver is not None:
            self._receiver(octets)
        else:
            self._unread += octets

    def hang_up(self) -> None:
        """The other side closes."""
        if self._on_lost is not None:
            self._on_lost("was closed by the other side")


def answer_to(request: bytes, registers: bytes) -> bytes:
    """The answer that gives `registers` (octets) to a read request."""
    return request[:4] + (len(registers) + 3).to_bytes(2, "big") + request[6:8] + bytes([len(registers)]) + registers
