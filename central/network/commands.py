"""Commands to concentrators: issue, confirm, withdraw, find, require; what is to be sent, and what was answered."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, update

from central.network.command_states import OPEN, STEP_OF_OUTCOME, State, Step, TransitionError, advance
from central.network.control_tables import command, command_event
from central.network.meters import require_concentrator, require_meter
from central.platform import audit
from central.platform.errors import BadInput, NotAllowed, NotFound, Refused
from central.platform.identity import Person
from shared.clock import EPOCH
from shared.control.messages import SWITCHING, Act, Command, CommandResult, Disconnect

SWITCH_RIGHT: Final = "switch"
"""To open or close a breaker."""
FOUR_EYES: Final = (Disconnect,)
"""Acts that a second person confirms before they are sent."""
LONGEST_LIFE: Final = timedelta(days=7)
ASKED_AFTER_EXPIRY: Final = timedelta(days=7)
"""So long a concentrator is asked what became of a command that it was sent."""


def issue(
    connection: Connection,
    concentrator: str,
    work: Mapping[str, Any],
    reason: str,
    life: timedelta,
    person: Person,
    now: datetime,
) -> RowMapping:
    """Order something of a concentrator; sent at once, or when a second person has confirmed it.

    `work` is the act with its parameters (`shared.control.messages.Act`). Raises BadInput, NotAllowed, Refused.
    """
    try:
        act: Act = msgspec.convert(work, Act)
    except msgspec.ValidationError as error:
        raise BadInput("work", f"The command cannot be understood: {error}.") from None
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise BadInput("expires", f"A command lives for more than 0 s and at most {LONGEST_LIFE.days} days.")
    if isinstance(act, SWITCHING):
        _require_right(person)
    if not reason.strip():
        raise BadInput("reason", "A command needs a reason; it is kept with it.")
    require_concentrator(connection, concentrator)
    device = getattr(act, "device", None)
    if device is not None and require_meter(connection, device)["concentrator"] != concentrator:
        raise Refused("elsewhere", f"The meter {device} does not hang at the concentrator {concentrator}.")
    identifier = str(uuid.uuid4())
    plain = msgspec.to_builtins(act)
    connection.execute(
        insert(command).values(
            id=identifier,
            concentrator=concentrator,
            act=plain["act"],
            work=plain,
            state=State.PROPOSED if isinstance(act, FOUR_EYES) else State.QUEUED,
            issued_at=_to_ms(now),
            expires_at=_to_ms(now + life),
            issued_by=person.name,
            reason=reason.strip(),
        )
    )
    details = {"concentrator": concentrator, "work": plain, "reason": reason}
    audit.record(connection, person, "command.issue", f"command/{identifier}", details, now)
    return require(connection, identifier)


def confirm(connection: Connection, identifier: str, person: Person, now: datetime) -> RowMapping:
    """A second person confirms a command; it is sent from then on."""
    _require_right(person)
    row = require(connection, identifier, lock=True)
    if row["issued_by"] == person.name:
        raise Refused("four_eyes", f"{person.name} issued this command; another person must confirm it.")
    if now >= row["expires_at"]:
        raise Refused("expired", f"The command expired at {row['expires_at'].isoformat()}; issue it anew.")
    _step(connection, row, Step.CONFIRM, person.name, now, confirmed_by=person.name)
    audit.record(connection, person, "command.confirm", f"command/{identifier}", {"act": row["act"]}, now)
    return require(connection, identifier)


def withdraw(connection: Connection, identifier: str, reason: str, person: Person, now: datetime) -> RowMapping:
    """Take back a command that was not sent yet."""
    row = require(connection, identifier, lock=True)
    if row["act"] in ("disconnect", "reconnect"):
        _require_right(person)
    _step(connection, row, Step.WITHDRAW, person.name, now, why=reason)
    audit.record(connection, person, "command.withdraw", f"command/{identifier}", {"reason": reason}, now)
    return require(connection, identifier)


def find(connection: Connection, *, concentrator: str | None = None, limit: int = 100) -> Sequence[RowMapping]:
    """Commands, the newest first."""
    query = select(command).order_by(command.c.issued_at.desc(), command.c.id).limit(limit)
    if concentrator is not None:
        query = query.where(command.c.concentrator == concentrator)
    return connection.execute(query).mappings().all()


def require(connection: Connection, identifier: str, *, lock: bool = False) -> RowMapping:
    """A command by its id, or NotFound."""
    query = select(command).where(command.c.id == identifier)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("command_not_found", f"There is no command {identifier}.")
    return found


def find_events(connection: Connection, identifier: str) -> Sequence[RowMapping]:
    """The steps of a command, oldest first."""
    query = select(command_event).where(command_event.c.command == identifier).order_by(command_event.c.id)
    return connection.execute(query).mappings().all()


# -- for the service


def expire(connection: Connection, now: datetime) -> int:
    """Commands whose expiry has passed: never sent is expired, sent is unknown until the concentrator says more."""
    waiting = (State.PROPOSED, State.QUEUED, State.SENT, State.ACCEPTED)
    query = (
        select(command)
        .where(command.c.state.in_(waiting), command.c.expires_at <= now)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).mappings().all()
    for row in rows:
        if row["state"] in (State.PROPOSED, State.QUEUED):
            _step(connection, row, Step.EXPIRE, "system", now, why="Its time passed before it was sent.")
        else:
            _step(connection, row, Step.LOSE, "system", now, why="Its time passed before the concentrator answered.")
    return len(rows)


def find_to_send(connection: Connection, now: datetime) -> Sequence[RowMapping]:
    """Commands that wait to be sent or answered."""
    query = (
        select(command)
        .where(
            command.c.state.in_([state for state in OPEN if state is not State.PROPOSED]),
            command.c.expires_at > now - ASKED_AFTER_EXPIRY,
        )
        .order_by(command.c.issued_at, command.c.id)
    )
    return connection.execute(query).mappings().all()


def mark_sent(connection: Connection, identifier: str, now: datetime) -> bool:
    """Note that it is about to be sent; False if there is nothing to send any more."""
    row = require(connection, identifier, lock=True)
    if row["state"] == State.QUEUED:
        _step(connection, row, Step.SEND, "system", now)
        return True
    return row["state"] in (State.SENT, State.ACCEPTED, State.UNKNOWN)


def message_of(row: RowMapping) -> Command:
    """The command as its concentrator gets it."""
    return Command(
        id=row["id"],
        edge=row["concentrator"],
        issued=(row["issued_at"] - EPOCH) // timedelta(milliseconds=1),
        expires=(row["expires_at"] - EPOCH) // timedelta(milliseconds=1),
        work=msgspec.convert(row["work"], Act),
    )


def record_answer(connection: Connection, concentrator: str, result: CommandResult, now: datetime) -> bool:
    """Take a concentrator's answer; False where it says nothing new, or is none of its own commands'."""
    query = select(command).where(command.c.id == result.id, command.c.concentrator == concentrator).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        return False
    step = STEP_OF_OUTCOME[result.outcome]
    try:
        advance(State(row["state"]), step)
    except TransitionError:
        if row["state"] != State.UNKNOWN or step is not Step.LOSE:
            return False
        # The concentrator's own last word: it cannot say more than what the meter shows.
        connection.execute(_with_result(row["id"], result, now))
        return row["result"] is None
    _step(connection, row, step, concentrator, now, why=result.reason)
    if step is not Step.ACCEPT:
        connection.execute(_with_result(row["id"], result, now))
    return True


def _with_result(identifier: str, result: CommandResult, now: datetime) -> Any:
    return (
        update(command)
        .where(command.c.id == identifier)
        .values(answered_at=now, why=result.reason, result=msgspec.to_builtins(result.data))
    )


def _step(
    connection: Connection, row: RowMapping, step: Step, person: str, now: datetime, why: str = "", **changes: Any
) -> None:
    before = State(row["state"])
    try:
        after = advance(before, step)
    except TransitionError as error:
        raise Refused("command_state", str(error)) from None
    connection.execute(update(command).where(command.c.id == row["id"]).values(state=after, **changes))
    connection.execute(
        insert(command_event).values(
            command=row["id"], at=now, person=person, step=step, from_state=before, to_state=after, why=why
        )
    )


def _require_right(person: Person) -> None:
    if SWITCH_RIGHT not in person.rights:
        raise NotAllowed(
            "right_missing", f"{person.name} lacks the right {SWITCH_RIGHT!r} that switching a breaker needs."
        )


def _to_ms(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
