"""Mode C and mode E over real pseudo-terminals that keep the line's speed: a side at the wrong speed hears garbage."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.bus.line import Line
from edge.bus.link import make_link
from edge.bus.timing import line_timing
from edge.config import DeviceConfig, SerialLink, StateRegister, TcpLink, parse_config
from edge.drivers.dlms import DlmsDriver
from edge.drivers.iec62056 import Iec62056Driver
from edge.drivers.port import DayPart, MeterDriver
from edge.inspect import committed_blocks
from firmware_sims.host import Host
from firmware_sims.scenario import parse_scenario
from firmware_sims.truth import Truth
from shared.clock import EPOCH, SystemClock
from shared.metering_day import MeteringDay, day_of
from shared.quantities import Commodity, Unit
from tests.system.edge_rig import Rig
from tests.unit.edge.examples import config_data

pytestmark = pytest.mark.system

NOW = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
HOLE = datetime(2026, 3, 29, 10, 15, tzinfo=UTC)
DAY_OF_THE_HOLE = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 29))
CHANNELS = [
    {
        "register": "1-0:1.29.0",
        "state": "1-0:1.8.0",
        "load": {"kind": "shift", "mean_w": 42000, "seed": 1},
        "initial": 123_456,
    },
    {"register": "1-0:3.29.0", "state": "1-0:3.8.0", "load": {"kind": "inductive", "of": "1-0:1.29.0"}},
]
STATE = StateRegister(unit=Unit.WH, register="1-0:1.8.0", obis="1-0:1.8.0")


class StandingClock(SystemClock):
    """Noon on the day after summer time began."""

    def now(self) -> datetime:
        return NOW

    def now_ms(self) -> int:
        return (NOW - EPOCH) // timedelta(milliseconds=1)


def scenario(folder: Path, port: int) -> dict[str, Any]:
    mode_c = {"model": "iec62056-21", "password": "00000000", "channels": CHANNELS}
    return {
        "seed": 1,
        "origin": "2026-03-01T00:00:00+01:00",
        "lines": [
            {
                "name": "iec",
                "kind": "pty",
                "link": str(folder / "iec"),
                "protocol": "iec62056-21",
                "turnaround_ms": 20,
                "meters": [
                    {"id": "E1", "device": "11111111", "data_faults": {"lost": {"ends": [HOLE.isoformat()]}}, **mode_c},
                    {"id": "E2", "device": "22222222", "baud": 19200, "wrong_check_every": 2, **mode_c},
                ],
            },
            {
                "name": "server",
                "kind": "tcp",
                "port": port,
                "protocol": "iec62056-21",
                "meters": [{"id": "E3", "device": "33333333", **mode_c}],
            },
            {
                "name": "hdlc",
                "kind": "pty",
                "link": str(folder / "hdlc"),
                "protocol": "hdlc",
                "opening": "mode-e",
                "baud": 9600,
                "meters": [
                    {
                        "id": "H1",
                        "model": "dlms",
                        "address": {"server": 1, "physical": 17, "device": "44444444"},
                        "channels": CHANNELS,
                    }
                ],
            },
        ],
    }


@pytest.fixture
async def host(tmp_path: Path, free_port: int) -> AsyncIterator[Host]:
    host = Host(parse_scenario(json.dumps(scenario(tmp_path, free_port)).encode()), StandingClock())
    await host.open()
    yield host
    await host.close()


def device(folder: Path, **changes: Any) -> DeviceConfig:
    secret = folder / "password"
    secret.write_text("00000000\n")
    data = config_data()
    bus = data["buses"][0]
    described = bus["devices"][0]
    protocol = "hdlc" if "opening" in changes else "iec62056-21"
    if protocol == "iec62056-21":
        described.update(model="iec62056-21", password_file=str(secret))
    described.update(changes)
    bus.update(protocol=protocol, link={"kind": "serial", "path": "x", "baud": 9600})
    data["buses"] = [bus]
    return parse_config(json.dumps(data).encode(), "test.json").buses[0].devices[0]


@asynccontextmanager
async def line_on(link: SerialLink | TcpLink, protocol: str) -> AsyncIterator[Line]:
    line = Line(make_link(link), line_timing(protocol, link.baud), time.monotonic)
    await line.link.open()
    try:
        yield line
    finally:
        await line.link.close()


async def read_and_compare(driver: MeterDriver, config: DeviceConfig, line: Line, host: Host, meter: str) -> None:
    assert config.profile is not None
    async with driver.session(line) as session:
        (reading,) = await session.read_states([STATE])
    assert reading.value == host.truth.state_at(meter, "1-0:1.8.0", NOW)
    async with driver.session(line) as session:
        for day in (MeteringDay(Commodity.ELECTRICITY, date(2026, 3, d)) for d in (28, 29)):
            found = await session.read_day(config.profile, DayPart.whole(day))
            expected = [day.instant(n) for n in range(day.length)]
            values = host.truth.interval_values(meter, "1-0:1.29.0", day.start, day.end)
            if meter == "E1" and day.date.day == 29:
                place = expected.index(HOLE - day.step)
                del expected[place], values[place]
            assert [EPOCH + timedelta(milliseconds=start) for start in found.start_ms] == expected
            assert found.columns["1-0:1.29.0"] == values


def wire_of(host: Host, name: str) -> dict[str, Any]:
    return next(line for line in host.statistics() if line["name"] == name)


@pytest.mark.parametrize(("meter", "address"), [("E1", "11111111"), ("E2", "22222222")])
async def test_mode_c_on_a_serial_line(host: Host, tmp_path: Path, meter: str, address: str) -> None:
    config = device(tmp_path, address={"device": address})
    async with line_on(SerialLink(path=str(tmp_path / "iec"), baud=300), "iec62056-21") as line:
        await read_and_compare(Iec62056Driver(config, StandingClock()), config, line, host, meter)
    wire = wire_of(host, "iec")
    assert (wire["collisions"], wire["octets_at_wrong_speed"], wire["octets_unread"]) == (0, 0, 0)


async def test_mode_c_behind_a_serial_server(host: Host, tmp_path: Path, free_port: int) -> None:
    config = device(tmp_path, address={"device": "33333333"})
    async with line_on(TcpLink(host="127.0.0.1", port=free_port), "iec62056-21") as line:
        await read_and_compare(Iec62056Driver(config, StandingClock()), config, line, host, "E3")


async def test_mode_e_before_hdlc(host: Host, tmp_path: Path) -> None:
    address = {"client": 16, "server": 1, "physical": 17, "device": "44444444"}
    config = device(tmp_path, opening="mode-e", address=address)
    async with line_on(SerialLink(path=str(tmp_path / "hdlc"), baud=9600), "hdlc") as line:
        await read_and_compare(DlmsDriver(config, "hdlc", StandingClock()), config, line, host, "H1")
        assert line.timing.character_s == pytest.approx(10 / 9600)
    wire = wire_of(host, "hdlc")
    assert (wire["collisions"], wire["octets_at_wrong_speed"], wire["octets_unread"]) == (0, 0, 0)


def test_an_agent_reads_mode_c_and_mode_e_into_its_outbox(tmp_path: Path, free_port: int) -> None:
    """The whole concentrator, without a broker: what its meters hold of two days is committed."""
    rig = Rig(tmp_path, NOW)
    try:
        rig.start_simulators(scenario(tmp_path, free_port))
        truth = Truth(parse_scenario((tmp_path / "scenario.json").read_bytes()))
        secret = tmp_path / "password"
        secret.write_text("00000000\n")
        data = config_data()
        described = data["buses"][0]["devices"][0]
        described["profile"]["since"] = "2026-03-28T00:00:00+01:00"
        described["states"]["at"] = "quarter-hour"
        del described["address"]
        mode_c = {"model": "iec62056-21", "password_file": str(secret)}
        mode_e = {"opening": "mode-e", "address": {"server": 1, "physical": 17, "device": "44444444"}}
        data["buses"] = [
            {
                "name": "iec",
                "link": {"kind": "serial", "path": str(tmp_path / "iec"), "baud": 300},
                "protocol": "iec62056-21",
                "devices": [{**described, **mode_c, "id": "E1", "address": {"device": "11111111"}}],
            },
            {
                "name": "hdlc",
                "link": {"kind": "serial", "path": str(tmp_path / "hdlc"), "baud": 9600},
                "protocol": "hdlc",
                "devices": [{**described, **mode_e, "id": "H1"}],
            },
        ]
        outbox = rig.outbox("CONC-1")
        outbox.parent.mkdir()
        data["outbox"]["path"] = str(outbox)
        data["mqtt"]["port"] = 9  # nobody listens
        data["uplink"] = {"welcome_wait_s": 0.1}
        rig.start_agent(data)
        wanted = {
            (meter, day.start): truth.interval_values(meter, "1-0:1.29.0", day.start, day.end)
            for meter in ("E1", "H1")
            for day in (MeteringDay(Commodity.ELECTRICITY, date(2026, 3, d)) for d in (28, 29))
        }
        place = next(n for n in range(92) if DAY_OF_THE_HOLE.instant(n) + DAY_OF_THE_HOLE.step == HOLE)

        def held() -> dict[tuple[str, datetime], list[int]]:
            found: dict[tuple[str, datetime], list[int]] = {}
            blocks = [each.block for each in committed_blocks(outbox)] if rig.status(data["edge"]) else []
            for block in sorted(blocks, key=lambda block: block.start_ms):  # the newest are read first
                if block.key.register == "1-0:1.29.0":
                    at = EPOCH + timedelta(milliseconds=block.start_ms)
                    day = day_of(Commodity.ELECTRICITY, at)
                    found.setdefault((block.key.device, day.start), []).extend(block.values)
            return {key: values for key, values in found.items() if key in wanted}  # the running day comes as well

        del wanted["E1", DAY_OF_THE_HOLE.start][place]
        rig.wait("two days of both meters", lambda: held() == wanted, timeout=90)
        states = [each.block for each in committed_blocks(outbox) if each.block.key.register == "1-0:1.8.0"]
        assert {block.key.device for block in states} == {"E1", "H1"}
    finally:
        rig.close()
