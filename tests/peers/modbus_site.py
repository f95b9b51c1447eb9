"""Simulated Modbus meters of all families in a process of their own, for foreign masters and for our agent."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.stack.ports import find_free_port
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from tests.system.edge_rig import Rig

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
BAUD = 115_200
UNITS = {
    "sdm630": 1, "abb-b23": 2, "abb-b24": 3, "iem3155": 4, "umg96rm": 5, "sunspec-int": 6, "sunspec-float": 7,
}  # fmt: skip
SUNSPEC_BASES = {"sunspec-int": 40_000, "sunspec-float": 0}
SERIAL = 1_000_000
"""Of unit 0; a meter's is so much more as its unit says."""


def meter(line: str, model: str) -> dict[str, Any]:
    """The meter of `model` on `line`, with import and export."""
    unit = UNITS[model]
    found: dict[str, Any] = {
        "id": f"{line}-{model}",
        "model": model,
        "unit": unit,
        "serial": SERIAL + unit,
        "channels": [
            {"register": "import", "load": {"kind": "retail", "mean_w": 3000, "seed": unit}, "initial": 1_234_567},
            {"register": "export", "load": {"kind": "constant", "mean_w": 100}, "initial": 70_000},
        ],
    }
    if model in SUNSPEC_BASES:
        found["sunspec_base"] = SUNSPEC_BASES[model]
    return found


class ModbusSite:
    """A serial bus (`pty`), Modbus TCP (`tcp_port`) and RTU behind a serial server (`server_port`), each with one meter
    of each family.
    """

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder, NOON)
        self.pty = folder / "rtu"
        self.tcp_port, self.server_port = find_free_port(), find_free_port()
        self._statistics = folder / "statistics.json"
        lines: list[dict[str, Any]] = [
            {"name": "rtu", "kind": "pty", "link": str(self.pty), "baud": BAUD, "protocol": "modbus-rtu"},
            {"name": "tcp", "kind": "tcp", "port": self.tcp_port, "protocol": "modbus-tcp"},
            {"name": "server", "kind": "tcp", "port": self.server_port, "protocol": "modbus-rtu"},
        ]
        for line in lines:
            line["meters"] = [meter(line["name"], model) for model in UNITS]
        scenario = {"seed": 1, "origin": "2026-01-01T00:00:00+01:00", "lines": lines}
        self.rig.start_simulators(scenario | {"statistics": str(self._statistics)})
        self.truth = Truth(load_scenario(folder / "scenario.json"))

    def counts(self) -> dict[str, dict[str, int]]:
        """What the meters of each line have heard: `firmware_sims.modbus_link.ModbusCounts`."""
        self._statistics.unlink(missing_ok=True)
        self.rig.processes["simulators"].send_signal(signal.SIGUSR1)
        self.rig.wait("statistics", self._statistics.exists)
        return {line["name"]: line["modbus"] for line in json.loads(self._statistics.read_bytes())["lines"]}

    def close(self) -> None:
        """End all processes."""
        self.rig.close()
