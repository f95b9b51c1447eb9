"""The agent as a process, on simulated meters with real protocols and a real broker."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge import inspect
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from shared.metering_day import days_between
from shared.quantities import Commodity, Flag, Kind
from shared.wire import MARK_HISTORICAL, Block
from tests.system.conftest import BrokerAccess
from tests.system.edge_rig import ListeningCentral, Rig

pytestmark = pytest.mark.own_parts

MARCH = datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
EDGE = "CONC-7"
QUARTER = timedelta(minutes=15)
INTERVALS = ["1-0:1.29.0", "1-0:2.29.0"]


def scenario(folder: Path, port: int) -> dict[str, Any]:
    def load(seed: int) -> dict[str, Any]:
        return {"kind": "shift", "mean_w": 42000, "seed": seed}

    def hdlc(serial: str, physical: int, seed: int) -> dict[str, Any]:
        return {
            "id": serial,
            "model": "dlms",
            "address": {"server": 1, "physical": physical},
            "channels": [
                {"register": "1-0:1.29.0", "state": "1-0:1.8.0", "load": load(seed), "initial": 1234567},
                {"register": "1-0:2.29.0", "state": "1-0:2.8.0", "load": load(seed + 1), "initial": 0},
            ],
        }

    def sdm(serial: str, unit: int) -> dict[str, Any]:
        channel = {
            "register": "import",
            "load": {"kind": "household", "mean_w": 700, "seed": unit},
            "initial": 100000 + unit,
        }
        return {"id": serial, "model": "sdm630", "unit": unit, "channels": [channel]}

    return {
        "seed": 1,
        "origin": "2026-01-01T00:00:00+01:00",
        "truth": str(folder / "truth.jsonl"),
        "lines": [
            {
                "name": "hdlc-1",
                "kind": "pty",
                "link": str(folder / "hdlc-1"),
                "baud": 115200,
                "turnaround_ms": 5,
                "protocol": "hdlc",
                "meters": [hdlc("LU-1", 17, 5), hdlc("LU-2", 18, 9)],
            },
            {
                "name": "rtu-1",
                "kind": "pty",
                "link": str(folder / "rtu-1"),
                "baud": 19200,
                "turnaround_ms": 5,
                "protocol": "modbus-rtu",
                "meters": [sdm("EA-1", 1), sdm("EA-2", 2)],
            },
            {
                "name": "modbus-tcp",
                "kind": "tcp",
                "port": port,
                "protocol": "modbus-tcp",
                "meters": [sdm("EA-3", 1), sdm("EA-4", 2)],
            },
        ],
    }


def config(folder: Path, port: int, broker: BrokerAccess) -> dict[str, Any]:
    def hdlc(serial: str, physical: int) -> dict[str, Any]:
        return {
            "id": serial,
            "model": "dlms",
            "address": {"client": 16, "server": 1, "physical": physical},
            "profile": {
                "obis": "1-0:99.1.0",
                "step_s": 900,
                "since": "2026-03-01T00:00:00+01:00",
                "registers": [{"obis": name, "unit": "Wh", "register": name} for name in INTERVALS],
            },
            "states": {
                "at": "month",
                "registers": [{"obis": "1-0:1.8.0", "unit": "Wh", "exponent": 0, "register": "1-0:1.8.0"}],
            },
        }

    def sdm(serial: str, unit: int) -> dict[str, Any]:
        register = {"item": "import", "unit": "Wh", "exponent": 1, "register": "1-0:1.8.0"}
        return {
            "id": serial,
            "model": "sdm630",
            "address": {"unit": unit},
            "states": {"at": "quarter-hour", "registers": [register]},
        }

    password = folder / "password"
    password.write_text(broker.add_edge(EDGE))
    return {
        "number": 3,
        "edge": EDGE,
        "mqtt": {"host": broker.host, "port": broker.port, "username": EDGE, "password_file": str(password)},
        "outbox": {"path": str(folder / EDGE / "outbox.sqlite")},
        "uplink": {"resend_first_s": 1.0, "resend_most_s": 2.0},
        "buses": [
            {
                "name": "hdlc-1",
                "protocol": "hdlc",
                "link": {"kind": "serial", "path": str(folder / "hdlc-1"), "baud": 115200},
                "devices": [hdlc("LU-1", 17), hdlc("LU-2", 18)],
            },
            {
                "name": "rtu-1",
                "protocol": "modbus-rtu",
                "link": {"kind": "serial", "path": str(folder / "rtu-1"), "baud": 19200},
                "devices": [sdm("EA-1", 1), sdm("EA-2", 2)],
            },
            {
                "name": "tcp-1",
                "protocol": "modbus-tcp",
                "link": {"kind": "tcp", "host": "127.0.0.1", "port": port},
                "devices": [sdm("EA-3", 1), sdm("EA-4", 2)],
            },
        ],
    }


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(tmp_path, MARCH)
    yield found
    found.close()


@pytest.fixture
def central(broker: BrokerAccess) -> Iterator[ListeningCentral]:
    found = ListeningCentral(broker.host, broker.port, broker.username, broker.password)
    yield found
    found.close()


def sampled(rig: Rig, instant: datetime, schedule: str = "quarter-hour") -> bool:
    found = rig.status(EDGE).get("rounds", {}).get(schedule, {}).get("sampled")
    return found is not None and datetime.fromisoformat(found) == instant


def delivered(rig: Rig) -> bool:
    status = rig.status(EDGE)
    if not status or any(status["due"].values()):
        return False
    return (status["outbox"]["pending"], status["outbox"]["numbered_unacked"]) == (0, 0)


def compare(blocks: list[Block], truth: Truth, last: datetime) -> None:
    """Each value of the meters' memory once, equal to what they measured."""
    found: dict[tuple[str, str, int], int] = {}
    for block in blocks:
        for n, value in enumerate(block.values):
            key = block.key.device, block.key.register, block.start_ms + n * block.step_ms
            assert key not in found, f"{key} is there twice"
            found[key] = value
        if block.key.kind is Kind.INTERVAL:
            assert block.marks in (0, MARK_HISTORICAL), "live, or back-fill; nothing was read twice"
            assert set(block.quality or [0]) <= {0, Flag.DST}
    expected: dict[tuple[str, str, int], int] = {}
    for meter in ("LU-1", "LU-2"):
        for register in INTERVALS:
            start = MARCH
            for value in truth.interval_values(meter, register, MARCH, last):
                expected[meter, register, int(start.timestamp() * 1000)] = value
                start += QUARTER
    intervals = {key: value for key, value in found.items() if key[1] in INTERVALS}
    assert intervals == expected
    for (device, register, at), value in found.items():
        if register not in INTERVALS:
            instant = datetime.fromtimestamp(at / 1000, UTC)
            assert value == truth.state_at(device, "import" if device.startswith("EA") else register, instant)


