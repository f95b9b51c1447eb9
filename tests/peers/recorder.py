"""Recording proxies between a master and its slaves: they pass octets on unchanged and keep a pcap file of them."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.peers.pcap import Capture, Stream

CHUNK = 4096


@asynccontextmanager
async def recorded_tcp(port: int, capture: Capture, capture_port: int) -> AsyncIterator[int]:
    """A port of loopback that leads to `port` there; in the capture the slave has `capture_port` (502 for Modbus)."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            slave_reader, slave_writer = await asyncio.open_connection("127.0.0.1", port)
            stream = capture.stream(capture_port)
            await asyncio.gather(
                _pass_on(reader, slave_writer, capture, stream, from_client=True),
                _pass_on(slave_reader, writer, capture, stream, from_client=False),
            )
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, capture: Capture, stream: Stream, *, from_client: bool
) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(CHUNK):
            capture.add(stream, octets, from_client=from_client)
            writer.write(octets)
            await writer.drain()
    writer.close()


class _Wire:
    """Two pseudo-terminals joined. A frame's octets come in portions, so they are kept until the direction changes: one
    request is one segment, and so is one answer.
    """

    def __init__(self, slave_path: Path, capture: Capture, capture_port: int) -> None:
        self._capture = capture
        self._stream = capture.stream(capture_port)
        self._pending = b""
        self._from_client = True
        self.master, self._held = os.openpty()
        tty.setraw(self._held)
        self.slave = os.open(slave_path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        os.set_blocking(self.master, False)

    @property
    def path(self) -> str:
        """Where the master finds its port."""
        return os.ttyname(self._held)

    def pass_on(self, source: int, target: int, *, from_client: bool) -> None:
        try:
            octets = os.read(source, CHUNK)
        except BlockingIOError:
            return
        if from_client is not self._from_client:
            self.flush()
            self._from_client = from_client
        self._pending += octets
        os.write(target, octets)

    def flush(self) -> None:
        self._capture.add(self._stream, self._pending, from_client=self._from_client)
        self._pending = b""

    def close(self) -> None:
        self.flush()
        for descriptor in (self.master, self._held, self.slave):
            os.close(descriptor)


@asynccontextmanager
async def recorded_pty(slave_path: Path, capture: Capture, capture_port: int) -> AsyncIterator[str]:
    """A pseudo-terminal that leads to the one at `slave_path`. In the capture it is RTU over TCP at `capture_port`."""
    loop = asyncio.get_running_loop()
    wire = _Wire(slave_path, capture, capture_port)
    loop.add_reader(wire.master, lambda: wire.pass_on(wire.master, wire.slave, from_client=True))
    loop.add_reader(wire.slave, lambda: wire.pass_on(wire.slave, wire.master, from_client=False))
    try:
        yield wire.path
    finally:
        loop.remove_reader(wire.master)
        loop.remove_reader(wire.slave)
        wire.close()
