"""Conversations kept: opened and moved on by messages of ours, by answers, and by what is received."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from central.market.conversation.scenarios import (
    CHANGE_OF_DATA,
    OPENED_BY,
    REGISTERS,
    REGISTRATION,
    SCENARIOS,
    Scenario,
)
from central.market.tables import market_process, market_process_event
from central.platform.errors import NotFound, Refused


@dataclass(frozen=True, slots=True)
class Opening:
    """A conversation to open: what it is about, what was said at the beginning, until when we must say something."""

    scenario: Scenario
    reference: str
    subject_kind: str
    subject: str
    supply_point: int | None = None
    deadline: datetime | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Why a conversation moves: by a message of ours, or by one received."""

    why: str
    message: int | None = None
    inbox: int | None = None


def open_process(connection: Connection, opening: Opening, at: datetime, person: str, step: Step) -> tuple[int, bool]:
    """The conversation of that scenario and reference, and whether it is a new one."""
    state = SCENARIOS[opening.scenario].first
    number = connection.execute(
        upsert(market_process)
        .values(
            scenario=opening.scenario,
            reference=opening.reference,
            subject_kind=opening.subject_kind,
            subject=opening.subject,
            supply_point=opening.supply_point,
            state=state,
            deadline=opening.deadline,
            data=dict(opening.data or {}),
            opened_at=at,
            opened_by=person,
        )
        .on_conflict_do_nothing()
        .returning(market_process.c.id)
    ).scalar_one_or_none()
    if number is not None:
        _write_event(connection, number, "open", None, state, at, person, step)
        return int(number), True
    found = connection.execute(
        select(market_process.c.id).where(
            market_process.c.scenario == opening.scenario, market_process.c.reference == opening.reference
        )
    ).scalar_one()
    return int(found), False


def advance_process(connection: Connection, number: int, act: str, at: datetime, person: str, step: Step) -> str:
    """Move a conversation by the table of its scenario; the state after. Refused where the table has no such act."""
    row = connection.execute(
        select(market_process.c.scenario, market_process.c.state, market_process.c.reference)
        .where(market_process.c.id == number)
        .with_for_update()
    ).one()
    table = SCENARIOS[Scenario(row.scenario)]
    allowed = table.transitions.get(row.state, {})
    if act not in allowed:
        can = ", ".join(allowed) or "nothing"
        raise Refused(
            "process_state",
            f"The conversation {row.scenario} {row.reference} is {row.state} and cannot {act}; it can: {can}.",
        )
    after = allowed[act]
    closed = {"closed_at": at} if after in table.final else {}
    connection.execute(update(market_process).where(market_process.c.id == number).values(state=after, **closed))
    _write_event(connection, number, act, row.state, after, at, person, step)
    return after


def find_process(connection: Connection, scenario: Scenario, reference: str) -> int | None:
    """Number of the conversation of that scenario and reference."""
    return connection.execute(
        select(market_process.c.id).where(
            market_process.c.scenario == scenario, market_process.c.reference == reference
        )
    ).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class OfMessage:
    """A message of ours by which a conversation is opened or goes on; `process`: the one that it was made in."""

    code: str
    subject_kind: str
    subject: str
    supply_point: int | None
    first_day: date
    duty: int | None = None
    deadline: datetime | None = None
    process: int | None = None


_OPEN: Final = text("""
    -- conversations that are not there yet, each with the event that opens it
    WITH opened AS (
        INSERT INTO market_process
               (scenario, reference, subject_kind, subject, supply_point, state, deadline, data, opened_at, opened_by)
        SELECT scenario, reference, subject_kind, subject, supply_point, state, deadline,
               jsonb_build_object('message_code', code), :at, :person
          FROM jsonb_to_recordset(CAST(:rows AS jsonb))
               AS row (scenario text, reference text, subject_kind text, subject text, supply_point bigint, state text,
                       deadline timestamptz, code text)
         ORDER BY scenario, reference
        ON CONFLICT DO NOTHING
        RETURNING id, scenario, reference, state, data ->> 'message_code' AS code),
    told AS (
        INSERT INTO market_process_event (process, at, person, act, to_state, why)
        SELECT id, :at, :person, 'open', state, 'a message ' || code || ' was made' FROM opened)
    SELECT id, scenario, reference FROM opened
""")
_OPENED: Final = text("""
    SELECT id, scenario, reference FROM market_process
     WHERE (scenario, reference) IN (SELECT * FROM unnest(CAST(:scenarios AS text[]), CAST(:references AS text[])))
""")
_WHYS: Final = text("SELECT id, why FROM market_duty WHERE id = ANY (:duties)")


