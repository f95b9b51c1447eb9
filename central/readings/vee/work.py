"""The list of days whose validation is to be done, in buckets of channels that one process works on at a time.

Whoever changes what a rule looks at puts work in, in the same transaction. Work of a bucket is taken together, whatever
number of rows it came in, so that a month that arrived day by day is validated once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.arrays import date_array, int_array
from central.readings.calendar import Ints, number_of
from central.readings.touched import Spans

BUCKET_BITS = 10
"""Channels of one bucket: 2^10. A month of them has 3 million values, about 20 MB as a matrix with quality."""
MOST_DAYS = 35
"""Days of the matrix that one pass works on; further ones stay for the next."""
SAMPLE_MS = 60_000
"""A state read later than this after a border of a day does not stand for it: it would count a part of the next
quarter-hour too."""
_LOCK = 5_009
"""First key of the advisory locks on buckets."""

_ENQUEUE = text("""
    INSERT INTO vee_work (bucket, channels, first, last, reason)
    SELECT channel >> :bits, array_agg(channel ORDER BY channel), first, last, :reason
    FROM unnest(CAST(:channels AS integer[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]))
        AS given (channel, first, last)
    GROUP BY 1, first, last
    ORDER BY 1, first
""")
# OFFSET 0 keeps the lock's function out of the sub-query: it is asked for bucket after bucket, the oldest work first,
# until one is free.
_BUCKET = text("""
    SELECT bucket FROM (
        SELECT bucket FROM vee_work GROUP BY bucket ORDER BY min(id) OFFSET 0
    ) waiting
    WHERE pg_try_advisory_xact_lock(:key, bucket)
    LIMIT 1
""")
_TAKE = text("SELECT id, channels, first, last FROM vee_work WHERE bucket = :bucket ORDER BY first, id")
# A state read at midnight ends the day before. What a profile at the point is compared with are states at midnight:
# others do not touch it.
_ENQUEUE_STATES = text("""
    INSERT INTO vee_work (bucket, channels, first, last, reason)
    SELECT id >> :bits, array_agg(id ORDER BY id), first, last, 'states'
    FROM (
        SELECT other.id,
               min((to_timestamp((span.begin - 1) / 1000.0) AT TIME ZONE 'Europe/Prague')::date) AS first,
               max((to_timestamp(span.finish / 1000.0) AT TIME ZONE 'Europe/Prague')::date) AS last
        FROM unnest(CAST(:evidence AS integer[]), CAST(:begins AS bigint[]), CAST(:ends AS bigint[]))
            AS span (evidence, begin, finish)
        JOIN channel_mapping m ON m.evidence_channel = span.evidence
        JOIN channel c ON c.id = m.channel AND c.kind = 'state'
        JOIN channel other ON other.point = c.point AND (
             other.id = c.id
             OR other.kind = 'interval'
             AND (to_timestamp((span.begin - :sample_ms - 1) / 1000.0) AT TIME ZONE 'Europe/Prague')::date
                 < (to_timestamp(span.finish / 1000.0) AT TIME ZONE 'Europe/Prague')::date)
        GROUP BY other.id
    ) read
    GROUP BY 1, first, last
    ORDER BY 1, first
""")
_HIGHEST = text("""
    SELECT max(objid::bigint) FROM pg_locks
     WHERE locktype = 'advisory' AND classid = :key AND objsubid = 2 AND pid = pg_backend_pid() AND granted
""")
_UNVALIDATED = text("""
    SELECT held.channel, min(greatest(w.first, CAST(:first AS date))) AS day
    FROM vee_work w
    CROSS JOIN LATERAL unnest(w.channels) AS held (channel)
    JOIN (SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)) asked ON asked.id = held.channel
    WHERE w.first < :end AND w.last >= :first
    GROUP BY held.channel
