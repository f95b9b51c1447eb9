"""What a group has shared, computed from the newest day profiles by the keys of each day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.errors import Refused
from central.readings.profiles import read_newest
from central.readings.sharing.groups import HeldKey, held_keys, require_group
from central.readings.sharing.rules import rules_on
from central.readings.sharing.static import Units, share
from shared.metering_day import MeteringDay, days_between
from shared.quantities import MISSING_VALUE, Commodity

UNIT_EXPONENT: Final = 1
"""0.01 kWh is 10^1 Wh."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Quarter-hours of a member without a value, the first day of them; such quarter-hours share nothing."""

    ean: str
    missing: int
    day: date


@dataclass(frozen=True, slots=True)
class Shared:
    """Energy in units of 0.01 kWh over the quarter-hours of `days`, one after another; day d from `offset[d]` on.

    `produced` is (producers, quarter-hours), `demanded` (consumers, quarter-hours), `given` (producers, consumers,
    quarter-hours); EANs in order. A member that was none on a day has zeros there.
    """

    producers: list[str]
    consumers: list[str]
    days: Sequence[MeteringDay]
    offset: NDArray[np.int64]
    produced: Units
    demanded: Units
    given: Units
    lacking: list[Lack]


_CHANNELS: Final = text("""
    SELECT s.ean, c.id, c.exponent, count(*) OVER (PARTITION BY s.ean)
      FROM supply_point s
      JOIN channel c ON c.supply_point = s.id AND c.kind = 'interval' AND c.commodity = 'electricity'
     WHERE s.ean = ANY (:eans) AND c.direction = :direction AND c.unit = 'Wh'
""")


def shared_energy(connection: Connection, code: str, first: date, end: date) -> Shared:
    """The group's days from `first` to before `end`; NotFound; Refused where a member cannot be read at all."""
    require_group(connection, code)
    keys = held_keys(connection, code, first, end)
    producers = sorted({key.producer for key in keys})
    consumers = sorted({key.consumer for key in keys})
    days = days_between(Commodity.ELECTRICITY, first, end)
    offset = np.concatenate([[0], np.cumsum([day.length for day in days])]).astype(np.int64)
    lacking: list[Lack] = []
    produced = _read(connection, producers, "A-", days, offset, lacking)
    demanded = _read(connection, consumers, "A+", days, offset, lacking)
    given = np.zeros((len(producers), len(consumers), int(offset[-1])), np.int64)
    for begin, stop in _stretches(keys, first, end):
        columns = slice(int(offset[(begin - first).days]), int(offset[(stop - first).days]))
        table = [[_key(keys, producer, consumer, begin) for consumer in consumers] for producer in producers]
        members = {ean for ean, row in zip(producers, table, strict=True) if any(part is not None for part in row)}
        members |= {
            consumer for place, consumer in enumerate(consumers) if any(row[place] is not None for row in table)
        }
        active = [[part or 0 for part in row] for row in table]
        rounds = rules_on(begin).rounds_of(len(members))
        given[:, :, columns] = share(produced[:, columns], demanded[:, columns], active, rounds)
        for eans, energy in ((producers, produced), (consumers, demanded)):
            for place, ean in enumerate(eans):
                if ean not in members:
                    energy[place, columns] = 0
    return Shared(producers, consumers, days, offset, produced, demanded, given, lacking)


def _key(keys: Sequence[HeldKey], producer: str, consumer: str, day: date) -> int | None:
    for key in keys:
        held = key.first <= day and (key.end is None or day < key.end)
        if held and (key.producer, key.consumer) == (producer, consumer):
            return key.hundredths
    return None


def _stretches(keys: Sequence[HeldKey], first: date, end: date) -> list[tuple[date, date]]:
    """The days cut wherever a key or a rule begins or ends to hold."""
    borders = {first, end}
    borders |= {day for key in keys for day in (key.first, key.end) if day is not None and first < day < end}
    borders |= {
        day for day in (first + timedelta(days=n) for n in range(1, (end - first).days)) if _rules_change_on(day)
    }
    return list(pairwise(sorted(borders)))


def _rules_change_on(day: date) -> bool:
    return rules_on(day) is not rules_on(day - timedelta(days=1))


def _read(
    connection: Connection,
    eans: Sequence[str],
    direction: str,
    days: Sequence[MeteringDay],
    offset: NDArray[np.int64],
    lacking: list[Lack],
) -> Units:
    """Energy of the points in 0.01 kWh, rounded down (assumed); what is missing is zero and told in `lacking`."""
    channels: Mapping[str, tuple[int, int, int]] = {
        ean: (number, exponent, count)
        for ean, number, exponent, count in connection.execute(_CHANNELS, {"eans": list(eans), "direction": direction})
    }
    for ean in eans:
        if ean not in channels or channels[ean][2] > 1:
            found = channels[ean][2] if ean in channels else 0
            raise Refused(
                "sharing_channel",
                f"The member {ean} has {found} interval channels {direction} in Wh; exactly one is needed to share.",
            )
    energy = np.zeros((len(eans), int(offset[-1])), np.int64)
    if not eans:
        return energy
    profiles = read_newest(
        connection, Commodity.ELECTRICITY, [channels[ean][0] for ean in eans], days[0].date, days[-1].next.date
    )
    rows = {number: row for row, number in enumerate(profiles.channels)}
    for place, ean in enumerate(eans):
        number, exponent, _ = channels[ean]
        values = profiles.values[rows[number]]
        missing = values == MISSING_VALUE
        if missing.any():
            day = int(np.searchsorted(offset, int(missing.argmax()), side="right")) - 1
            lacking.append(Lack(ean, int(missing.sum()), days[day].date))
        energy[place] = _units(np.where(missing, 0, values).astype(np.int64), exponent)
    return energy


def _units(values: NDArray[np.int64], exponent: int) -> Units:
    power = exponent - UNIT_EXPONENT
    units: Units = values * np.int64(10**power) if power >= 0 else values // np.int64(10**-power)
    return units
