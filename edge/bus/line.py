"""The line as it is lent to a driver for one job: writes keep the silent gaps, everything is timed and counted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from edge.bus.counters import Latencies
from edge.bus.echo import Echo, EchoWatch
from edge.bus.link import Link
from edge.bus.station import Station
from edge.bus.timing import LineTiming
from edge.errors import CollisionError

DRAIN_MOST_S: Final = 2.0
"""A line that babbles is not drained longer than this."""
GATHER_LEAST: Final = 32
"""For fewer octets than this the end of a frame is waited for as it comes."""
GATHER_SPARE: Final = 20
"""So many octets of a frame are left to be seen as they come: its end must not be missed by a timer that is late."""
HEARD_MOST: Final = 4096


@dataclass(slots=True)
class LineCounters:
    """What went over a line since the agent's start."""

    octets_sent: int = 0
    octets_received: int = 0
    drained: int = 0
    """Octets thrown away: after faults, and what came while nothing was asked."""
    echoed: int = 0
    """Own octets that came back."""


class Line:
    """One link with its timing. `monotonic` gives wall seconds; `echo` says that what is sent comes back; `missing`
    tells how much is still to come of an answer that has begun (edge.bus.lengths), so that not every octet wakes us.
    """

    def __init__(
        self,
        link: Link,
        timing: LineTiming,
        monotonic: Callable[[], float],
        *,
        echo: bool = False,
        missing: Callable[[bytes], int] = lambda heard: 0,
        name: str = "",
    ) -> None:
        self.link = link
        self.timing = timing
        self.counters = LineCounters()
        self.latency = Latencies()
        self.station = Station()
        """Whom the present job is with."""
        self.heard = False
        """Whether anything has come since the last request."""
        self._name = name
        self._missing = missing
        self._answer = b""
        """What has come since the last request."""
        self._monotonic = monotonic
        self._busy_until = 0.0
        """When the last octet, either way, has passed or will have."""
        self._waited_s = 0.0
        """Longest silence since the last request was out."""
        self._echo = Echo() if echo else None
        self._watch = EchoWatch()

    def now(self) -> float:
        """Wall seconds, for deadlines."""
        return self._monotonic()

    def response_timeout(self, most_s: float) -> float:
        """How long to wait for the present meter to say anything: by how it has answered so far, `most_s` at most."""
        return self.station.patience.timeout_s(self.station.timeout_least_s, most_s)

    async def write(self, data: bytes) -> None:
        """Send after the silent gap. Returns when handed to the line; raises `LineDownError`, and `CollisionError` if
        the line does not fall silent.
        """
        self.settle()
        await self._keep_gap()
        await self.link.write(data)
        if self._echo is not None:
            self._echo.sent(data)
        elif self._watch.sent(data):
            structlog.get_logger("edge.bus").warning(
                "the line echoes what is sent; set echo to true in its link", bus=self._name
            )
        self.counters.octets_sent += len(data)
        self._busy_until = self._monotonic() + self.transmission_s(len(data))
        self.heard = False

    async def _keep_gap(self) -> None:
        gap = max(self.timing.gap_s, self.station.min_gap_s)
        deadline = self._monotonic() + DRAIN_MOST_S
        while (wait := self._busy_until + gap - self._monotonic()) > 0:
            if self.timing.quiet_s <= 0:
                await asyncio.sleep(wait)
                continue
            # Listening, because a master that talks into a late or doubled answer loses both.
            try:
                self._throw_away(await self.link.read(wait))
            except TimeoutError:
                continue
            self._busy_until = self.link.received_at
            if self._monotonic() > deadline:
                raise CollisionError(f"The line does not fall silent: octets keep coming for {DRAIN_MOST_S:.0f} s.")

    async def read(self, timeout: float) -> bytes:
        """At least one octet; raises `TimeoutError` after `timeout` seconds of silence, which begin when what was sent
        is out; `LineDownError`; `CollisionError` where the line echoes something else than was sent.
        """
        await self._let_gather()
        while True:
            before = self._busy_until
            data = await self.link.read(timeout + max(before - self._monotonic(), 0.0))
            self._busy_until = self.link.received_at
            self.counters.octets_received += len(data)
            if self._echo is None:
                self._watch.heard(data)
            else:
                own = len(data)
                data = self._echo.without(data)
                self.counters.echoed += own - len(data)
            if data:
                silence = self.link.received_at - self.transmission_s(len(data)) - before
                self._waited_s = max(self._waited_s, silence)
                self.heard = True
                self._answer = (self._answer + data)[-HEARD_MOST:]
                return data

    async def _let_gather(self) -> None:
        """Sleep while the rest of a frame is on the wire, of whose octets none is of use alone."""
        missing = self._missing(self._answer) if self.timing.character_s and self._answer else 0
        if missing >= GATHER_LEAST:
            until = self._busy_until + self.transmission_s(missing - GATHER_SPARE)
            await self.link.let_gather(until - self._monotonic())

    def settle(self) -> None:
        """The exchange with the present meter is over: what it took is noted."""
        if self.heard:
            self.station.patience.answered(self._waited_s)
            self.station.counters.latency.add(self._waited_s)
            self.latency.add(self._waited_s)
        self.heard, self._waited_s, self._answer = False, 0.0, b""

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
                self._throw_away(await self.link.read(0.0))
            except TimeoutError:
                return

    async def drain(self) -> None:
        """Throw away what comes until the line has been silent for `timing.quiet_s`; raises `LineDownError`.

        What comes is most likely the late answer, from which the meter's time is learnt.
        """
        late_since = None if self.heard else self._busy_until
        self.heard, self._waited_s = False, 0.0
        if self.timing.quiet_s <= 0:
            return
        deadline = self._monotonic() + DRAIN_MOST_S
        while self._monotonic() < deadline:
            try:
                data = await self.link.read(self.timing.quiet_s)
            except TimeoutError:
                break
            if late_since is not None:
                self.station.patience.answered_late(max(self.link.received_at - late_since, 0.0))
                late_since = None
            self._busy_until = self.link.received_at
            self._throw_away(data)
        if self._echo is not None:
            self._echo.forget()

    def _throw_away(self, data: bytes) -> None:
        self.counters.octets_received += len(data)
        if self._echo is not None:
            try:
                own = len(data)
                data = self._echo.without(data)
                self.counters.echoed += own - len(data)
            except CollisionError:
                pass  # all of it goes anyway
        self.counters.drained += len(data)
