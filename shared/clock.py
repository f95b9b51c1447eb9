"""The one clock that everything asks for the time.

Business time (samples, metering days, deadlines, validity) comes from a `Clock`; time-outs and line pacing are wall
time and use `monotonic()`. A `SharedClock` lives in a small file that many processes map, so that a demo or a test
can let one model time stand still, run fast or step for the simulated meters, the agents and the central system
alike.
"""

import asyncio
import mmap
import os
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

ENVIRONMENT_VARIABLE = "ROZVODNA_CLOCK"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STEP_CHECK_S = 0.02
"""How often a sleeper looks whether a shared clock has been stepped: a sampling round may start this much late."""

_LAYOUT = struct.Struct("<qqqd")
"""sequence (odd while written), model time in us since 1970, CLOCK_MONOTONIC in ns at which that was true, rate."""


class Clock(Protocol):
    """Tells the time. All instants are aware and in UTC."""

    def now(self) -> datetime:
        """The present instant."""
        ...

    def now_ms(self) -> int:
        """The present instant in milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Wall seconds that never step: for time-outs only."""
        ...

    async def sleep_until(self, instant: datetime) -> None:
        """Return as soon as `now()` is at or past `instant`."""
        ...

    @property
    def look_s(self) -> float:
        """Wall seconds after which who waits for an instant by other means must look at the clock again."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep_until(self, instant: datetime) -> None:
        # A machine's clock may be set while we sleep: look again at least once a minute.
        while (left := (instant - self.now()).total_seconds()) > 0:
            await asyncio.sleep(min(left, 60.0))

    @property
    def look_s(self) -> float:
        return 1.0


class SharedClock:
    """A clock that other processes set through `SharedClockControl` on the same file."""

    def __init__(self, path: Path | str) -> None:
        try:
            with Path(path).open("rb") as file:
                self._map = mmap.mmap(file.fileno(), _LAYOUT.size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ClockError(
                f"The clock file {path} cannot be read ({error}); set it with SharedClockControl first."
            ) from None

    def _now_us(self) -> int:
        while True:
            before, model_us, anchor_ns, rate = _LAYOUT.unpack(self._map[: _LAYOUT.size])
            if before % 2 == 0 and before == _LAYOUT.unpack(self._map[: _LAYOUT.size])[0]:
                return int(model_us) + int((time.monotonic_ns() - anchor_ns) * rate) // 1000

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=self._now_us())

    def now_ms(self) -> int:
        return self._now_us() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep_until(self, instant: datetime) -> None:
        while self.now() < instant:
            await asyncio.sleep(_STEP_CHECK_S)

    @property
    def look_s(self) -> float:
        return _STEP_CHECK_S


class SharedClockControl:
    """Sets the clock of all processes that map `path`; creates the file."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._sequence = 0

    def set(self, instant: datetime, rate: float = 0.0) -> None:
        """Step the clock to `instant` and let it run at `rate` model seconds per wall second (0 stands still)."""
        if instant.tzinfo is None:
            raise ClockError(f"The clock takes aware instants only; {instant.isoformat()} has no zone: add one.")
        model_us = (instant - EPOCH) // timedelta(microseconds=1)
        anchor_ns = time.monotonic_ns()
        if not self.path.exists():
            fresh = self.path.with_suffix(".new")
            fresh.write_bytes(_LAYOUT.pack(0, model_us, anchor_ns, rate))
            fresh.replace(self.path)
            return
        with self.path.open("r+b") as file, mmap.mmap(file.fileno(), _LAYOUT.size) as memory:
            self._sequence = _LAYOUT.unpack(memory[: _LAYOUT.size])[0] // 2 * 2
            memory[:8] = struct.pack("<q", self._sequence + 1)
            memory[8 : _LAYOUT.size] = _LAYOUT.pack(0, model_us, anchor_ns, rate)[8:]
            memory[:8] = struct.pack("<q", self._sequence + 2)


class ClockError(ValueError):
    """A clock that cannot be read or set."""


def clock_from_environment() -> Clock:
    """The shared clock that `ROZVODNA_CLOCK` names, or else the machine's own."""
    path = os.environ.get(ENVIRONMENT_VARIABLE)
    return SharedClock(path) if path else SystemClock()
