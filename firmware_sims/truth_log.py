"""Writes down what the meters without memory showed at each quarter-hour: nobody can ask them later.

One JSON object a line: meter, register, instant (ISO, UTC), value (integer in steps of the meter, 10 Wh for an SDM630).
"""

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from firmware_sims.scenario_model import ModbusMeter, Scenario
from firmware_sims.truth import Truth
from shared.clock import EPOCH
from shared.metering_day import STEP
from shared.quantities import Commodity

QUARTER_HOUR: Final = STEP[Commodity.ELECTRICITY]
_FASTEST_RATE: Final = 5000
"""Model seconds in a wall second above which a change of the clock was a step and not a run: a quarter-hour every
180 ms."""


class TruthLine(msgspec.Struct, frozen=True):
    """One line of the log."""

    meter: str
    register: str
    instant: str
    value: int


class TruthLog:
    """The log of one scenario; a line is never written twice, also not after a restart."""

    def __init__(self, path: Path | str, scenario: Scenario, truth: Truth) -> None:
        self._truth = truth
        self._registers = [
            (meter.id, channel.register)
            for meter in scenario.meters
            if isinstance(meter, ModbusMeter)
            for channel in meter.channels
        ]
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._written = {(line.meter, line.register, line.instant) for line in read_truth_log(self._path)}
        self._file = self._path.open("a", buffering=1, encoding="utf-8")
        self._file.truncate(_complete_length(self._path.read_bytes()))
        self._seen: datetime | None = None
        self._seen_wall = 0.0

    def look(self, now: datetime, wall: float) -> None:
        """The clock shows `now` at wall time `wall` (seconds): write what has become due.

        Written are the first instant ever seen, each quarter-hour that the running clock has passed since the last
        look, and after a step the quarter-hour on which the clock stands, if it does.
        """
        if self._seen is None:
            self._write(now)
        elif now != self._seen:
            for instant in quarter_hours(self._seen, now, wall - self._seen_wall):
                self._write(instant)
        self._seen, self._seen_wall = now, wall

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, instant: datetime) -> None:
        text = instant.isoformat()
        for meter, register in self._registers:
            if (meter, register, text) not in self._written:
                self._written.add((meter, register, text))
                line = TruthLine(meter, register, text, self._truth.state_at(meter, register, instant))
                self._file.write(msgspec.json.encode(line).decode() + "\n")


def quarter_hours(before: datetime, now: datetime, wall_s: float) -> list[datetime]:
    """Quarter-hours in (before, now] that a clock passed which showed `before` and, `wall_s` later, `now`.

    A clock that has stepped passed none; it may stand on one.
    """
    last = now - (now - EPOCH) % QUARTER_HOUR
    stepped = (now - before) > QUARTER_HOUR and (now - before).total_seconds() > _FASTEST_RATE * wall_s
    if now < before or stepped:
        return [now] if last == now else []
    passed: list[datetime] = []
    while last > before:
        passed.append(last)
        last -= QUARTER_HOUR
    return passed[::-1]


def read_truth_log(path: Path | str) -> list[TruthLine]:
    """The lines of a log; none if there is no file. A last line that a killed host left incomplete is left out."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    complete = content[: _complete_length(content)]
    return [msgspec.json.decode(line, type=TruthLine) for line in complete.splitlines()]


def _complete_length(content: bytes) -> int:
    return content.rfind(b"\n") + 1
