"""Mappings that came after the data they map: their days are made from the blocks that are in evidence already."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import numpy as np
from sqlalchemy import Connection, text

from central.readings.calendar import to_ms
from central.readings.taken import MOST_DAYS
from central.readings.touched import Spans

LIMIT = 2_000

# A block begins at most one metering day before the part of it that the mapping covers.
_TAKE = text("""
    WITH late AS (
        SELECT id, evidence_channel, valid FROM channel_mapping
        WHERE consolidated_at IS NULL ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    SELECT late.id, late.evidence_channel, found.first, found.last
    FROM late
    CROSS JOIN LATERAL (
        SELECT min(b.start) AS first, max(b.start) AS last FROM block b
        WHERE b.evidence_channel = late.evidence_channel
          AND b.start >= coalesce(lower(late.valid), '-infinity') - interval '26 hours'
          AND b.start < coalesce(upper(late.valid), 'infinity')
    ) found
    ORDER BY late.id
""")
_DONE = text("UPDATE channel_mapping SET consolidated_at = :now WHERE id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class LateMappings:
    """Mappings that nobody has consolidated, and the stretches of evidence that were there before them."""

    ids: list[int]
    spans: Spans


def take_late_mappings(connection: Connection, limit: int = LIMIT, most_days: int = MOST_DAYS) -> LateMappings:
    """Up to `limit` of them, locked, fewer (at least one) when they have more than `most_days` days between them.

    Most are new and have no blocks yet.
    """
    found = connection.execute(_TAKE, {"limit": limit}).all()
    sizes = [0 if row.first is None else (row.last - row.first).days + 1 for row in found]
    rows = found[: max(1, bisect_right(list(accumulate(sizes)), most_days))]
    fed = [row for row in rows if row.first is not None]
    spans = Spans(
        np.array([row.evidence_channel for row in fed], np.int64),
        np.array([to_ms(row.first) for row in fed], np.int64),
        # A block lies within one metering day: the instant of its beginning names the day.
        np.array([to_ms(row.last) + 1 for row in fed], np.int64),
    )
    return LateMappings([row.id for row in rows], spans)


def finish_late_mappings(connection: Connection, late: LateMappings, now: datetime) -> None:
    """Say that their days are made."""
    if late.ids:
        connection.execute(_DONE, {"now": now, "ids": late.ids})
