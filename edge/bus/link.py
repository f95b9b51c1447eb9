"""Port to one physical link, and its two kinds: serial port (serialx) and TCP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import serialx

from edge.config import SerialLink, TcpLink
from edge.errors import LineDownError

CHUNK: Final = 4096
CONNECT_S: Final = 5.0
PARITIES: Final = {"N": serialx.Parity.NONE, "E": serialx.Parity.EVEN, "O": serialx.Parity.ODD}
STOP_BITS: Final = {1: serialx.StopBits.ONE, 2: serialx.StopBits.TWO}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link(Protocol):
    """Octets to and from whatever hangs on a line. Not safe for two users at a time."""

    async def open(self) -> None:
        """Connect; raises `LineDownError`."""

    async def close(self) -> None:
        """Disconnect; never raises."""

    async def write(self, data: bytes) -> None:
        """Hand `data` to the line; raises `LineDownError`."""

    async def read(self, timeout: float) -> bytes:
        """At least one octet, as soon as there is any; raises `TimeoutError` after `timeout` s, `LineDownError`."""

    async def set_speed(self, baud: int) -> bool:
        """Go on at `baud`; what came before is lost. False where this side has no say in the speed (TCP).

        Raises `LineDownError`.
        """


class StreamLink:
    """A link over asyncio streams; `connect` makes them, `name` stands in errors."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[Streams]],
        change_speed: Callable[[asyncio.StreamWriter, int], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self._connect = connect
        self._change_speed = change_speed
        self._streams: Streams | None = None

    async def open(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                self._streams = await self._connect()
        except (OSError, TimeoutError, ValueError) as error:
            reason = str(error) or f"no connection within {CONNECT_S:.0f} s"
            raise LineDownError(f"{self.name} cannot be opened: {reason}.") from None

    async def close(self) -> None:
        if self._streams is None:
            return
        _, writer = self._streams
        self._streams = None
        writer.close()
        try:
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            pass  # it is gone, which was the purpose

    async def write(self, data: bytes) -> None:
        if self._streams is None:
            raise LineDownError(f"{self.name} is not open.")
        _, writer = self._streams
        try:
            writer.write(data)
            await writer.drain()
        except OSError as error:
            raise LineDownError(f"{self.name} broke while sending: {error}.") from None

    async def read(self, timeout: float) -> bytes:
        if self._streams is None:
            raise LineDownError(f"{self.name} is not open.")
        reader, _ = self._streams
        try:
            async with asyncio.timeout(timeout):
                data = await reader.read(CHUNK)
        except TimeoutError:
            raise
        except OSError as error:
            raise LineDownError(f"{self.name} broke while receiving: {error}.") from None
        if not data:
            raise LineDownError(f"{self.name} was closed by the other side.")
        return data

    async def set_speed(self, baud: int) -> bool:
        if self._change_speed is None:
            return False
        if self._streams is None:
            raise LineDownError(f"{self.name} is not open.")
        try:
            await self._change_speed(self._streams[1], baud)
        except (OSError, ValueError) as error:
            raise LineDownError(f"{self.name} cannot go on at {baud} Bd: {error}.") from None
        return True


def make_link(config: SerialLink | TcpLink) -> Link:
    """The link that `config` describes, not yet open."""
    if isinstance(config, TcpLink):
        host, port = config.host, config.port

        async def connect_tcp() -> Streams:
            return await asyncio.open_connection(host, port)

        return StreamLink(f"The connection to {host}:{port}", connect_tcp)
    serial = config

    async def connect_serial() -> Streams:
        return await serialx.open_serial_connection(
            serial.path,
            baudrate=serial.baud,
            parity=PARITIES[serial.parity],
            stopbits=STOP_BITS[serial.stop_bits],
        )

    async def change_speed(writer: asyncio.StreamWriter, baud: int) -> None:
        transport = writer.transport
        assert isinstance(transport, serialx.BaseSerialTransport)
        # The change throws away what has come; a read that was due already would find nothing and take it for the end.
        transport.pause_reading()
        try:
            await transport.reconfigure_port(baudrate=baud)
        finally:
            transport.resume_reading()

    return StreamLink(f"The serial port {serial.path}", connect_serial, change_speed)
