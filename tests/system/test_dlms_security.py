"""Ciphered meters in a process of their own, read by the agent's driver over a pseudo-terminal and TCP; and invocation
counters of a process that is killed.
"""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from edge.bus.line import Line
from edge.bus.link import make_link
from edge.bus.timing import line_timing
from edge.config import BusConfig, DeviceConfig
from edge.dlms.counters import CounterStore
from edge.drivers.dlms import DlmsDriver
from edge.drivers.keyring import KeyRing
from edge.drivers.port import DayPart, ProfileDay
from shared.clock import ENVIRONMENT_VARIABLE, SharedClockControl, SystemClock
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from tests.system.test_sims import dlms, free_port, wait_for

GUEK, GAK = bytes(range(16)), bytes(range(0xD0, 0xE0))
TITLE: Final = "525A560000000001"
DAY: Final = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 29))
"""The day of 92 quarter-hours."""
KILLS: Final = 12


def secured(id: str, seed: int, security: dict[str, Any], **address: int) -> dict[str, Any]:
    demanded = {"encryption_key": GUEK.hex(), "authentication_key": GAK.hex(), "last_counter": 5000, **security}
    return {**dlms(id, seed, **address), "security": {"1": demanded}, "max_pdu": 400, "general_blocks": _window(id)}


def _window(id: str) -> int:
    return GENERAL_BLOCKS.get(id[2:], 0)


METERS: Final = [
    ("both", {}, {"counter": "0-0:43.1.0"}),
    ("authenticated", {"suite": 1, "protection": "authenticated"}, {}),
    ("dedicated", {"suite": 1}, {"dedicated": True, "general": True}),
    ("proof-only", {"protection": "none"}, {}),
]
"""Name, what the meter demands, and what the configuration adds to the same."""
GENERAL_BLOCKS: Final = {"dedicated": 6, "proof-only": 1}
"""Window of general block transfer by name; the others use the blocks of each service."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A running process with four ciphered meters on a pseudo-terminal and the same four behind a port."""
    folder = tmp_path_factory.mktemp("secured")
    port, clock = free_port(), SharedClockControl(folder / "clock")
    clock.set(datetime.fromisoformat("2026-03-30T12:00:00+02:00"))
    serial = [
        secured(f"H-{name}", n, demanded, server=1, physical=17 + n) for n, (name, demanded, _) in enumerate(METERS)
    ]
    tcp = [secured(f"W-{name}", n, demanded, wport=1 + n) for n, (name, demanded, _) in enumerate(METERS)]
    pty = {"name": "hdlc", "kind": "pty", "link": str(folder / "hdlc"), "baud": 115_200, "protocol": "hdlc"}
    listener = {"name": "wrapper", "kind": "tcp", "port": port, "protocol": "dlms-wrapper"}
    scenario = {
        "seed": 1,
        "origin": "2026-01-01T00:00:00+01:00",
        "statistics": str(folder / "statistics.json"),
        "lines": [{**pty, "meters": serial}, {**listener, "meters": tcp}],
    }
    (folder / "scenario.json").write_text(json.dumps(scenario))
    for name, key in (("guek", GUEK), ("gak", GAK)):
        (folder / name).write_bytes(key)
        (folder / name).chmod(0o600)
    environment = {**os.environ, ENVIRONMENT_VARIABLE: str(folder / "clock")}
    process = subprocess.Popen(
        [sys.executable, "-m", "firmware_sims", str(folder / "scenario.json")], env=environment, text=True
    )
    try:
        wait_for((folder / "hdlc").exists)
        wait_for(lambda: _listens(port))
        yield folder, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def config(folder: Path, name: str, demanded: dict[str, Any], more: dict[str, Any], **address: int) -> DeviceConfig:
    registers = [{"obis": "1-0:1.29.0", "unit": "Wh", "register": "1-0:1.29.0"}]
    profile = {"obis": "1-0:99.1.0", "step_s": 900, "since": "2026-03-01T00:00:00+01:00", "registers": registers}
    keys = {"encryption_key": {"file": str(folder / "guek")}, "authentication_key": {"file": str(folder / "gak")}}
    security = {"client_title": TITLE, **keys, **demanded, **more}
    described = {"id": name, "model": "dlms", "address": {"client": 1, **address}, "general_blocks": _window(name)}
    return msgspec.convert({**described, "profile": profile, "security": security}, DeviceConfig)


async def read_a_day(link: dict[str, Any], protocol: str, device: DeviceConfig, folder: Path) -> ProfileDay:
    """As the agent does it, but for the bus's queue."""
    bus = msgspec.convert({"name": "x", "link": link, "protocol": protocol, "devices": []}, BusConfig)
    opened = make_link(bus.link)
    line = Line(opened, line_timing(bus.protocol, bus.link.baud), time.monotonic)
    driver = DlmsDriver(device, protocol, SystemClock(), KeyRing(folder / "counters.sqlite", SystemClock()))
    assert device.profile is not None
    await opened.open()
    try:
        async with driver.session(line) as meter:
            return await meter.read_day(device.profile, DayPart.whole(DAY))
    finally:
        await opened.close()


@pytest.mark.parametrize(("name", "demanded", "more"), METERS, ids=[name for name, *_ in METERS])
async def test_a_ciphered_meter_is_read_over_both_links(
    site: tuple[Path, int], name: str, demanded: dict[str, Any], more: dict[str, Any]
) -> None:
    folder, port = site
    n = [each for each, *_ in METERS].index(name)
    serial = config(folder, f"H-{name}", demanded, more, server=1, physical=17 + n)
    tcp = config(folder, f"W-{name}", demanded, more, server=1 + n)
    pty = {"kind": "serial", "path": str(folder / "hdlc"), "baud": 115_200}
    over_hdlc = await read_a_day(pty, "hdlc", serial, folder)
    over_tcp = await read_a_day({"kind": "tcp", "host": "127.0.0.1", "port": port}, "dlms-wrapper", tcp, folder)
    assert DAY.length == 92
    for rows in (over_hdlc, over_tcp):
        assert rows.start_ms == [int(DAY.instant(index).timestamp()) * 1000 for index in range(DAY.length)]
        assert None not in rows.columns["1-0:1.29.0"]
    assert over_hdlc.columns == over_tcp.columns  # the two have the same load


_USER: Final = """
import os, sys
from edge.dlms.counters import CounterStore
counter = CounterStore(sys.argv[1], 8).counter(b"RZV00001", bytes(16))
wire = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    os.write(wire, b"%d\\n" % counter.next())
"""


async def test_no_counter_goes_out_twice_whenever_the_process_is_killed(tmp_path: Path) -> None:
    """Blocks of 8, so that a kill often falls into a reservation."""
    path, wire = tmp_path / "counters.sqlite", tmp_path / "wire"
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(KILLS):
        size = wire.stat().st_size if wire.exists() else 0
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _USER, str(path), str(wire))
        wait_for(lambda size=size: wire.exists() and wire.stat().st_size > size)
        await asyncio.sleep(chance.uniform(0, 0.05))
        process.kill()
        await process.wait()
    sent = [int(line) for line in wire.read_text().split()]
    assert len(sent) > KILLS
    assert all(earlier < later for earlier, later in pairwise(sent)), f"seed {seed}"
    assert CounterStore(path).counter(b"RZV00001", bytes(16)).next() > sent[-1]
