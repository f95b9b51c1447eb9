"""A meter in memory that fits the driver's port."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from edge.bus.line import Line
from edge.config import ProfileConfig, StateRegister
from edge.drivers.port import DayPart, MeterSession, ProfileDay, StateReading
from shared.clock import EPOCH, Clock
from shared.metering_day import MeteringDay


@dataclass
class FakeMeter:
    """Its profile holds, per interval, the minutes since 1970; its registers too. `fault` may raise at each request."""

    clock: Clock
    fault: Callable[[], None] = lambda: None
    left_out: set[int] = field(default_factory=set)
    """Starts (ms) of rows that it does not hold."""
    sessions: int = 0
    parts_read: list[DayPart] = field(default_factory=list)

    @asynccontextmanager
    async def session(self, line: Line) -> AsyncIterator[MeterSession]:
        """A `MeterDriver`: the meter itself is one."""
        self.fault()
        self.sessions += 1
        yield self

    async def read_states(self, registers: Sequence[StateRegister]) -> list[StateReading]:
        self.fault()
        now = self.clock.now_ms()
        return [StateReading(register, now // 60_000, now) for register in registers]

    async def read_day(self, profile: ProfileConfig, part: DayPart) -> ProfileDay:
        self.fault()
        self.parts_read.append(part)
        step = profile.step_s * 1000
        span = range(
            (part.start - EPOCH) // timedelta(milliseconds=1), (part.end - EPOCH) // timedelta(milliseconds=1), step
        )
        held = [start for start in span if start not in self.left_out and start + step <= self.clock.now_ms()]
        values = [start // 60_000 for start in held]
        return ProfileDay(part.day, held, [0] * len(held), {r.register: values for r in profile.registers})

    @property
    def days_read(self) -> list[MeteringDay]:
        """Of each request for rows, the day."""
        return [part.day for part in self.parts_read]
