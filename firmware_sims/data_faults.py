"""What a meter's memory and registers do not hold as they should: as a scenario says, and what becomes of a row.

Which rows a share hits follows from the seed, the meter and the row's end alone: the same at every run, whoever asks.
No I/O; all instants are true time.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final, NamedTuple
from zlib import crc32

from msgspec import Meta, Struct

from firmware_sims.faults import Instant, Permille
from firmware_sims.loads.noise import key
from shared.dlms.amr_status import CLOCK_INVALID, DATA_NOT_VALID, POWER_DOWN

Digits = Annotated[int, Meta(ge=4, le=15)]
"""Digits of a register, in its unit: 99 999 999 is followed by 0 where there are 8."""
_LOST, _INVALID, _REPEATED, _LATE = range(1, 5)
"""Streams of chance."""
_MONTH_S: Final = 31 * 86_400


class Rows(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a load profile, by share and by name."""

    share: Permille = 0
    """Of all rows."""
    ends: tuple[Instant, ...] = ()
    """These as well: the ends of their intervals."""


class PowerCut(Struct, frozen=True, forbid_unknown_fields=True):
    """The meter is without power and starts again: it does not answer meanwhile, and its associations are gone.

    Rows that end meanwhile are lost; the row in which power comes back has it in its status. What is measured
    meanwhile is counted all the same.
    """

    at: Instant
    seconds: Annotated[float, Meta(gt=0, le=_MONTH_S)]
    keeps_rows: bool = False
    """Rows that ended meanwhile are captured when power is back, with power-down in their status."""
    clock_stops: bool = False
    """A clock without a battery: it stands meanwhile and is behind until it is set. Rows that the cut touches have an
    invalid clock in their status.
    """

    @property
    def back(self) -> datetime:
        """When power is back."""
        return self.at + timedelta(seconds=self.seconds)


class DataFaults(Struct, frozen=True, forbid_unknown_fields=True):
    """Faults of one meter's load profile."""

    seed: Annotated[int, Meta(ge=0)] = 0
    lost: Rows = Rows()
    """Never captured."""
    invalid: Rows = Rows()
    """Their status says that the data are not valid."""
    repeated: Rows = Rows()
    """Captured twice, alike."""
    late: Rows = Rows()
    """Captured only `late_s` after the end of their interval."""
    late_s: Annotated[float, Meta(ge=0, le=_MONTH_S)] = 120
    power_cuts: tuple[PowerCut, ...] = ()


class Capture(NamedTuple):
    """How a row came into the memory."""

    at: datetime
    """Before, the meter does not hold it."""
    status: int = 0
    """Bits of the AMR status (shared.dlms.amr_status) that faults bring."""
    times: int = 1


class RowFaults:
    """What becomes of each row of a meter's profile with intervals of `step`."""

    def __init__(self, meter: str, faults: DataFaults, step: timedelta) -> None:
        self._faults, self._step = faults, step
        self._seed = key(faults.seed, crc32(meter.encode()))
        hit = {_LOST: faults.lost, _INVALID: faults.invalid, _REPEATED: faults.repeated, _LATE: faults.late}
        self._hit = {stream: (rows.share, set(rows.ends)) for stream, rows in hit.items()}

    def capture(self, end: datetime) -> Capture | None:
        """Of the row whose interval ends at `end`; None if it never is captured."""
        if self._hits(_LOST, end):
            return None
        at = end + timedelta(seconds=self._faults.late_s) if self._hits(_LATE, end) else end
        status = DATA_NOT_VALID if self._hits(_INVALID, end) else 0
        for cut in self._faults.power_cuts:
            if cut.at < end and cut.back > end - self._step:
                if end < cut.back and not cut.keeps_rows:
                    return None
                at = max(at, cut.back)
                status |= POWER_DOWN | (CLOCK_INVALID if cut.clock_stops else 0)
        return Capture(at, status, 2 if self._hits(_REPEATED, end) else 1)

    def _hits(self, stream: int, end: datetime) -> bool:
        share, ends = self._hit[stream]
        return end in ends or (share > 0 and key(self._seed, stream, int(end.timestamp())) % 1000 < share)


def shown(counted: int, digits: int | None) -> int:
    """What a register of so many digits shows; None has room for all."""
    return counted if digits is None else counted % 10**digits
