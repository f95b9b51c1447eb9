"""Messages of ours in the database: made, moved from state to state, found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.range import Range
from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from central.market.conversation.processes import OfMessage, processes_of
from central.market.states import TRANSITIONS, Act, State, advance
from central.market.tables import market_inbox, market_message, market_message_event
from central.platform.copy_text import copy_in
from central.platform.errors import NotFound
from central.registry.tables import supply_point

_GENERATION_LOCK: Final = 0x727A760007
"""Advisory lock: two runs that make messages at once would both take the same next version."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a message is about: EAN or EIC of a supply point, code of a network, number of a document, id of a request.

    `kind` is one of `tables.SUBJECT_KINDS`; `supply_point` is the point's number where there is one.
    """

    kind: str
    code: str
    supply_point: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A message with its bytes, ready for the outbox; days half-open (None: open), `basis` JSON-able."""

    message_id: str
    code: str
    package: str
    package_digest: str
    sender: str
    receiver: str
    subject: Subject
    first_day: date
    end_day: date | None
    version: int
    xml: bytes
    basis: dict[str, Any]
    duty: int | None = None
    process: int | None = None
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class LastMessage:
    """The message of the highest version for one subject, code and period."""

    id: int
    message_id: str
    version: int
    state: State
    basis: dict[str, Any]
    environment: str | None = None
    """Whose world it was sent to last."""


def lock_generation(connection: Connection) -> None:
    """Let only this transaction make messages until it ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_GENERATION_LOCK)))


_NUMBERS: Final = text("""
    SELECT nextval(pg_get_serial_sequence('market_message', 'id')) AS number, clock_timestamp() AS due
      FROM generate_series(1, :count)
""")
_OUTBOX: Final = {
    "id": "int8", "message_id": "text", "message_code": "text", "format_package": "text", "format_digest": "text",
    "sender": "text", "receiver": "text", "supply_point": "int8", "subject_kind": "text", "subject": "text",
    "period": "daterange", "version": "int4", "state": "text", "xml": "bytea", "basis": "jsonb", "duty": "int8",
    "process": "int8", "deadline": "timestamptz", "made_at": "timestamptz", "made_by": "text", "due_at": "timestamptz",
}  # fmt: skip
"""Columns of a new message with their types."""
_EVENT: Final = ("message", "at", "person", "act", "from_state", "to_state", "why")


def create(connection: Connection, draft: Draft, at: datetime, person: str) -> int:
    """Put a message into the outbox; see `create_all`."""
    return create_all(connection, [draft], at, person)[0]


def create_all(connection: Connection, drafts: Sequence[Draft], at: datetime, person: str) -> list[int]:
    """Put messages into the outbox as a set, due at once: they are generated and saved. Their numbers.

    A message of a scenario goes into its conversation, which it opens where there is none.
    """
    processes = processes_of(connection, [_of_message(draft) for draft in drafts], at, person)
    given = connection.execute(_NUMBERS, {"count": len(drafts)}).all()
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg is the driver
    statement = f"COPY market_message ({', '.join(_OUTBOX)}) FROM STDIN (FORMAT BINARY)"
    with raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(list(_OUTBOX.values()))
        for (number, due), draft, process in zip(given, drafts, processes, strict=True):
            subject = draft.subject
            copy.write_row(
                (
                    number, draft.message_id, draft.code, draft.package, draft.package_digest, draft.sender,
                    draft.receiver, subject.supply_point, subject.kind, subject.code,
                    Range(draft.first_day, draft.end_day), draft.version, State.SAVED.value, draft.xml,
                    Jsonb(draft.basis), draft.duty, process, draft.deadline, at, person, due,
                )
            )  # fmt: skip
    numbers = [int(number) for number, _ in given]
    _write_events(
        connection,
        (
            (number, at, person, Act.SAVE.value, State.GENERATED.value, State.SAVED.value,
             f"version {draft.version}, {len(draft.xml)} bytes")
            for number, draft in zip(numbers, drafts, strict=True)
        ),
    )  # fmt: skip
    return numbers


def _of_message(draft: Draft) -> OfMessage:
    subject = draft.subject
    return OfMessage(
        draft.code, subject.kind, subject.code, subject.supply_point, draft.first_day, draft.duty, draft.deadline,
        draft.process,
    )  # fmt: skip


def _write_events(connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
    # The check of a foreign key keeps the plan of its first row, made while there are few messages to go through.
    connection.execute(text("SET LOCAL enable_seqscan TO off"))
    copy_in(connection, "market_message_event", _EVENT, rows)
    connection.execute(text("SET LOCAL enable_seqscan TO DEFAULT"))


def move(connection: Connection, number: int, act: Act, at: datetime, person: str, why: str, **columns: Any) -> State:
    """Change a message's state by the table, with `columns` beside it; TransitionError where the table has none."""
    row = connection.execute(
        select(market_message.c.state).where(market_message.c.id == number).with_for_update()
    ).one()
    before = State(row.state)
    after = advance(before, act)
    connection.execute(update(market_message).where(market_message.c.id == number).values(state=after, **columns))
    connection.execute(
        insert(market_message_event).values(
            message=number, at=at, person=person, act=act, from_state=before, to_state=after, why=why
        )
    )
    return after


_MOVE: Final = text("""
    UPDATE market_message m SET state = told.state
      FROM unnest(CAST(:numbers AS bigint[]), CAST(:states AS text[])) AS told (number, state) WHERE m.id = told.number
""")


