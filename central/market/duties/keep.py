"""Duties in the database: what must be told is compared with what is there, by sets and in the caller's transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from central.market.messages import Subject, move_all
from central.market.states import Act


@dataclass(frozen=True, slots=True)
class Due:
    """Something that must be told: by which message, of what, for which days [first_day, end_day), why, until when.

    `cause` names the records that made it arise: another cause makes another version of what is told.
    """

    code: str
    subject: Subject
    first_day: date
    end_day: date | None
    why: str
    cause: Mapping[str, Any]
    deadline: datetime
    month: date


Key = tuple[str, str, str, date, str]
"""Code, subject kind, subject, first day, why."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many duties arose, got another cause, and lost theirs."""

    arose: int
    changed: int
    waived: int


_STAGE: Final = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS market_due (
        message_code text, subject_kind text, subject text, supply_point bigint, period daterange, month date,
        why text, cause jsonb, deadline timestamptz
    ) ON COMMIT DROP
""")
_FILL: Final = text("""
    INSERT INTO market_due
    SELECT code, kind, subject, point, daterange(first_day, end_day), month, why, cause, deadline
      FROM jsonb_to_recordset(CAST(:dues AS jsonb)) AS due (code text, kind text, subject text, point bigint,
           first_day date, end_day date, month date, why text, cause jsonb, deadline timestamptz)
""")
_KEEP: Final = text("""
    -- what is new arises; what has another cause, or was waived, is open again and gets another version; where what was
    -- told stands, another cause counts only of what is open, withdrawn, or there again. What was made before tells
    -- nothing of it, also where the clock was set back since
    INSERT INTO market_duty AS duty
           (message_code, subject_kind, subject, supply_point, period, month, why, cause, state, arose_at, deadline)
    SELECT message_code, subject_kind, subject, supply_point, period, month, why, cause, 'open', :at, deadline
      FROM market_due
     ORDER BY month, deadline, message_code, subject
    ON CONFLICT (message_code, subject_kind, subject, period, why) DO UPDATE
       SET cause = excluded.cause, state = 'open', problem = NULL, done_at = NULL, handed_over_by = NULL,
           arose_at = greatest(excluded.arose_at, (
               SELECT max(m.made_at) + interval '1 microsecond' FROM market_message m WHERE m.duty = duty.id))
     WHERE duty.state = 'waived'
        OR duty.cause <> excluded.cause
           AND (NOT :stands OR duty.state = 'open' OR duty.cause ? 'withdrawn' OR excluded.cause ? 'withdrawn')
    RETURNING xmax = 0 AS is_new
""")
_WAIVE: Final = text("""
    -- causes that are gone: what was accepted stays, the rest need not be told any more
    UPDATE market_duty duty SET state = 'waived', problem = 'What made it arise is gone.'
     WHERE why = ANY (:whys) AND month >= :since AND month <= :until AND state IN ('open', 'told')
       AND NOT EXISTS (SELECT FROM market_due due
                        WHERE due.message_code = duty.message_code AND due.subject_kind = duty.subject_kind
                          AND due.subject = duty.subject AND due.period = duty.period AND due.why = duty.why)
""")
_AT_ONCE: Final = 20_000
_OLDEST: Final = text("SELECT min(month) FROM market_duty WHERE state = 'open' AND month >= :since")


def oldest_open(connection: Connection, since: date) -> date | None:
    """The month (its first day) of the oldest duty that is open, of those from the month `since` on."""
    found: date | None = connection.execute(_OLDEST, {"since": since}).scalar_one()
    return found


def reconcile(
    connection: Connection,
    dues: Sequence[Due],
    whys: Iterable[str],
    since: date,
    until: date,
    at: datetime,
    *,
    stands: bool = False,
) -> Reconciled:
    """Make the duties for causes `whys` in the months [since, until] (their first days) those that are given.

    Repeating it with the same dues changes nothing. `stands`: what was told is not told anew for another cause.
    """
    connection.execute(_STAGE)
    connection.execute(text("TRUNCATE market_due"))
    for first in range(0, len(dues), _AT_ONCE):
        connection.execute(_FILL, {"dues": json.dumps([_row(due) for due in dues[first : first + _AT_ONCE]])})
    kept = [bool(row.is_new) for row in connection.execute(_KEEP, {"at": at, "stands": stands})]
    waived = connection.execute(_WAIVE, {"whys": sorted(whys), "since": since, "until": until}).rowcount
    return Reconciled(sum(kept), len(kept) - sum(kept), waived)


_ELSEWHERE: Final = text("""
    -- duties of what was compared last that only a sandbox was told of
    UPDATE market_duty duty
       SET state = 'open', problem = NULL, done_at = NULL, handed_over_by = NULL,
           arose_at = greatest(CAST(:at AS timestamptz), (
               SELECT max(m.made_at) + interval '1 microsecond' FROM market_message m WHERE m.duty = duty.id))
      FROM market_due due
     WHERE (duty.message_code, duty.subject_kind, duty.subject, duty.period, duty.why)
         = (due.message_code, due.subject_kind, due.subject, due.period, due.why)
       AND duty.message_code = ANY (:codes) AND duty.state <> 'waived' AND duty.handed_over_by IS NULL
       AND (SELECT m.environment FROM market_message m
             WHERE m.duty = duty.id AND m.direction = 'out' AND m.made_at >= duty.arose_at
             ORDER BY m.version DESC LIMIT 1) = 'sandbox'
