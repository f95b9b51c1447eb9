"""A meter in memory that fits the driver's port."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge.bus.line import Line
from edge.config import ProfileConfig, StateRegister
from edge.drivers.port import MeterSession, ProfileDay, StateReading
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
    days_read: list[MeteringDay] = field(default_factory=list)

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

    async def read_day(self, profile: ProfileConfig, day: MeteringDay) -> ProfileDay:
        self.fault()
        self.days_read.append(day)
        step = profile.step_s * 1000
        first = (day.start - EPOCH) // day.step * step
        starts = [first + n * step for n in range(day.length)]
        held = [start for start in starts if start not in self.left_out and start + step <= self.clock.now_ms()]
        values = [start // 60_000 for start in held]
        return ProfileDay(day, held, [0] * len(held), {r.register: values for r in profile.registers})
