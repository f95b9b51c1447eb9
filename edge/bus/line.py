"""The line as it is lent to a driver for one job: writes keep the silent gaps, everything is timed and counted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from edge.bus.link import Link
from edge.bus.timing import LineTiming

DRAIN_MOST_S: Final = 2.0
"""A line that babbles is not drained longer than this."""


@dataclass(slots=True)
class LineCounters:
    """What went over a line since the agent's start."""

    octets_sent: int = 0
    octets_received: int = 0
    drained: int = 0
    """Octets thrown away after faults."""


class Line:
    """One link with its timing. `monotonic` gives wall seconds."""

    def __init__(self, link: Link, timing: LineTiming, monotonic: Callable[[], float]) -> None:
        self.link = link
        self.timing = timing
        self.counters = LineCounters()
        self._monotonic = monotonic
        self._busy_until = 0.0

    def now(self) -> float:
        """Wall seconds, for deadlines."""
        return self._monotonic()

    async def write(self, data: bytes) -> None:
        """Send after the silent gap. Returns when handed to the line; raises `LineDownError`."""
        wait = self._busy_until + self.timing.gap_s - self._monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        await self.link.write(data)
        self.counters.octets_sent += len(data)
        self._busy_until = self._monotonic() + self.transmission_s(len(data))

    async def read(self, timeout: float) -> bytes:
        """At least one octet; raises `TimeoutError`, `LineDownError`."""
        data = await self.link.read(timeout)
        self.counters.octets_received += len(data)
        self._busy_until = self.link.received_at
        return data

    def transmission_s(self, octets: int) -> float:
        """How long `octets` take on the wire."""
        return octets * self.timing.character_s

    async def set_speed(self, baud: int, character_bits: int = 10) -> bool:
        """Go on at `baud`, the timing with it; False where the link has no say in its speed."""
        if not await self.link.set_speed(baud):
            return False
        self.timing = replace(self.timing, character_s=character_bits / baud)
        return True

    async def flush(self) -> None:
        """Throw away what has come already, without waiting: it cannot be the answer to what is asked next."""
        await asyncio.sleep(0)  # lets the loop fetch what the kernel holds
        while True:
            try:
                self.counters.drained += len(await self.link.read(0.0))
            except TimeoutError:
                return

    async def drain(self) -> None:
        """Throw away what comes until the line has been silent for `timing.quiet_s`; raises `LineDownError`."""
        if self.timing.quiet_s <= 0:
            return
        deadline = self._monotonic() + DRAIN_MOST_S
        while self._monotonic() < deadline:
            try:
                self.counters.drained += len(await self.read(self.timing.quiet_s))
            except TimeoutError:
                return
