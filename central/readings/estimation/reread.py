"""Ask concentrators to read again what is missing, once a day and channel, before it is estimated."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, text

from central.network.commands import LONGEST_LIFE, issue
from central.platform.identity import SYSTEM
from central.readings.estimation.pending import Pending

MEMORY = timedelta(days=40)
"""Older days are not asked for: hardly a meter keeps a load profile for longer."""
_LIFE = timedelta(days=1)

# Only concentrators that central has heard of: those of imported files have nobody to ask. A gas day ends on the
# next local date. Days that wait remember that they were asked for.
_METERS = text("""
    WITH meters AS (
        SELECT given.channel, given.day, given.waits, e.concentrator, e.device,
               given.day + (c.commodity = 'gas')::integer AS last
        FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[]), CAST(:waits AS boolean[]))
            AS given (channel, day, waits)
        JOIN channel c ON c.id = given.channel
        JOIN channel_mapping m ON m.channel = given.channel AND m.valid && tstzrange(
            given.day::timestamp AT TIME ZONE 'Europe/Prague', (given.day + 1)::timestamp AT TIME ZONE 'Europe/Prague')
        JOIN evidence_channel e ON e.id = m.evidence_channel
        JOIN concentrator_state s ON s.concentrator = e.concentrator
    ),
    marked AS (
        UPDATE estimation_pending p SET asked_at = :now FROM meters m
        WHERE m.waits AND p.channel = m.channel AND p.day = m.day AND p.asked_at IS NULL
        RETURNING p.channel, p.day
    )
    SELECT concentrator, device, day AS first, last FROM meters m
    WHERE NOT waits OR EXISTS (SELECT FROM marked k WHERE k.channel = m.channel AND k.day = m.day)
""")


def ask_again(
    connection: Connection, waiting: Sequence[Pending], estimated: Sequence[tuple[int, date]], now: datetime
) -> int:
    """Order the re-reading of the meters of days that wait and were not asked for yet, and of days that were just
    estimated without waiting; returns the number of commands."""
    oldest = (now - MEMORY).date()
    asked = [(each.channel, each.day, True) for each in waiting if each.day >= oldest]
    asked += [(channel, day, False) for channel, day in estimated if day >= oldest]
    if not asked:
        return 0
    due = max((each.due for each in waiting if each.due is not None), default=now)
    life = min(max(due - now, _LIFE), LONGEST_LIFE)
    parameters = {
        "channels": [each[0] for each in asked],
        "days": [each[1] for each in asked],
        "waits": [each[2] for each in asked],
        "now": now,
    }
    wanted: dict[tuple[str, str], list[tuple[date, date]]] = {}
    for row in connection.execute(_METERS, parameters):
        wanted.setdefault((row.concentrator, row.device), []).append((row.first, row.last))
    count = 0
    for (concentrator, device), spans in sorted(wanted.items()):
        for first, last in _joined(spans):
            work = {"act": "fill_range", "device": device, "first": first, "last": last}
            issue(connection, concentrator, work, "Values are missing after the deadline.", life, SYSTEM, now)
            count += 1
    return count


def _joined(spans: Sequence[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans of days that touch or overlap as one."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + timedelta(days=1):
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
