"""Days that could not be estimated: kept with the reason, and tried again at a time or when something changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from central.readings.vee.work import enqueue

_WRITE = text("""
    INSERT INTO estimation_pending (channel, day, reason, detail, missing, tried_at, due)
    SELECT given.channel, given.day, given.reason, given.detail, given.missing, CAST(:now AS timestamptz), given.due
    FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[]), CAST(:reasons AS text[]), CAST(:details AS text[]),
                CAST(:missing AS integer[]), CAST(:dues AS timestamptz[]))
        AS given (channel, day, reason, detail, missing, due)
    ON CONFLICT (channel, day) DO UPDATE
    SET reason = EXCLUDED.reason, detail = EXCLUDED.detail, missing = EXCLUDED.missing, tried_at = EXCLUDED.tried_at,
        due = EXCLUDED.due
""")
_DONE = text("""
    DELETE FROM estimation_pending p
    USING unnest(CAST(:channels AS integer[]), CAST(:days AS date[])) AS done (channel, day)
    WHERE p.channel = done.channel AND p.day = done.day
""")
_DUE = text("""
    UPDATE estimation_pending SET due = NULL
    WHERE (channel, day) IN (
        SELECT channel, day FROM estimation_pending WHERE due <= :now ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING channel, day
""")
_ALL = text("SELECT channel, min(day) AS first, max(day) AS last FROM estimation_pending GROUP BY channel")
_OF_CHANNELS = text("""
    SELECT p.channel, min(p.day) AS first, max(p.day) AS last
    FROM (SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)) wanted
    JOIN estimation_pending p ON p.channel = wanted.id
    GROUP BY p.channel
""")
_FIND = text("""
    SELECT p.channel, c.point, c.direction, p.day, p.reason, p.detail, p.missing, p.asked_at, p.tried_at, p.due
    FROM estimation_pending p JOIN channel c ON c.id = p.channel
    WHERE (CAST(:channel AS integer) IS NULL OR p.channel = :channel)
      AND (CAST(:reason AS text) IS NULL OR p.reason = :reason)
      AND (p.channel, p.day) > (:after_channel, CAST(:after_day AS date))
    ORDER BY p.channel, p.day LIMIT :limit
""")
AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Pending:
    """A day that stays incomplete, with its number of missing values; `due`: when to try again at the latest."""

    channel: int
    day: date
    reason: str
    detail: str
    missing: int
    due: datetime | None = None


def keep(connection: Connection, left: Sequence[Pending], now: datetime) -> None:
    """Record days that could not be estimated, or their newest reason."""
    if left:
        parameters = {
            "channels": [each.channel for each in left],
            "days": [each.day for each in left],
            "reasons": [each.reason for each in left],
            "details": [each.detail for each in left],
            "missing": [each.missing for each in left],
            "dues": [each.due for each in left],
        }
        connection.execute(_WRITE, {**parameters, "now": now})


def settle(connection: Connection, done: Sequence[tuple[int, date]]) -> None:
    """These days are whole, or estimated: nothing is awaited any more."""
    if done:
        parameters = {"channels": [each[0] for each in done], "days": [each[1] for each in done]}
        connection.execute(_DONE, parameters)


def wake_due(connection: Connection, now: datetime) -> int:
    """Put the days whose waiting is over into the work of the validation; returns how many."""
    rows = connection.execute(_DUE, {"now": now, "limit": AT_ONCE}).all()
    by_day: dict[date, list[int]] = {}
    for row in rows:
        by_day.setdefault(row.day, []).append(row.channel)
    for day, channels in sorted(by_day.items()):
        enqueue(connection, channels, day, day, "estimation")
    return len(rows)


def try_all_again(connection: Connection) -> int:
    """Something changed that may help any of the waiting days: put all of them into the work of the validation."""
    return _enqueue(connection, connection.execute(_ALL).all())


def try_again(connection: Connection, channels: Sequence[int]) -> int:
    """The same for the waiting days of these channels."""
    return _enqueue(connection, connection.execute(_OF_CHANNELS, {"channels": list(channels)}).all())


def _enqueue(connection: Connection, rows: Sequence[Row[Any]]) -> int:
    spans: dict[tuple[date, date], list[int]] = {}
    for row in rows:
        spans.setdefault((row.first, row.last), []).append(row.channel)
    for (first, last), channels in sorted(spans.items()):
        enqueue(connection, channels, first, last, "estimation")
    return sum(len(channels) for channels in spans.values())


def find_pending(
    connection: Connection,
    *,
    channel: int | None = None,
    reason: str | None = None,
    after: tuple[int, date] = (0, date.min),
    limit: int = 500,
) -> list[dict[str, Any]]:
    """Waiting days in the order of channel and day, after a given one."""
    parameters = {"channel": channel, "reason": reason, "after_channel": after[0], "after_day": after[1]}
    return [dict(row._mapping) for row in connection.execute(_FIND, {**parameters, "limit": limit})]
