"""Takes what the market operator sends us: finds the message that it answers, moves its state, keeps everything.

Nothing is dropped: a second delivery, an answer to what we never sent, one that contradicts an earlier one and one that
is no message at all stand in the inbox with the reason.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from central.market.envelope import Envelope
from central.market.errors import InboundError
from central.market.format_package import FormatPackage
from central.market.messages import move
from central.market.response import Response, read_response, verdict
from central.market.states import ANSWER_ACTS, State, TransitionError
from central.market.tables import market_inbox, market_message
from central.market.xml import XmlLimits

ANSWER_LIMITS: Final = XmlLimits(size_bytes=1_000_000)
KEPT_OF_TOO_LARGE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of something received: outcome (applied, duplicate, unknown_reference, conflict, refused) and why."""

    number: int
    outcome: str
    code: str
    why: str


def take_answer(connection: Connection, package: FormatPackage, content: bytes, at: datetime, person: str) -> Taken:
    """Read an answer and apply it once; every outcome is kept in the inbox."""
    try:
        response = read_response(package, content, ANSWER_LIMITS)
    except InboundError as error:
        return _keep(connection, content, at, person, "refused", error.code, error.message)
    envelope = response.envelope
    answered = _lock_answered(connection, envelope)
    numbers = [message.number for message in answered]

    def keep(outcome: str, code: str, why: str) -> Taken:
        return _keep(connection, content, at, person, outcome, code, why, envelope, numbers)

    if earlier := _earlier(connection, envelope):
        number, digest = earlier
        if digest == hashlib.sha256(content).digest():
            return keep("duplicate", "duplicate", f"The answer {envelope.id} came already as number {number}.")
        why = f"The id {envelope.id} came already as number {number} with another content."
        return keep("conflict", "id_used_twice", why)
    missing = sorted(set(envelope.references) - {message.message_id for message in answered})
    unknown = f"We sent no message {', '.join(missing)} as {envelope.receiver.id}." if missing else ""
    if not answered:
        return keep("unknown_reference", "unknown_reference", unknown)
    meant = State(verdict(package, response.reasons))
    if all(message.state == meant for message in answered):
        return keep("duplicate", "same_again", f"What it answers is {meant} already. {unknown}".rstrip())
    if refusals := _apply(connection, response, meant, answered, at, person):
        return keep("conflict", "not_expected", " ".join([*refusals, unknown]).rstrip())
    return keep("applied", "applied", f"{meant}. {unknown}".rstrip())


def keep_too_large(connection: Connection, beginning: bytes, at: datetime, person: str) -> Taken:
    """Record something larger than is taken by its beginning."""
    why = f"More than {ANSWER_LIMITS.size_bytes} bytes are not taken; the first {KEPT_OF_TOO_LARGE} are kept."
    return _keep(connection, beginning[:KEPT_OF_TOO_LARGE], at, person, "refused", "xml_too_large", why)


@dataclass(frozen=True, slots=True)
class _Answered:
    number: int
    message_id: str
    state: State


def _lock_answered(connection: Connection, envelope: Envelope) -> list[_Answered]:
    """Our messages that are referred to; locked first, so that two deliveries of one answer wait for each other."""
    table = market_message
    rows = connection.execute(
        select(table.c.id, table.c.message_id, table.c.state)
        .where(
            table.c.sender == envelope.receiver.id,
            table.c.receiver == envelope.sender.id,
            table.c.message_id.in_(envelope.references),
        )
        .order_by(table.c.id)
        .with_for_update()
    )
    return [_Answered(number, message_id, State(state)) for number, message_id, state in rows]


def _earlier(connection: Connection, envelope: Envelope) -> tuple[int, bytes] | None:
    """Number and digest of an answer of that sender and id that was applied already."""
    row = connection.execute(
        select(market_inbox.c.id, market_inbox.c.digest)
        .where(
            market_inbox.c.sender == envelope.sender.id,
            market_inbox.c.message_id == envelope.id,
            market_inbox.c.outcome == "applied",
        )
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.id, bytes(row.digest))


def _apply(
    connection: Connection,
    response: Response,
    meant: State,
    answered: list[_Answered],
    at: datetime,
    person: str,
) -> list[str]:
    """Move every message answered; the sentences of those whose state did not allow it."""
    reasons = [{"type": reason.type, "code": reason.code, "text": reason.text} for reason in response.reasons]
    why = f"answer {response.envelope.id}: " + "; ".join(
        f"{reason.type} {reason.code} {reason.text}".rstrip() for reason in response.reasons
    )
    act = ANSWER_ACTS[meant]
    refusals = []
    for message in answered:
        try:
            move(connection, message.number, act, at, person, why, answered_at=at, reasons=reasons, due_at=None)
        except TransitionError as error:
            refusals.append(f"{message.message_id}: {error}")
    return refusals


def _keep(
    connection: Connection,
    content: bytes,
    at: datetime,
    person: str,
    outcome: str,
    code: str,
    why: str,
    envelope: Envelope | None = None,
    messages: Sequence[int] = (),
) -> Taken:
    number = connection.execute(
        insert(market_inbox)
        .values(
            received_at=at,
            person=person,
            sender=envelope.sender.id if envelope else None,
            message_id=envelope.id if envelope else None,
            message_code=envelope.code if envelope else None,
            digest=hashlib.sha256(content).digest(),
            xml=content,
            outcome=outcome,
            why=why,
            messages=list(messages),
        )
        .returning(market_inbox.c.id)
    ).scalar_one()
    return Taken(int(number), outcome, code, why)
