"""A TCP way to a server that can be cut, stalled and slowed: the network between a concentrator and its broker."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

CHUNK: Final = 65_536
SLOW_S: Final = 0.3
"""So much later each piece arrives on a slow way."""


@dataclass(slots=True)
class NetworkCounts:
    """What happened."""

    connections: int = 0
    """That went through to the server."""
    refused: int = 0
    """Attempts while the way was cut, or nobody listened at its end."""
    cut: int = 0
    """Connections that broke because the way was cut."""
    held: int = 0
    """Pieces that had to wait while the way was stalled."""
    swallowed: int = 0
    """Of these, pieces that never came out."""
    slowed: int = 0
    """Pieces that came late."""


class BadNetwork:
    """Listens on loopback at `port` and passes everything on to `host`:`server_port`, as well as it is let."""

    def __init__(self, host: str, server_port: int) -> None:
        self.counts = NetworkCounts()
        self.port = 0
        self._host, self._server_port = host, server_port
        self._is_cut, self._slow = False, False
        self._flows = asyncio.Event()
        self._flows.set()
        self._ways: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bad-network", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def is_in_use(self) -> bool:
        """Whether a connection stands."""
        return bool(self._ways)

    def cut(self) -> None:
        """Break all connections and let none through."""
        self._do(self._cut())

    def stall(self) -> None:
        """Connections stand and nothing passes."""
        self._do(self._set(self._flows.clear))

    def slow(self) -> None:
        """Everything comes later by `SLOW_S`."""

        def begin() -> None:
            self._slow = True

        self._do(self._set(begin))

    def heal(self) -> None:
        """From now on everything passes at once, and what was stalled with it."""

        def end() -> None:
            self._is_cut = self._slow = False
            self._flows.set()

        self._do(self._set(end))

    def swallow(self) -> None:
        """Lose what is stalled: break the connections, then heal."""
        self.cut()
        self.heal()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _set(self, change: Callable[[], None]) -> None:
        change()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._break()

    async def _cut(self) -> None:
        self._is_cut = True
        self.counts.cut += len(self._ways)
        await self._break()

    async def _break(self) -> None:
        ways = list(self._ways)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        try:
            if self._is_cut:
                raise ConnectionRefusedError
            there, back = await asyncio.open_connection(self._host, self._server_port)
        except OSError:
            self.counts.refused += 1
            writer.transport.abort()
            return
        self.counts.connections += 1
        self._ways.add(way)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back))
                both.create_task(self._pass(there, writer))
        except* OSError:
            pass  # one end is gone: the other shall notice
        except* asyncio.CancelledError:
            pass  # cut
        finally:
            self._ways.discard(way)
            writer.transport.abort()
            back.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if not self._flows.is_set():
                self.counts.held += 1
                try:
                    await self._flows.wait()
                except asyncio.CancelledError:
                    self.counts.swallowed += 1
                    raise
            if self._slow:
                self.counts.slowed += 1
                await asyncio.sleep(SLOW_S)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # takes the other direction along