""")


def reopen_elsewhere(connection: Connection, codes: Iterable[str], at: datetime) -> int:
    """Of what `reconcile` was given last: what a sandbox was told, by codes that go to the market operator itself now,
    is open again. How many duties that are."""
    return connection.execute(_ELSEWHERE, {"codes": sorted(codes), "at": at}).rowcount


_OPEN: Final = text("""
    -- open duties of what was compared last; one whose message was rejected waits for another cause or for a person
    SELECT duty.id, duty.message_code, duty.subject_kind, duty.subject, duty.supply_point,
           lower(duty.period) AS first_day, upper(duty.period) AS end_day, duty.why, duty.cause, duty.deadline
      FROM market_due due JOIN market_duty duty
        ON (duty.message_code, duty.subject_kind, duty.subject, duty.period, duty.why)
         = (due.message_code, due.subject_kind, due.subject, due.period, due.why)
     WHERE duty.state = 'open'
       AND (:again OR NOT EXISTS (SELECT FROM market_message message
                                   WHERE message.duty = duty.id AND message.state = 'rejected'
                                     AND message.made_at >= duty.arose_at))
     ORDER BY duty.id
""")


def find_open(connection: Connection, *, again: bool = False) -> Sequence[RowMapping]:
    """Duties for which a message is to be made, of those that `reconcile` was given last in this transaction.

    `again` takes those whose message was rejected, too.
    """
    return connection.execute(_OPEN, {"again": again}).mappings().all()


_WITHDRAWN: Final = text("""
    -- messages of waived duties that are to leave, would be repeated, or were rejected and need no repair any more
    SELECT message.id FROM market_duty duty JOIN market_message message ON message.duty = duty.id
     WHERE duty.state = 'waived' AND message.direction = 'out'
       AND message.state IN ('generated', 'saved', 'timed_out', 'rejected')
     ORDER BY message.id FOR UPDATE OF message SKIP LOCKED
""")


def withdraw_waived(connection: Connection, at: datetime, person: str) -> int:
    """What waived duties have in the outbox does not leave any more, what was rejected is not waited for; how many."""
    numbers = connection.execute(_WITHDRAWN).scalars().all()
    move_all(connection, dict.fromkeys(numbers, "what made it arise is gone"), Act.REPLACE, at, person)
    return len(numbers)


_TELL: Final = text("""
    -- the newest message tells the duty's present cause, also where the clock was set back since that arose
    UPDATE market_duty duty
       SET state = 'told', problem = NULL, arose_at = least(duty.arose_at, (
           SELECT m.made_at FROM market_message m WHERE m.duty = duty.id ORDER BY m.version DESC LIMIT 1))
     WHERE id = ANY (:duties) AND state = 'open'
""")


def mark_told(connection: Connection, duties: Iterable[int]) -> None:
    """A message was made for each of these duties."""
    connection.execute(_TELL, {"duties": sorted(duties)})


def set_problems(connection: Connection, problems: Mapping[int, str]) -> None:
    """Why no message could be made for these duties, a sentence each; they stay open."""
    if problems:
        connection.execute(
            text("""
                UPDATE market_duty duty SET problem = told.problem
                  FROM unnest(CAST(:duties AS bigint[]), CAST(:problems AS text[])) AS told (duty, problem)
                 WHERE duty.id = told.duty AND duty.problem IS DISTINCT FROM told.problem
            """),
            {"duties": list(problems), "problems": list(problems.values())},
        )


_ADOPT: Final = (
    text("""
        UPDATE market_message m SET duty = told.duty
          FROM unnest(CAST(:duties AS bigint[]), CAST(:messages AS bigint[])) AS told (duty, message)
         WHERE m.id = told.message
    """),
    text("""
        UPDATE market_duty d SET state = 'told', problem = NULL, arose_at = least(d.arose_at, m.made_at)
          FROM unnest(CAST(:duties AS bigint[]), CAST(:messages AS bigint[])) AS told (duty, message)
          JOIN market_message m ON m.id = told.message
         WHERE d.id = told.duty
    """),
)


def adopt(connection: Connection, messages: Mapping[int, int]) -> None:
    """Messages (by duty) that were made on order and tell the same: they fulfil the duties."""
    if messages:
        for statement in _ADOPT:
            connection.execute(statement, {"duties": list(messages), "messages": list(messages.values())})


_LOOKED: Final = text("""
    INSERT INTO market_month
    SELECT month::date, :at
      FROM generate_series(CAST(:first AS timestamp), CAST(:last AS timestamp), '1 month') AS month
    ON CONFLICT (month) DO UPDATE SET looked_at = excluded.looked_at
""")


def set_looked(connection: Connection, first: date, last: date, at: datetime) -> None:
    """It was looked at `at` for all that must be told of the months [first, last] (their first days)."""
    connection.execute(_LOOKED, {"first": first, "last": last, "at": at})


def _row(due: Due) -> dict[str, Any]:
    return {
        "code": due.code,
        "kind": due.subject.kind,
        "subject": due.subject.code,
        "point": due.subject.supply_point,
        "first_day": due.first_day.isoformat(),
        "end_day": due.end_day.isoformat() if due.end_day else None,
        "month": due.month.isoformat(),
        "why": due.why,
        "cause": due.cause,
        "deadline": due.deadline.isoformat(),
    }
