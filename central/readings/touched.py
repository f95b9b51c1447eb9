"""Which days a set of batches touches: evidence channels and spans, through the mappings, to (channel, day)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.readings.assemble import Days, Mappings
from central.readings.calendar import COMMODITIES, DayTable, Ints, expand

FOREVER_MS = 1 << 52

_MAPPINGS = """
    SELECT m.evidence_channel, m.channel,
           m.multiplier::bigint * m.sign * (10 ^ (e.exponent - c.exponent))::bigint AS factor,
           coalesce((extract(epoch FROM lower(m.valid)) * 1000)::bigint, -:forever) AS from_ms,
           coalesce((extract(epoch FROM upper(m.valid)) * 1000)::bigint, :forever) AS to_ms,
           c.step_ms, CASE c.commodity WHEN 'electricity' THEN 0 ELSE 1 END AS commodity
    FROM ({chosen}) AS chosen (channel)
    JOIN channel_mapping m ON m.channel = chosen.channel
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN channel c ON c.id = m.channel
    WHERE c.kind = 'interval' AND e.step_ms = c.step_ms
    ORDER BY m.evidence_channel, from_ms
"""
# Mappings of the channels that these evidence channels feed, so that a day fed by two meters is read whole.
# Ids are joined as a set: `= ANY` within a sub-query was compared one by one for each row while the tables had no
# statistics yet (1,600 ids: 38 s instead of 20 ms).
_OF_EVIDENCE = """
    SELECT DISTINCT fed.channel
    FROM unnest(CAST(:ids AS integer[])) AS given (id) JOIN channel_mapping fed ON fed.evidence_channel = given.id
"""
_OF_CHANNELS = "SELECT DISTINCT id FROM unnest(CAST(:ids AS integer[])) AS given (id)"


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of evidence: [from, to) in ms of one evidence channel each."""

    evidence: Ints
    from_ms: Ints
    to_ms: Ints


def mappings_of(
    connection: Connection, *, evidence: Sequence[int] | None = None, channels: Sequence[int] | None = None
) -> Mappings:
    """Mappings of interval channels, chosen by evidence channels (with their channels' other mappings) or channels."""
    chosen, ids = (_OF_EVIDENCE, evidence) if evidence is not None else (_OF_CHANNELS, channels)
    query = text(_MAPPINGS.format(chosen=chosen))
    rows = connection.execute(query, {"ids": int_array(ids or ()), "forever": FOREVER_MS}).all()
    table = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(len(rows), 7).T
    return Mappings(*(np.ascontiguousarray(column) for column in table))


def join_mappings(first: Mappings, second: Mappings) -> Mappings:
    """Both, each mapping once, sorted by evidence channel."""
    table = np.concatenate([_table(first), _table(second)], axis=1)
    table = np.unique(table, axis=1)  # sorts by the first row first
    return Mappings(*(np.ascontiguousarray(column) for column in table))


def _table(mappings: Mappings) -> Ints:
    return np.array([getattr(mappings, name) for name in Mappings.__slots__], np.int64).reshape(7, -1)


def touched_days(spans: Spans, mappings: Mappings) -> Days:
    """Every (channel, day) that a span may have values of, sorted."""
    span, mapping = mappings.of(spans.evidence)
    low = np.maximum(spans.from_ms[span], mappings.from_ms[mapping])
    high = np.minimum(spans.to_ms[span], mappings.to_ms[mapping])
    keep = low < high
    mapping, low, high = mapping[keep], low[keep], high[keep]
    parts = []
    for code, commodity in enumerate(COMMODITIES):
        ours = mappings.commodity[mapping] == code
        if not ours.any():
            continue
        table = DayTable.covering(commodity, int(low[ours].min()), int(high[ours].max()))
        first = table.numbers(low[ours])
        owner, place = expand(table.numbers(high[ours] - 1) - first + 1)
        which = mapping[ours][owner]
        parts.append(_days(table, mappings.channel[which], first[owner] + place, mappings.step_ms[which]))
    return join_days(parts)


def days_of(channels: Ints, numbers: Ints, mappings: Mappings) -> Days:
    """Named days; those of a channel that nothing feeds are left out."""
    known, first = np.unique(mappings.channel, return_index=True)
    place = np.minimum(np.searchsorted(known, channels), max(len(known) - 1, 0))
    keep = known[place] == channels if len(known) else np.zeros(len(channels), np.bool_)
    channels, numbers, which = channels[keep], numbers[keep], first[place[keep]] if len(known) else place[keep]
    parts = []
    for code, commodity in enumerate(COMMODITIES):
        ours = mappings.commodity[which] == code
        if not ours.any():
            continue
        days_ms = 86_400_000
        table = DayTable.covering(
            commodity, (int(numbers[ours].min()) - 1) * days_ms, (int(numbers[ours].max()) + 2) * days_ms
        )
        parts.append(_days(table, channels[ours], numbers[ours], mappings.step_ms[which[ours]]))
    return join_days(parts)


def _days(table: DayTable, channel: Ints, number: Ints, step_ms: Ints) -> Days:
    start = table.starts(number)
    days = Days(channel, number, start, (table.ends(number) - start) // step_ms, step_ms)
    # A day that holds no whole interval has no profile; arrays of no length would put its neighbours in its place.
    return days.take(days.length > 0)


def join_days(parts: Sequence[Days]) -> Days:
    """All of them, each once, sorted by channel and day."""
    if not parts:
        none = np.empty(0, np.int64)
        return Days(none, none, none, none, none)
    whole = Days(*(np.concatenate([getattr(part, name) for part in parts]) for name in Days.__slots__))
    _, first = np.unique(whole.keys, return_index=True)
    return whole.take(first)


def spans_of(days: Days, mappings: Mappings) -> Spans:
    """The evidence of these days: for each evidence channel, stretches of days that follow one another as one span."""
    order = np.argsort(mappings.channel, kind="stable")
    by_channel = mappings.channel[order]
    low = np.searchsorted(by_channel, days.channel, side="left")
    owner, place = expand(np.searchsorted(by_channel, days.channel, side="right") - low)
    mapping = order[low[owner] + place]
    begin = np.maximum(days.start_ms[owner], mappings.from_ms[mapping])
    # An interval that begins before the mapping does may lie in a block that reaches into it: read the whole day.
    end = days.start_ms[owner] + days.length[owner] * days.step_ms[owner]
    keep = begin < np.minimum(end, mappings.to_ms[mapping])
    evidence, begin, end = mappings.evidence[mapping[keep]], days.start_ms[owner[keep]], end[keep]
    order = np.lexsort((begin, evidence))
    evidence, begin, end = evidence[order], begin[order], end[order]
    if not len(evidence):
        return Spans(evidence, begin, end)
    new = np.concatenate([[True], (evidence[1:] != evidence[:-1]) | (begin[1:] > end[:-1])])
    starts = np.flatnonzero(new)
    return Spans(evidence[starts], begin[starts], np.maximum.reduceat(end, starts))
