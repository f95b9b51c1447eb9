"""Real pseudo-terminals and sockets: peers that are not there, vanish and come back."""

import asyncio
import os
import pty
import termios
import time
import tty
from pathlib import Path

import pytest

from edge.bus.link import make_link
from edge.config import SerialLink, TcpLink
from edge.errors import LineDownError


def plug_in(port: Path) -> int:
    """A new pseudo-terminal under the name `port`; gives the meter's end."""
    meter, terminal = pty.openpty()
    tty.setraw(terminal)
    port.unlink(missing_ok=True)
    port.symlink_to(os.ttyname(terminal))
    os.close(terminal)
    return meter


async def test_a_serial_port_vanishes_and_returns(tmp_path: Path) -> None:
    port = tmp_path / "hdlc-1"
    link = make_link(SerialLink(path=str(port), baud=19200))
    with pytest.raises(LineDownError, match=r"The serial port .*hdlc-1 cannot be opened"):
        await link.open()
    for _ in range(2):
        meter = plug_in(port)
        await link.open()
        await link.write(b"question")
        assert os.read(meter, 100) == b"question"
        os.write(meter, b"answer")
        assert await link.read(1.0) == b"answer"
        with pytest.raises(TimeoutError):
            await link.read(0.01)
        os.close(meter)
        with pytest.raises(LineDownError, match=r"The serial port .*hdlc-1 (broke|was closed)"):
            await link.read(1.0)
        await link.close()
    with pytest.raises(LineDownError, match="is not open"):
        await link.write(b"question")


async def test_a_serial_port_goes_on_at_another_speed(tmp_path: Path) -> None:
    port = tmp_path / "iec-1"
    meter = plug_in(port)
    link = make_link(SerialLink(path=str(port), baud=300))
    with pytest.raises(LineDownError, match="is not open"):
        await link.set_speed(9600)
    await link.open()
    assert termios.tcgetattr(meter)[4:6] == [termios.B300, termios.B300]
    assert await link.set_speed(9600)
    os.write(meter, b"answer")
    assert termios.tcgetattr(meter)[4:6] == [termios.B9600, termios.B9600]
    assert await link.read(1.0) == b"answer"
    os.close(meter)
    await link.close()


async def test_a_tcp_peer_vanishes_and_returns() -> None:
    async def meter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"answer to " + await reader.readexactly(8))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(meter, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = make_link(TcpLink(host="127.0.0.1", port=port))
    for _ in range(2):
        await link.open()
        assert not await link.set_speed(9600)
        await link.write(b"question")
        assert await link.read(1.0) == b"answer to question"
        with pytest.raises(LineDownError, match=f"127.0.0.1:{port} was closed by the other side"):
            await link.read(1.0)
        await link.close()
    server.close()
    await server.wait_closed()
    with pytest.raises(LineDownError, match=f"127.0.0.1:{port} cannot be opened"):
        await link.open()


async def test_a_port_that_cannot_drive_rs485_says_so(tmp_path: Path) -> None:
    port = tmp_path / "rtu-1"
    meter = plug_in(port)
    link = make_link(SerialLink(path=str(port), baud=9600, rs485=True))
    with pytest.raises(LineDownError, match=r"rtu-1 cannot be opened: .*does not switch.*leave rs485 out"):
        await link.open()
    os.close(meter)


async def test_the_time_of_the_last_octet_is_known(tmp_path: Path) -> None:
    port = tmp_path / "rtu-1"
    meter = plug_in(port)
    link = make_link(SerialLink(path=str(port), baud=9600))
    await link.open()
    before = time.monotonic()
    os.write(meter, b"answer")
    await asyncio.sleep(0.02)
    came = time.monotonic()
    assert await link.read(0.0) == b"answer"
    assert before <= link.received_at <= came
    os.close(meter)
    await link.close()


async def test_octets_of_a_held_link_come_by_callback() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (data := await reader.read(100)) not in (b"", b"bye"):
            writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = make_link(TcpLink(host="127.0.0.1", port=server.sockets[0].getsockname()[1]))
    with pytest.raises(LineDownError, match="is not open"):
        link.hold(None, None)
    await link.open()
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    link.hold(heard.set_result, lost.set_result)
    link.send(b"held")
    assert await heard == b"HELD"
    link.hold(None, lost.set_result)
    link.send(b"question")
    assert await link.read(1.0) == b"QUESTION"
    link.send(b"bye")
    assert "was closed by the other side" in await lost
    await link.close()
    server.close()
    await server.wait_closed()


async def test_octets_gather_and_are_kept(tmp_path: Path) -> None:
    port = tmp_path / "rtu-1"
    meter = plug_in(port)
    link = make_link(SerialLink(path=str(port), baud=9600))
    await link.open()
    for octet in b"answer":
        os.write(meter, bytes([octet]))
        await link.let_gather(0.002)
    assert await link.read(1.0) == b"answer"
    os.close(meter)
    await link.close()
