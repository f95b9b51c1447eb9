"""Completeness: how many values were to come and how many are there, by meter and metering day.

Closed days come from counts kept with the versions (`completeness_counts`), a row a channel and month, in one query
whatever the number of meters and days. Only what a count of a whole day cannot say is looked up: days that are open
(from blocks), and incomplete days on which a meter was exchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.copy_binary import PG_EPOCH_DAYS, PG_EPOCH_MS, unpack_rows
from central.readings.calendar import COMMODITIES, EPOCH_DATE, Ints, date_of, expand, from_ms, number_of, to_ms
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
# All months of a channel come as one value of records: psycopg takes 8 us a row, and a year has 24 rows a meter.
_COUNTS = """
COPY (
    SELECT 0::bigint, channel, string_agg(date_send(month) || missing || replaced, ''),
           NULL::integer[], NULL::integer[], NULL::smallint[], NULL::smallint[]
    FROM profile_count WHERE channel = ANY(%s::integer[]) AND month BETWEEN %s AND %s GROUP BY channel
    UNION ALL
    SELECT id, NULL, NULL, channels, days, missing, replaced FROM profile_count_news
) TO STDOUT (FORMAT BINARY)
"""
_COUNT_TYPES = ("int8", "int4", "bytea", "int4[]", "int4[]", "int2[]", "int2[]")
_MONTH = np.dtype([("month", ">i4"), ("missing", ">i2", (DAYS,)), ("replaced", ">i2", (DAYS,))])
"""A month of `_COUNTS`: its first day as days since 2000, and two counts a day."""
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
# Blocks of open days by register: beginnings (travelling as microseconds since 2000) and numbers of values.
_BLOCKS = """
COPY (
    SELECT b.evidence_channel, b.step, array_agg(b.start), array_agg(cardinality(b."values"))
    FROM block b
    WHERE b.evidence_channel = ANY(%s::integer[]) AND b.start >= %s AND b.start < %s
      AND NOT EXISTS (SELECT FROM batch r WHERE r.id = b.batch_id AND r.revoked_at IS NOT NULL)
    GROUP BY b.evidence_channel, b.step
) TO STDOUT (FORMAT BINARY)
"""
_BLOCK_TYPES = ("int4", "int4", "int8[]", "int4[]")


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
    grid = np.full((2, len(known), months, DAYS), -1, np.int16)
    news: list[tuple[int, Ints, Ints, NDArray[np.int16]]] = []
    copied = copy_out(connection, _COUNTS, (known.tolist(), first.replace(day=1), last))
    for number, channel, record, channels_, days, lacking, made_up in unpack_rows(copied, _COUNT_TYPES):
        if record is not None and channel is not None:
            stored = np.ascontiguousarray(record).view(_MONTH)
            row, month = np.searchsorted(known, channel)[:, None], _months_of(stored["month"]) - _month(first)
            for side, name in enumerate(("missing", "replaced")):
                grid[side, row, month] = stored[name]
        elif number is not None and channels_ is not None and days is not None:
            assert lacking is not None and made_up is not None
            news += zip(number.tolist(), channels_, days, np.stack([lacking, made_up], axis=1), strict=True)
    for _, channel, day, values in sorted(news, key=lambda each: each[0]):
        row = np.minimum(np.searchsorted(known, channel), len(known) - 1)
        ours = (known[row] == channel) & (day >= number_of(first)) & (day <= number_of(last))
        dates = day[ours].astype("datetime64[D]")
        month = dates.astype("datetime64[M]")
        place = (dates - month.astype("datetime64[D]")).astype(np.int64)
        grid[:, row[ours], month.astype(np.int64) + EPOCH_DATE.year * 12 - _month(first), place] = values[:, ours]
    columns = [
        (_month(day) - _month(first)) * DAYS + day.day - 1
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
    ]
    whole = grid.reshape(2, len(known), months * DAYS)[:, :, columns].astype(np.int64)
    return whole[0][inverse], whole[1][inverse]


def _months_of(sent: NDArray[Any]) -> Ints:
    """Months since the year 0 of dates as the server sends them, days since 2000."""
    dates = (sent.astype(np.int64) + PG_EPOCH_DAYS).astype("datetime64[D]").astype("datetime64[M]")
    months: Ints = dates.astype(np.int64) + EPOCH_DATE.year * 12
    return months


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
    owners, days = np.nonzero(opened & (missing < 0) & wanted.due & (count > 0))
    if len(owners):
        present[owners, days] = _from_blocks(connection, wanted, owners, days)
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


def _from_blocks(connection: Connection, wanted: _Wanted, owners: Ints, days: Ints) -> Ints:
    """Of open days, the distinct intervals that blocks cover: what was read again counts once.

    Blocks lie on the day's grid and hold no missing value (ingest refuses others). An interval belongs to the mapping
    in which it begins.
    """
    until = wanted.begin_ms[owners, days] + wanted.high[owners, days] * wanted.step_ms[owners]
    first, last = from_ms(int(wanted.begin_ms[owners, days].min())), from_ms(int(until.max()))
    copied = copy_out(connection, _BLOCKS, (np.unique(wanted.evidence[owners]).tolist(), first, last))
    starts: list[Ints] = []
    lengths: list[Ints] = []
    registers: list[Ints] = []
    for register, step, start, length in unpack_rows(copied, _BLOCK_TYPES):
        assert register is not None and step is not None and start is not None and length is not None
        starts.append((start // 1000 + PG_EPOCH_MS).ravel())
        lengths.append(length.astype(np.int64).ravel())
        registers.append(np.repeat(np.stack([register, step]).astype(np.int64), start.shape[1], axis=1))
    if not starts:
        return np.zeros(len(owners), np.int64)
    begin, length = np.concatenate(starts), np.concatenate(lengths)
    register, step = np.concatenate(registers, axis=1)
    order = np.argsort(register, kind="stable")
    begin, length, register, step = begin[order], length[order], register[order], step[order]
    low, high = (np.searchsorted(register, wanted.evidence[owners], side) for side in ("left", "right"))
    place, item = expand(high - low)
    block, owner, day = low[place] + item, owners[place], days[place]
    first_of = (begin[block] - wanted.begin_ms[owner, day]) // wanted.step_ms[owner]
    ours = (step[block] == wanted.step_ms[owner]) & (first_of < wanted.high[owner, day]) & (first_of >= 0)
    place, first_of, block = place[ours], first_of[ours], block[ours]
    row, item = expand(length[block])
    place, interval = place[row], first_of[row] + item
    owner, day = owners[place], days[place]
    keep = (interval >= wanted.low[owner, day]) & (interval < wanted.high[owner, day])
    covered = np.zeros((len(owners), int(wanted.high[owners, days].max())), np.bool_)
    covered[place[keep], interval[keep]] = True
    counts: Ints = covered.sum(axis=1)
    return counts
