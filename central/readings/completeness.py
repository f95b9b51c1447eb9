"""Completeness: how many values were to come and how many are there, by meter and metering day.

Closed days come from counts kept with the versions (`completeness_counts`), a row a channel and month, in one query
whatever the number of meters and days. Only what a count of a whole day cannot say is looked up: days that are open
(from blocks), and incomplete days on which a meter was exchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.copy_binary import PG_EPOCH_DAYS, unpack_rows
from central.readings.calendar import COMMODITIES, EPOCH_DATE, Ints, date_of, from_ms, number_of, to_ms
from central.readings.completeness_counts import DAYS, REPLACED
from central.readings.rows import copy_out
from central.readings.touched import FOREVER_MS
from shared.metering_day import MeteringDay, days_between

_MAPPINGS = text("""
    SELECT e.concentrator, e.device AS meter, m.evidence_channel, m.channel, c.step_ms,
           CASE c.commodity WHEN 'electricity' THEN 0 ELSE 1 END AS commodity,
           coalesce((extract(epoch FROM lower(m.valid)) * 1000)::bigint, -:forever) AS from_ms,
           coalesce((extract(epoch FROM upper(m.valid)) * 1000)::bigint, :forever) AS to_ms
    FROM channel_mapping m
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN channel c ON c.id = m.channel
    WHERE c.kind = 'interval' AND m.valid && tstzrange(:begin, :finish)
      AND (CAST(:concentrator AS text) IS NULL OR e.concentrator = :concentrator)
    ORDER BY e.concentrator, e.device, m.evidence_channel, from_ms
""")
# Months and the news of them in one statement, so in one snapshot: folding moves counts from the one to the other.
# A month has the counts of 31 days from day 1 on, a piece of news those of one day.
_COUNTS = """
COPY (
    SELECT channel, month, missing, replaced, 1::smallint FROM profile_count
    WHERE channel = ANY(%s::integer[]) AND month BETWEEN %s AND %s
    UNION ALL
    (SELECT DISTINCT ON (u.channel, u.day)
            u.channel, date_trunc('month', u.day)::date, ARRAY[u.missing], ARRAY[u.replaced],
            extract(day FROM u.day)::smallint
     FROM profile_count_news, unnest(channels, days, versions, missing, replaced)
         AS u (channel, day, version, missing, replaced)
     WHERE u.channel = ANY(%s::integer[]) AND u.day BETWEEN %s AND %s
     ORDER BY u.channel, u.day, u.version DESC)
) TO STDOUT (FORMAT BINARY)
"""
_OPEN_DAYS = text("SELECT channel, day FROM open_day WHERE day BETWEEN :first AND :last")
_PARTS = text("""
    SELECT part.place,
           (SELECT count(*) FROM unnest(n."values"[part.low + 1 : part.high]) v WHERE v <> -2147483648) AS present,
           (SELECT count(*) FROM unnest(n.quality[part.low + 1 : part.high]) q WHERE q = ANY(:replaced)) AS replaced
    FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[]), CAST(:low AS integer[]), CAST(:high AS integer[]))
        WITH ORDINALITY AS part (channel, day, low, high, place)
    CROSS JOIN LATERAL (
        SELECT p."values", p.quality FROM day_profile p WHERE p.channel = part.channel AND p.day = part.day
        ORDER BY p.version DESC LIMIT 1
    ) n
""")
# Distinct intervals that blocks cover, so that what was read again counts once. Blocks lie on the day's grid and hold
# no missing value (ingest refuses others). An interval belongs to the mapping in which it begins.
_BLOCKS = text("""
    SELECT part.place, (SELECT sum(extract(epoch FROM upper(r) - lower(r)) * 1000 / part.step)::bigint
                        FROM unnest(there) r) AS present
    FROM (
        SELECT part.place, part.step,
               range_agg(tstzrange(b.start, b.start + cardinality(b."values") * b.step * interval '1 millisecond'))
               * tstzmultirange(tstzrange(part.low, part.high)) AS there
        FROM unnest(CAST(:evidence AS integer[]), CAST(:begin AS timestamptz[]), CAST(:low AS timestamptz[]),
                    CAST(:high AS timestamptz[]), CAST(:step AS integer[]))
            WITH ORDINALITY AS part (evidence_channel, begin, low, high, step, place)
        JOIN block b ON b.evidence_channel = part.evidence_channel
         AND b.start >= part.begin AND b.start < part.high AND b.step = part.step
        WHERE b.start >= :first AND b.start < :last
          AND NOT EXISTS (SELECT FROM batch f WHERE f.id = b.batch_id AND f.revoked_at IS NOT NULL)
        GROUP BY part.place, part.step, part.low, part.high
    ) part
