"""Port to one physical link, and its two kinds: serial port (serialx) and TCP."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import serialx

from edge.bus.rs485 import let_kernel_drive_direction
from edge.config import SerialLink, TcpLink
from edge.errors import LineDownError

CONNECT_S: Final = 5.0
CLOSE_S: Final = 1.0
UNREAD_MOST: Final = 1 << 16
"""Octets that are kept while nobody reads: a line that babbles must not fill the memory."""
PARITIES: Final = {"N": serialx.Parity.NONE, "E": serialx.Parity.EVEN, "O": serialx.Parity.ODD}
STOP_BITS: Final = {1: serialx.StopBits.ONE, 2: serialx.StopBits.TWO}


class Link(Protocol):
    """Octets to and from whatever hangs on a line. Not safe for two users at a time."""

    @property
    def received_at(self) -> float:
        """When the last octet came, in seconds of `time.monotonic`."""

    async def open(self) -> None:
        """Connect; raises `LineDownError`."""

    async def close(self) -> None:
        """Disconnect; never raises."""

    async def write(self, data: bytes) -> None:
        """Hand `data` to the line; raises `LineDownError`."""

    async def read(self, timeout: float) -> bytes:
        """At least one octet, as soon as there is any; raises `TimeoutError` after `timeout` s, `LineDownError`."""

    async def let_gather(self, seconds: float) -> None:
        """Let octets gather outside for so long; they are kept, and come with the next read."""

    async def set_speed(self, baud: int) -> bool:
        """Go on at `baud`; what came before may be lost. False where this side has no say in the speed (TCP).

        Raises `LineDownError`.
        """


class HeldLink(Link, Protocol):
    """A link whose octets somebody can take as they come: no task, no time-out per read."""

    name: str

    def hold(self, receiver: Callable[[bytes], None] | None, on_lost: Callable[[str], None] | None) -> None:
        """From now on `receiver` gets what comes, at once, and `read` gets nothing; `on_lost` hears why the connection
        ended. Both None: as usual again. Raises `LineDownError`.
        """

    def send(self, data: bytes) -> None:
        """As `write`, at once."""


class _Octets(asyncio.Protocol):
    """What came and was not read yet. A stream reader would do, but not say when."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.received_at = time.monotonic()
        self.lost: str | None = None
        """Why there will be no more."""
        self.closed = asyncio.get_running_loop().create_future()
        self.receiver: Callable[[bytes], None] | None = None
        self.on_lost: Callable[[str], None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        if self.receiver is not None:
            self.receiver(data)
            return
        self.received_at = time.monotonic()
        self.buffer += data
        del self.buffer[:-UNREAD_MOST]
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = f"broke: {exc}" if exc is not None else "was closed by the other side"
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()
        if self.on_lost is not None:
            self.on_lost(self.lost)

    async def wait(self, timeout: float) -> None:
        """Until something has happened, or for `timeout` seconds."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


Connection = tuple[asyncio.Transport, _Octets]


class OctetLink:
    """A link over an asyncio transport; `connect` makes it, `name` stands in errors."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[Connection]],
        change_speed: Callable[[asyncio.Transport, int], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self._connect = connect
        self._change_speed = change_speed
        self._connection: Connection | None = None

    @property
    def received_at(self) -> float:
        return self._connection[1].received_at if self._connection is not None else time.monotonic()

    async def open(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                self._connection = await self._connect()
        except (OSError, TimeoutError, ValueError) as error:
            reason = str(error) or f"no connection within {CONNECT_S:.0f} s"
            raise LineDownError(f"{self.name} cannot be opened: {reason}.") from None

    async def close(self) -> None:
        if self._connection is None:
            return
        transport, octets = self._connection
        self._connection = None
        transport.close()
        await asyncio.wait([octets.closed], timeout=CLOSE_S)  # else it is gone all the same

    def _opened(self) -> Connection:
        if self._connection is None:
            raise LineDownError(f"{self.name} is not open.")
        return self._connection

    def hold(self, receiver: Callable[[bytes], None] | None, on_lost: Callable[[str], None] | None) -> None:
        _, octets = self._opened()
        octets.receiver, octets.on_lost = receiver, on_lost

    async def write(self, data: bytes) -> None:
        self.send(data)

    def send(self, data: bytes) -> None:
        transport, octets = self._opened()
        if octets.lost is None:
            try:
                transport.write(data)
            except OSError as error:
                raise LineDownError(f"{self.name} broke while sending: {error}.") from None
        if octets.lost is not None:
            raise LineDownError(f"{self.name} {octets.lost}.")

    async def read(self, timeout: float) -> bytes:
        _, octets = self._opened()
        if not octets.buffer and octets.lost is None and timeout > 0:
            await octets.wait(timeout)
        if octets.buffer:
            data = bytes(octets.buffer)
            octets.buffer.clear()
            return data
        if octets.lost is not None:
            raise LineDownError(f"{self.name} {octets.lost}.")
        raise TimeoutError

    async def let_gather(self, seconds: float) -> None:
        if seconds <= 0:
            return
        transport, _ = self._opened()
        transport.pause_reading()
        try:
            await asyncio.sleep(seconds)
        finally:
            transport.resume_reading()

    async def set_speed(self, baud: int) -> bool:
        if self._change_speed is None:
            return False
        transport, octets = self._opened()
        try:
            await self._change_speed(transport, baud)
        except (OSError, ValueError) as error:
            raise LineDownError(f"{self.name} cannot go on at {baud} Bd: {error}.") from None
        octets.buffer.clear()
        return True


def make_link(config: SerialLink | TcpLink) -> HeldLink:
    """The link that `config` describes, not yet open."""
    return _tcp_link(config) if isinstance(config, TcpLink) else _serial_link(config)


def _tcp_link(config: TcpLink) -> OctetLink:
    async def connect() -> Connection:
        loop = asyncio.get_running_loop()
        transport, octets = await loop.create_connection(_Octets, config.host, config.port)
        endpoint = transport.get_extra_info("socket")
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return transport, octets

    return OctetLink(f"The connection to {config.host}:{config.port}", connect)


def _serial_link(config: SerialLink) -> OctetLink:
    async def connect() -> Connection:
        if config.rs485:
            let_kernel_drive_direction(config.path)
        octets = _Octets()
        transport, _ = await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            lambda: octets,
            config.path,
            baudrate=config.baud,
            parity=PARITIES[config.parity],
            stopbits=STOP_BITS[config.stop_bits],
        )
        return transport, octets

    async def change_speed(transport: asyncio.Transport, baud: int) -> None:
        assert isinstance(transport, serialx.BaseSerialTransport)
        # The change throws away what has come; a read that was due already would find nothing and take it for the end.
        transport.pause_reading()
        try:
            await transport.reconfigure_port(baudrate=baud)
        finally:
            transport.resume_reading()

    return OctetLink(f"The serial port {config.path}", connect, change_speed)
