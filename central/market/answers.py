"""Takes answers (RESPONSE): finds the messages that they answer, moves their states, keeps everything.

Answers are taken as a set: read one by one, looked up in one query, decided in their order, written by one UPDATE and
two COPYs. Nothing is dropped: a second delivery, an answer to what we never sent or from somebody else, one that
contradicts an earlier one and one that is no message at all stand in the inbox with the reason.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from central.market.channels.allowed import Environment
from central.market.conversation.processes import follow_answers
from central.market.duties import settle_answered
from central.market.envelope import root_name
from central.market.errors import FormatError, InboundError
from central.market.format_package import FormatPackage, day_at, load_package, package_of_root
from central.market.gas import edigas
from central.market.inbox import Kept, keep_all, lock_identities
from central.market.response import Response, read_response_root, verdict
from central.market.states import ANSWER_ACTS, Act, State, TransitionError, advance
from central.market.xml import XmlLimits, parse_untrusted
from central.platform.copy_text import copy_in

ANSWER_LIMITS: Final = XmlLimits(size_bytes=1_000_000)
KEPT_OF_TOO_LARGE: Final = 64 * 1024
NOBODY: Final = "?"
"""Peer of a channel that does not know who is at its other end."""


@dataclass(frozen=True, slots=True)
class Brought:
    """Octets brought to us: by whom (the code that the signature stands for, `?`: unknown), of which world.

    `participants`: our own codes, if they are set. What is for another one is not ours to read: whoever got it could
    encrypt for us what the sender has signed for them.
    """

    content: bytes
    peer: str = NOBODY
    environment: Environment | None = None
    participants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of something received: its outcome (see `tables.OUTCOMES`) and why."""

    number: int
    outcome: str
    code: str
    why: str


@dataclass(slots=True)
class Answered:
    """A message of ours that answers refer to; its state moves on as they are decided."""

    number: int
    message_id: str
    receiver: str
    state: State
    attempts: int
    environment: str | None
    package: str


@dataclass(frozen=True, slots=True)
class Step:
    """A change of a message's state by an answer."""

    message: int
    act: Act
    before: State
    after: State
    why: str
    reasons: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an answer, and what it changes."""

    outcome: str
    code: str
    why: str
    messages: tuple[int, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(slots=True)
class Earlier:
    """What came before under one sender and id: numbers in the inbox by digest, of what was applied."""

    numbers: dict[bytes, int] = field(default_factory=dict)


def take_answer(connection: Connection, brought: Brought, at: datetime, person: str) -> Taken:
    """Read an answer and apply it once; every outcome is kept in the inbox."""
    return take_answers(connection, [brought], at, person)[0]


def take_answers(connection: Connection, brought: Sequence[Brought], at: datetime, person: str) -> list[Taken]:
    """As `take_answer`, a set in the order in which it came, in the caller's transaction."""
    read = [_read(each.content, at) for each in brought]
    responses = [each for each in read if isinstance(each, Response)]
    lock_identities(connection, [(each.envelope.sender.id, each.envelope.id) for each in responses])
    answered = _lock_answered(connection, responses)
    earlier = _earlier(connection, responses)
    decisions: list[Decision] = []
    packages: dict[str, FormatPackage | None] = {}
    for each, found in zip(brought, read, strict=True):
        if isinstance(found, InboundError | FormatError):
            decisions.append(Decision("refused", found.code, found.message))
            continue
        us = found.envelope.receiver.id
        meant = {
            reference: answered[us, reference]
            for reference in dict.fromkeys(found.envelope.references)
            if (us, reference) in answered
        }
        before = earlier[found.envelope.sender.id, found.envelope.id]
        package = _package_of(meant.values(), packages) or _own_package(found, each.content, at)
        decision = decide(package, found, each, meant, before)
        if decision.outcome == "applied":
            before.numbers[hashlib.sha256(each.content).digest()] = 0
        decisions.append(decision)
    _write_steps(connection, [step for each in decisions for step in each.steps], at, person)
    kept = [
        Kept(
            each.content,
            decision.outcome,
            decision.why,
            found.envelope if isinstance(found, Response) else None,
            decision.messages,
        )
        for each, found, decision in zip(brought, read, decisions, strict=True)
    ]
    numbers = keep_all(connection, kept, at, person)
    moved = sorted({step.message for each in decisions for step in each.steps})
    if moved:
        settle_answered(connection, moved)
        follow_answers(connection, moved, at, person)
    return [Taken(number, each.outcome, each.code, each.why) for number, each in zip(numbers, decisions, strict=True)]


