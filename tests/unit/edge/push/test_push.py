"""Pushes over real TCP: whose they are, what they mean, and that nothing ends the listener."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge import inspect
from edge.config import EdgeConfig, KeySource
from edge.outbox.outbox import Outbox
from edge.push.listener import PushListener
from shared.clock import EPOCH
from shared.dlms import axdr
from shared.dlms.ciphering import AUTHENTICATED, ENCRYPTED, CipheredApdu, Keys, encode_ciphered, protect
from shared.dlms.datetime12 import encode_datetime
from shared.dlms.notification import DataNotification
from shared.dlms.wrapper import WrapperFrame
from shared.metering_day import PRAGUE
from shared.testing import ManualClock
from shared.wire import Record
from tests.unit.edge.examples import config_data, edge_config

NOW = datetime(2026, 3, 1, 10, 5, tzinfo=UTC)
NOW_MS = (NOW - EPOCH) // (datetime.resolution * 1000)
KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))
TITLE = b"RZV\0\0\0\0\1"
OBJECTS = [{"obis": "0-0:42.0.0", "class_id": 1}, {"obis": "0-0:96.11.0", "class_id": 1, "name": "code"}]


def config(*, ciphered: bool = False) -> EdgeConfig:
    data = config_data()
    data["push"] = {"host": "127.0.0.1", "port": 0}
    device = data["buses"][2]["devices"][0]
    device["push"] = {"source": None if ciphered else "127.0.0.1", "objects": OBJECTS}
    if ciphered:
        device["security"] = {
            "client_title": "525A560000000000",
            "encryption_key": {"file": "guek"},
            "authentication_key": {"file": "gak"},
            "meter_title": TITLE.hex(),
        }
    return edge_config(data)


def read_key(source: KeySource, field: str) -> bytes:
    return KEYS.encryption if source.file == "guek" else KEYS.authentication


class Rig:
    def __init__(self, path: Path, listener: PushListener) -> None:
        self.path, self.listener = path, listener

    async def send(self, *octets: bytes) -> None:
        """Over one connection, which the listener has read to its end when this returns."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        for each in octets:
            writer.write(each)
            await writer.drain()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()

    @property
    def records(self) -> list[Record]:
        return inspect.committed_records(self.path)


@asynccontextmanager
async def rig(path: Path, current: EdgeConfig) -> AsyncIterator[Rig]:
    file = path / "outbox.sqlite"
    outbox = await Outbox.open(file)
    listener = PushListener(lambda: current, outbox, ManualClock(NOW), lambda _: read_key)
    task = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(5):
            while not listener.port:
                await asyncio.sleep(0.001)
        yield Rig(file, listener)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()


def notification(number: int = 1, code: int = 21, at: bytes = b"") -> bytes:
    body = axdr.structure(axdr.octet_string(b"RZV0000000000001"), axdr.uint16(code))
    return DataNotification(number, at, body).encode()


def framed(apdu: bytes) -> bytes:
    return WrapperFrame(1, 103, apdu).encode()


def ciphered(counter: int, plain: bytes, keys: Keys = KEYS, title: bytes = TITLE) -> bytes:
    body = protect(AUTHENTICATED | ENCRYPTED, title, counter, keys, plain)
    return framed(encode_ciphered(CipheredApdu(None, False, title, body)))


async def test_a_push_is_a_record(tmp_path: Path) -> None:
    at = encode_datetime(datetime(2026, 3, 1, 10, 0, tzinfo=UTC).astimezone(PRAGUE))
    whole = framed(notification(7)) + framed(notification(8, 22, at))
    async with rig(tmp_path, config()) as here:
        await here.send(whole[:5], whole[5:40], whole[40:])
        assert [(record.kind, record.device, record.at) for record in here.records] == [
            ("push", "GA-1", NOW_MS),
            ("push", "GA-1", NOW_MS - 300_000),
        ]
        assert here.records[0].data == {"number": 7, "0-0:42.0.0/2": "RZV0000000000001", "code": 21}
        assert here.listener.counts.taken == 2


