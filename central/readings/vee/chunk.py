"""Work as chunks: the newest profiles of a bucket's channels with their neighbours in time and at the same point."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, text

from central.platform.arrays import int_array
from central.readings.calendar import Ints, number_of
from central.readings.profiles import read_newest
from central.readings.vee.rule import Bools, ChannelFacts, Chunk
from central.readings.vee.work import Work, hold_buckets
from shared.metering_day import STEP, days_between
from shared.quantities import Commodity, Kind

BEFORE = AFTER = 1
"""Days beside those to judge: a run of equal values crosses midnight, and a day is judged by the one before it. The
day after is judged too, because the one before it has changed."""

# The channels themselves and their siblings: other channels of the same point, of the same kind.
_CHANNELS = text("""
    SELECT c.id, c.kind, c.commodity, c.direction, c.exponent, c.step_ms, c.point,
           coalesce(c.supply_point, 0) AS supply_point,
           coalesce((
               SELECT max(m.multiplier * 10.0 ^ (e.exponent - c.exponent)) FROM channel_mapping m
               JOIN evidence_channel e ON e.id = m.evidence_channel
               WHERE m.channel = c.id AND m.valid && tstzrange(CAST(:first AS date), CAST(:end AS date) + 1)
           )::float8, 1) AS factor
    FROM (
        SELECT DISTINCT other.id
        FROM unnest(CAST(:channels AS integer[])) AS given (id)
        JOIN channel mine ON mine.id = given.id
        JOIN channel other ON other.point = mine.point AND other.kind = mine.kind
    ) wanted
    JOIN channel c ON c.id = wanted.id
    ORDER BY c.id
""")
# What held of their supply points, the oldest first: it stands for the time before it too.
_POINTS = text("""
    SELECT given.id AS channel, s.metering_type, s.voltage_level, upper(s.valid) AS until
    FROM unnest(CAST(:channels AS integer[]), CAST(:points AS integer[])) AS given (id, supply_point)
    JOIN supply_point_valid s ON s.id = given.supply_point
    WHERE s.valid && daterange(CAST(:first AS date), CAST(:end AS date))
       OR lower(s.valid) = (SELECT min(lower(o.valid)) FROM supply_point_valid o WHERE o.id = s.id)
          AND lower(s.valid) >= :end
    ORDER BY given.id, s.valid
""")


def read_chunks(connection: Connection, work: Work) -> Iterator[Chunk]:
    """The work as chunks of one commodity and kind each, without parameters and inputs yet.

    Where facts of a supply point changed in between there is one chunk more: each day is judged in that which has the
    facts of the day. Channels that are unknown, or whose step has no profile, are left out.
    """
    first, end = work.first - timedelta(days=BEFORE), work.end + timedelta(days=AFTER)
    rows = connection.execute(_CHANNELS, {"channels": int_array(work.channels), "first": first, "end": end}).all()
    siblings = np.array([row.id for row in rows], np.int64)
    hold_buckets(connection, np.setdiff1d(siblings, work.channels))
    wanted = _wanted(work, siblings, [row.point for row in rows])
    points = _points(connection, rows, first, end)
    for commodity in Commodity:
        step_ms = STEP[commodity] // timedelta(milliseconds=1)
        for kind, step in ((Kind.INTERVAL, step_ms), (Kind.STATE, 0)):
            ours = np.array([(r.commodity, r.kind, r.step_ms) == (commodity, kind, step) for r in rows], np.bool_)
            if ours.any():
                chosen = [row for row, is_ours in zip(rows, ours, strict=True) if is_ours]
                yield from _by_facts(_chunk(connection, commodity, kind, chosen, wanted[ours], first, end), points)


@dataclass(frozen=True, slots=True)
class _Point:
    """What held of a channel's supply point before the day number `until`."""

    metering_type: str | None
    voltage_level: str | None
    until: int


