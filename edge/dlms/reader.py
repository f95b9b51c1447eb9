"""Reads one DLMS meter over a byte transport: the only module of edge.dlms that waits. (First: signatures.)"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from shared.identifiers import Obis


class Transport(Protocol):
    """The line, as the bus lends it for one session: nobody else reads or writes meanwhile."""

    async def write(self, data: bytes) -> None:
        """Send; returns when handed to the line. Raises OSError when the line is gone."""

    async def read(self, timeout: float) -> bytes:
        """At least one byte as soon as there is any. Raises TimeoutError when nothing came within `timeout` wall
        seconds, OSError or EOFError when the line is gone.
        """


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How to reach the meter."""

    protocol: str  # "hdlc" | "dlms-wrapper"
    client: int = 16
    server: int = 1
    physical: int | None = None  # HDLC only: lower address; None = one-byte server address
    information: int = 512  # HDLC: largest information field we offer, both ways
    window: int = 1
    password: bytes | None = None
    response_timeout: float = 2.0  # wall seconds of silence after a request
    retries: int = 2


class RegisterValue(NamedTuple):
    """value x 10^scaler in unit ("Wh", "varh", "m3", ...)."""

    value: int
    scaler: int
    unit: str


class ClockReading(NamedTuple):
    """The meter's clock as aware UTC, and its clock status byte."""

    at: datetime
    status: int


@dataclass(frozen=True, slots=True)
class ProfileColumn:
    """One channel of a profile. `values` run parallel to `ProfileRows.start_ms`; None where the meter sent no value."""

    obis: Obis
    scaler: int
    unit: str
    values: list[int | None]


@dataclass(frozen=True, slots=True)
class ProfileRows:
    """Rows of a load profile; rows the meter does not hold are simply not there."""

    period_ms: int
    start_ms: list[int]  # start of the interval, UTC ms, ascending, each once
    flags: list[int]  # shared.quantities.Flag mask per row
    columns: dict[Obis, ProfileColumn]


@dataclass(slots=True)
class MeterFacts:
    """What stays true between sessions (scalers, capture objects): keep one per meter, hand it to each reader."""

    scalers: dict[Obis, tuple[int, str]] = field(default_factory=dict)


class DlmsReader:
    """`async with`-able session with one meter. Errors: edge.dlms.errors.DlmsError and below."""

    def __init__(self, transport: Transport, settings: LinkSettings, facts: MeterFacts | None = None) -> None: ...

    async def open(self) -> None: ...

    async def get(self, class_id: int, obis: Obis, attribute: int, selection: Any = None) -> Any: ...

    async def read_profile(self, obis: Obis, start: datetime, end: datetime) -> ProfileRows: ...

    async def read_register(self, obis: Obis, class_id: int = 3) -> RegisterValue: ...

    async def read_clock(self) -> ClockReading: ...

    async def close(self) -> None: ...