""")


@dataclass(frozen=True, slots=True)
class CompletenessMap:
    """Values by meter and metering day, the interval channels of a meter together; arrays are (meters, days).

    `due`: whether anything is expected at all, or begins to be. `replaced` are values among `present` that were not
    measured (estimated, substituted, edited). Meters are (concentrator, meter), in order.
    """

    meters: Sequence[tuple[str, str]]
    days: Sequence[date]
    due: NDArray[np.bool_]
    expected: Ints
    present: Ints
    replaced: Ints


@dataclass(frozen=True, slots=True)
class _Wanted:
    """By mapping and day: the intervals [low, high) of the day that the mapping is to deliver; arrays are 2-D."""

    channel: Ints
    evidence: Ints
    step_ms: Ints
    begin_ms: Ints
    length: Ints
    due: NDArray[np.bool_]
    low: Ints
    high: Ints

    @property
    def count(self) -> Ints:
        count: Ints = np.maximum(self.high - self.low, 0)
        return count


def read_map(
    connection: Connection, first: date, last: date, now: datetime, concentrator: str | None = None
) -> CompletenessMap:
    """Expected and present values by meter and metering day, `first` to `last` inclusive.

    Only intervals that were over at `now` are expected. Channels of states have no expectation here.
    """
    days = [days_between(commodity, first, last + timedelta(days=1)) for commodity in COMMODITIES]
    rows = connection.execute(
        _MAPPINGS,
        {
            "begin": min(several[0].start for several in days),
            "finish": max(several[-1].end for several in days),
            "concentrator": concentrator,
            "forever": FOREVER_MS,
        },
    ).all()
    dates = [day.date for day in days[0]]
    if not rows:
        none = np.zeros((0, len(dates)), np.int64)
        return CompletenessMap([], dates, none.astype(np.bool_), none, none, none)
    numbers = np.array([tuple(row)[2:] for row in rows], np.int64).T
    wanted = _wanted(numbers, days, to_ms(now))
    # Open days before counts: a day that closes in between is found closed, never neither.
    opened = _open(connection, wanted.channel, first, last)
    missing, replaced = _counts(connection, wanted.channel, first, last)
    present, replaced = _present(connection, wanted, number_of(first), missing, replaced, opened)
    names = [(row.concentrator, row.meter) for row in rows]
    starts = [place for place, name in enumerate(names) if not place or name != names[place - 1]]

    def by_meter(values: Ints) -> Ints:
        return np.add.reduceat(values, starts, axis=0)

    return CompletenessMap(
        meters=[names[place] for place in starts],
        days=dates,
        due=np.logical_or.reduceat(wanted.due, starts, axis=0),
        expected=by_meter(wanted.count),
        present=by_meter(present),
        replaced=by_meter(replaced),
    )


def _wanted(numbers: Ints, days: Sequence[Sequence[MeteringDay]], now_ms: int) -> _Wanted:
    evidence, channel, step, commodity, from_ms_, to_ms_ = (row[:, None] for row in numbers)
    borders = np.array([[to_ms(day.start) for day in several] + [to_ms(several[-1].end)] for several in days], np.int64)
    begin, finish = borders[commodity[:, 0], :-1], borders[commodity[:, 0], 1:]
    since, until = np.maximum(begin, from_ms_), np.minimum(finish, to_ms_)
    return _Wanted(
        channel=channel[:, 0],
        evidence=evidence[:, 0],
        step_ms=step[:, 0],
        begin_ms=begin,
        length=(finish - begin) // step,
        due=(since < until) & (begin < now_ms),
        low=-((begin - since) // step),
        high=np.minimum(-((begin - until) // step), (now_ms - begin) // step),
    )


def _open(connection: Connection, channels: Ints, first: date, last: date) -> NDArray[np.bool_]:
    opened = np.zeros((len(channels), (last - first).days + 1), np.bool_)
    rows = connection.execute(_OPEN_DAYS, {"first": first, "last": last}).all()
    if rows:
        found = np.array([(row.channel, (row.day - first).days) for row in rows], np.int64)
        known, inverse = np.unique(channels, return_inverse=True)
        grid = np.zeros((len(known), opened.shape[1]), np.bool_)
        place = np.minimum(np.searchsorted(known, found[:, 0]), len(known) - 1)
        ours = known[place] == found[:, 0]
        grid[place[ours], found[ours, 1]] = True
        opened = grid[inverse]
    return opened


def _counts(connection: Connection, channels: Ints, first: date, last: date) -> tuple[Ints, Ints]:
    """Of each channel (repeated where it is) and day: values missing and replaced; -1 where there is no version."""
    known, inverse = np.unique(channels, return_inverse=True)
    months = _month(last) - _month(first) + 1
    grid = np.full((2, len(known), months * DAYS), -1, np.int16)
    ids = known.tolist()
    copied = copy_out(connection, _COUNTS, (ids, first.replace(day=1), last, ids, first, last))
    groups = []
    for number, month, lacking, made_up, day in unpack_rows(copied, ("int4", "date", "int2[]", "int2[]", "int2")):
        assert number is not None and month is not None and day is not None
        assert lacking is not None and made_up is not None
        dates = (month.astype(np.int64) + PG_EPOCH_DAYS).astype("datetime64[D]").astype("datetime64[M]")
        place = (dates.astype(np.int64) + EPOCH_DATE.year * 12 - _month(first)) * DAYS + day - 1
        groups.append((np.searchsorted(known, number), place, np.stack([lacking, made_up])))
    for row, place, values in sorted(groups, key=lambda group: -group[2].shape[2]):  # news goes over months
        owner, item = np.nonzero(values[0] >= 0)
        grid[:, row[owner], place[owner] + item] = values[:, owner, item]
    columns = [
        (_month(day) - _month(first)) * DAYS + day.day - 1
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
    ]
    whole = grid[:, :, columns].astype(np.int64)
    return whole[0][inverse], whole[1][inverse]


def _month(day: date) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month - 1


def _present(
    connection: Connection, wanted: _Wanted, first: int, missing: Ints, replaced: Ints, opened: NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    count = wanted.count
    whole = count >= wanted.length
    closed = (missing >= 0) & wanted.due
    present = np.where(closed, np.where(whole, wanted.length - missing, np.where(missing == 0, count, 0)), 0)
    not_measured = np.where(closed & whole, np.maximum(replaced, 0), 0)
    partial = closed & ~whole & (count > 0) & ((missing > 0) | (replaced > 0))
    for owner, day, row in _looked_up(connection, wanted, first, partial):
        present[owner, day], not_measured[owner, day] = row
    for owner, day, value in _from_blocks(connection, wanted, opened & (missing < 0) & wanted.due & (count > 0)):
        present[owner, day] = value
    return present, not_measured


def _looked_up(
    connection: Connection, wanted: _Wanted, first: int, partial: NDArray[np.bool_]
) -> list[tuple[int, int, tuple[int, int]]]:
    owners, days = np.nonzero(partial)
    if not len(owners):
        return []
    rows = connection.execute(
        _PARTS,
        {
            "channels": wanted.channel[owners].tolist(),
            "days": [date_of(first + number) for number in days.tolist()],
            "low": wanted.low[owners, days].tolist(),
            "high": wanted.high[owners, days].tolist(),
            "replaced": list(REPLACED),
        },
    )
    return [(int(owners[p]), int(days[p]), (row.present, row.replaced)) for row in rows for p in (row.place - 1,)]


def _from_blocks(connection: Connection, wanted: _Wanted, opened: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    owners, days = np.nonzero(opened)
    if not len(owners):
        return []
    begin, step = wanted.begin_ms[owners, days], wanted.step_ms[owners]
    low, high = begin + wanted.low[owners, days] * step, begin + wanted.high[owners, days] * step
    rows = connection.execute(
        _BLOCKS,
        {
            "evidence": wanted.evidence[owners].tolist(),
            "begin": [from_ms(ms) for ms in begin.tolist()],
            "low": [from_ms(ms) for ms in low.tolist()],
            "high": [from_ms(ms) for ms in high.tolist()],
            "step": step.tolist(),
            "first": from_ms(int(begin.min())),
            "last": from_ms(int(high.max())),
        },
    )
    return [(int(owners[row.place - 1]), int(days[row.place - 1]), row.present or 0) for row in rows]