Sent = Callable[[], bytes]


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        (lambda: b"GET / HTTP/1.1\r\n\r\n", "undecodable"),
        (lambda: framed(b""), "undecodable"),
        (lambda: framed(b"\xc4\x01\x00"), "undecodable"),
        (lambda: framed(notification()[:-1]), "undecodable"),
        (lambda: framed(DataNotification(1, b"", axdr.uint8(5)).encode()), "undecodable"),  # one value instead of two
        (lambda: ciphered(1, notification()), "unknown"),
        (lambda: framed(notification())[:-3], "undecodable"),  # cut off by the end of the connection
    ],
)
async def test_what_is_not_understood_is_counted_and_ends_nothing(tmp_path: Path, sent: Sent, counted: str) -> None:
    async with rig(tmp_path, config()) as here:
        await here.send(sent())
        assert getattr(here.listener.counts, counted) == 1
        await here.send(framed(notification()))
        assert here.listener.counts.taken == 1
        assert len(here.records) == 1


async def test_a_ciphered_push_counts_once(tmp_path: Path) -> None:
    current = config(ciphered=True)
    async with rig(tmp_path, current) as here:
        await here.send(ciphered(5, notification(1)), ciphered(6, notification(2)))
        await here.send(ciphered(6, notification(2)), ciphered(5, notification(1)))  # recorded and replayed
        counts = here.listener.counts
        assert (counts.taken, counts.repeated) == (2, 2)
    async with rig(tmp_path, current) as again:  # what is known of its counter survives
        await again.send(ciphered(6, notification(2)))
        assert (again.listener.counts.taken, again.listener.counts.repeated) == (0, 1)
        assert len(again.records) == 2


async def test_who_must_cipher_is_not_heard_in_plain_nor_with_other_keys(tmp_path: Path) -> None:
    other: Any = Keys(bytes(16), KEYS.authentication)
    async with rig(tmp_path, config(ciphered=True)) as here:
        await here.send(
            framed(notification()), ciphered(1, notification(), other), ciphered(1, b"\x0f", title=bytes(8))
        )
        assert (here.listener.counts.unknown, here.listener.counts.undecodable) == (2, 1)
        assert here.records == []


async def test_another_configuration_moves_the_listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.push.listener.LOOK_S", 0.002)
    listening, silent = config(), edge_config(config_data())
    current = silent
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    listener = PushListener(lambda: current, outbox, ManualClock(NOW), lambda _: read_key)
    task = asyncio.create_task(listener.run())
    here = Rig(tmp_path / "outbox.sqlite", listener)

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                await asyncio.sleep(0.001)

    try:
        for number in (1, 2):
            current = listening
            await until(lambda: listener.port != 0)
            await here.send(framed(notification(number)))
            assert listener.counts.taken == number
            before, current = listener.port, silent
            await until(lambda: listener.port == 0)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", before)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()


async def test_an_open_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with asyncio.timeout(5):
        async with rig(tmp_path, config()) as here:
            _, writer = await asyncio.open_connection("127.0.0.1", here.listener.port)
            writer.write(framed(notification()))
            await writer.drain()
            while not here.listener.counts.taken:
                await asyncio.sleep(0.001)
        writer.close()
    assert here.listener.counts.taken == 1


async def test_a_port_that_cannot_be_had_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.push.listener.LOOK_S", 0.002)
    current = config()
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    data = config_data()
    data["push"] = {"host": "127.0.0.1", "port": port}
    configs = [edge_config(data)]
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    listener = PushListener(lambda: configs[-1], outbox, ManualClock(NOW), lambda _: read_key)
    task = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(5):
            while not listener.failures:
                await asyncio.sleep(0.001)
            assert not task.done()
            configs.append(current)  # a port of its own
            while not listener.port:
                await asyncio.sleep(0.001)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
        taken.close()
    assert listener.port != port


async def test_the_same_push_over_two_connections_at_once_counts_once(tmp_path: Path) -> None:
    async with rig(tmp_path, config(ciphered=True)) as here:
        again = ciphered(5, notification(1))
        await asyncio.gather(*(here.send(again) for _ in range(8)))
        assert (here.listener.counts.taken, here.listener.counts.repeated) == (1, 7)
        assert len(here.records) == 1
