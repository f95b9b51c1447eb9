"""The batches that one pass of consolidation takes, and the stretches of evidence that they touch.

A batch row names its evidence channels, its first start and its last end. Channels x days is a fair measure of what it
touches, unless it is wide: one meter whose clock says 2001 among many that are right would make it touch a quarter of
a century of all of them. What a wide batch holds is therefore looked up in its blocks and states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from central.readings.calendar import Ints, to_ms
from central.readings.touched import Spans

MOST_DAYS = 50_000
"""Channels x days that one pass looks at: bounds its memory (14 octets a value and the blocks) to some 100 MB."""
NARROW_DAYS = 3
"""A batch that spans at most so many days is as its row says."""
NARROW = 512
"""So is one of at most so many channels x days."""

_DAY_MS = 86_400_000
_TAKE = text("""
    SELECT id, evidence_channels, first_start, last_end, revoked_at
    FROM batch WHERE consolidated_at IS NULL
    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_INSIDE = text("""
    SELECT wide.id, held.channel, b.start
    FROM batch wide
    CROSS JOIN LATERAL unnest(wide.evidence_channels) AS held (channel)
    JOIN block b ON b.evidence_channel = held.channel AND b.start >= wide.first_start AND b.start < wide.last_end
    WHERE wide.id = ANY(:ids) AND b.batch_id = wide.id
    UNION ALL
    SELECT wide.id, held.channel, s.at
    FROM batch wide
    CROSS JOIN LATERAL unnest(wide.evidence_channels) AS held (channel)
    JOIN register_reading s ON s.evidence_channel = held.channel AND s.at >= wide.first_start AND s.at <= wide.last_end
    WHERE wide.id = ANY(:ids) AND s.batch_id = wide.id
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """Ids of the batches, ascending, and what they touch."""

    ids: list[int]
    spans: Spans
    revoked: Spans
    """Of these, what revoked batches touch: no block of theirs is read, their days are made anew all the same."""


def take_batches(connection: Connection, limit: int, most_days: int = MOST_DAYS) -> Taken:
    """Lock up to `limit` unconsolidated batches, fewer when they touch more than `most_days` channels x days.

    At least one is taken if there is any. A hole that was closed touches nothing.
    """
    rows = connection.execute(_TAKE, {"limit": limit}).all()
    inside = _inside(connection, [row.id for row in rows if _is_wide(row)])
    ids: list[int] = []
    parts: list[Spans] = []
    revoked: list[Spans] = []
    days = 0
    for row in rows:
        part = inside[row.id] if row.id in inside else _spans(row)
        size = int(((part.to_ms - part.from_ms) // _DAY_MS + 1).sum())
        if ids and days + size > most_days:
            break
        days += size
        ids.append(row.id)
        parts.append(part)
        if row.revoked_at is not None:
            revoked.append(part)
    return Taken(ids, _join(parts), _join(revoked))


def _is_wide(row: Any) -> bool:
    if not row.evidence_channels or row.first_start is None or row.last_end is None:
        return False
    days: int = (row.last_end - row.first_start).days + 1
    channels: int = len(row.evidence_channels)
    return days > NARROW_DAYS and channels * days > NARROW


def _inside(connection: Connection, ids: list[int]) -> dict[int, Spans]:
    """Where each block of these batches begins, which lies within one metering day, and when each state was read."""
    if not ids:
        return {}
    found: dict[int, list[tuple[int, int]]] = {number: [] for number in ids}
    for row in connection.execute(_INSIDE, {"ids": ids}):
        found[row.id].append((row.channel, to_ms(row.start)))
    spans = {}
    for number, places in found.items():
        table = np.array(places, np.int64).reshape(len(places), 2)
        spans[number] = Spans(table[:, 0], table[:, 1], table[:, 1] + 1)
    return spans


def _spans(row: Any) -> Spans:
    count = len(row.evidence_channels) if row.first_start is not None and row.last_end is not None else 0
    begin, end = (to_ms(row.first_start), to_ms(row.last_end)) if count else (0, 0)
    evidence: Ints = np.array(row.evidence_channels[:count], np.int64)
    return Spans(evidence, np.full(count, begin, np.int64), np.full(count, end, np.int64))


def _join(parts: Sequence[Spans]) -> Spans:
    none = np.empty(0, np.int64)
    columns = (
        np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in ("evidence", "from_ms", "to_ms")
    )
    return Spans(*columns)
