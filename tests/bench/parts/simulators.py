"""Simulated meters in a process of their own, on lines that are paced and that count what the master does."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from shared.clock import ENVIRONMENT_VARIABLE, Clock, SharedClock, SharedClockControl
from tests.bench import harness

ORIGIN: Final = "2026-01-01T00:00:00+01:00"
NOW: Final = datetime.fromisoformat("2026-03-10T12:07:00+01:00")
"""Where the clock stands: what the meters show does not change while it is read."""


class Simulators:
    """The running process: `clock` and `truth` of its meters, `counts` of its lines."""

    def __init__(self, folder: Path, scenario: dict[str, Any], process: subprocess.Popen[str], clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.truth = Truth(load_scenario(folder / "scenario.json"))
        self._statistics = Path(scenario["statistics"])
        self._process = process

    def counts(self, line: str) -> dict[str, Any]:
        """What has happened on `line` so far."""
        self._statistics.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while not self._statistics.exists():
            if time.monotonic() > deadline:
                raise RuntimeError("The simulators wrote no statistics within 10 s.")
            time.sleep(0.01)
        found: dict[str, Any] = next(
            each for each in json.loads(self._statistics.read_text())["lines"] if each["name"] == line
        )
        return found


@contextmanager
def simulators(lines: list[dict[str, Any]]) -> Iterator[Simulators]:
    """Host `lines` (as in a scenario file; a pty's `link` is put below the folder); ended in the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        SharedClockControl(folder / "clock").set(NOW)
        placed = [{**line, "link": str(folder / line["name"])} if line["kind"] == "pty" else line for line in lines]
        scenario = {"seed": 1, "origin": ORIGIN, "statistics": str(folder / "statistics.json"), "lines": placed}
        (folder / "scenario.json").write_text(json.dumps(scenario))
        process = subprocess.Popen(
            [sys.executable, "-m", "firmware_sims", str(folder / "scenario.json")],
            env=os.environ | {ENVIRONMENT_VARIABLE: str(folder / "clock")},
            cwd=harness.ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("The simulators did not start; their message stands above.")
            yield Simulators(folder, scenario, process, SharedClock(folder / "clock"))
        finally:
            process.terminate()
            process.wait(10)
