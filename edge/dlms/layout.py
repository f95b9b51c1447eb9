"""What a profile captures, and how the meter writes time: known before any row is read."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

from edge.dlms.errors import ProtocolError
from shared.dlms.datetime12 import Stamp, decode_datetime, encode_datetime
from shared.dlms.errors import DecodeError
from shared.dlms.selection import CaptureObject, decode_capture_object
from shared.identifiers import Obis
from shared.metering_day import PRAGUE

CLOCK_CLASS: Final = 8
CAPTURE_TIME: Final = (4, 5)
"""Class and attribute of an extended register's capture time."""
SCALER_OF: Final = {(3, 2): 3, (4, 2): 3, (5, 2): 4, (5, 3): 4}
"""Values that carry a scaler and unit: class and attribute of the value -> attribute of its scaler and unit."""


@dataclass(frozen=True, slots=True)
class ClockConvention:
    """How the meter writes and takes time stamps."""

    zone: tzinfo = PRAGUE
    """Zone of stamps without deviation, and of those we send: UTC for a meter that runs on it."""
    reversed_deviation: bool = False
    """Deviation in the sense of older books: from UTC to local time."""
    send_deviation: bool = True
    """False for meters that take only stamps with unspecified deviation."""

    def decode(self, octets: Any, after_ms: int | None = None) -> Stamp:
        """A stamp as the meter writes it; `after_ms` as in `decode_datetime`. Raises ProtocolError."""
        try:
            return decode_datetime(octets, self.zone, after_ms=after_ms, reversed_deviation=self.reversed_deviation)
        except (DecodeError, TypeError) as error:
            raise ProtocolError(f"a time stamp that cannot be read ({error})", "12 octets") from None

    def encode(self, at: datetime) -> bytes:
        """`at` as the meter takes it, 12 octets."""
        octets = encode_datetime(at.astimezone(self.zone), deviation=self.send_deviation)
        if self.reversed_deviation and self.send_deviation:
            deviation = -int.from_bytes(octets[9:11], signed=True)
            octets = octets[:9] + deviation.to_bytes(2, signed=True) + octets[11:]
        return octets


class ScaledValue(NamedTuple):
    """A captured value: which attribute of which object, and where its scaler and unit are."""

    captured: CaptureObject
    scaler_attribute: int


@dataclass(frozen=True, slots=True)
class ProfileLayout:
    """What a profile captures (attributes 3 and 4)."""

    captured: tuple[CaptureObject, ...]
    period_ms: int
    """0 where rows are captured by events."""
    clock: int
    """Position of the time stamp among the captured objects."""
    status: int | None
    """Position of the AMR status, if captured."""

    @property
    def registers(self) -> dict[int, CaptureObject]:
        """Captured values with scaler and unit, by position."""
        return {
            position: each
            for position, each in enumerate(self.captured)
            if (each.class_id, each.attribute) in SCALER_OF
        }

    @property
    def capture_times(self) -> dict[Obis, int]:
        """Positions of capture times of extended registers, by register."""
        return {
            Obis.from_bytes(each.logical_name): position
            for position, each in enumerate(self.captured)
            if (each.class_id, each.attribute) == CAPTURE_TIME
        }

    def only(self, registers: Collection[Obis]) -> "ProfileLayout":
        """The layout of a selection of clock, status and `registers` (values and capture times), in captured order."""
        chosen = [
            position
            for position, each in enumerate(self.captured)
            if position in (self.clock, self.status) or Obis.from_bytes(each.logical_name) in registers
        ]
        status = chosen.index(self.status) if self.status is not None else None
        captured = tuple(self.captured[position] for position in chosen)
        return ProfileLayout(captured, self.period_ms, chosen.index(self.clock), status)


def profile_layout(capture_objects: Any, period_s: Any, *, periodic: bool = True) -> ProfileLayout:
    """From decoded attributes 3 and 4. Raises ProtocolError; so does a period of 0 if it must be `periodic`."""
    if not isinstance(capture_objects, list) or not isinstance(period_s, int):
        raise ProtocolError(f"capture objects {capture_objects!r:.100}, period {period_s!r:.20}", "a list and a number")
    try:
        captured = tuple(decode_capture_object(each) for each in capture_objects)
    except DecodeError as error:
        raise ProtocolError(f"capture objects that cannot be read ({error})", "four fields each") from None
    clocks = [position for position, each in enumerate(captured) if (each.class_id, each.attribute) == (CLOCK_CLASS, 2)]
    if not clocks:
        raise ProtocolError("a profile without clock among its capture objects", "one that captures 0-0:1.0.0")
    if period_s < periodic:
        raise ProtocolError(f"a profile with capture period {period_s} s", "one that is captured periodically")
    statuses = [position for position, each in enumerate(captured) if _is_status(each)]
    return ProfileLayout(captured, period_s * 1000, clocks[0], statuses[0] if statuses else None)


def _is_status(captured: CaptureObject) -> bool:
    """0-x:96.10.y, the AMR profile status."""
    name = captured.logical_name
    return captured.class_id == 1 and name[0] == 0 and name[2] == 96 and name[3] == 10
