"""TCP listeners of simulated meters: several connections, several meters behind each."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firmware_sims.faults import FaultLayer


class Link(Protocol):
    """The meters' end of one connection."""

    def receive(self, data: bytes) -> bytes:
        """What the meters answer."""
        ...


@dataclass(slots=True)
class TcpCounts:
    """What happened at a listener."""

    connections: int = 0
    octets_in: int = 0
    octets_out: int = 0
    answers: int = 0


class TcpListener:
    """A listener; each connection gets a link of its own from `make_link`."""

    def __init__(
        self,
        host: str,
        port: int,
        make_link: Callable[[], Link],
        turnaround_s: float = 0.0,
        faults: FaultLayer | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.faults = faults
        self.make_link, self.turnaround_s = make_link, turnaround_s
        self.counts = TcpCounts()
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. Port 0 takes a free one and puts it into `port`."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), self.host, self.port)
        except OSError as error:
            raise OSError(
                error.errno, f"Nothing can listen on {self.host}:{self.port} ({error.strerror}); name a free port."
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    def hang_up(self) -> None:
        """Drop all connections."""
        for transport in list(self.connections):
            transport.abort()

    async def close(self) -> None:
        """Stop listening and drop all connections."""
        if self._server is None:
            return
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        self._server = None


class _Connection(asyncio.Protocol):
    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener
        self._link = listener.make_link()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener.connections.add(transport)
        self._listener.counts.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._listener.connections.discard(self._transport)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        counts, faults = self._listener.counts, self._listener.faults
        counts.octets_in += len(data)
        if faults is not None:
            faults.look()
        answer = self._link.receive(data)
        if not answer:
            return
        delay_s = self._listener.turnaround_s
        if faults is not None:
            spoilt = faults.spoil(answer)
            for later_s, octets in spoilt.later:
                self._send_after(delay_s + later_s, octets)
            answer = spoilt.octets
            delay_s += spoilt.delay_s
        if answer:
            counts.answers += 1
            self._send_after(delay_s, answer)

    def _send_after(self, delay_s: float, octets: bytes) -> None:
        self._listener.counts.octets_out += len(octets)
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._send, octets)
        else:
            self._send(octets)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)
