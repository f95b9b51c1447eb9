"""Ask concentrators to read again what is missing, once a day and channel, before it is estimated."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, text

from central.network.commands import LONGEST_LIFE, issue
from central.platform.identity import SYSTEM
from central.readings.estimation.pending import Pending

# Only concentrators that central has heard of: those of imported files have nobody to ask. A gas day ends on the
# next local date.
_METERS = text("""
    UPDATE estimation_pending p SET asked_at = :now
    FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[])) AS given (channel, day)
    JOIN channel c ON c.id = given.channel
    JOIN channel_mapping m ON m.channel = given.channel
        AND m.valid && tstzrange(given.day AT TIME ZONE 'Europe/Prague', (given.day + 1) AT TIME ZONE 'Europe/Prague')
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN concentrator_state s ON s.concentrator = e.concentrator
    WHERE p.channel = given.channel AND p.day = given.day AND p.asked_at IS NULL
    RETURNING e.concentrator, e.device, given.day AS first, given.day + (c.commodity = 'gas')::integer AS last
""")


def ask_again(connection: Connection, waiting: Sequence[Pending], now: datetime) -> int:
    """Order the re-reading of these days' meters; returns the number of commands. Days asked for before are not."""
    if not waiting:
        return 0
    due = max(each.due or now for each in waiting)
    life = min(max(due - now, timedelta(hours=1)), LONGEST_LIFE)
    parameters = {"channels": [each.channel for each in waiting], "days": [each.day for each in waiting], "now": now}
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