def processes_of(connection: Connection, made: Sequence[OfMessage], at: datetime, person: str) -> list[int | None]:
    """The conversation of each message, which is opened where there is none, as a set; None for those without one."""
    meant = _meant(connection, made)
    first: dict[tuple[Scenario, str], OfMessage] = {}
    for key, message in zip(meant, made, strict=True):
        if key is not None:
            first.setdefault(key, message)
    new: dict[tuple[str, str], int] = {}
    known: dict[tuple[str, str], int] = {}
    if first:
        rows = json.dumps([_opening(key, message) for key, message in first.items()])
        for row in connection.execute(_OPEN, {"rows": rows, "at": at, "person": person}):
            new[row.scenario, row.reference] = row.id
        asked = {"scenarios": [name for name, _ in first], "references": [reference for _, reference in first]}
        known = {(row.scenario, row.reference): row.id for row in connection.execute(_OPENED, asked)}
    found = [message.process if key is None else known[key] for key, message in zip(meant, made, strict=True)]
    opened = set(new.values())
    codes = {
        number: message.code
        for number, message in zip(found, made, strict=True)
        if number is not None and number not in opened
    }
    _go_on(connection, codes, at, person)
    return found


def _meant(connection: Connection, made: Sequence[OfMessage]) -> list[tuple[Scenario, str] | None]:
    """Scenario and reference of the conversation that each message belongs to by its code."""
    duties = [message.duty for message in made if OPENED_BY.get(message.code) == CHANGE_OF_DATA]
    known = [duty for duty in duties if duty is not None]
    whys = {row.id: row.why for row in connection.execute(_WHYS, {"duties": known})} if known else {}
    found: list[tuple[Scenario, str] | None] = []
    for message in made:
        scenario = OPENED_BY.get(message.code)
        if message.process is not None or scenario is None:
            found.append(None)
            continue
        if scenario == CHANGE_OF_DATA and whys.get(message.duty) in REGISTERS:
            scenario = REGISTRATION
        found.append((scenario, f"{message.subject} {message.first_day}"))
    return found


def _opening(key: tuple[Scenario, str], message: OfMessage) -> dict[str, Any]:
    scenario, reference = key
    return {
        "scenario": scenario,
        "reference": reference,
        "subject_kind": message.subject_kind,
        "subject": message.subject,
        "supply_point": message.supply_point,
        "state": SCENARIOS[scenario].first,
        "deadline": message.deadline.isoformat() if message.deadline else None,
        "code": message.code,
    }


_GO_ON: Final = text("""
    -- another message of ours goes in each of the conversations: after a rejection it is under way again
    WITH moves AS (
        SELECT p.id, p.state AS before, move.act, move.after, told.code
          FROM unnest(CAST(:processes AS bigint[]), CAST(:codes AS text[])) AS told (process, code)
          JOIN market_process p ON p.id = told.process
          JOIN jsonb_to_recordset(CAST(:moves AS jsonb)) AS move (scenario text, before text, act text, after text)
            ON move.scenario = p.scenario AND move.before = p.state AND move.act = 'send'
         ORDER BY p.id FOR UPDATE OF p),
    moved AS (UPDATE market_process p SET state = moves.after FROM moves WHERE p.id = moves.id)
    INSERT INTO market_process_event (process, at, person, act, from_state, to_state, why)
    SELECT id, :at, :person, act, before, after, 'another message ' || code || ' was made' FROM moves
""")


def _go_on(connection: Connection, codes: Mapping[int, str], at: datetime, person: str) -> None:
    """`codes` of the messages by conversation."""
    if codes:
        asked = {"processes": list(codes), "codes": list(codes.values()), "moves": _MOVES, "at": at, "person": person}
        connection.execute(_GO_ON, asked)


_FOLLOW: Final = text("""
    -- what the last answered message of a conversation was told moves it, where its scenario's table has that act
    WITH told AS (
        SELECT DISTINCT ON (m.process) m.process, m.id AS message,
               CASE m.state WHEN 'rejected' THEN 'rejected' ELSE 'accepted' END AS act
          FROM market_message m
         WHERE m.process IN (SELECT process FROM market_message WHERE id = ANY (:messages) AND process IS NOT NULL)
           AND m.id = ANY (:messages) AND m.state IN ('accepted', 'accepted_with_reservation', 'rejected')
         ORDER BY m.process, m.id DESC),
    moves AS (
        SELECT p.id, p.state AS before, told.message, move.act, move.after, move.closes
          FROM told JOIN market_process p ON p.id = told.process
          JOIN jsonb_to_recordset(CAST(:moves AS jsonb))
               AS move (scenario text, before text, act text, after text, closes boolean)
            ON move.scenario = p.scenario AND move.before = p.state AND move.act = told.act
         ORDER BY p.id FOR UPDATE OF p),
    moved AS (
        UPDATE market_process p
           SET state = moves.after, closed_at = CASE WHEN moves.closes THEN CAST(:at AS timestamptz) END
          FROM moves WHERE p.id = moves.id RETURNING p.id)
    INSERT INTO market_process_event (process, at, person, act, from_state, to_state, why, message)
    SELECT id, :at, :person, act, before, after, 'the answer to our message', message FROM moves
""")
_MOVES: Final = json.dumps(
    [
        {"scenario": name, "before": before, "act": act, "after": after, "closes": after in table.final}
        for name, table in SCENARIOS.items()
        for before, acts in table.transitions.items()
        for act, after in acts.items()
    ]
)