""")


@dataclass(frozen=True, slots=True)
class Work:
    """Work of one bucket: rows of the list, and the days to judge, (channels, days) from `first` on."""

    ids: Sequence[int]
    channels: Ints
    """Ascending."""
    first: date
    days: NDArray[np.bool_]

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.first + timedelta(days=self.days.shape[1])


def enqueue(connection: Connection, channels: Sequence[int], first: date, last: date, reason: str) -> None:
    """Have the days `first` to `last` (both included) of these channels validated."""
    distinct = np.unique(np.asarray(channels, np.int64))
    days = np.zeros(len(distinct), np.int64)
    _insert(connection, distinct, days + number_of(first), days + number_of(last), reason)


def enqueue_days(connection: Connection, channels: Ints, numbers: Ints, reason: str) -> None:
    """Have these days validated: pairs of channel and day number. Days between those of a channel are taken along."""
    if not len(channels):
        return
    order = np.lexsort((numbers, channels))
    by_channel, by_number = channels[order], numbers[order]
    begins = np.flatnonzero(np.concatenate([[True], by_channel[1:] != by_channel[:-1]]))
    ends = np.concatenate([begins[1:], [len(order)]]) - 1
    _insert(connection, by_channel[begins], by_number[begins], by_number[ends], reason)


def enqueue_states(connection: Connection, spans: Spans) -> None:
    """Have the days validated that register states in these stretches of evidence belong to; of the profiles at their
    points, too, where the states lie at borders of days."""
    if len(spans.evidence):
        parameters = {
            "evidence": int_array(spans.evidence),
            "begins": int_array(spans.from_ms),
            "ends": int_array(spans.to_ms),
        }
        connection.execute(_ENQUEUE_STATES, {**parameters, "bits": BUCKET_BITS, "sample_ms": SAMPLE_MS})


def _insert(connection: Connection, channels: Ints, firsts: Ints, lasts: Ints, reason: str) -> None:
    if not len(channels):
        return
    parameters = {"channels": int_array(channels), "firsts": date_array(firsts), "lasts": date_array(lasts)}
    connection.execute(_ENQUEUE, {**parameters, "bits": BUCKET_BITS, "reason": reason})


def take_work(connection: Connection, most_days: int = MOST_DAYS) -> Work | None:
    """The work of the bucket that waits longest and that no other process is at; None when there is none.

    The bucket is held until the transaction ends. Remove the work with `finish_work` in the same transaction.
    """
    bucket = connection.execute(_BUCKET, {"key": _LOCK}).scalar()
    if bucket is None:
        return None
    rows = connection.execute(_TAKE, {"bucket": bucket}).all()
    first = rows[0].first
    # A row that is longer than a pass stays in the list, shortened, until its last days are done.
    end = min(max(row.last for row in rows), first + timedelta(days=most_days - 1)) + timedelta(days=1)
    ours = [row for row in rows if row.first < end]
    channels = np.unique(np.concatenate([np.asarray(row.channels, np.int64) for row in ours]))
    days = np.zeros((len(channels), (end - first).days), np.bool_)
    for row in ours:
        places = np.searchsorted(channels, np.asarray(row.channels, np.int64))
        days[places, number_of(row.first) - number_of(first) : number_of(row.last) - number_of(first) + 1] = True
    return Work([row.id for row in ours], channels, first, days)


def finish_work(connection: Connection, work: Work) -> None:
    """Take what was done off the list; of a row that reaches further, only its first days."""
    parameters = {"ids": list(work.ids), "end": work.end}
    connection.execute(text("DELETE FROM vee_work WHERE id = ANY(:ids) AND last < :end"), parameters)
    connection.execute(text("UPDATE vee_work SET first = :end WHERE id = ANY(:ids)"), parameters)


class BucketBusyError(Exception):
    """A bucket below one that is held is another's: waiting for it could wait for ever. Give up and try again later."""


def hold_buckets(connection: Connection, channels: Ints) -> None:
    """Hold the buckets of these channels too, until the transaction ends.

    Waits only for a bucket above all that are held, so that two processes never wait for each other; one below that is
    not free raises BucketBusyError.
    """
    key = {"key": _LOCK}
    highest = connection.execute(_HIGHEST, key).scalar()
    for bucket in np.unique(channels >> BUCKET_BITS).tolist():
        waits = highest is None or bucket >= highest
        lock = "pg_advisory_xact_lock" if waits else "pg_try_advisory_xact_lock"
        free = connection.execute(text(f"SELECT {lock}(:key, :bucket)"), {**key, "bucket": bucket}).scalar()
        if not waits and not free:
            raise BucketBusyError(f"Bucket {bucket} is another's, and bucket {highest} is held.")


def unvalidated(connection: Connection, channels: Sequence[int], first: date, end: date) -> dict[int, date]:
    """The channels with a day from `first` to before `end` whose validation is still to be done: the first such day."""
    rows = connection.execute(_UNVALIDATED, {"channels": list(channels), "first": first, "end": end})
    return {row.channel: row.day for row in rows}


def count_work(connection: Connection) -> int:
    """How many rows of work wait."""
    number: int = connection.execute(text("SELECT count(*) FROM vee_work")).scalar_one()
    return number
