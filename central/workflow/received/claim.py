"""CDSCLAIM received: claims open conversations that wait for our statement; answers end those of ours.

The term of 15 working days is assumed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, select

from central.market.conversation.processes import Opening, Step, advance_process, find_process, open_process
from central.market.conversation.proposals import Deciding, Kind
from central.market.conversation.scenarios import CLAIM, CLAIM_RECEIVED
from central.market.conversation.working_days import PRAGUE, Term
from central.market.payloads.claims import Claim, ClaimAnswer, Claims
from central.market.received import Effect, Message, Proposal, propose
from central.market.tables import market_process
from central.platform.errors import Refused
from central.platform.plain import plain
from central.workflow.received.known import points_of
from central.workflow.received.statement import state

KIND: Final = "claim"
STATEMENT: Final = "XC1"
TERM: Final = Term(15, time(23, 59))
_REASONS: Final = frozenset({"data_right", "corrected", "late", "other"})


def effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """For each message its claims as conversations with a proposal; answers move our own claims."""
    known = points_of(connection, [claim.opm for message in messages for claim in _data(message).claims])
    return [_effect(message, known, at) for message in messages]


def _data(message: Message) -> Claims:
    payload: Claims = message.read.payload
    return payload


def _effect(message: Message, known: dict[str, int], at: datetime) -> Effect:
    data = _data(message)
    why = f"{len(data.claims)} claims, {len(data.answers)} answers."
    if not data.claims and not data.answers:
        return Effect("kept", why)

    def write(connection: Connection, inbox: int) -> None:
        for claim in data.claims:
            _open(connection, message, claim, known.get(claim.opm), inbox, at)
        for answer in data.answers:
            _hear(connection, message, answer, inbox, at)

    return Effect("proposed" if data.claims else "applied", why, write=write)


def _open(connection: Connection, message: Message, claim: Claim, point: int | None, inbox: int, at: datetime) -> None:
    envelope = message.read.envelope
    data = plain(
        {
            "kind": claim.kind,
            "first_day": claim.first_day,
            "last_day": claim.last_day,
            "text": claim.text,
            "message": claim.message,
            "sender": envelope.sender.id,
            "receiver": envelope.receiver.id,
        }
    )
    deadline = TERM.of(at.astimezone(PRAGUE).date())
    opening = Opening(CLAIM_RECEIVED, claim.claim, "supply_point", claim.opm, point, deadline, data)
    step = Step(f"claim {claim.claim} ({claim.kind}): {claim.text}", inbox=inbox)
    number, is_new = open_process(connection, opening, at, f"message {envelope.id}", step)
    if is_new:
        proposal = Proposal(KIND, claim.opm, {"claim": claim.claim, **data}, claim.text, point)
        propose(connection, inbox, proposal, at, number)


def _hear(connection: Connection, message: Message, answer: ClaimAnswer, inbox: int, at: datetime) -> None:
    number = find_process(connection, CLAIM, answer.claim) or _by_message(connection, answer.claim)
    if number is None:
        return
    act = "recognise" if answer.result == "accept" else "turn_down"
    said = f"{answer.result} {answer.reason or ''} {answer.text or ''}".strip()
    try:
        advance_process(connection, number, act, at, f"message {message.read.envelope.id}", Step(said, inbox=inbox))
    except Refused:
        # It is over: what comes afterwards stands in the inbox and changes nothing.
        return


def _by_message(connection: Connection, claim: str) -> int | None:
    """Our conversation about a claim of that number: a message of ours opened it under its subject."""
    table = market_process
    return connection.execute(
        select(table.c.id).where(table.c.scenario == CLAIM, table.c.subject == claim).order_by(table.c.id).limit(1)
    ).scalar_one_or_none()


def _take(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    answer = ClaimAnswer(claim=row["proposed"]["claim"], result="accept")
    return _state(connection, row, deciding, answer, "consent")


def _refuse(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    details = deciding.details or {}
    reason = details.get("reason") or "other"
    if reason not in _REASONS:
        raise Refused("reason", f"The reason {reason!r} is not known; it is one of {', '.join(sorted(_REASONS))}.")
    text = details.get("text") or deciding.why
    said = {"claim": row["proposed"]["claim"], "result": "reject", "reason": reason, "text": text}
    answer = msgspec.convert(said, ClaimAnswer)
    return _state(connection, row, deciding, answer, "object")


def _state(
    connection: Connection, row: RowMapping, deciding: Deciding, answer: ClaimAnswer, act: str
) -> Mapping[str, Any]:
    at, person = deciding.clock.now(), deciding.person.name
    day = datetime.fromisoformat(row["proposed"]["first_day"]).date()
    number = state(connection, row, STATEMENT, Claims(answers=[answer]), (day, None), at, person)
    advance_process(connection, row["process"], act, at, person, Step(deciding.why, message=number))
    return {"market_message": number}


PROPOSAL: Final = Kind(take=_take, refuse=_refuse)
