"""Parts for system tests of ingest: a registry, ingest processes, and a concentrator that only sends and listens."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiomqtt
import psycopg
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from shared.quantities import Kind
from shared.wire import (
    Ack,
    Birth,
    Block,
    Key,
    Record,
    Welcome,
    ack_topic,
    data_topic,
    decode_message,
    encode_batch,
    encode_birth,
    pack_batch,
    state_topic,
    user_properties,
)

ROOT = Path(__file__).resolve().parent.parent.parent
QUARTER_MS = 900_000
MIDNIGHT_MS = 1_772_406_000_000
"""2 March 2026 00:00 in Prague."""
LOAD = Key("LU-1", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)
STATE = Key("LU-1", "1-0:1.8.0", "Wh", 1, Kind.STATE)


def create_channels(url: str, edges: Sequence[str] = ("CONC-1",), meters: int = 1) -> None:
    """`meters` meters at each edge (LU-1 ... at the first, <edge>-1 ... at the others) with a load and a state."""
    with psycopg.connect(url) as connection:
        for place, edge in enumerate(edges):
            connection.execute("INSERT INTO concentrator (id, name, place) VALUES (%s, %s, '')", [edge, edge])
            for number in range(1, meters + 1):
                device = device_of(edge if place else None, number)
                connection.execute(
                    "INSERT INTO meter (id, serial, model, commodity, concentrator) VALUES (%s, %s, 'dlms', "
                    "'electricity', %s)",
                    [device, device, edge],
                )
                create_channel(connection, edge, device, LOAD.register, "interval", QUARTER_MS)
                create_channel(connection, edge, device, STATE.register, "state", 0)


def device_of(edge: str | None, number: int) -> str:
    """Name of the n-th meter of an edge; None: of the first edge."""
    return f"LU-{number}" if edge is None else f"{edge}-{number}"


def create_channel(
    connection: "psycopg.Connection[tuple[object, ...]]", edge: str, device: str, register: str, kind: str, step_ms: int
) -> None:
    """One register of a meter that exists; values 0 to 100,000 (states: from 0)."""
    connection.execute(
        "INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms, min_value, "
        "max_value) VALUES (%s, %s, %s, 'Wh', %s, %s, %s, 0, %s)",
        [edge, device, register, int(kind == "state"), kind, step_ms, None if kind == "state" else 100_000],
    )


def rows(url: str, query: str, *parameters: object) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with psycopg.connect(url) as connection:
        return list(connection.execute(query.encode(), parameters).fetchall())


def number(url: str, query: str, *parameters: object) -> int:
    """The one number that a query gives."""
    value = rows(url, query, *parameters)[0][0]
    assert isinstance(value, int)
    return value


class IngestProcess:
    """`python -m central ingest`, to be killed and started at will."""

    def __init__(self, url: str, mqtt_url: str, home: Path) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ROZVODNA_")},
            "ROZVODNA_DATABASE_URL": url,
            "ROZVODNA_MQTT_URL": mqtt_url,
            "ROZVODNA_HOME": str(home),
            "ROZVODNA_LOG_LEVEL": "warning",
        }
        self._home = home
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait_until_ready` says when it listens."""
        self.process = subprocess.Popen([sys.executable, "-m", "central", "ingest"], env=self._environment, cwd=ROOT)

    def status(self) -> dict[str, object]:
        """What it says of itself, {} before the first word."""
        assert self.process is not None
        path = self._home / "status" / f"ingest-{self.process.pid}.json"
        found: dict[str, object] = json.loads(path.read_bytes()) if path.exists() else {}
        return found

    def wait_until_ready(self, within_s: float = 60.0) -> None:
        """Until it is subscribed."""
        end = time.monotonic() + within_s
        while not self.status().get("broker_connected"):
            assert self.process is not None and self.process.poll() is None, "ingest ended"
            assert time.monotonic() < end, "ingest did not connect"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def ingest_process(url: str, mqtt_url: str, home: Path, *, ready: bool = True) -> Iterator[IngestProcess]:
    """A running ingest process, stopped in order at the end."""
    process = IngestProcess(url, mqtt_url, home)
    process.start()
    try:
        if ready:
            process.wait_until_ready()
        yield process
    finally:
        if process.process is not None and process.process.poll() is None:
            process.stop()


class Concentrator:
    """Sends batches under numbers, again and again until they are acknowledged, as an agent does; keeps all answers."""

    def __init__(self, edge: str, client: aiomqtt.Client, epoch: int) -> None:
        self.edge = edge
        self.epoch = epoch
        self.acks: list[Ack] = []
        self.welcomes: list[Welcome] = []
        self.acknowledged: set[int] = set()
        self._client = client
        self._heard = asyncio.Event()

    async def listen(self) -> None:
        """Take in answers until cancelled."""
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes | bytearray)
            answer = decode_message(bytes(message.payload))
            if isinstance(answer, Welcome):
                self.welcomes.append(answer)
            else:
                self.acks.append(answer)
                if answer.epoch == self.epoch:
                    self.acknowledged.update(range(1, answer.upto + 1))
                    for first, last in answer.beyond:
                        self.acknowledged.update(range(first, last + 1))
            self._heard.set()

    async def publish(
        self, seq: int, body: bytes, properties: list[tuple[str, str]] | None = None, epoch: int | None = None
    ) -> None:
        """One data message."""
        named = Properties(PacketTypes.PUBLISH)
        named.UserProperty = (
            user_properties(self.edge, self.epoch if epoch is None else epoch, seq)
            if properties is None
            else properties
        )
        await self._client.publish(data_topic(self.edge), body, qos=1, properties=named)

    async def send(self, seq: int, blocks: Sequence[Block], records: Sequence[Record] = ()) -> None:
        """One batch."""
        await self.publish(seq, encode_batch(pack_batch(blocks, records)))

    async def be_born(self, birth: Birth) -> None:
        """Publish a birth, retained."""
        await self._client.publish(state_topic(self.edge), encode_birth(birth), qos=1, retain=True)

    async def forget_birth(self) -> None:
        """Remove the retained birth from the broker."""
        await self._client.publish(state_topic(self.edge), b"", qos=1, retain=True)

    async def until(self, condition: Callable[[], object], within_s: float = 20.0) -> None:
        """Wait until a condition over what was heard holds."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def until_acknowledged(self, *numbers: int, within_s: float = 20.0) -> None:
        """Wait for these numbers."""
        await self.until(lambda: self.acknowledged >= set(numbers), within_s)


@asynccontextmanager
async def concentrator(
    edge: str, host: str, port: int, password: str, epoch: int = 0xE000_0000_0000_0001
) -> AsyncIterator[Concentrator]:
    """A connected concentrator."""
    async with aiomqtt.Client(
        host,
        port,
        username=edge,
        password=password,
        protocol=aiomqtt.ProtocolVersion.V5,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:
        await client.subscribe(ack_topic(edge), qos=1)
        one = Concentrator(edge, client, epoch)
        listening = asyncio.create_task(one.listen())
        try:
            yield one
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
