"""Simulated DLMS meters in a process of their own, for foreign clients."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deploy.stack.ports import find_free_port
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from tests.system.edge_rig import Rig

NOON = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 28))
PASSWORD = "12345678"
BAUD = 115_200


def _meter(id: str, **address: int) -> dict[str, Any]:
    energy = {"kind": "shift", "mean_w": 42_000, "seed": 1}
    return {
        "id": id,
        "model": "dlms",
        "address": address,
        "passwords": {"1": PASSWORD},
        "channels": [
            {"register": "1-0:1.29.0", "state": "1-0:1.8.0", "load": energy, "initial": 123_456},
            {"register": "1-0:3.29.0", "state": "1-0:3.8.0", "load": {"kind": "inductive", "of": "1-0:1.29.0"}},
        ],
    }


class DlmsSite:
    """One meter behind the wrapper, one behind a serial server, one on a serial line."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder, NOON)
        ports = {"wrapper": find_free_port(), "server": find_free_port()}
        pty = str(folder / "hdlc")
        scenario = {
            "seed": 1,
            "origin": "2026-03-01T00:00:00+01:00",
            "lines": [
                {"name": "wrapper", "kind": "tcp", "port": ports["wrapper"], "protocol": "dlms-wrapper"}
                | {"meters": [_meter("wrapper", wport=1)]},
                {"name": "server", "kind": "tcp", "port": ports["server"], "protocol": "hdlc"}
                | {"meters": [_meter("server", server=1, physical=17)]},
                {"name": "serial", "kind": "pty", "link": pty, "baud": BAUD, "protocol": "hdlc"}
                | {"meters": [_meter("serial", server=1, physical=17)]},
            ],
        }
        self.rig.start_simulators(scenario)
        self.truth = Truth(load_scenario(folder / "scenario.json"))
        hdlc = {"protocol": "hdlc", "client": 16, "server": 1, "physical": 17}
        self.ways: dict[str, dict[str, Any]] = {
            "wrapper": {
                "protocol": "wrapper",
                "host": "127.0.0.1",
                "port": ports["wrapper"],
                "client": 16,
                "server": 1,
            },
            "server": {**hdlc, "host": "127.0.0.1", "port": ports["server"]},
            "serial": {**hdlc, "path": pty, "baud": BAUD},
        }

    def close(self) -> None:
        """End all processes."""
        self.rig.close()

    def task(self, way: str, **changes: Any) -> dict[str, Any]:
        """How a foreign client reaches the meter at the end of `way`."""
        return {**self.ways[way], **changes}
