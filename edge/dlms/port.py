"""What a reader takes and gives: the transport below it, the meter's settings, the values that it reads."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from edge.dlms.layout import ClockConvention, ProfileLayout
from edge.dlms.security import SecuritySettings
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

    protocol: str
    """"hdlc" or "dlms-wrapper"."""
    client: int = 16
    server: int = 1
    """Logical device; with the wrapper its wPort."""
    physical: int | None = None
    """HDLC only: the lower address; None is a one-octet server address."""
    address_size: int | None = None
    """HDLC only: 2 or 4 octets where the meter demands it; None takes the shortest."""
    information: int = 512
    """HDLC: largest information field that we offer, both ways."""
    window: int = 1
    password: bytes | None = field(default=None, repr=False)
    """LLS; None associates without authentication."""
    security: SecuritySettings | None = None
    """Ciphering and HLS; None sends and takes plain messages."""
    general_blocks: int = 0
    """Blocks of general block transfer that we take in a stream, up to 63; 0 leaves long messages to each service."""
    response_timeout: float = 2.0
    """Wall seconds of silence after a request."""
    frame_time: float = 2.5
    """Wall seconds that a frame may take on top: 2,042 octets at 9,600 Bd are 2.1 s. Bounds a line that babbles."""
    retries: int = 2
    convention: ClockConvention = field(default_factory=ClockConvention)
    profile_access: Literal["range", "entry"] = "range"
    """Selective access to profiles: by the clock, or by place for meters that know only that."""
    null_repeats: bool = False
    """A null-data value in a profile is the one above it; otherwise it is no value."""


class RegisterValue(NamedTuple):
    """value x 10^scaler in unit ("Wh", "varh", "m3", ...)."""

    value: int
    scaler: int
    unit: str
    at: datetime | None = None
    """When it was captured, aware UTC, of extended and demand registers; others show the present."""
    status: int | None = None
    """Of extended and demand registers, as the maker means it."""


class ClockReading(NamedTuple):
    """The meter's clock as aware UTC, and its clock status octet."""

    at: datetime
    status: int


@dataclass(slots=True)
class MeterFacts:
    """What stays true between sessions: keep one per meter, hand it to each reader, drop it when the meter changes."""

    scalers: dict[Obis, tuple[int, str]] = field(default_factory=dict)
    layouts: dict[Obis, ProfileLayout] = field(default_factory=dict)
    whole_rows: set[Obis] = field(default_factory=set)
    """Profiles of which no columns can be chosen."""
