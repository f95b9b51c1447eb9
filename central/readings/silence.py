"""Days of which nothing came at all: they are expected too, and get their version 1, all missing, at the deadline.

Consolidation starts from batches, so a meter that fell silent would leave no trace in the profiles. The days of mapped
channels whose deadline has passed are therefore put among the open ones, which consolidation closes. A channel that
never had a profile is not in service yet, however early its mapping begins: completeness shows it, no version does.
"""

from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection, Engine, text

from central.platform.database import transaction
from shared.metering_day import PRAGUE

DAYS = 7
"""Days looked back: older silence is closed by whatever comes for it, or by hand."""
IN_SERVICE = 40
"""A channel that had a version of one of so many days before is in service; the silent days' own versions count."""

# Expected: at least one interval of the day begins while the mapping is valid.
_EXPECT = text("""
    INSERT INTO open_day (channel, day, due)
    SELECT DISTINCT c.id, k.day, CAST(:deadline AS timestamptz)
    FROM channel c
    CROSS JOIN LATERAL (
        SELECT CAST(:day AS date) AS day,
               (CAST(:day AS date) + hour.start) AT TIME ZONE 'Europe/Prague' AS begin,
               (CAST(:day AS date) + 1 + hour.start) AT TIME ZONE 'Europe/Prague' AS finish
        FROM (SELECT CASE c.commodity WHEN 'gas' THEN time '06:00' ELSE time '00:00' END AS start) hour
    ) k
    JOIN channel_mapping m ON m.channel = c.id AND m.valid && tstzrange(k.begin, k.finish)
    JOIN evidence_channel e ON e.id = m.evidence_channel AND e.step_ms = c.step_ms
    WHERE c.kind = 'interval'
      AND ceil(extract(epoch FROM greatest(lower(m.valid), k.begin) - k.begin) * 1000 / c.step_ms)
        < ceil(extract(epoch FROM least(upper(m.valid), k.finish) - k.begin) * 1000 / c.step_ms)
      AND NOT EXISTS (SELECT FROM day_profile p WHERE p.channel = c.id AND p.day = CAST(:day AS date))
      AND EXISTS (SELECT FROM day_profile p WHERE p.channel = c.id
                  AND p.day >= CAST(:earliest AS date) AND p.day < CAST(:day AS date))
    ON CONFLICT (channel, day) DO NOTHING
""")


def last_closed(now: datetime, deadline: time) -> date:
    """The newest metering day whose deadline has passed."""
    local = now.astimezone(PRAGUE)
    return local.date() - timedelta(days=1 if local.time() >= deadline else 2)


def expect_days(connection: Connection, newest: date, deadline: time, days: int = DAYS) -> int:
    """Put the days up to `newest` that are expected and have no version among the open ones; returns how many."""
    count = 0
    for back in range(days):
        day = newest - timedelta(days=back)
        due = datetime.combine(day + timedelta(days=1), deadline, PRAGUE)
        parameters = {"day": day, "earliest": day - timedelta(days=IN_SERVICE), "deadline": due}
        count += connection.execute(_EXPECT, parameters).rowcount
    return count


class SilentDays:
    """Looks for them when a deadline has passed since the last look, or when mappings have changed."""

    def __init__(self, engine: Engine, deadline: time) -> None:
        self._engine = engine
        self._deadline = deadline
        self._seen: date | None = None

    def look(self, now: datetime, mappings_changed: bool = False) -> int:
        """How many days were put among the open ones."""
        newest = last_closed(now, self._deadline)
        if newest == self._seen and not mappings_changed:
            return 0
        with transaction(self._engine) as connection:
            count = expect_days(connection, newest, self._deadline)
        self._seen = newest
        return count
