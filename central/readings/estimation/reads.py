"""What an estimation looks at, read in a fixed number of queries for many channels of one commodity at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.readings.calendar import Ints, to_ms
from central.readings.estimation.nodes import read_balances
from central.readings.estimation.segments import Counted, read_counted
from central.readings.load_profiles import PREFERRED, LoadProfiles, read_load_profiles
from central.readings.profiles import Profiles, read_base
from central.readings.vee.rule import Severity
from shared.metering_day import STEP
from shared.quantities import MISSING_VALUE, Commodity, Quality

# Asked for: interval channels, those at the points of state channels, whose states may scale them, those that a channel
# is the check of or balanced with. Virtual meters have no mapping and inherit what their inputs are. Days that ever
# missed a value, and those that wait, also from further away: a neighbour or a like day of theirs has changed. A point
# without a load-profile class of its own has the one of its distribution rate on the day.
_SCOPE = text("""
    WITH asked AS (
        SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)
    ),
    wanted AS (
        SELECT id FROM asked
        UNION
        SELECT profile.id FROM asked
        JOIN channel state ON state.id = asked.id AND state.kind = 'state'
        JOIN channel profile ON profile.point = state.point AND profile.kind = 'interval'
        UNION
        SELECT k.channel FROM asked JOIN check_channel k ON k.check_channel = asked.id
        UNION
        SELECT beside.channel FROM asked
        JOIN collection_node mine ON mine.channel = asked.id
        JOIN collection_node beside ON beside.collection = mine.collection
            AND (beside.parent = mine.parent OR beside.parent = mine.node)
        WHERE beside.channel IS NOT NULL
    ),
    days AS (
        SELECT p.channel, p.day FROM wanted w JOIN day_profile p ON p.channel = w.id
        WHERE p.day >= :first AND p.day < :end AND p.missing > 0 AND p.base_digest IS NULL
          AND NOT EXISTS (
              SELECT FROM day_profile later
              WHERE later.channel = p.channel AND later.day = p.day AND later.version > p.version
                AND later.base_digest IS NULL
          )
        UNION
        SELECT p.channel, p.day FROM wanted w JOIN estimation_pending p ON p.channel = w.id
        WHERE p.day >= :reach_first AND p.day < :reach_end
    )
    SELECT c.id AS channel, d.day, c.commodity, c.direction, c.exponent, c.step_ms, c.unit,
           coalesce(s.metering_type, '') AS metering_type,
           coalesce(s.load_profile_class, of_rate.class) AS load_profile_class,
           coalesce(s.temperature_zone, '') AS temperature_zone
    FROM days d
    JOIN channel c ON c.id = d.channel AND c.kind = 'interval'
    LEFT JOIN supply_point_valid s ON s.id = c.supply_point AND s.valid @> d.day
    LEFT JOIN LATERAL (
        SELECT r.class FROM contract_item i
        JOIN load_profile_rate r ON r.rate = i.rate AND r.commodity = c.commodity AND r.valid @> d.day
        WHERE i.supply_point = c.supply_point AND i.valid @> d.day ORDER BY i.id LIMIT 1
    ) of_rate ON true
    WHERE EXISTS (SELECT FROM channel_mapping m WHERE m.channel = c.id)
    ORDER BY c.id, d.day
""")
_UNSOUND = text("""
    SELECT f.channel, f.day FROM finding f
    JOIN (SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)) wanted ON wanted.id = f.channel
    WHERE f.day >= :first AND f.day < :end AND f.severity >= :severe AND f.state IN ('open', 'confirmed')
      AND f.rule <> 'missing'
""")
_CHECKS = text("""
    SELECT k.channel, k.check_channel, other.exponent - mine.exponent AS power,
           coalesce((extract(epoch FROM lower(k.valid)) * 1000)::bigint, -(1::bigint << 52)) AS from_ms,
           coalesce((extract(epoch FROM upper(k.valid)) * 1000)::bigint, 1::bigint << 52) AS to_ms
    FROM (SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)) wanted
    JOIN check_channel k ON k.channel = wanted.id
    JOIN channel mine ON mine.id = k.channel
    JOIN channel other ON other.id = k.check_channel AND other.step_ms = mine.step_ms AND other.unit = mine.unit
    WHERE k.valid && tstzrange(:begin, :finish)
