"""COSEM date-time of 12 octets <-> instants.

    year 2 | month | day | day of week (Monday 1) | hour | minute | second | 1/100 s | deviation int16 | clock status

Convention of the deviation (newer Blue Books, IDIS): minutes *from local time to UTC*, UTC = local + deviation, so CET
is -60 and CEST -120. Meters built after older books write the opposite sign: `reversed_deviation`. 0x8000 means
that no deviation is given; then the caller's zone and the summer-time bit of the status decide.
"""

import struct
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from shared.dlms.errors import DecodeError

UNSPECIFIED_DEVIATION: Final = -0x8000
UNSPECIFIED_STATUS: Final = 0xFF
STATUS_INVALID: Final = 0x01
STATUS_DOUBTFUL: Final = 0x02
STATUS_SUMMER_TIME: Final = 0x80

_LAYOUT: Final = struct.Struct(">HBBBBBBBhB")
_TIME_PART: Final = struct.Struct(">xxxxxBBBBhB")
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Stamp(NamedTuple):
    """A decoded date-time: UTC ms since 1970 and the clock status octet."""

    ms: int
    status: int

    @property
    def instant(self) -> datetime:
        """Aware, UTC."""
        return _EPOCH + timedelta(milliseconds=self.ms)


def encode_datetime(at: datetime, *, deviation: bool = True, status: int = 0) -> bytes:
    """`at` as its own zone's wall time; the summer-time bit is added from the zone.

    `deviation=False` leaves the deviation unspecified. Raises ValueError for an instant without a zone.
    """
    offset = at.utcoffset()
    if offset is None:
        raise ValueError(f"A COSEM date-time needs an aware instant; {at.isoformat()} has no zone.")
    return _LAYOUT.pack(
        at.year,
        at.month,
        at.day,
        at.isoweekday(),
        at.hour,
        at.minute,
        at.second,
        at.microsecond // 10_000,
        -(offset // timedelta(minutes=1)) if deviation else UNSPECIFIED_DEVIATION,
        status | (STATUS_SUMMER_TIME if at.dst() else 0),
    )


def decode_datetime(
    octets: bytes, zone: tzinfo, *, after_ms: int | None = None, reversed_deviation: bool = False
) -> Stamp:
    """The instant that `octets` mean.

    `zone` is used only where no deviation is given. In the hour that occurs twice, without deviation and status, the
    later instant is meant if the earlier one is not after `after_ms` (the stamp before in an ordered list).
    Unspecified seconds and hundredths count as 0. Raises DecodeError for anything that names no instant.
    """
    if len(octets) != 12:
        raise DecodeError(f"A COSEM date-time has 12 octets; {octets.hex()} has {len(octets)}.")
    midnight = _midnight_ms(octets[:4])
    hour, minute, second, hundredths, deviation, status = _TIME_PART.unpack(octets)
    if second == 0xFF:
        second = 0
    if hundredths > 99:
        hundredths = 0
    if hour > 23 or minute > 59 or second > 59:
        raise DecodeError(f"The COSEM date-time {octets.hex()} has no time of day that exists.")
    local = midnight + ((hour * 60 + minute) * 60 + second) * 1000 + hundredths * 10
    if deviation == UNSPECIFIED_DEVIATION:
        return Stamp(_from_zone(local, zone, status, after_ms), status)
    if not -720 <= deviation <= 840:
        raise DecodeError(
            f"The COSEM date-time {octets.hex()} has the deviation {deviation}; at most 12 hours are used."
        )
    return Stamp(local + (-deviation if reversed_deviation else deviation) * 60_000, status)


@lru_cache(maxsize=1024)
def _midnight_ms(year_month_day: bytes) -> int:
    """00:00 of the date, as if it were UTC."""
    year = year_month_day[0] << 8 | year_month_day[1]
    try:
        return (date(year, year_month_day[2], year_month_day[3]).toordinal() - _EPOCH_ORDINAL) * 86_400_000
    except ValueError:
        raise DecodeError(f"The COSEM date {year_month_day.hex()} is no date of the calendar.") from None


def _from_zone(local_ms: int, zone: tzinfo, status: int, after_ms: int | None) -> int:
    wall = (_EPOCH + timedelta(milliseconds=local_ms)).replace(tzinfo=zone)
    first, second = wall, wall.replace(fold=1)
    first_ms, second_ms = ((each.astimezone(UTC) - _EPOCH) // _MILLISECOND for each in (first, second))
    if first_ms == second_ms:
        return first_ms
    if status != UNSPECIFIED_STATUS:
        summer = bool(status & STATUS_SUMMER_TIME)
        return first_ms if bool(first.dst()) == summer else second_ms
    return second_ms if after_ms is not None and first_ms <= after_ms else first_ms
