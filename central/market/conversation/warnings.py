"""What is in danger: deadlines near or past of messages, duties, conversations and what waits for a decision."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from central.market.conversation.working_days import PRAGUE, working_day

_DEADLINES: Final = text("""
    -- what is not finished and must be by :until, the most urgent first
    SELECT kind, id, code, subject, state, deadline, deadline <= :at AS is_past FROM (
        SELECT 'message' AS kind, id, message_code AS code, subject, state, deadline FROM market_message
         WHERE direction = 'out' AND state NOT IN ('accepted', 'accepted_with_reservation', 'repaired')
        UNION ALL
        SELECT 'duty', id, message_code, subject, state, deadline FROM market_duty WHERE state IN ('open', 'told')
        UNION ALL
        SELECT 'process', id, scenario, subject, state, deadline FROM market_process
         WHERE closed_at IS NULL AND state IN ('asked', 'received', 'consented', 'objected', 'sent', 'rejected',
                                               'consent_rejected', 'objection_rejected')
    ) due
     WHERE deadline <= :until
     ORDER BY deadline, kind, id LIMIT :limit
""")


def warned_until(at: datetime, working_days: int) -> datetime:
    """The end of the working day so many behind the day of `at`, local time: what ends by then is warned of.

    That is the midnight behind it, which is the deadline of what must be told by the end of the day.
    """
    day = working_day(at.astimezone(PRAGUE).date(), working_days)
    return datetime.combine(day + timedelta(days=1), time(), PRAGUE)


def find_deadlines(connection: Connection, at: datetime, working_days: int, limit: int) -> Sequence[RowMapping]:
    """Unfinished things whose deadline is past or comes within so many working days."""
    asked = {"at": at, "until": warned_until(at, working_days), "limit": limit}
    return connection.execute(_DEADLINES, asked).mappings().all()