def move_all(connection: Connection, whys: Mapping[int, str], act: Act, at: datetime, person: str) -> None:
    """Change the states of messages by the same act, as a set; each for its reason.

    One whose state does not allow the act any more stays as it is: since the caller looked it was sent, or answered.
    """
    if not whys:
        return
    rows = connection.execute(
        select(market_message.c.id, market_message.c.state)
        .where(market_message.c.id.in_(whys))
        .order_by(market_message.c.id)
        .with_for_update()
    ).all()
    after = {number: advance(State(state), act) for number, state in rows if act in TRANSITIONS[State(state)]}
    connection.execute(_MOVE, {"numbers": list(after), "states": [state.value for state in after.values()]})
    _write_events(
        connection,
        (
            (number, at, person, act.value, state, after[number].value, whys[number])
            for number, state in rows
            if number in after
        ),
    )


_LAST_MESSAGES: Final = text("""
    SELECT DISTINCT ON (subject) subject, id, message_id, version, state, basis, environment
    FROM market_message
    WHERE message_code = :code AND direction = 'out' AND subject_kind = :kind
      AND period = daterange(:first_day, :end_day)
    ORDER BY subject, version DESC
""")


def last_messages(
    connection: Connection, code: str, first_day: date, end_day: date | None, kind: str = "supply_point"
) -> dict[str, LastMessage]:
    """By subject (a point's EAN): the message of the highest version for exactly that code and period."""
    asked = {"code": code, "kind": kind, "first_day": first_day, "end_day": end_day}
    return {
        subject: LastMessage(number, message_id, version, State(state), basis, environment)
        for subject, number, message_id, version, state, basis, environment in connection.execute(_LAST_MESSAGES, asked)
    }


_SHOWN: Final = (
    market_message.c.id,
    market_message.c.message_id,
    market_message.c.message_code,
    market_message.c.direction,
    market_message.c.format_package,
    market_message.c.sender,
    market_message.c.receiver,
    market_message.c.subject_kind,
    market_message.c.subject,
    supply_point.c.ean.label("ean"),
    market_message.c.period,
    market_message.c.version,
    market_message.c.state,
    func.octet_length(market_message.c.xml).label("size"),
    market_message.c.made_at,
    market_message.c.made_by,
    market_message.c.sent_at,
    market_message.c.answered_at,
    market_message.c.receipt,
    market_message.c.reasons,
    market_message.c.attempts,
    market_message.c.deadline,
    market_message.c.duty,
    market_message.c.process,
)


def find(
    connection: Connection,
    *,
    state: State | None = None,
    ean: str | None = None,
    month: date | None = None,
    after: int = 0,
    limit: int = 100,
) -> Sequence[RowMapping]:
    """Messages by id upwards, beginning behind `after`, without their bytes."""
    query = select(*_SHOWN).outerjoin(supply_point, supply_point.c.id == market_message.c.supply_point)
    if state is not None:
        query = query.where(market_message.c.state == state)
    if ean is not None:
        query = query.where(supply_point.c.ean == ean)
    if month is not None:
        query = query.where(market_message.c.period.contains(month))
    query = query.where(market_message.c.id > after).order_by(market_message.c.id).limit(limit)
    return connection.execute(query).mappings().all()


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many messages are in each state, every state named."""
    rows = connection.execute(select(market_message.c.state, func.count()).group_by(market_message.c.state))
    found = {str(state): int(count) for state, count in rows}
    return {state.value: found.get(state, 0) for state in State}


def require(connection: Connection, number: int) -> RowMapping:
    """One message without its bytes, with its basis; NotFound."""
    row = (
        connection.execute(
            select(*_SHOWN, market_message.c.basis)
            .outerjoin(supply_point, supply_point.c.id == market_message.c.supply_point)
            .where(market_message.c.id == number)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise _not_found(number)
    return row


def require_xml(connection: Connection, number: int) -> bytes:
    """A message's bytes as sent; NotFound."""
    content = connection.execute(select(market_message.c.xml).where(market_message.c.id == number)).scalar_one_or_none()
    if content is None:
        raise _not_found(number)
    return bytes(content)


def events(connection: Connection, number: int) -> Sequence[RowMapping]:
    """What happened to a message, oldest first."""
    return (
        connection.execute(
            select(market_message_event)
            .where(market_message_event.c.message == number)
            .order_by(market_message_event.c.id)
        )
        .mappings()
        .all()
    )


def find_received(connection: Connection, *, outcome: str | None, after: int, limit: int) -> Sequence[RowMapping]:
    """What came in, by id upwards, beginning behind `after`, without its bytes."""
    columns = [column for column in market_inbox.c if column.name not in {"xml", "digest"}]
    query = select(*columns, func.octet_length(market_inbox.c.xml).label("size"))
    if outcome is not None:
        query = query.where(market_inbox.c.outcome == outcome)
    return (
        connection.execute(query.where(market_inbox.c.id > after).order_by(market_inbox.c.id).limit(limit))
        .mappings()
        .all()
    )


def require_received_xml(connection: Connection, number: int) -> bytes:
    """The bytes of what came in; NotFound."""
    content = connection.execute(select(market_inbox.c.xml).where(market_inbox.c.id == number)).scalar_one_or_none()
    if content is None:
        raise NotFound("received_message_not_found", f"There is no received message {number}.")
    return bytes(content)


def _not_found(number: int) -> NotFound:
    return NotFound("market_message_not_found", f"There is no market message {number}.")