def follow_answers(connection: Connection, messages: Iterable[int], at: datetime, person: str) -> None:
    """Move the conversations of messages that were answered, as a set."""
    asked = {"messages": sorted(messages), "moves": _MOVES, "at": at, "person": person}
    connection.execute(_FOLLOW, asked)


_LAPSED: Final = text("""
    SELECT id FROM market_process
     WHERE scenario = 'supplier_change' AND state IN ('asked', 'consent_rejected', 'objection_rejected')
       AND data ->> 'silence' = 'consent' AND deadline <= :at
     ORDER BY id FOR UPDATE SKIP LOCKED
""")


def lapse_silent(connection: Connection, at: datetime, person: str) -> list[int]:
    """Requests to which silence is consent (P1, documented) and whose term has passed are consented to."""
    found = [int(number) for number in connection.execute(_LAPSED, {"at": at}).scalars()]
    for number in found:
        advance_process(connection, number, "lapse", at, person, Step("the term passed: silence is consent"))
    return found


_SHOWN: Final = (
    "id", "scenario", "reference", "subject_kind", "subject", "state", "deadline", "opened_at", "opened_by",
    "closed_at",
)  # fmt: skip


def find_processes(
    connection: Connection, *, scenario: str | None, state: str | None, subject: str | None, only_open: bool,
    after: int, limit: int,
) -> Sequence[RowMapping]:  # fmt: skip
    """Conversations by id upwards, beginning behind `after`."""
    table = market_process
    query = select(*(table.c[name] for name in _SHOWN)).where(table.c.id > after)
    if scenario is not None:
        query = query.where(table.c.scenario == scenario)
    if state is not None:
        query = query.where(table.c.state == state)
    if subject is not None:
        query = query.where(table.c.subject == subject)
    if only_open:
        query = query.where(table.c.closed_at.is_(None))
    return connection.execute(query.order_by(table.c.id).limit(limit)).mappings().all()


def require_process(connection: Connection, number: int) -> RowMapping:
    """One conversation; NotFound."""
    table = market_process
    query = select(*(table.c[name] for name in _SHOWN), table.c.data).where(table.c.id == number)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("process_not_found", f"There is no conversation {number}.")
    return row


_TIME_LINE: Final = text("""
    -- what happened in a conversation: its own steps, its messages out with their states, what came in
    SELECT at, kind, code, reference, act, why, person FROM (
        SELECT at, 1 AS rank, id, 'step' AS kind, NULL AS code, coalesce(inbox, message)::text AS reference,
               concat_ws(' ', from_state, '->', to_state) AS act, act || ': ' || why AS why, person
          FROM market_process_event WHERE process = :process
        UNION ALL
        SELECT e.at, 0, e.id, 'message_out', m.message_code, m.message_id, e.act, e.why, e.person
          FROM market_message m JOIN market_message_event e ON e.message = m.id WHERE m.process = :process
        UNION ALL
        SELECT i.received_at, 0, i.id, 'message_in', i.message_code, i.message_id, i.outcome, i.why, i.person
          FROM market_inbox i
         WHERE i.id IN (SELECT inbox FROM market_process_event WHERE process = :process AND inbox IS NOT NULL
                        UNION SELECT inbox FROM market_proposal WHERE process = :process)
            OR i.messages && ARRAY(SELECT id FROM market_message WHERE process = :process)
        UNION ALL
        SELECT decided_at, 2, id, 'decision', kind, subject, state, why, decided_by
          FROM market_proposal WHERE process = :process AND decided_at IS NOT NULL
        UNION ALL
        SELECT deadline, 3, id, 'deadline', NULL, reference, 'deadline', 'until then we must have stated', ''
          FROM market_process WHERE id = :process AND deadline IS NOT NULL
    ) line
    ORDER BY at, rank, id
""")


def time_line(connection: Connection, number: int) -> Sequence[RowMapping]:
    """Everything that happened in a conversation and its deadline, oldest first."""
    return connection.execute(_TIME_LINE, {"process": number}).mappings().all()


def _write_event(
    connection: Connection, number: int, act: str, before: str | None, after: str, at: datetime, person: str, step: Step
) -> None:
    connection.execute(
        insert(market_process_event).values(
            process=number,
            at=at,
            person=person,
            act=act,
            from_state=before,
            to_state=after,
            why=step.why,
            message=step.message,
            inbox=step.inbox,
        )
    )