def keep_too_large(connection: Connection, beginning: bytes, at: datetime, person: str) -> Taken:
    """Record something larger than is taken by its beginning."""
    why = f"More than {ANSWER_LIMITS.size_bytes} bytes are not taken; the first {KEPT_OF_TOO_LARGE} are kept."
    kept = Kept(beginning[:KEPT_OF_TOO_LARGE], "refused", why)
    return Taken(keep_all(connection, [kept], at, person)[0], "refused", "xml_too_large", why)


def decide(
    package: FormatPackage,
    response: Response,
    brought: Brought,
    found: Mapping[str, Answered],
    earlier: Earlier,
) -> Decision:
    """What an answer does to the messages that it refers to and that we sent (`found` by id); moves their states.

    Believed is only who the message was sent to, by a channel of the world that it was sent to, after it was sent.
    """
    envelope = response.envelope
    sender = envelope.sender.id
    if brought.peer not in {NOBODY, sender}:
        why = f"The answer {envelope.id} says it is from {sender}, and {brought.peer} brought it."
        return Decision("refused", "stranger", why)
    ours = {reference: message for reference, message in found.items() if message.receiver == sender}
    numbers = tuple(message.number for message in ours.values())
    if earlier.numbers:
        number = earlier.numbers.get(hashlib.sha256(brought.content).digest())
        if number is not None:
            which = f" as number {number}" if number else ""
            return Decision("duplicate", "duplicate", f"The answer {envelope.id} came already{which}.", numbers)
        why = f"The id {envelope.id} came already with another content."
        return Decision("conflict", "id_used_twice", why, numbers)
    if strange := sorted(reference for reference in found if reference not in ours):
        why = f"{', '.join(strange)} was not sent to {sender}, who answers it."
        return Decision("refused", "stranger", why)
    missing = sorted(set(envelope.references) - ours.keys())
    unknown = f"We sent no message {', '.join(missing)} as {envelope.receiver.id}." if missing else ""
    if not ours:
        return Decision("unknown_reference", "unknown_reference", unknown)
    if refusal := _not_asked(ours.values(), brought.environment):
        return Decision("refused", *refusal, numbers)
    meant = State(verdict(package, response.reasons))
    if all(message.state == meant for message in ours.values()):
        return Decision("duplicate", "same_again", f"What it answers is {meant} already. {unknown}".rstrip(), numbers)
    steps, refusals = _steps(response, meant, ours.values())
    if refusals:
        return Decision("conflict", "not_expected", " ".join([*refusals, unknown]).rstrip(), numbers, tuple(steps))
    return Decision("applied", "applied", f"{meant}. {unknown}".rstrip(), numbers, tuple(steps))


def _not_asked(ours: Iterable[Answered], environment: Environment | None) -> tuple[str, str] | None:
    for message in ours:
        if message.attempts == 0:
            return "not_sent", f"{message.message_id} was never sent: nobody can answer it."
        if environment is not None and message.environment not in {None, environment.value}:
            why = f"{message.message_id} was sent to {message.environment}, the answer comes from {environment}."
            return "other_environment", why
    return None


def _steps(response: Response, meant: State, ours: Iterable[Answered]) -> tuple[list[Step], list[str]]:
    """The change of every message answered, and the sentences of those whose state does not allow it."""
    said = [{"type": reason.type, "code": reason.code, "text": reason.text} for reason in response.reasons]
    reasons = json.dumps(said, ensure_ascii=False)
    why = f"answer {response.envelope.id}: " + "; ".join(
        f"{reason.type} {reason.code} {reason.text}".rstrip() for reason in response.reasons
    )
    act = ANSWER_ACTS[meant]
    steps, refusals = [], []
    for message in ours:
        try:
            after = advance(message.state, act)
        except TransitionError as error:
            refusals.append(f"{message.message_id}: {error}")
            continue
        steps.append(Step(message.number, act, message.state, after, why, reasons))
        message.state = after
    return steps, refusals


