"""What simulated meters write into their event logs: a few events a month, the same at every run."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zlib import crc32

from firmware_sims.data_faults import PowerCut
from firmware_sims.dlms.logs import CLOCK_SET_NEW, CLOCK_SET_OLD
from firmware_sims.dlms.meter import EventRow
from firmware_sims.loads.noise import key
from shared.metering_day import PRAGUE

POWER_DOWN: Final = 1
POWER_UP: Final = 2
SUMMER_TIME_CHANGED: Final = 3
SELF_CHECK: Final = 15
"""Codes of the standard event log (0-0:99.98.0) as IDIS has them; 15 is the maker's own here."""

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_BETWEEN_CLOCK_SETS_DAYS: Final = 23
_BETWEEN_SELF_CHECKS_DAYS: Final = 11


def events_of(meter: str, origin: datetime, until: datetime) -> list[EventRow]:
    """Events of the meter from `origin` (its first power-up) to `until`, both included, oldest first."""
    return sorted(_events(meter, origin.astimezone(UTC), until.astimezone(UTC)))


def power_events(cuts: Iterable[PowerCut]) -> list[EventRow]:
    """What cuts of power leave in the log, in no order."""
    return [event for cut in cuts for event in (EventRow(cut.at, POWER_DOWN), EventRow(cut.back, POWER_UP))]


def _events(meter: str, origin: datetime, until: datetime) -> Iterator[EventRow]:
    if origin > until:
        return
    yield EventRow(origin, POWER_UP)
    seed = crc32(meter.encode())
    day = origin
    number = 0
    while day <= until:
        if day.astimezone(PRAGUE).dst() != (day + _DAY).astimezone(PRAGUE).dst():
            changed = _summer_time_change(day)
            if changed <= until:
                yield EventRow(changed, SUMMER_TIME_CHANGED)
        moment = day + timedelta(seconds=key(seed, number) % 86_400)
        if moment <= until:
            if (number + seed) % _BETWEEN_CLOCK_SETS_DAYS == 0 and moment - timedelta(seconds=2) >= origin:
                yield EventRow(moment - timedelta(seconds=2), CLOCK_SET_OLD)
                yield EventRow(moment, CLOCK_SET_NEW)
            if (number + seed) % _BETWEEN_SELF_CHECKS_DAYS == 0:
                yield EventRow(moment, SELF_CHECK)
        day += _DAY
        number += 1


def _summer_time_change(day: datetime) -> datetime:
    """The instant at which summer time begins or ends in the 24 hours from `day`, a full hour."""
    summer = day.astimezone(PRAGUE).dst()
    while day.astimezone(PRAGUE).dst() == summer:
        day += _HOUR
    return day
