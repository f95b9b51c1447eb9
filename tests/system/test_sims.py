"""The simulated meters as a process of their own: real pseudo-terminals, real TCP, foreign clients, one clock."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerRTU

from edge.bus.link import make_link
from edge.config import SerialLink, TcpLink
from edge.dlms.reader import DlmsReader, LinkSettings
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from firmware_sims.truth_log import read_truth_log
from shared.clock import ENVIRONMENT_VARIABLE, SharedClockControl
from shared.identifiers import Obis

NOON = datetime.fromisoformat("2026-03-30T12:00:00+02:00")
QUARTER = timedelta(minutes=15)
BAUD_HDLC, BAUD_RTU, BITS = 115_200, 19_200, 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def dlms(id: str, seed: int, **address: int) -> dict[str, Any]:
    return {
        "id": id,
        "model": "dlms",
        "address": address,
        "channels": [
            {
                "register": "1-0:1.29.0",
                "state": "1-0:1.8.0",
                "load": {"kind": "shift", "mean_w": 42000, "seed": seed},
                "initial": 1000 * seed,
            },
            {
                "register": "1-0:3.29.0",
                "state": "1-0:3.8.0",
                "load": {"kind": "inductive", "of": "1-0:1.29.0"},
            },
        ],
    }


def sdm(id: str, unit: int) -> dict[str, Any]:
    return {
        "id": id,
        "model": "sdm630",
        "unit": unit,
        "channels": [{"register": "import", "load": {"kind": "retail", "mean_w": 3000, "seed": unit}, "initial": 7000}],
    }


class Sims:
    """The running process, its scenario and its truth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SharedClockControl(folder / "clock")
        self.clock.set(NOON)
        self.wrapper_port, self.modbus_port = free_port(), free_port()
        self.path = folder / "scenario.json"
        self.path.write_text(
            json.dumps(
                {
                    "seed": 1,
                    "origin": "2026-01-01T00:00:00+01:00",
                    "truth": str(folder / "truth.jsonl"),
                    "statistics": str(folder / "statistics.json"),
                    "lines": [
                        {
                            "name": "hdlc-1",
                            "kind": "pty",
                            "link": str(folder / "hdlc-1"),
                            "baud": BAUD_HDLC,
                            "protocol": "hdlc",
                            "meters": [
                                dlms("LU-1", 1, server=1, physical=17),
                                dlms("LU-2", 2, server=1, physical=18),
                            ],
                        },
                        {
                            "name": "rtu-1",
                            "kind": "pty",
                            "link": str(folder / "rtu-1"),
                            "baud": BAUD_RTU,
                            "protocol": "modbus-rtu",
                            "meters": [sdm("NN-5", 5), sdm("NN-6", 6)],
                        },
                        {
                            "name": "wrapper",
                            "kind": "tcp",
                            "port": self.wrapper_port,
                            "protocol": "dlms-wrapper",
                            "meters": [dlms("LU-3", 3, wport=1), dlms("LU-4", 4, wport=2)],
                        },
                        {
                            "name": "modbus",
                            "kind": "tcp",
                            "port": self.modbus_port,
                            "protocol": "modbus-tcp",
                            "meters": [sdm("NN-15", 15), sdm("NN-16", 16)],
                        },
                    ],
                }
            )
        )
        self.truth = Truth(load_scenario(self.path))
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        environment = os.environ | {ENVIRONMENT_VARIABLE: str(self.folder / "clock")}
        process = subprocess.Popen(
            [sys.executable, "-m", "firmware_sims", str(self.path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.stderr.read() if process.stderr else ""
        return process

    def end(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            for pipe in (self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()

    def statistics(self) -> dict[str, dict[str, Any]]:
        """What the host counts now, by line."""
        path = self.folder / "statistics.json"
        path.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait_for(path.exists)
        return {line["name"]: line for line in json.loads(path.read_text())["lines"]}


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def sims(tmp_path: Path) -> Iterator[Sims]:
    running = Sims(tmp_path)
    yield running
    if running.process.poll() is None:
        running.end()


class RawLine:
    """A master's side of a pseudo-terminal, octet by octet."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def write(self, data: bytes) -> None:
        assert os.write(self._fd, data) == len(data)

    async def read(self, count: int, seconds: float = 5) -> bytes:
        """`count` octets, or fewer when the time is over."""
        data = b""
        deadline = time.monotonic() + seconds
        while len(data) < count and time.monotonic() < deadline:
            try:
                data += os.read(self._fd, count - len(data))
            except BlockingIOError:
                await asyncio.sleep(0.0005)
        return data

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def rtu(sims: Sims) -> Iterator[RawLine]:
    line = RawLine(sims.folder / "rtu-1")
    yield line
    line.close()


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    frame = bytes([unit]) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def read_request(unit: int, address: int, count: int) -> bytes:
    return rtu_frame(unit, struct.pack(">BHH", 4, address, count))


def tens_of_wh(words: list[int]) -> int:
    kwh: float = struct.unpack(">f", struct.pack(">HH", *words))[0]
    return round(kwh * 100)


@asynccontextmanager
async def reader(config: SerialLink | TcpLink, settings: LinkSettings) -> AsyncIterator[DlmsReader]:
    link = make_link(config)
    await link.open()
    try:
        async with DlmsReader(link, settings) as meter:
            yield meter
    finally:
        await link.close()


async def test_pymodbus_reads_over_tcp(sims: Sims) -> None:
    async with AsyncModbusTcpClient("127.0.0.1", port=sims.modbus_port, timeout=20) as client:
        for unit in (15, 16):
            answer = await client.read_input_registers(0x48, count=2, device_id=unit)
            assert tens_of_wh(list(answer.registers)) == sims.truth.state_at(f"NN-{unit}", "import", NOON)
            serial = await client.read_holding_registers(0xFC00, count=2, device_id=unit)
            assert list(serial.registers) == [0, unit]
        too_many = await client.read_input_registers(0, count=81, device_id=15)
        assert (too_many.isError(), too_many.exception_code) == (True, 3)
        outside = await client.read_input_registers(200, count=2, device_id=15)
        assert outside.exception_code == 2
        written = await client.write_register(0, 1, device_id=15)
        assert written.exception_code == 1


async def test_two_tcp_masters_at_once(sims: Sims) -> None:
    async def energy(unit: int) -> list[int]:
        async with AsyncModbusTcpClient("127.0.0.1", port=sims.modbus_port, timeout=20) as client:
            answers = [await client.read_input_registers(0x48, count=2, device_id=unit) for _ in range(20)]
            return [tens_of_wh(list(answer.registers)) for answer in answers]

    for unit, values in zip((15, 16), await asyncio.gather(energy(15), energy(16)), strict=True):
        assert set(values) == {sims.truth.state_at(f"NN-{unit}", "import", NOON)}


async def test_rtu_line_is_paced_and_exact(sims: Sims, rtu: RawLine) -> None:
    wire_s = (8 + 3.5 + 165) * BITS / BAUD_RTU + 0.005
    for unit in (5, 6):
        began = time.monotonic()
        rtu.write(read_request(unit, 0, 80))
        answer = await rtu.read(165)
        assert time.monotonic() - began >= wire_s
        assert answer == rtu_frame(unit, answer[1:-2])
        words = list(struct.unpack(">80H", answer[3:-2]))
        assert tens_of_wh(words[0x48:0x4A]) == sims.truth.state_at(f"NN-{unit}", "import", NOON)
        await asyncio.sleep(0.01)
    counts = sims.statistics()["rtu-1"]
    assert (counts["requests"], counts["answers"], counts["collisions"], counts["short_gaps"]) == (2, 2, 0, 0)
    assert (counts["octets_in"], counts["octets_out"]) == (16, 330)


async def test_rtu_line_counts_collisions(sims: Sims, rtu: RawLine) -> None:
    collisions = 0
    for attempt in range(1, 6):
        rtu.write(read_request(5, 0, 80))
        assert await rtu.read(1) == b"\x05"
        rtu.write(read_request(6, 0, 80))  # into the answer, which takes 86 ms: a busy machine may miss it
        assert (await rtu.read(164))[:2] == b"\x04\xa0"
        counts = sims.statistics()["rtu-1"]
        collisions = counts["collisions"]
        assert (counts["octets_collided"], counts["requests"]) == (8 * collisions, 2 * attempt - collisions)
        if collisions:
            break
        await rtu.read(165)
    assert collisions == 1


async def test_rtu_line_keeps_silent(sims: Sims, rtu: RawLine) -> None:
    for bad in (read_request(99, 0, 2), read_request(5, 0, 2)[:-1] + b"\x00", b"\x05\x04"):
        rtu.write(bad)
        assert await rtu.read(1, 0.2) == b""
    for piece in struct.unpack("8c", read_request(5, 0x48, 2)):
        rtu.write(piece)
        await asyncio.sleep(0.003)
    assert len(await rtu.read(9)) == 9, "a frame that the machine delivers in pieces is one frame"


async def test_hdlc_answers_take_their_wire_time(sims: Sims) -> None:
    hdlc = SerialLink(path=str(sims.folder / "hdlc-1"), baud=BAUD_HDLC)
    profile = Obis.parse("1-0:99.1.0")
    start = datetime.fromisoformat("2026-03-29T00:00:00+01:00")
    before = sims.statistics()["hdlc-1"]
    began = time.monotonic()
    async with reader(hdlc, LinkSettings("hdlc", physical=17)) as meter:
        rows = await meter.read_profile(profile, start, start + timedelta(hours=23))
    took = time.monotonic() - began
    after = sims.statistics()["hdlc-1"]
    assert len(rows.columns[Obis.parse("1-0:1.29.0")].values) == 92
    octets = after["octets_in"] + after["octets_out"] - before["octets_in"] - before["octets_out"]
    turnarounds = after["answers"] - before["answers"]
    assert after["octets_out"] > 2000
    assert took >= octets * BITS / BAUD_HDLC + turnarounds * 0.005
    assert (after["collisions"], after["octets_unread"]) == (0, 0)


async def test_two_meters_on_one_hdlc_line(sims: Sims) -> None:
    hdlc = SerialLink(path=str(sims.folder / "hdlc-1"), baud=BAUD_HDLC)
    start = datetime.fromisoformat("2026-03-28T00:00:00+01:00")
    for id, physical in (("LU-1", 17), ("LU-2", 18)):
        async with reader(hdlc, LinkSettings("hdlc", physical=physical)) as meter:
            state = await meter.read_register(Obis.parse("1-0:1.8.0"))
            clock = await meter.read_clock()
            rows = await meter.read_profile(Obis.parse("1-0:99.1.0"), start, start + timedelta(days=1))
        assert (state.value, state.unit) == (sims.truth.state_at(id, "1-0:1.8.0", NOON), "Wh")
        assert clock.at == NOON
        for register in ("1-0:1.29.0", "1-0:3.29.0"):
            expected = sims.truth.interval_values(id, register, start, start + timedelta(days=1))
            assert list(rows.columns[Obis.parse(register)].values) == expected


async def test_two_meters_behind_one_wrapper_port(sims: Sims) -> None:
    tcp = TcpLink(host="127.0.0.1", port=sims.wrapper_port)
    for id, wport in (("LU-3", 1), ("LU-4", 2)):
        async with reader(tcp, LinkSettings("dlms-wrapper", server=wport)) as meter:
            state = await meter.read_register(Obis.parse("1-0:1.8.0"))
        assert state.value == sims.truth.state_at(id, "1-0:1.8.0", NOON)


async def test_the_clock_stands_and_steps(sims: Sims) -> None:
    async def energy() -> int:
        async with AsyncModbusTcpClient("127.0.0.1", port=sims.modbus_port, timeout=20) as client:
            answer = await client.read_input_registers(0x48, count=2, device_id=15)
            return tens_of_wh(list(answer.registers))

    log = sims.folder / "truth.jsonl"
    stands = [NOON, NOON + QUARTER, NOON + 2 * QUARTER, datetime.fromisoformat("2026-04-01T00:00:00+02:00")]
    for number, instant in enumerate(stands, start=1):
        sims.clock.set(instant)
        assert await energy() == await energy() == sims.truth.state_at("NN-15", "import", instant)
        await until_lines(log, number * 4)
    lines = read_truth_log(log)
    assert len(lines) == len(stands) * 4, "four meters without memory; nothing for what was stepped over"
    for line in lines:
        assert line.value == sims.truth.state_at(line.meter, line.register, datetime.fromisoformat(line.instant))
    assert {datetime.fromisoformat(line.instant) for line in lines} == set(stands)


async def until_lines(log: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(read_truth_log(log)) < count:
        assert time.monotonic() < deadline, f"{log} has not got {count} lines in time"
        await asyncio.sleep(0.01)


async def test_ends_cleanly_and_starts_again(sims: Sims) -> None:
    link = sims.folder / "rtu-1"
    assert link.is_symlink()
    assert sims.end() == 0
    assert not link.is_symlink()
    assert json.loads((sims.folder / "statistics.json").read_text())["lines"][0]["name"] == "hdlc-1"
    sims.process = sims.start()
    line = RawLine(link)
    line.write(read_request(5, 0x48, 2))
    assert len(await line.read(9)) == 9
    line.close()
    # A killed host leaves its link behind; the next one takes it over.
    sims.process.kill()
    sims.end()
    assert link.is_symlink()
    sims.process = sims.start()
    line = RawLine(link)
    line.write(read_request(5, 0x48, 2))
    assert len(await line.read(9)) == 9
    line.close()


def test_a_wrong_scenario_ends_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text('{"seed": 1, "origin": "2026-01-01T00:00:00+01:00", "lines": [], "line": []}')
    ended = subprocess.run(
        [sys.executable, "-m", "firmware_sims", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert str(path) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_idle_host_does_not_work(sims: Sims) -> None:
    fields = Path(f"/proc/{sims.process.pid}/stat")

    def cpu_s() -> float:
        values = fields.read_text().rsplit(")", 1)[1].split()
        return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_s()
    time.sleep(1.5)
    assert cpu_s() - before < 0.15