def _read(content: bytes, at: datetime) -> Response | InboundError | FormatError:
    try:
        root = parse_untrusted(content, ANSWER_LIMITS)
        package = package_of_root(*root_name(root), day_at(at))
        if package.is_bare(edigas.ANSWER) and package.format_of_root(*root_name(root)) == edigas.ANSWER:
            return edigas.read_aperak(package, root)
        return read_response_root(package, root)
    except (InboundError, FormatError) as error:
        return error


def _package_of(answered: Iterable[Answered], packages: dict[str, FormatPackage | None]) -> FormatPackage | None:
    """The package by which the answered message was made, where it is still there."""
    for message in answered:
        if message.package not in packages:
            try:
                packages[message.package] = load_package(message.package)
            except (FormatError, OSError):
                packages[message.package] = None
        return packages[message.package]
    return None


def _own_package(response: Response, content: bytes, at: datetime) -> FormatPackage:
    return package_of_root(*root_name(parse_untrusted(content, ANSWER_LIMITS)), day_at(at))


_LOCK_ANSWERED: Final = text("""
    -- our messages that are referred to; locked in order, so that two deliveries of one answer wait for each other
    SELECT id, sender, message_id, receiver, state, attempts, environment, format_package
      FROM market_message
     WHERE (sender, message_id) IN (SELECT * FROM unnest(CAST(:senders AS text[]), CAST(:ids AS text[])))
       AND direction = 'out'
     ORDER BY id FOR UPDATE
""")


def _lock_answered(connection: Connection, responses: Sequence[Response]) -> dict[tuple[str, str], Answered]:
    wanted = sorted(
        {(each.envelope.receiver.id, reference) for each in responses for reference in each.envelope.references}
    )
    if not wanted:
        return {}
    asked = {"senders": [sender for sender, _ in wanted], "ids": [reference for _, reference in wanted]}
    return {
        (row.sender, row.message_id): Answered(
            row.id, row.message_id, row.receiver, State(row.state), row.attempts, row.environment, row.format_package
        )
        for row in connection.execute(_LOCK_ANSWERED, asked)
    }


_EARLIER: Final = text("""
    -- answers of these senders and ids that were applied already
    SELECT sender, message_id, id, digest FROM market_inbox
     WHERE (sender, message_id) IN (SELECT * FROM unnest(CAST(:senders AS text[]), CAST(:ids AS text[])))
       AND outcome IN ('applied', 'proposed', 'kept')
""")


def _earlier(connection: Connection, responses: Sequence[Response]) -> defaultdict[tuple[str, str], Earlier]:
    found: defaultdict[tuple[str, str], Earlier] = defaultdict(Earlier)
    wanted = sorted({(each.envelope.sender.id, each.envelope.id) for each in responses})
    if wanted:
        asked = {"senders": [sender for sender, _ in wanted], "ids": [identity for _, identity in wanted]}
        for row in connection.execute(_EARLIER, asked):
            found[row.sender, row.message_id].numbers[bytes(row.digest)] = row.id
    return found


_ANSWER: Final = text("""
    UPDATE market_message m
       SET state = step.state, reasons = step.reasons, answered_at = :at, due_at = NULL
      FROM unnest(CAST(:numbers AS bigint[]), CAST(:states AS text[]), CAST(:reasons AS jsonb[]))
           AS step (number, state, reasons)
     WHERE m.id = step.number
""")


def _write_steps(connection: Connection, steps: Sequence[Step], at: datetime, person: str) -> None:
    if not steps:
        return
    last = {step.message: step for step in steps}
    connection.execute(
        _ANSWER,
        {
            "at": at,
            "numbers": list(last),
            "states": [step.after.value for step in last.values()],
            "reasons": [step.reasons for step in last.values()],
        },
    )
    copy_in(
        connection,
        "market_message_event",
        ("message", "at", "person", "act", "from_state", "to_state", "why"),
        ((step.message, at, person, step.act.value, step.before.value, step.after.value, step.why) for step in steps),
    )
