"""What a group has shared, computed from the newest day profiles by the keys of each day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.errors import BadInput, Refused
from central.readings.profiles import read_newest
from central.readings.sharing.groups import HeldKey, held_keys, require_group
from central.readings.sharing.rules import rules_on
from central.readings.sharing.static import LARGEST, Units, share
from shared.metering_day import PRAGUE, MeteringDay, days_between
from shared.quantities import MISSING_VALUE, Commodity

UNIT_EXPONENT: Final = 1
"""0.01 kWh is 10^1 Wh."""
MOST_CELLS: Final = 20_000_000
"""Pairs x quarter-hours that are computed at once: 160 MB; a house of 1,000 members with one producer for 200 days."""


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
    """The group's days from `first` to before `end`.

    Raises NotFound; BadInput where the group is too large for so many days at once; Refused where a member cannot be
    read at all, or has a value that cannot be shared (below zero, or beyond all meters).
    """
    require_group(connection, code)
    keys = held_keys(connection, code, first, end)
    producers = sorted({key.producer for key in keys})
    consumers = sorted({key.consumer for key in keys})
    days = days_between(Commodity.ELECTRICITY, first, end)
    offset = np.concatenate([[0], np.cumsum([day.length for day in days])]).astype(np.int64)
    require_bound(code, len(producers), len(consumers), len(days))
    lacking: list[Lack] = []
    produced = _read(connection, producers, "A-", days, offset, lacking)
    demanded = _read(connection, consumers, "A+", days, offset, lacking)
    given = np.zeros((len(producers), len(consumers), int(offset[-1])), np.int64)
    for begin, stop in _stretches(keys, first, end):
        columns = slice(int(offset[(begin - first).days]), int(offset[(stop - first).days]))
        held = {
            (key.producer, key.consumer): key.hundredths
            for key in keys
            if key.first <= begin and (key.end is None or begin < key.end)
        }
        members = {ean for pair in held for ean in pair}
        active = [[held.get((producer, consumer), 0) for consumer in consumers] for producer in producers]
        rounds = rules_on(begin).rounds_of(len(members))
        given[:, :, columns] = share(produced[:, columns], demanded[:, columns], active, rounds)
        for eans, energy in ((producers, produced), (consumers, demanded)):
            for place, ean in enumerate(eans):
                if ean not in members:
                    energy[place, columns] = 0
    return Shared(producers, consumers, days, offset, produced, demanded, given, lacking)


def require_bound(code: str, producers: int, consumers: int, days: int) -> None:
    """BadInput for more than fits into memory, with how many days may be asked for."""
    cells = producers * consumers + producers + consumers
    most = max(MOST_CELLS // (cells * 100), 1) if cells else days
    if days > most:
        raise BadInput(
            "sharing_too_large",
            f"The group {code} has {producers} producers and {consumers} consumers in these {days} days; "
            f"ask for at most {most} days at once.",
        )


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
        known = np.where(missing, 0, values).astype(np.int64)
        _require_shareable(ean, known, exponent, days, offset)
        energy[place] = _units(known, exponent)
    return energy


def _require_shareable(
    ean: str, values: NDArray[np.int64], exponent: int, days: Sequence[MeteringDay], offset: NDArray[np.int64]
) -> None:
    largest = LARGEST * 10**UNIT_EXPONENT // 10**exponent if exponent >= 0 else LARGEST
    wrong = np.flatnonzero((values < 0) | (values > largest))
    if not len(wrong):
        return
    place = int(np.searchsorted(offset, int(wrong[0]), side="right")) - 1
    day = days[place]
    at = day.instant(int(wrong[0]) - int(offset[place])).astimezone(PRAGUE)
    raise Refused(
        "sharing_value",
        f"The member {ean} has {int(values[wrong[0]])} x 10^{exponent} Wh at {at:%Y-%m-%d %H:%M}, and {len(wrong) - 1} "
        "more like it; energy to be shared cannot be below zero or beyond all meters. Correct the day's profile.",
    )


def _units(values: NDArray[np.int64], exponent: int) -> Units:
    power = exponent - UNIT_EXPONENT
    units: Units = values * np.int64(10**power) if power >= 0 else values // np.int64(10**-power)
    return units
