"""A scripted link: says what a test wants it to say, and keeps what it was told."""

import asyncio
import time
from collections.abc import Callable, Iterable

from edge.errors import LineDownError

Reaction = Iterable[tuple[float, bytes]]
"""Octets that come, each after so many seconds."""


class ScriptedLink:
    """`react(request)` gives what comes back for each write; it may also raise `LineDownError`."""

    def __init__(self, react: Callable[[bytes], Reaction] = lambda request: ()) -> None:
        self.react = react
        self.written: list[tuple[float, bytes]] = []
        self.opened = 0
        self.received_at = 0.0
        self.gathered: list[float] = []
        """For how long octets were let gather, in order."""
        self.speeds: list[int] = []
        """Speeds that were set, in order."""
        self.refuse_open: str | None = None
        self._incoming: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        if self.refuse_open:
            raise LineDownError(self.refuse_open)
        self._incoming = asyncio.Queue()
        self.opened += 1

    async def close(self) -> None:
        self._incoming.put_nowait((time.monotonic(), None))

    async def write(self, data: bytes) -> None:
        self.written.append((asyncio.get_running_loop().time(), data))
        for delay, octets in self.react(data):
            self.say(octets, delay)

    async def read(self, timeout: float) -> bytes:
        async with asyncio.timeout(timeout):
            came_at, data = await self._incoming.get()
        if data is None:
            raise LineDownError("The scripted link was closed.")
        self.received_at = came_at
        return data

    async def let_gather(self, seconds: float) -> None:
        self.gathered.append(seconds)
        await asyncio.sleep(max(seconds, 0.0))

    async def set_speed(self, baud: int) -> bool:
        self.speeds.append(baud)
        return True

    def say(self, octets: bytes, delay: float = 0.0) -> None:
        """Let `octets` come after `delay` seconds."""
        if delay <= 0:
            self._incoming.put_nowait((time.monotonic(), octets))
            return

        async def later() -> None:
            await asyncio.sleep(delay)
            self._incoming.put_nowait((time.monotonic(), octets))

        task = asyncio.create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def hang_up(self) -> None:
        """The other side closes."""
        self._incoming.put_nowait((time.monotonic(), None))


class TimedLink(ScriptedLink):
    """A scripted link with a time of its own (`now`), which passes only while somebody waits: what is said in so many
    seconds comes then to the octet, however busy the machine is.
    """

    def __init__(self, react: Callable[[bytes], Reaction] = lambda request: ()) -> None:
        super().__init__(react)
        self.time = 1000.0
        self._said: list[tuple[float, bytes]] = []

    def now(self) -> float:
        """Seconds, for the line."""
        return self.time

    async def write(self, data: bytes) -> None:
        self.written.append((self.time, data))
        for delay, octets in self.react(data):
            self.say(octets, delay)

    async def read(self, timeout: float) -> bytes:
        if not self._said or self._said[0][0] > self.time + max(timeout, 0.0):
            self.time += max(timeout, 0.0)
            raise TimeoutError
        came_at, data = self._said.pop(0)
        self.time = max(self.time, came_at)
        self.received_at = came_at
        return data

    async def let_gather(self, seconds: float) -> None:
        self.gathered.append(seconds)
        self.time += max(seconds, 0.0)

    def say(self, octets: bytes, delay: float = 0.0) -> None:
        self._said.append((self.time + delay, octets))
        self._said.sort(key=lambda each: each[0])