def _points(connection: Connection, rows: Sequence[Row[Any]], first: date, end: date) -> dict[int, list[_Point]]:
    known = [row for row in rows if row.supply_point]
    parameters = {
        "channels": int_array([row.id for row in known]),
        "points": int_array([row.supply_point for row in known]),
        "first": first,
        "end": end,
    }
    found: dict[int, list[_Point]] = {}
    for row in connection.execute(_POINTS, parameters) if known else ():
        until = number_of(end if row.until is None else min(row.until, end))
        found.setdefault(row.channel, []).append(_Point(row.metering_type, row.voltage_level, until))
    return found


_NO_POINT = _Point(None, None, 1 << 30)


def _by_facts(chunk: Chunk, points: dict[int, list[_Point]]) -> Iterator[Chunk]:
    """The chunk as often as any of its points has facts, each time with the days on which these hold."""
    spans = [points.get(channel) or [_NO_POINT] for channel in chunk.channels.tolist()]
    since = np.full(len(spans), -(1 << 30))
    for place in range(max(len(each) for each in spans)):
        held = [each[min(place, len(each) - 1)] for each in spans]
        until = np.array([each.until for each in held])
        last = np.array([place >= len(each) - 1 for each in spans])
        until[last] = 1 << 30
        holds = (chunk.numbers >= since[:, None]) & (chunk.numbers < until[:, None])
        target: Bools = chunk.target & holds
        facts = replace(
            chunk.facts,
            metering_type=[each.metering_type for each in held],
            voltage_level=[each.voltage_level for each in held],
        )
        yield replace(chunk, facts=facts, target=target)
        since = until


def _wanted(work: Work, siblings: Ints, points: list[str]) -> Bools:
    """Days to judge of all channels, siblings like the channel itself, on the days of the work and the day after."""
    _, point = np.unique(np.array(points, np.str_), return_inverse=True)
    mine = np.searchsorted(siblings, work.channels)
    known = np.isin(work.channels, siblings)
    by_point = np.zeros((int(point.max(initial=-1)) + 1, work.days.shape[1] + BEFORE + AFTER), np.bool_)
    days = np.pad(work.days[known], ((0, 0), (BEFORE, AFTER)))
    days[:, 1:] |= days[:, :-1]
    np.logical_or.at(by_point, point[mine[known]], days)
    return by_point[point]


def _chunk(
    connection: Connection,
    commodity: Commodity,
    kind: Kind,
    rows: list[Row[Any]],
    wanted: Bools,
    first: date,
    end: date,
) -> Chunk:
    channels = np.array([row.id for row in rows], np.int64)
    if kind is Kind.INTERVAL:
        profiles = read_newest(connection, commodity, channels.tolist(), first, end, with_method=True)
        days, offset, versions, method = profiles.days, profiles.offset, profiles.versions, profiles.method
        values, quality, target = profiles.values, profiles.quality, wanted & (versions > 0)
    else:
        days = days_between(commodity, first, end)
        offset, target, method = np.zeros(len(days) + 1, np.int64), wanted, None
        values, quality = np.empty((len(rows), 0), np.int32), np.empty((len(rows), 0), np.int16)
        versions = np.zeros((len(rows), len(days)), np.int32)
    return Chunk(
        commodity,
        kind,
        channels,
        days,
        number_of(first) + np.arange(len(days), dtype=np.int64),
        offset,
        values,
        quality,
        method,
        versions,
        target,
        _facts(rows),
    )


def _facts(rows: list[Row[Any]]) -> ChannelFacts:
    def ints(name: str) -> NDArray[np.int64]:
        return np.array([getattr(row, name) for row in rows], np.int64)

    return ChannelFacts(
        [row.direction for row in rows],
        ints("exponent"),
        [row.point for row in rows],
        ints("supply_point"),
        [None] * len(rows),
        [None] * len(rows),
        np.array([row.factor for row in rows], np.float64),
    )
