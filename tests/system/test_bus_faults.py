"""The agent's buses on simulated lines on which much goes wrong: what is read is the truth, and all of it is read."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge import inspect
from edge.collector import Collector
from edge.config import EdgeConfig
from edge.outbox.outbox import Outbox
from edge.plant import Plant
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from shared.clock import EPOCH, SharedClock
from shared.quantities import Kind
from tests.system.edge_rig import Rig

START = datetime(2026, 3, 4, 23, 0, tzinfo=UTC)
"""Midnight in Prague."""
QUARTER = timedelta(minutes=15)
PROFILE = ["1-0:1.29.0", "1-0:3.29.0"]
FAULTS: dict[str, Any] = {
    "noise_before": 60,
    "noise_inside": 80,
    "noise_after": 60,
    "truncated": 50,
    "lost": 40,
    "doubled": 80,
    "slow": 50,
    "slow_ms": 60,
    "late": 60,
    "late_ms": 400,
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come soon, so that much can go wrong in little time."""
    monkeypatch.setattr("edge.bus.health.FIRST_S", 0.05)
    monkeypatch.setattr("edge.bus.health.SHARE", 0.8)
    monkeypatch.setattr("edge.plant.LATE_S", 0.4)


class Site:
    """Simulators in their process, the agent's lines in ours."""

    def __init__(self, folder: Path, lines: list[dict[str, Any]]) -> None:
        self.rig = Rig(folder, START)
        self.folder = folder
        self.statistics_file = folder / "statistics.json"
        self.rig.start_simulators(
            {
                "seed": 1,
                "origin": "2026-01-01T00:00:00+01:00",
                "statistics": str(self.statistics_file),
                "lines": [
                    line if "port" in line else line | {"kind": "pty", "link": str(folder / line["name"])}
                    for line in lines
                ],
            }
        )
        self.truth = Truth(load_scenario(folder / "scenario.json"))
        self.clock = SharedClock(folder / "clock")
        self.outbox_path = folder / "outbox.sqlite"

    @asynccontextmanager
    async def agent(self, buses: list[dict[str, Any]]) -> AsyncIterator[Plant]:
        config = {
            "number": 1,
            "edge": "CONC-1",
            "mqtt": {"host": "nowhere"},
            "outbox": {"path": str(self.outbox_path)},
            "buses": [
                bus
                if bus["link"]["kind"] == "tcp"
                else bus | {"link": bus["link"] | {"path": str(self.folder / bus["name"])}}
                for bus in buses
            ],
        }
        plant = Plant(msgspec.convert(config, EdgeConfig), self.clock)
        outbox = await Outbox.open(str(self.outbox_path))
        collector = Collector(plant.devices, outbox, self.clock)
        plant.start()
        task = asyncio.create_task(collector.run())
        try:
            yield plant
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await plant.stop()
            await outbox.close()

    async def wait(self, holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            await asyncio.sleep(0.02)

    def faults(self, line: str) -> dict[str, int]:
        """What the simulators did wrong; ends them."""
        assert self.rig.stop("simulators") == 0
        lines = msgspec.json.decode(self.statistics_file.read_bytes())["lines"]
        return next(each["faults"] for each in lines if each["name"] == line)

    def sampled(self, instant: datetime, plant: Plant, devices: list[str]) -> bool:
        marks = [plant.devices[name].progress.sample for name in devices]
        return all(mark is not None and mark.sampled == instant for mark in marks)

    def require_truth(self) -> dict[str, int]:
        """Every value in the outbox is what its meter showed then, once; gives the number of values by meter."""
        seen: dict[tuple[str, str, int], int] = {}
        for each in inspect.committed_blocks(self.outbox_path):
            block = each.block
            device, register = block.key.device, block.key.register
            starts = [block.start_ms + n * block.step_ms for n in range(len(block.values))]
            at = [EPOCH + timedelta(milliseconds=start) for start in starts]
            if block.key.kind is Kind.STATE:
                expected = [self.truth.state_at(device, register, instant) for instant in at]
            else:
                end = at[-1] + timedelta(milliseconds=block.step_ms)
                expected = self.truth.interval_values(device, register, at[0], end)
            assert list(block.values) == expected, (device, register, at[0])
            for start in starts:
                seen[device, register, start] = seen.get((device, register, start), 0) + 1
        assert set(seen.values()) <= {1}
        return {name: sum(device == name for device, _, _ in seen) for name in {device for device, _, _ in seen}}


def sdm(unit: int) -> dict[str, Any]:
    load = {"kind": "retail", "mean_w": 3000, "seed": unit}
    channels = [{"register": "import", "load": load, "initial": 1000 * unit}]
    return {"id": f"NN-{unit}", "model": "sdm630", "unit": unit, "channels": channels}


def rtu_bus(units: range, **link: Any) -> dict[str, Any]:
    register = {"unit": "Wh", "register": "import", "exponent": 1, "item": "import"}
    devices = [
        {
            "id": f"NN-{unit}",
            "model": "sdm630",
            "address": {"unit": unit},
            "timeout_s": 0.25,
            "timeout_min_s": 0.1,
            "states": {"at": "quarter-hour", "registers": [register]},
        }
        for unit in units
    ]
    link = {"kind": "serial", "baud": 38_400, "stop_bits": 2} | link
    return {"name": "rtu", "protocol": "modbus-rtu", "link": link, "devices": devices}


def rtu_line(units: range, faults: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "rtu",
        "protocol": "modbus-rtu",
        "baud": 38_400,
        "bits_per_character": 11,
        "meters": [sdm(unit) for unit in units],
        "faults": faults,
    }


def dlms(number: int) -> dict[str, Any]:
    load = {"kind": "shift", "mean_w": 42_000, "seed": number}
    return {
        "id": f"LU-{number}",
        "model": "dlms",
        "address": {"server": 1, "physical": 16 + number},
        "channels": [
            {"register": PROFILE[0], "state": "1-0:1.8.0", "load": load, "initial": 1000},
            {"register": PROFILE[1], "load": {"kind": "inductive", "of": PROFILE[0], "seed": number}},
        ],
    }


def hdlc_bus(numbers: range, **link: Any) -> dict[str, Any]:
    registers = [
        {"obis": obis, "register": obis, "unit": unit} for obis, unit in zip(PROFILE, ("Wh", "varh"), strict=True)
    ]
    devices = [
        {
            "id": f"LU-{number}",
            "model": "dlms",
            "address": {"client": 16, "server": 1, "physical": 16 + number},
            "timeout_s": 0.25,
            "timeout_min_s": 0.1,
            "information": 128,
            "profile": {
                "obis": "1-0:99.1.0",
                "step_s": 900,
                "registers": registers,
                "since": "2026-03-02T00:00:00+01:00",
            },
        }
        for number in numbers
    ]
    link = {"kind": "serial", "baud": 115_200} | link
    return {"name": "hdlc", "protocol": "hdlc", "link": link, "devices": devices}


def hdlc_line(numbers: range, faults: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "hdlc",
        "protocol": "hdlc",
        "baud": 115_200,
        "meters": [dlms(number) for number in numbers],
        "faults": faults,
    }


async def sample_quarters(site: Site, plant: Plant, devices: list[str], count: int) -> None:
    for n in range(count):
        instant = START + n * QUARTER
        site.rig.clock.set(instant)
        await site.wait(lambda instant=instant: site.sampled(instant, plant, devices), f"samples of {instant}")


@pytest.mark.parametrize("echo", [False, True])
async def test_modbus_on_a_bad_line(tmp_path: Path, echo: bool) -> None:
    units = range(1, 5)
    site = Site(tmp_path, [rtu_line(units, FAULTS | {"seed": 3, "echo": echo})])
    try:
        async with site.agent([rtu_bus(units, echo=echo)]) as plant:
            await sample_quarters(site, plant, list(plant.devices), 20)
            counters = plant.buses["rtu"].counters
        assert site.require_truth() == {f"NN-{unit}": 20 for unit in units}
        assert counters.failed > 0, "faults were noticed, not read over"
        faults = site.faults("rtu")
        kinds = [kind for kind in FAULTS if not kind.endswith("_ms")]
        assert all(faults[kind] for kind in kinds), faults
        assert bool(faults["octets_echoed"]) is echo
    finally:
        site.rig.close()


async def test_modbus_tcp_to_bad_meters(tmp_path: Path, free_port: int) -> None:
    units = range(1, 4)
    faults = {kind: FAULTS[kind] for kind in ("noise_before", "lost", "doubled", "slow", "slow_ms", "late", "late_ms")}
    line = {
        "name": "rtu",
        "kind": "tcp",
        "port": free_port,
        "protocol": "modbus-tcp",
        "meters": [sdm(unit) for unit in units],
        "faults": faults | {"seed": 2},
    }
    bus = rtu_bus(units) | {"protocol": "modbus-tcp", "link": {"kind": "tcp", "host": "127.0.0.1", "port": free_port}}
    site = Site(tmp_path, [line])
    try:
        async with site.agent([bus]) as plant:
            await sample_quarters(site, plant, list(plant.devices), 20)
        assert site.require_truth() == {f"NN-{unit}": 20 for unit in units}
        found = site.faults("rtu")
        assert all(found[kind] for kind in faults if not kind.endswith("_ms")), found
    finally:
        site.rig.close()


async def test_hdlc_on_a_bad_line(tmp_path: Path) -> None:
    numbers = range(1, 3)
    restart = {"meter": "LU-1", "at": (START + timedelta(seconds=1)).isoformat()}
    site = Site(tmp_path, [hdlc_line(numbers, FAULTS | {"seed": 5, "restarts": [restart]})])
    try:
        async with site.agent([hdlc_bus(numbers)]) as plant:
            await site.wait(lambda: any(d.last_success for d in plant.devices.values()), "a first day")
            site.rig.clock.set(START + timedelta(seconds=2))
            await site.wait(lambda: not any(d.days_left for d in plant.devices.values()), "all days")
        assert site.require_truth() == {f"LU-{number}": 3 * 96 * 2 for number in numbers}
        faults = site.faults("hdlc")
        assert faults["restarts"] == 1
        kinds = [kind for kind in FAULTS if not kind.endswith("_ms")]
        assert all(faults[kind] for kind in kinds), faults
    finally:
        site.rig.close()


async def test_mode_c_on_a_bad_line(tmp_path: Path) -> None:
    kinds = ["noise_before", "noise_inside", "noise_after", "truncated", "lost", "doubled"]
    load = {"kind": "household", "mean_w": 450, "seed": 3}
    meter = {
        "id": "TR-1",
        "model": "iec62056-21",
        "device": "11",
        "channels": [{"register": "1-0:1.29.0", "state": "1-0:1.8.0", "load": load, "initial": 1000}],
    }
    faults = dict.fromkeys(kinds, 60) | {"seed": 11}
    line = {"name": "iec", "protocol": "iec62056-21", "baud": 9600, "meters": [meter], "faults": faults}
    device = {
        "id": "TR-1",
        "model": "iec62056-21",
        "address": {"device": "11"},
        "timeout_s": 1.0,
        "iec62056": {"opening_baud": 300},
        "states": {"at": "quarter-hour", "registers": [{"unit": "Wh", "register": "1-0:1.8.0", "obis": "1-0:1.8.0"}]},
    }
    bus = {"name": "iec", "protocol": "iec62056-21", "link": {"kind": "serial", "baud": 9600}, "devices": [device]}
    site = Site(tmp_path, [line])
    try:
        async with site.agent([bus]) as plant:
            await sample_quarters(site, plant, ["TR-1"], 6)
        assert site.require_truth() == {"TR-1": 6}
        found = site.faults("iec")
        assert sum(found[kind] for kind in kinds) >= 2, found
    finally:
        site.rig.close()


async def test_dead_meters_hold_up_nobody_and_are_read_when_they_live_again(tmp_path: Path) -> None:
    units = range(1, 9)
    back = START + 6 * QUARTER
    dead = [{"meter": f"NN-{unit}", "end": back.isoformat()} for unit in (1, 2, 3)]
    site = Site(tmp_path, [rtu_line(units, {"dead": dead})])
    living = [f"NN-{unit}" for unit in units if unit > 3]
    try:
        async with site.agent([rtu_bus(units)]) as plant:
            await sample_quarters(site, plant, living, 6)
            assert all(plant.devices[f"NN-{unit}"].health.failures for unit in (1, 2, 3))
            site.rig.clock.set(back)
            await site.wait(lambda: site.sampled(back, plant, list(plant.devices)), "the dead to be read again")
        assert site.require_truth() == {f"NN-{unit}": 1 if unit <= 3 else 7 for unit in units}
        assert site.faults("rtu")["dead"] >= 3
    finally:
        site.rig.close()
