"""The package iec62056-21 reads our simulated meter of mode C: readout, programming mode with password, registers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.stack.ports import find_free_port
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from tests.peers.dlms_task import run_client
from tests.system.edge_rig import Rig

NOON = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
PASSWORD, SERIAL = "12345678", "31415926"


class ModeCSite:
    """One meter behind a serial server that is set to 7E1: characters come without parity."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder, NOON)
        self.port = find_free_port()
        load = {"kind": "shift", "mean_w": 42_000, "seed": 1}
        meter = {
            "id": "E1",
            "model": "iec62056-21",
            "serial": SERIAL,
            "password": PASSWORD,
            "parity": False,
            "channels": [{"register": "1-0:1.29.0", "state": "1-0:1.8.0", "load": load, "initial": 123_456}],
        }
        line = {"name": "iec", "kind": "tcp", "port": self.port, "protocol": "iec62056-21", "meters": [meter]}
        self.rig.start_simulators({"seed": 1, "origin": "2026-03-01T00:00:00+01:00", "lines": [line]})
        self.truth = Truth(load_scenario(folder / "scenario.json"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModeCSite]:
    site = ModeCSite(tmp_path_factory.mktemp("site"))
    yield site
    site.rig.close()


def test_a_foreign_client_reads_our_mode_c_meter(site: ModeCSite, dlms_python: Path) -> None:
    task = {"host": "127.0.0.1", "port": site.port, "device": SERIAL, "password": PASSWORD, "registers": ["1.8.0"]}
    found = run_client(dlms_python, "iec62056_21", task)
    state = Decimal(site.truth.state_at("E1", "1-0:1.8.0", NOON)) / 1000
    *who, text = found["identification"]
    assert who == ["RZV", "5"]
    assert text.endswith(SERIAL)
    shown = {address: (value, unit) for address, value, unit in found["readout"]}
    assert shown["0.0.0"][0] == SERIAL
    assert (Decimal(shown["1.8.0"][0]), shown["1.8.0"][1]) == (state, "kWh")
    assert found["challenge"] == ["P", "0"]
    assert found["password"] == "06"
    value, unit = found["values"]["1.8.0"]
    assert (Decimal(value), unit) == (state, "kWh")
