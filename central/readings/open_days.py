"""The days that are still open: when to look at them again, and which have come due."""

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
from sqlalchemy import Connection, text

from central.platform.arrays import date_array, int_array
from central.readings.assemble import Days
from central.readings.calendar import Ints, number_of


def take_due(connection: Connection, now: datetime, limit: int) -> tuple[Ints, Ints]:
    """Open days that have come due: channels and day numbers."""
    rows = connection.execute(
        text("SELECT channel, day FROM open_day WHERE due <= :now ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED"),
        {"now": now, "limit": limit},
    ).all()
    channels = np.array([row.channel for row in rows], np.int64)
    return channels, np.array([number_of(row.day) for row in rows], np.int64)


def reconsolidate(connection: Connection, channels: Sequence[int], days: Sequence[date], now: datetime) -> None:
    """Have these days (pairs) made again from everything that is known, though no batch came for them."""
    remember(connection, list(zip(channels, days, [now] * len(days), strict=True)))


def remember_running(connection: Connection, days: Days) -> None:
    """Days that are not over: look at them when they are."""
    if not len(days):
        return
    connection.execute(
        text("""
            INSERT INTO open_day (channel, day, due)
            SELECT channel, day, to_timestamp(due / 1000.0)
            FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[]), CAST(:due AS bigint[]))
                AS running (channel, day, due)
            ON CONFLICT DO NOTHING
        """),
        {
            "channels": int_array(days.channel),
            "days": date_array(days.number),
            "due": int_array(days.start_ms + days.length * days.step_ms),
        },
    )


def remember(connection: Connection, still_open: list[tuple[int, date, datetime]]) -> None:
    """Incomplete days before their deadline: look at them then."""
    if not still_open:
        return
    channels, days, due = zip(*still_open, strict=True)
    connection.execute(
        text("""
            INSERT INTO open_day (channel, day, due)
            SELECT * FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[]), CAST(:due AS timestamptz[]))
            ON CONFLICT (channel, day) DO UPDATE SET due = EXCLUDED.due
        """),
        {"channels": list(channels), "days": list(days), "due": list(due)},
    )


def forget(connection: Connection, channels: Ints, numbers: Ints) -> None:
    """These days are not open any more."""
    if not len(channels):
        return
    connection.execute(
        text("""
            DELETE FROM open_day o
            USING unnest(CAST(:channels AS integer[]), CAST(:days AS date[])) AS done (channel, day)
            WHERE o.channel = done.channel AND o.day = done.day
        """),
        {"channels": int_array(channels), "days": date_array(numbers)},
    )
