"""Port to one meter. A driver turns what its meter sends (local time, stamps at the end, scalers) into our terms."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol, runtime_checkable

from edge.bus.line import Line
from edge.config import ProfileConfig, StateRegister
from edge.errors import DeviceGarbledError
from shared.metering_day import MeteringDay
from shared.wire import Record


@dataclass(frozen=True, slots=True)
class StateReading:
    """One sampled register: integer in the unit and exponent of `register`, at its own time (business clock, ms)."""

    register: StateRegister
    value: int
    at_ms: int
    captured: bool = False
    """The time is the register's own: the same value may be read again under it."""


@dataclass(frozen=True, slots=True)
class DayPart:
    """Part of a metering day, or all of it: the intervals that begin in [start, end), both on interval borders, UTC."""

    day: MeteringDay
    start: datetime
    end: datetime

    @classmethod
    def whole(cls, day: MeteringDay) -> "DayPart":
        """All of `day`."""
        return cls(day, day.start, day.end)


@dataclass(frozen=True, slots=True)
class ProfileDay:
    """Rows of one metering day that the meter holds, oldest first; rows it does not hold are not there."""

    day: MeteringDay
    start_ms: Sequence[int]
    """Beginning of each interval, UTC."""
    flags: Sequence[int]
    """`shared.quantities.Flag` mask per row."""
    columns: dict[str, Sequence[int | None]]
    """By register name on the wire, in its unit and exponent; None where the meter sent no value."""
    captured: dict[str, Sequence[int | None]] = field(default_factory=dict)
    """The values' own times (UTC ms), of columns that have them."""
    records: Sequence[Record] = ()
    """What the rows tell beside values: repeated captures, rows off the grid."""


class MeterSession(Protocol):
    """An open conversation with one meter. Everything raises `DeviceError` or `LineDownError`."""

    async def read_states(self, registers: Sequence[StateRegister]) -> list[StateReading]:
        """All `registers`, or an error: never some of them."""

    async def read_day(self, profile: ProfileConfig, part: DayPart) -> ProfileDay:
        """All columns of `profile` in `part` of a day."""


class Switch(NamedTuple):
    """A breaker as its meter shows it."""

    closed: bool
    """Whether current can flow."""
    control: str
    """"disconnected", "connected" or "ready_for_reconnection": a person must press a button at the meter."""


@runtime_checkable
class ClockSession(Protocol):
    """A session whose meter has a clock."""

    async def read_clock(self) -> datetime:
        """The meter's time, aware."""

    async def set_clock(self, at: datetime) -> None:
        """Set it to the aware instant `at`; says nothing of boundaries, which are the caller's business."""


@runtime_checkable
class SwitchSession(Protocol):
    """A session whose meter has a breaker."""

    async def read_switch(self) -> Switch:
        """Its present state."""

    async def disconnect(self) -> None:
        """Open it."""

    async def reconnect(self) -> None:
        """Close it, or let a person close it."""


class MeterEvent(NamedTuple):
    """A row of a meter's event log."""

    at_ms: int | None
    """UTC; None for a stamp that names no instant."""
    code: int | None
    values: tuple[tuple[str, int | str], ...] = ()
    """What else the row holds, by OBIS."""


@dataclass(frozen=True, slots=True)
class EventsRead:
    """Rows of an event log that are new, oldest first."""

    events: Sequence[MeterEvent]
    mark: str
    """How far the log is read: to be kept with the events, and given back the next time."""
    overrun: bool = False
    """The log turned over since the last time: events are lost, unless they are among these."""


@runtime_checkable
class EventSession(Protocol):
    """A session whose meter keeps event logs."""

    async def read_events(self, log: str, mark: str | None) -> EventsRead:
        """What the log (OBIS) holds behind `mark`; all of it where there is no mark."""


class MeterDriver(Protocol):
    """Makes sessions with one meter over the line of its bus."""

    def session(self, line: Line) -> AbstractAsyncContextManager[MeterSession]:
        """Opens on entry, closes on exit."""


def rescaled(value: int, exponent: int, wanted: int, what: str) -> int:
    """`value` x 10^`exponent` in units of 10^`wanted`, exactly; `what` names the value in the error.

    Raises `DeviceGarbledError` if digits would be lost: a configuration that drops them would bill wrongly for ever.
    """
    if exponent == wanted:
        return value
    scaled = Decimal(value).scaleb(exponent - wanted)
    if scaled != scaled.to_integral_value():
        raise DeviceGarbledError(
            f"{what} is {value} x 10^{exponent}, which is no whole number of 10^{wanted}; "
            f"set its exponent to {exponent} in the configuration."
        )
    return int(scaled)
