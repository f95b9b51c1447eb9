"""What the agent takes of a meter beside its profile, over real TCP: events, the gas meter behind it, pushes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.stack.ports import find_free_port
from edge import inspect
from edge.config import parse_config
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from shared.clock import EPOCH
from shared.quantities import Kind
from tests.system.conftest import BrokerAccess
from tests.system.edge_rig import ListeningCentral, Rig

pytestmark = pytest.mark.own_parts

START = datetime(2026, 3, 3, 6, 20, tzinfo=UTC)
EDGE = "CONC-7"


def scenario(port: int, push_port: int) -> dict[str, Any]:
    return {
        "seed": 1,
        "origin": "2026-01-01T00:00:00+01:00",
        "lines": [
            {
                "name": "tcp-1",
                "kind": "tcp",
                "port": port,
                "protocol": "dlms-wrapper",
                "meters": [
                    {
                        "id": "48211001",
                        "model": "dlms",
                        "address": {"wport": 1},
                        "channels": [
                            {
                                "register": "1-0:1.29.0",
                                "state": "1-0:1.8.0",
                                "load": {"kind": "shift", "mean_w": 42000, "seed": 1},
                            }
                        ],
                        "coding": "compact",
                        "clock_offset_s": 20,
                        "mbus": [
                            {
                                "id": "PM-1",
                                "channel": 1,
                                "serial": "12345678",
                                "channels": [
                                    {
                                        "register": "7-0:3.0.0",
                                        "load": {"kind": "heating", "mean_dm3_h": 900, "seed": 4},
                                        "initial": 5_000_000,
                                    }
                                ],
                            }
                        ],
                        "pushes": [{"at": (START + timedelta(seconds=30)).isoformat(), "port": push_port, "code": 21}],
                    }
                ],
            }
        ],
    }


def config(folder: Path, broker: BrokerAccess, port: int, push_port: int) -> dict[str, Any]:
    address = {"server": 1}
    electricity = {
        "id": "EL",
        "model": "dlms",
        "address": address,
        "identity": {"serial": "48211001"},
        "event_logs": ["0-0:99.98.0"],
        "clock": {"automatic": True},
        "attend_every_s": 60,
        "push": {
            "source": "127.0.0.1",
            "objects": [
                {"obis": "0-0:42.0.0", "class_id": 1, "name": "name"},
                {"obis": "0-0:96.11.0", "class_id": 1, "name": "code"},
            ],
        },
        "profile": {
            "obis": "1-0:99.1.0",
            "step_s": 900,
            "since": "2026-03-02T00:00:00+01:00",
            "registers": [{"obis": "1-0:1.29.0", "unit": "Wh", "register": "1-0:1.29.0"}],
        },
    }
    gas = {
        "id": "GAS",
        "model": "dlms",
        "address": address,
        "identity": {"serial": "12345678", "serial_obis": "0-1:96.1.0"},
        "profile": {
            "obis": "0-1:24.3.0",
            "step_s": 3600,
            "commodity": "gas",
            "since": "2026-03-02T06:00:00+01:00",
            "registers": [
                {"obis": "0-1:24.2.1", "unit": "m3", "exponent": -3, "register": "7-0:3.0.0", "kind": "state"}
            ],
        },
    }
    password = folder / "password"
    password.write_text(broker.add_edge(EDGE))
    return {
        "number": 1,
        "edge": EDGE,
        "mqtt": {"host": broker.host, "port": broker.port, "username": EDGE, "password_file": str(password)},
        "outbox": {"path": str(folder / EDGE / "outbox.sqlite")},
        "push": {"host": "127.0.0.1", "port": push_port},
        "buses": [
            {
                "name": "tcp-1",
                "link": {"kind": "tcp", "host": "127.0.0.1", "port": port},
                "protocol": "dlms-wrapper",
                "devices": [electricity, gas],
            }
        ],
    }


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(tmp_path, START)
    yield found
    found.close()


@pytest.fixture
def central(broker: BrokerAccess) -> Iterator[ListeningCentral]:
    found = ListeningCentral(broker.host, broker.port, broker.username, broker.password)
    yield found
    found.close()


def ms(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)


def test_events_gas_behind_and_pushes_arrive_once(
    rig: Rig, central: ListeningCentral, broker: BrokerAccess, free_port: int
) -> None:
    push_port = find_free_port()
    rig.start_simulators(scenario(free_port, push_port))
    settings = config(rig.folder, broker, free_port, push_port)
    rig.start_agent(settings)
    outbox = rig.outbox(EDGE)

    def kinds() -> list[str]:
        return [record.kind for record in inspect.committed_records(outbox)] if rig.status(EDGE) else []

    rig.wait("days and clock", lambda: "clock-set" in kinds() and rig.status(EDGE)["due"]["profile_days"] == 0)
    rig.clock.set(START + timedelta(seconds=31))
    rig.wait("a push", lambda: "push" in kinds())
    before = kinds().count("meter-event")
    rig.kill(EDGE)
    rig.clock.set(START + timedelta(seconds=120))
    rig.start_agent(settings)
    # Setting the clock wrote two events; those before them must not come again.
    rig.wait("new events", lambda: kinds().count("meter-event") >= before)
    rig.clock.set(START + timedelta(seconds=240))
    rig.wait("delivery", lambda: rig.status(EDGE).get("outbox", {}).get("pending", 1) == 0)

    records = inspect.committed_records(outbox)
    events = [(record.at, record.data["code"]) for record in records if record.kind == "meter-event"]
    assert len(set(events)) == len(events)
    assert [code for _, code in events].count(2) == 1  # power up, at the scenario's origin
    assert not [record for record in records if record.kind in ("event-log-overrun", "meter-mismatch")]
    (push,) = (record for record in records if record.kind == "push")
    assert (push.device, push.at) == ("EL", ms(START + timedelta(seconds=30)))
    assert push.data == {"number": 1, "name": "RZV0000048211001", "code": 21}
    (corrected,) = (record for record in records if record.kind == "clock-set")
    assert corrected.data["boundaries"] == 0

    truth = Truth(load_scenario(rig.folder / "scenario.json"))
    blocks = [each.block for each in inspect.committed_blocks(outbox)]
    gas = {block.start_ms: block.values[0] for block in blocks if block.key.device == "GAS"}
    assert {block.key.kind for block in blocks if block.key.device == "GAS"} == {Kind.STATE}
    first = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)  # 06:00 local
    ends = [first + timedelta(hours=n) for n in range(1, 25)]
    read_at = [end - timedelta(seconds=20) for end in ends]
    assert gas == {ms(at): truth.state_at("PM-1", "7-0:3.0.0", at) for at in read_at}
    start = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
    (day,) = (block for block in blocks if block.key.device == "EL" and block.start_ms == ms(start))
    assert list(day.values) == truth.interval_values("48211001", "1-0:1.29.0", start, start + timedelta(days=1))


def test_a_meter_says_what_it_has_and_that_is_a_configuration(rig: Rig, broker: BrokerAccess, free_port: int) -> None:
    rig.start_simulators(scenario(free_port, find_free_port()))
    settings = config(rig.folder, broker, free_port, find_free_port())
    (bus,) = settings["buses"]
    states = {"at": "month", "registers": [{"obis": "1-0:1.8.0", "unit": "Wh", "register": "1-0:1.8.0"}]}
    bus["devices"] = [{"id": "EL", "model": "dlms", "address": {"server": 1}, "states": states}]
    path = rig.folder / "commissioning.json"

    def ask(device: str) -> "subprocess.CompletedProcess[str]":
        path.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "edge", "discover", str(path), device]
        return subprocess.run(command, capture_output=True, text=True, env=rig.environment(), timeout=60, check=False)

    done = ask("EL")
    assert done.returncode == 0, done.stderr
    proposed = json.loads(done.stdout)
    assert proposed["identity"]["serial"] == "48211001"
    assert proposed["profile"]["obis"] == "1-0:99.1.0"
    assert [each["obis"] for each in proposed["profile"]["registers"]] == ["1-0:1.29.0"]
    assert "0-0:99.98.0" in proposed["event_logs"]
    assert "1-0:1.8.0" in {each["obis"] for each in proposed["states"]["registers"]}
    bus["devices"] = [proposed]
    parse_config(json.dumps(settings).encode(), "proposal")

    unknown = ask("PM-1")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no DLMS meter 'PM-1'; it has EL" in unknown.stderr
    bus["link"]["port"] = find_free_port()
    silent = ask("EL")
    assert silent.returncode == 2
    assert "cannot be opened" in silent.stderr
