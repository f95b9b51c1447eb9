"""Reads what came in by a channel: the one place where received content is given to whoever understands it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, IntegrityError

from central.market import response
from central.market.answers import NOBODY, Brought, Taken, take_answers
from central.market.channels.port import Incoming
from central.market.contents import problems_of, read_any
from central.market.envelope import Envelope, root_name
from central.market.errors import MarketError
from central.market.format_package import FormatPackage, day_at, package_of_root
from central.market.gas import edigas
from central.market.inbox import Kept, keep_all, lock_all, lock_identities
from central.market.mapping.read import told_unknown
from central.market.received import Effect, Message, effects_of, propose
from central.market.tables import market_inbox
from central.market.xml import parse_untrusted
from central.platform.database import repeated_on_deadlock
from central.platform.errors import DomainError

_log = structlog.get_logger(__name__)


def read_incoming(
    connection: Connection, incomings: Sequence[Incoming], at: datetime, participants: frozenset[str] = frozenset()
) -> None:
    """Apply answers (RESPONSE) to our messages, and let all others have their effect; the inbox has it all.

    `participants`: our own codes, if they are set.
    """
    brought = []
    for incoming in incomings:
        assert incoming.content is not None, "only what was opened is read"
        brought.append(Brought(incoming.content, incoming.peer, incoming.environment, participants))
    take_messages(connection, brought, at, f"channel {incomings[0].channel}")


def take_message(connection: Connection, brought: Brought, at: datetime, person: str) -> Taken:
    """Read whatever it is; what cannot be understood is kept with the reason."""
    return take_messages(connection, [brought], at, person)[0]


def take_messages(connection: Connection, brought: Sequence[Brought], at: datetime, person: str) -> list[Taken]:
    """As `take_message`, in their order; answers that follow each other are taken as a set.

    Answers lock messages before the duties and conversations that they settle; who makes messages does it the other way
    round. Whom the database ends for that begins anew.
    """
    return repeated_on_deadlock(connection, lambda: _take_messages(connection, brought, at, person))


def _take_messages(connection: Connection, brought: Sequence[Brought], at: datetime, person: str) -> list[Taken]:
    lock_all(connection, len(brought))
    taken: list[Taken] = []
    for are_answers, group in groupby(brought, lambda each: _is_answer(each.content)):
        if are_answers:
            taken += take_answers(connection, [*group], at, person)
        else:
            taken += [_take_other(connection, each, at, person) for each in group]
    return taken


def _is_answer(content: bytes) -> bool:
    """Whether it says that it is an answer; what cannot be read is none."""
    try:
        name = root_name(parse_untrusted(content))
        return name[1] in response.FORMATS or edigas.is_aperak(*name)
    except (MarketError, ValueError, ArithmeticError, RecursionError):
        return False


def _take_other(connection: Connection, brought: Brought, at: datetime, person: str) -> Taken:
    try:
        namespace, format_name = root_name(parse_untrusted(brought.content))
        package = package_of_root(namespace, format_name, day_at(at))
        read = read_any(package, brought.content)
        problems = tuple(problems_of(read))
    except MarketError as error:
        return _keep(connection, Kept(brought.content, "refused", error.message), error.code, at, person)
    except (ValueError, ArithmeticError, RecursionError) as error:
        _log.exception("a received message cannot be read")
        why = f"It cannot be read: {error!s:.300}"
        return _keep(connection, Kept(brought.content, "refused", why), "unreadable", at, person)
    envelope = read.envelope
    lock_identities(connection, [(envelope.sender.id, envelope.id)])
    if refusal := _refusal(connection, package, brought, envelope):
        outcome, code, why = refusal
        return _keep(connection, Kept(brought.content, outcome, why, envelope), code, at, person)
    return _let_have_effect(connection, format_name, Message(read, brought.content, problems), at, person)


def _refusal(
    connection: Connection, package: FormatPackage, brought: Brought, envelope: Envelope
) -> tuple[str, str, str] | None:
    """Outcome, code and sentence where the message is not to be believed, or came before."""
    # The market operator hands on what others write; others speak for themselves only.
    if brought.peer not in {NOBODY, envelope.sender.id, package.envelope.market_operator}:
        why = f"The message {envelope.id} says it is from {envelope.sender.id}, and {brought.peer} brought it."
        return "refused", "stranger", why
    if brought.participants and envelope.receiver.id not in brought.participants:
        why = f"The message {envelope.id} is for {envelope.receiver.id}, and we are {', '.join(brought.participants)}."
        return "refused", "for_another", why
    table = market_inbox
    rows = connection.execute(
        select(table.c.id, table.c.digest)
        .where(
            table.c.sender == envelope.sender.id,
            table.c.message_id == envelope.id,
            table.c.outcome.in_(["applied", "proposed", "kept"]),
        )
        .order_by(table.c.id)
    ).all()
    digest = hashlib.sha256(brought.content).digest()
    for row in rows:
        if bytes(row.digest) == digest:
            return "duplicate", "duplicate", f"The message {envelope.id} came already as number {row.id}."
    if rows:
        why = f"The id {envelope.id} came already as number {rows[0].id} with another content."
        return "conflict", "id_used_twice", why
    return None


def _let_have_effect(connection: Connection, format_name: str, message: Message, at: datetime, person: str) -> Taken:
    envelope = message.read.envelope
    effects = effects_of(format_name)
    if effects is None:
        why = f"Nothing here is changed by a message {envelope.code} ({format_name})."
        return _keep(connection, Kept(message.content, "kept", why, envelope), "no_effect", at, person)
    try:
        with connection.begin_nested():
            (effect,) = effects(connection, [message], at)
            return _apply(connection, message, effect, at, person)
    except DomainError as error:
        why = error.message
    except (DataError, IntegrityError) as error:
        why = f"The database does not take it: {str(error.orig).splitlines()[0]}"
    except (ValueError, ArithmeticError) as error:
        _log.exception("a received message has no effect", message=envelope.id)
        why = f"It could not be applied: {error!s:.300}"
    return _keep(connection, Kept(message.content, "kept", why, envelope), "not_applied", at, person)


def _apply(connection: Connection, message: Message, effect: Effect, at: datetime, person: str) -> Taken:
    why = " ".join(filter(None, [effect.why, *message.problems, told_unknown(message.read)]))
    kept = Kept(message.content, effect.outcome, why, message.read.envelope)
    taken = _keep(connection, kept, effect.outcome, at, person)
    if effect.write is not None:
        effect.write(connection, taken.number)
    for proposal in effect.proposals:
        propose(connection, taken.number, proposal, at)
    return taken


def _keep(connection: Connection, kept: Kept, code: str, at: datetime, person: str) -> Taken:
    return Taken(keep_all(connection, [kept], at, person)[0], kept.outcome, code, kept.why)