def test_everything_arrives_once_across_kills_of_agent_and_broker(
    rig: Rig, central: ListeningCentral, broker: BrokerAccess, free_port: int
) -> None:
    rig.start_simulators(scenario(rig.folder, free_port))
    settings = config(rig.folder, free_port, broker)
    rig.start_agent(settings)
    rig.wait("first round", lambda: sampled(rig, MARCH) and sampled(rig, MARCH, "month"))
    for n in range(1, 4):
        now = MARCH + n * QUARTER
        rig.clock.set(now)
        if n == 2:
            rig.kill(EDGE)
            rig.start_agent(settings)
        rig.wait(f"round {n}", partial(sampled, rig, now))
    days = days_between(Commodity.ELECTRICITY, date(2026, 3, 1), date(2026, 4, 1))
    april = days[-1].end
    rig.clock.set(april)
    rig.wait("April's states", lambda: sampled(rig, april) and sampled(rig, april, "month"))
    rig.wait("some days", lambda: 5 < rig.status(EDGE)["due"]["profile_days"] < 50)
    rig.kill(EDGE)
    rig.start_agent(settings)
    rig.wait("more days", lambda: rig.status(EDGE).get("due", {}).get("profile_days", 99) < 40)
    broker.stack.kill_broker()
    broker.stack.start_broker()
    rig.wait("everything", lambda: delivered(rig), 180)
    truth = Truth(load_scenario(rig.folder / "scenario.json"))
    with central.lock:
        compare(central.model.blocks(EDGE), truth, april)
        gaps = [record for record in central.model.records(EDGE) if record.kind == "gap"]
    assert len(gaps) == 4
    assert {gap.data["count"] for gap in gaps} == {(april - MARCH) // QUARTER - 4}
    committed = inspect.committed_blocks(rig.outbox(EDGE))
    assert {each.block.key.device for each in committed if each.acked} >= {"LU-1", "LU-2"}
    status = rig.status(EDGE)
    assert status["outbox"]["refused"] == 0
    assert rig.stop(EDGE) == 0
    rig.wait("the goodbye", lambda: not central.model.births[-1].online)
    logs = (rig.folder / f"{EDGE}.log").read_text().splitlines()
    assert all("event" in json.loads(line) for line in logs)
