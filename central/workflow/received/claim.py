"""CDSCLAIM and CDSGASCLAIM received: claims open conversations that wait for our statement; answers end those of ours.

The term of 15 working days is assumed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, select

from central.market.conversation.processes import find_process
from central.market.conversation.proposals import Deciding, Kind
from central.market.conversation.scenarios import CLAIM, CLAIM_RECEIVED
from central.market.conversation.working_days import PRAGUE, Term
from central.market.payloads.claims import Claim, ClaimAnswer, Claims
from central.market.received import Effect, Message
from central.market.tables import market_process
from central.workflow.received.asked import Asked, hear, open_asked, reference_of, refusal_of, state_upon, stranger
from central.workflow.received.known import points_of

KIND: Final = "claim"
GAS_KIND: Final = "gas_claim"
STATEMENTS: Final = {KIND: "XC1", GAS_KIND: "XG7"}
"""Message in which we answer a claim, by the kind of its proposal."""
TERM: Final = Term(15, time(23, 59))
_REASONS: Final = frozenset({"data_right", "corrected", "late", "other"})


def effects(connection: Connection, messages: Sequence[Message], at: datetime, kind: str = KIND) -> list[Effect]:
    """For each message its claims as conversations with a proposal; answers move our own claims."""
    known = points_of(connection, [claim.opm for message in messages for claim in _data(message).claims])
    return [_effect(connection, message, known, at, kind) for message in messages]


def gas_effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """As `effects`, for gas."""
    return effects(connection, messages, at, GAS_KIND)


def _data(message: Message) -> Claims:
    payload: Claims = message.read.payload
    return payload


def _effect(connection: Connection, message: Message, known: dict[str, int], at: datetime, kind: str) -> Effect:
    data = _data(message)
    found = [(_claim(connection, answer.claim), answer) for answer in data.answers]
    strange = [each and stranger(connection, message, each, at) for each, _ in found]
    heard = [each for each, why in zip(found, strange, strict=True) if not why]
    why = " ".join([f"{len(data.claims)} claims, {len(heard)} answers.", *(str(each) for each in strange if each)])
    if not data.claims and not heard:
        return Effect("kept", why)

    def write(connection: Connection, inbox: int) -> None:
        for claim in data.claims:
            open_asked(connection, message, _asked(claim, known.get(claim.opm), at, kind), inbox, at)
        for number, answer in heard:
            if number is not None:
                act = "recognise" if answer.result == "accept" else "turn_down"
                hear(connection, message, number, act, (answer.result, answer.reason, answer.text), inbox, at)

    return Effect("proposed" if data.claims else "applied", why, write=write)


def _asked(claim: Claim, point: int | None, at: datetime, kind: str) -> Asked:
    return Asked(
        CLAIM_RECEIVED,
        kind,
        claim.claim,
        claim.opm,
        point,
        TERM.of(at.astimezone(PRAGUE).date()),
        {
            "kind": claim.kind,
            "first_day": claim.first_day,
            "last_day": claim.last_day,
            "text": claim.text,
            "message": claim.message,
        },
        f"claim {claim.claim} ({claim.kind}): {claim.text}",
        claim.text,
    )


def _claim(connection: Connection, claim: str) -> int | None:
    return find_process(connection, CLAIM, claim) or _by_message(connection, claim)


def _by_message(connection: Connection, claim: str) -> int | None:
    """Our conversation about a claim of that number: a message of ours opened it under its subject."""
    table = market_process
    return connection.execute(
        select(table.c.id).where(table.c.scenario == CLAIM, table.c.subject == claim).order_by(table.c.id).limit(1)
    ).scalar_one_or_none()


def _take(connection: Connection, row: RowMapping, deciding: Deciding, kind: str) -> Mapping[str, Any]:
    answer = ClaimAnswer(claim=reference_of(row), result="accept")
    return state_upon(connection, row, deciding, STATEMENTS[kind], Claims(answers=[answer]), "consent")


def _refuse(connection: Connection, row: RowMapping, deciding: Deciding, kind: str) -> Mapping[str, Any]:
    said = {"claim": reference_of(row), **refusal_of(deciding, _REASONS)}
    answer = msgspec.convert(said, ClaimAnswer)
    return state_upon(connection, row, deciding, STATEMENTS[kind], Claims(answers=[answer]), "object")


def proposal_of(kind: str) -> Kind:
    """What deciding a claim means, of electricity or gas."""
    return Kind(take=partial(_take, kind=kind), refuse=partial(_refuse, kind=kind))
