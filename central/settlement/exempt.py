"""What entries of a network took without the points behind them that pay no reserved capacity (§ 54a(2)).

Price decision 1/2026, point 4.34: a rule of a package may evaluate an entry by it; the fact is the quarter-hours of the
entry less those of the exempt points of its network, on the days on which each is exempt.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.readings.profiles import Profiles, read_newest
from central.settlement.facts import ChannelFacts, PointFacts
from central.settlement.measured import DaySums, sum_days
from shared.quantities import MISSING_VALUE, Commodity

EXEMPT = text("""
    -- interval channels of what exempt points took behind an entry, with the days of the exemption
    SELECT entry.id AS entry, ch.id AS channel, ch.exponent, greatest(lower(k.valid), :first) AS since,
           least(coalesce(upper(k.valid), :end), :end) AS until
      FROM supply_point entry
      JOIN supply_point sp ON sp.area = entry.area AND sp.point_type = 'consumption'
      JOIN point_condition k ON k.supply_point = sp.id AND k.kind = 'capacity_exempt'
                            AND k.valid && daterange(:first, :end)
      JOIN channel ch ON ch.supply_point = sp.id AND ch.direction = 'A+' AND ch.kind = 'interval'
     WHERE entry.id = ANY (CAST(:entries AS bigint[]))
     ORDER BY 1, 2, 4
""")

_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Exempt:
    """The channel of an exempt point on the days [first, end)."""

    channel: int
    exponent: int
    first: date
    end: date


def read_without_exempt(
    connection: Connection, facts: Iterable[PointFacts], first: date, end: date
) -> dict[tuple[int, int], tuple[DaySums, int]]:
    """By entry with exempt points behind it and channel of its own, that channel less theirs, and the exponent of that.

    An entry may be settled from one channel after another.
    """
    entries: dict[int, dict[int, ChannelFacts]] = {}
    for point in facts:
        if point.commodity is Commodity.ELECTRICITY:
            active = {
                channel.id: channel
                for span in point.spans
                if span.tariff.network_entry and (channel := point.channel_of(span, "A+", "interval")) is not None
            }
            if active:
                entries[point.supply_point] = active
    if not entries:
        return {}
    behind: dict[int, list[Exempt]] = defaultdict(list)
    for row in connection.execute(EXEMPT, {"entries": int_array(sorted(entries)), "first": first, "end": end}):
        behind[row.entry].append(Exempt(row.channel, row.exponent, row.since, row.until))
    found = {}
    for entry, exempt in behind.items():
        wanted = sorted({*entries[entry], *(each.channel for each in exempt)})
        profiles = read_newest(connection, Commodity.ELECTRICITY, wanted, first, end)
        for channel in entries[entry].values():
            less, exponent = without_exempt(profiles, channel, exempt)
            found[entry, channel.id] = (sum_days(less), exponent)
    return found


def without_exempt(profiles: Profiles, active: ChannelFacts, exempt: Sequence[Exempt]) -> tuple[Profiles, int]:
    """The quarter-hours of an entry's channel less those of exempt points on their days, and their exponent.

    Exact; a quarter-hour is missing where one of the values is, or where the result does not fit into 32 bits.
    """
    rows = {channel: row for row, channel in enumerate(profiles.channels)}
    lowest = min(active.exponent, *(each.exponent for each in exempt))
    own = profiles.values[rows[active.id]].astype(np.int64)
    missing = own == MISSING_VALUE
    rest = np.where(missing, 0, own) * 10 ** (active.exponent - lowest)
    begin = profiles.days[0].date
    for each in exempt:
        low, high = (int(profiles.offset[(day - begin).days]) for day in (each.first, each.end))
        values = profiles.values[rows[each.channel], low:high].astype(np.int64)
        missing[low:high] |= values == MISSING_VALUE
        rest[low:high] -= np.where(values == MISSING_VALUE, 0, values) * 10 ** (each.exponent - lowest)
    missing |= np.abs(rest) > _LARGEST
    row = rows[active.id]
    less = replace(
        profiles,
        channels=[active.id],
        values=np.where(missing, MISSING_VALUE, rest).astype(np.int32)[None, :],
        quality=profiles.quality[row : row + 1],
        versions=profiles.versions[row : row + 1],
    )
    return less, lowest
