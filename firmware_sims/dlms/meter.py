"""What a simulated DLMS meter is made of: its description, and the port through which it gets its data.

`CosemMeter` (cosem.py) serves what is described here; `MeterLink` (link.py) puts it on a byte stream. The host of the
simulation implements `MeterData` on its load model; `firmware_sims.testing.MemoryMeterData` is the one for tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from shared.dlms.acse import Mechanism
from shared.dlms.ciphering import AUTHENTICATED, ENCRYPTED, Keys
from shared.identifiers import Obis

LOAD_PROFILE: Final = Obis(1, 0, 99, 1, 0)
EVENT_LOG: Final = Obis(0, 0, 99, 98, 0)
ASSOCIATION: Final = Obis(0, 0, 40, 0, 0)
INVOCATION_COUNTER: Final = Obis(0, 0, 43, 1, 0)
PROFILE_STATUS: Final = Obis(0, 0, 96, 10, 1)


class IntegerType(StrEnum):
    """COSEM data type that a register's value has on the wire."""

    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"


class BufferCoding(StrEnum):
    """How the rows of a profile are written."""

    FULL = "full"
    """Every cell."""
    NULL = "null"
    """null-data for a time stamp that follows from the capture period, and for a repeated status."""
    DELTA = "delta"
    """The same, and values as differences to the row before where a long (16 bit) holds them."""
    COMPACT = "compact"
    """A compact array: types once, then values without tags."""


class TimeStyle(StrEnum):
    """How the meter writes its time stamps."""

    LOCAL = "local"
    """Local time with deviation and summer-time bit (IDIS)."""
    UTC = "utc"
    """UTC, deviation 0."""
    UNSPECIFIED = "unspecified"
    """Local time with the deviation 0x8000 and the summer-time bit."""


@dataclass(frozen=True, slots=True)
class RegisterSpec:
    """One register object. `unit` is the COSEM unit code (shared.dlms.units: 30 Wh, 32 varh, 13 m3)."""

    obis: Obis
    unit: int
    scaler: int = 0
    type: IntegerType = IntegerType.UINT32
    class_id: int = 3
    """3 register, 4 extended register, 5 demand register. A profile captures the capture time of a 4, too."""


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """One load profile (class 7) that captures clock, status (if any) and the values of `channels`."""

    obis: Obis
    period_s: int
    channels: tuple[RegisterSpec, ...]
    entries: int = 40 * 96
    """Rows of memory (`profile_entries`)."""
    status: Obis | None = PROFILE_STATUS
    coding: BufferCoding = BufferCoding.FULL
    columns: bool = True
    """Whether a choice of columns is heeded; otherwise whole rows are sent."""
    ranges: bool = True
    """Whether rows can be asked for by range of time; otherwise by entry only."""


@dataclass(frozen=True, slots=True)
class MeterSecurity:
    """What a meter demands of one client."""

    keys: Keys
    """Global unicast encryption key and authentication key."""
    suite: int = 0
    mechanism: int = Mechanism.HIGH_GMAC
    policy: int = AUTHENTICATED | ENCRYPTED
    """Protection of each message; 0 demands only the proof by GMAC."""
    counter: Obis = INVOCATION_COUNTER
    """Object (class 1) that shows the last invocation counter of the client."""
    association: Obis = ASSOCIATION
    """Instance of class 15 that takes the client's proof."""
    last_counter: int = 0
    """What the meter has seen from the client already."""
    general: bool = True
    """Grants the general form of ciphered messages."""


@dataclass(frozen=True, slots=True)
class ClockSpec:
    """How wrong the meter's clock is."""

    offset_s: float = 0.0
    """Ahead of the truth when the simulation begins."""
    drift_ppm: float = 0.0
    """Microseconds that it gains each second."""
    shifts: bool = True
    """Whether it has the method shift_time."""
    stops: tuple[tuple[datetime, datetime], ...] = ()
    """From when to when it stands."""


@dataclass(frozen=True, slots=True)
class MBusSpec:
    """A meter of another medium behind this one, on a channel of its M-Bus."""

    channel: int
    serial: str
    medium: int
    """Device type of EN 13757: 3 gas, 7 water."""
    unit: int
    """COSEM unit code of its value, x 10^-3."""

    @property
    def value(self) -> Obis:
        """Its counter, an extended register."""
        return Obis(0, self.channel, 24, 2, 1)

    @property
    def profile(self) -> Obis:
        """Its hourly profile."""
        return Obis(0, self.channel, 24, 3, 0)


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """A meter as its type plate and its parameters say."""

    serial: str
    logical_name: str
    """Logical device name (0-0:42.0.0), at most 16 characters."""
    registers: tuple[RegisterSpec, ...] = ()
    """Registers beside the profiles' channels."""
    profiles: tuple[ProfileSpec, ...] = ()
    time_style: TimeStyle = TimeStyle.LOCAL
    passwords: dict[int, bytes] = field(default_factory=dict, repr=False)
    """LLS password by client address; a client that is not named here associates without one."""
    max_pdu: int = 1024
    """Largest application message the meter sends; longer answers go in blocks."""
    general_blocks: int = 0
    """Blocks of general block transfer that the meter takes in a stream; 0 does not offer it."""
    max_information: int = 512
    """Largest HDLC information field the meter offers, either way."""
    max_window: int = 1
    event_entries: int = 256
    system_title: bytes = b"RZV\x00\x00\x00\x00\x01"
    security: dict[int, MeterSecurity] = field(default_factory=dict)
    """By client address; a client that is not named here sends and gets plain messages."""
    clock: ClockSpec = ClockSpec()
    switch_mode: int | None = None
    """Control mode of the disconnector; None is a meter without one."""
    mbus: tuple[MBusSpec, ...] = ()


class ProfileRow(NamedTuple):
    """One captured row: `end` is the end of its interval (aware), `status` the AMR status byte."""

    end: datetime
    status: int
    values: Sequence[int]
    captured: datetime | None = None
    """When the values were read from the meter behind, if they were."""


class EventRow(NamedTuple):
    """One row of the event log."""

    at: datetime
    code: int


class MeterData(Protocol):
    """Where a simulated meter's data come from. All instants are aware; all methods are quick and do not wait."""

    def now(self) -> datetime:
        """The true time."""

    def rows(self, profile: Obis, after: datetime, until: datetime) -> Sequence[ProfileRow]:
        """Rows of `profile` whose interval ended in (after, until], oldest first; a row that was never captured is
        left out. `values` in the order of the profile's channels. Never asked beyond `now()` or the memory's depth.
        """

    def register(self, obis: Obis) -> int:
        """Present value of a register, in its unit and scaler. Asked only for registers of the meter's `MeterSpec`."""

    def captured_at(self, obis: Obis) -> datetime:
        """When the value of an extended or demand register was captured."""

    def events(self, after: datetime, until: datetime) -> Sequence[EventRow]:
        """Events logged in (after, until], oldest first."""