""")
REACH = 31
"""Days around those asked for in which waiting days are tried again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A channel and its days that may miss values, on which its point had these facts."""

    channel: int
    days: tuple[date, ...]
    commodity: Commodity
    direction: str
    metering_type: str
    load_profile_class: str | None
    temperature_zone: str


@dataclass(frozen=True, slots=True)
class Material:
    """All that is known of some channels over consecutive days; `unsound` has (channel, day) of severe findings."""

    base: Profiles
    unsound: frozenset[tuple[int, date]]
    checks: Mapping[int, Ints]
    balances: Mapping[int, Ints]
    counted: Counted
    load_profiles: Mapping[str, LoadProfiles]
    """By temperature zone; "" is the whole country."""
    starts_ms: Ints

    @property
    def step_ms(self) -> int:
        """Length of an interval."""
        return STEP[self.base.days[0].commodity] // timedelta(milliseconds=1)


def read_scope(connection: Connection, channels: Sequence[int], first: date, end: date) -> list[Asked]:
    """The channels and days to try, by channel; days before and after are taken along: their gaps may reach here."""
    parameters = {
        "channels": list(channels),
        "first": first - timedelta(days=1),
        "end": end + timedelta(days=1),
        "reach_first": first - timedelta(days=REACH),
        "reach_end": end + timedelta(days=REACH),
    }
    found: dict[tuple[Any, ...], Asked] = {}
    for row in connection.execute(_SCOPE, parameters):
        commodity = Commodity(row.commodity)
        if row.step_ms != STEP[commodity] // timedelta(milliseconds=1):
            continue
        key = (row.channel, row.metering_type, row.load_profile_class, row.temperature_zone)
        known = found.get(key)
        found[key] = Asked(
            row.channel,
            (row.day,) if known is None else (*known.days, row.day),
            commodity,
            row.direction,
            row.metering_type,
            row.load_profile_class,
            row.temperature_zone,
        )
    return list(found.values())


def read_material(
    connection: Connection, commodity: Commodity, asked: Sequence[Asked], first: date, end: date
) -> Material:
    """Base profiles, findings, check meters, register states and load-profile classes over [first, end)."""
    channels = sorted({each.channel for each in asked})
    base = read_base(connection, commodity, channels, first, end)
    starts_ms = _starts(base)
    begin, finish = base.days[0].start, base.days[-1].end
    step_ms = STEP[commodity] // timedelta(milliseconds=1)
    unsound = connection.execute(
        _UNSOUND, {"channels": channels, "first": first, "end": end, "severe": int(Severity.ERROR)}
    )
    classes = sorted({each.load_profile_class for each in asked if each.load_profile_class})
    zones = {"", *(each.temperature_zone for each in asked)} if classes else set()
    return Material(
        base,
        frozenset((row.channel, row.day) for row in unsound),
        _read_checks(connection, commodity, channels, base, starts_ms, begin, finish),
        read_balances(connection, commodity, channels, base),
        read_counted(connection, channels, begin, finish + timedelta(milliseconds=step_ms), step_ms),
        {
            zone: read_load_profiles(connection, commodity, classes, to_ms(begin), to_ms(finish), zone)
            for zone in sorted(zones)
        },
        starts_ms,
    )


def class_weights(
    profiles: Mapping[str, LoadProfiles], asked: Asked, starts_ms: Ints, missing: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Weights of the point's class, NaN where nothing is known: of the first series that knows all that is missing,
    recomputed before normalised, of the point's zone before the whole country's."""
    if asked.load_profile_class is None:
        return None
    for kind in PREFERRED:
        for zone in dict.fromkeys((asked.temperature_zone, "")):
            if zone in profiles:
                weights = profiles[zone].known(asked.load_profile_class, starts_ms, kind)
                if not np.isnan(weights[missing]).any():
                    return weights
    return None


def _starts(base: Profiles) -> Ints:
    step_ms = STEP[base.days[0].commodity] // timedelta(milliseconds=1)
    return to_ms(base.days[0].start) + np.arange(int(base.offset[-1]), dtype=np.int64) * step_ms


def _read_checks(
    connection: Connection,
    commodity: Commodity,
    channels: Sequence[int],
    base: Profiles,
    starts_ms: Ints,
    begin: datetime,
    finish: datetime,
) -> dict[int, Ints]:
    """By channel what its check meters measured, in the channel's unit."""
    rows = connection.execute(_CHECKS, {"channels": list(channels), "begin": begin, "finish": finish}).all()
    if not rows:
        return {}
    others = sorted({row.check_channel for row in rows})
    read = read_base(connection, commodity, others, base.days[0].date, base.days[-1].next.date)
    result: dict[int, Ints] = {}
    for row in rows:
        place = others.index(row.check_channel)
        quality = read.quality[place]
        good = (quality == Quality.MEASURED) | (quality == Quality.EDITED)
        good &= (starts_ms >= row.from_ms) & (starts_ms < row.to_ms)
        values, unit = read.values[place].astype(np.int64), np.int64(10 ** abs(row.power))
        values = values * unit if row.power >= 0 else (2 * values + unit) // (2 * unit)
        into = result.setdefault(row.channel, np.full(len(starts_ms), MISSING_VALUE, np.int64))
        into[good] = values[good]
    return result
