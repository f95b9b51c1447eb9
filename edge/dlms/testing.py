"""A transport for tests, beside the port."""

from collections.abc import Callable


class AnsweringTransport:
    """Hands what is written to `answer` and reads what that returned; silence is a time-out at once.

    `chunk` cuts what is read into pieces. Counts octets both ways.
    """

    def __init__(self, answer: Callable[[bytes], bytes], chunk: int | None = None) -> None:
        self.written = 0
        self.was_read = 0
        self._answer = answer
        self._chunk = chunk
        self._incoming = b""

    async def write(self, data: bytes) -> None:
        self.written += len(data)
        self._incoming += self._answer(data)

    async def read(self, timeout: float) -> bytes:
        if not self._incoming:
            raise TimeoutError
        size = self._chunk or len(self._incoming)
        data, self._incoming = self._incoming[:size], self._incoming[size:]
        self.was_read += len(data)
        return data


class CountingCounter:
    """Invocation counters of a test: 1, 2, 3 ... after `given`."""

    def __init__(self, given: int = 0) -> None:
        self.given = given

    def next(self) -> int:
        self.given += 1
        return self.given
