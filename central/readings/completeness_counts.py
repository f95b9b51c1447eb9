"""What versions lack, kept as it is made: a row of news for each write, folded into a row a channel and month.

A writer of versions appends one row of news in its own transaction, so writers never meet one another over a month's
row. Whoever asks reads months and news together in one snapshot; folding takes news away and changes months in one
transaction, so nothing is counted twice or not at all.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from central.platform.arrays import int_array
from central.readings.calendar import Ints
from shared.quantities import Quality

REPLACED = (int(Quality.ESTIMATED), int(Quality.SUBSTITUTE), int(Quality.EDITED))
"""Qualities of values that are there and were not measured."""
NEWS_AT_ONCE = 50
"""Rows of news that one transaction folds; each is a pass of consolidation, up to some ten thousand days."""
DAYS = 31

_FOLDING = 5_014_001
"""Advisory lock of folding: one process at a time, the others leave it to that one."""

_FOLD = text("""
    WITH taken AS (
        DELETE FROM profile_count_news
        WHERE id IN (SELECT id FROM profile_count_news ORDER BY id LIMIT :limit)
        RETURNING channels, days, versions, missing, replaced
    ),
    newest AS (
        SELECT DISTINCT ON (u.channel, u.day) u.channel, date '1970-01-01' + u.day AS day, u.missing, u.replaced
        FROM taken, unnest(channels, days, versions, missing, replaced) AS u (channel, day, version, missing, replaced)
        ORDER BY u.channel, u.day, u.version DESC
    ),
    months AS (
        SELECT m.channel, m.month,
               string_agg(int2send(coalesce(n.missing, -1::smallint)), '' ORDER BY place) AS missing,
               string_agg(int2send(coalesce(n.replaced, -1::smallint)), '' ORDER BY place) AS replaced
        FROM (SELECT DISTINCT channel, date_trunc('month', day)::date AS month FROM newest) m
        CROSS JOIN generate_series(0, 30) AS place
        LEFT JOIN newest n ON n.channel = m.channel AND n.day = m.month + place
         AND n.day < m.month + interval '1 month'
        GROUP BY m.channel, m.month
    )
    INSERT INTO profile_count AS stored (channel, month, missing, replaced)
    SELECT channel, month, missing, replaced FROM months ORDER BY channel, month
    ON CONFLICT (channel, month) DO UPDATE SET (missing, replaced) = (
        SELECT string_agg(substr(CASE WHEN told THEN EXCLUDED.missing ELSE stored.missing END, at, 2), '' ORDER BY at),
               string_agg(substr(CASE WHEN told THEN EXCLUDED.replaced ELSE stored.replaced END, at, 2), '' ORDER BY at)
        FROM (SELECT at, substr(EXCLUDED.missing, at, 2) <> int2send(-1::smallint) AS told
              FROM generate_series(1, 61, 2) AS at) AS day
    )
""")


def record_counts(
    connection: Connection, channels: Ints, numbers: Ints, versions: Ints, missing: Ints, replaced: Ints
) -> None:
    """News of versions made in this transaction: (days,) each; `numbers` are day numbers, counts those of values."""
    if not len(channels):
        return
    connection.execute(
        text("""
            INSERT INTO profile_count_news (channels, days, versions, missing, replaced)
            VALUES (CAST(:channels AS integer[]), CAST(:days AS integer[]), CAST(:versions AS integer[]),
                    CAST(:missing AS smallint[]), CAST(:replaced AS smallint[]))
        """),
        {
            "channels": int_array(channels),
            "days": int_array(numbers),
            "versions": int_array(versions),
            "missing": int_array(missing),
            "replaced": int_array(replaced),
        },
    )


def count_replaced(quality: Sequence[NDArray[np.int16]]) -> Ints:
    """Of days of equal length, how many values each has that were not measured."""
    counts: Ints = np.isin(np.stack(quality), REPLACED).sum(axis=1).astype(np.int64)
    return counts


def fold_counts(engine: Engine) -> int:
    """Fold up to NEWS_AT_ONCE rows of news into months; returns how many channels' months changed.

    0 also where another process is at it.
    """
    with engine.begin() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _FOLDING}).scalar_one():
            return 0
        return connection.execute(_FOLD, {"limit": NEWS_AT_ONCE}).rowcount
