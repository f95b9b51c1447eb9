"""Simulated Modbus meters in a process of their own, for foreign masters and for our agent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.stack.ports import find_free_port
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from tests.system.edge_rig import Rig

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
BAUD = 19_200


def meter(model: str, unit: int) -> dict[str, Any]:
    """A meter with one register of 1 234 567 x its unit at the origin."""
    load = {"kind": "retail", "mean_w": 3000, "seed": unit}
    return {
        "id": f"{model}-{unit}",
        "model": model,
        "unit": unit,
        "channels": [{"register": "import", "load": load, "initial": 1_234_567}],
    }


class ModbusSite:
    """A serial bus `rtu` and a listener at `port`, with one meter of each of `models` (units from 1) on both."""

    def __init__(self, folder: Path, models: list[str]) -> None:
        self.rig = Rig(folder, NOON)
        self.models = models
        self.port = find_free_port()
        self.pty = folder / "rtu"
        bus = {"name": "rtu", "kind": "pty", "link": str(self.pty), "baud": BAUD, "protocol": "modbus-rtu"}
        listener = {"name": "tcp", "kind": "tcp", "port": self.port, "protocol": "modbus-tcp"}
        rtu = [meter(model, unit) for unit, model in enumerate(models, 1)]
        tcp = [meter(model, unit) | {"id": f"tcp-{model}-{unit}"} for unit, model in enumerate(models, 1)]
        self.scenario: dict[str, Any] = {
            "seed": 1,
            "origin": "2026-01-01T00:00:00+01:00",
            "lines": [bus | {"meters": rtu}, listener | {"meters": tcp}],
        }
        self.rig.start_simulators(self.scenario)
        self.truth = Truth(load_scenario(folder / "scenario.json"))

    def close(self) -> None:
        """End all processes."""
        self.rig.close()
