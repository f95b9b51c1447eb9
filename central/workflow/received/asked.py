"""What others ask of us within a conversation: opened with a proposal and a term, heard of again, stated upon.

Claims and changes of supplier go the same way; they differ in their records, terms and reasons.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, select

from central.market.conversation.processes import Opening, Step, advance_process, find_process, open_process
from central.market.conversation.proposals import Deciding
from central.market.conversation.scenarios import Scenario
from central.market.format_package import package_at
from central.market.received import Message, Proposal, propose
from central.market.tables import market_message, market_process
from central.platform.errors import Refused
from central.platform.plain import plain
from central.workflow.received.statement import state

_PARTIES: Final = ("sender", "new_supplier", "old_supplier", "balance_party")


@dataclass(frozen=True, slots=True)
class Asked:
    """Something asked of us: its number with them, the point, until when we must state, what was said of it."""

    scenario: Scenario
    kind: str
    reference: str
    opm: str
    point: int | None
    deadline: datetime
    data: Mapping[str, Any]
    step: str
    why: str


def open_asked(connection: Connection, message: Message, asked: Asked, inbox: int, at: datetime) -> None:
    """Open its conversation with a proposal that waits; one that is open already stays as it is.

    Two senders may give the same number: the conversation of the second is known by the number and its sender.
    """
    envelope = message.read.envelope
    data = plain({**asked.data, "sender": envelope.sender.id, "receiver": envelope.receiver.id})
    opening = Opening(asked.scenario, asked.reference, "supply_point", asked.opm, asked.point, asked.deadline, data)
    step = Step(asked.step, inbox=inbox)
    number, is_new = open_process(connection, opening, at, _person(message), step)
    if not is_new and _sender_of(connection, number) not in {None, envelope.sender.id}:
        opening = replace(opening, reference=_under_sender(asked.reference, envelope.sender.id))
        number, is_new = open_process(connection, opening, at, _person(message), step)
    if is_new:
        proposal = Proposal(asked.kind, asked.opm, {"reference": asked.reference, **data}, asked.why, asked.point)
        propose(connection, inbox, proposal, at, number)


def find_asked(connection: Connection, message: Message, scenario: Scenario, reference: str) -> int | None:
    """The conversation that a sender means by a number: its own one, or else the first of that number."""
    own = find_process(connection, scenario, _under_sender(reference, message.read.envelope.sender.id))
    return own or find_process(connection, scenario, reference)


def stranger(connection: Connection, message: Message, number: int, at: datetime) -> str | None:
    """A sentence where the sender is neither a party of the conversation nor the market operator."""
    sender = message.read.envelope.sender.id
    if sender == package_at(at).envelope.market_operator:
        return None
    query = select(market_process.c.reference, market_process.c.data).where(market_process.c.id == number)
    row = connection.execute(query).one()
    told = select(market_message.c.receiver).where(market_message.c.process == number)
    parties = {*(row.data.get(name) for name in _PARTIES), *connection.execute(told).scalars()}
    return None if sender in parties else f"{sender} is no party of {row.reference}: what it says of it has no effect."


def hear(
    connection: Connection, message: Message, number: int, act: str, said: Collection[str | None], inbox: int,
    at: datetime,
) -> None:  # fmt: skip
    """What another party said moves a conversation; one that is over stays as it is."""
    words = " ".join(each for each in said if each)
    try:
        advance_process(connection, number, act, at, _person(message), Step(words, inbox=inbox))
    except Refused:
        # It is over: what comes afterwards stands in the inbox and changes nothing.
        return


def state_upon(
    connection: Connection, row: RowMapping, deciding: Deciding, code: str, payload: msgspec.Struct, act: str
) -> Mapping[str, Any]:
    """Say what was decided on a proposal by the message `code`, and move its conversation."""
    at, person = deciding.clock.now(), deciding.person.name
    day = date.fromisoformat(row["proposed"]["first_day"])
    number = state(connection, row, code, payload, (day, None), at, person)
    advance_process(connection, row["process"], act, at, person, Step(deciding.why, message=number))
    return {"market_message": number}


def reference_of(row: RowMapping) -> str:
    """Their number of what a proposal is about; older proposals have it under its kind."""
    proposed = row["proposed"]
    return str(proposed.get("reference") or proposed.get("claim") or proposed["request"])


def refusal_of(deciding: Deciding, reasons: Collection[str]) -> dict[str, Any]:
    """Reason and text of a refusal, fields of a statement; Refused where the reason is none of `reasons`."""
    details = deciding.details or {}
    reason = details.get("reason") or "other"
    if reason not in reasons:
        raise Refused("reason", f"The reason {reason!r} is not known; it is one of {', '.join(sorted(reasons))}.")
    return {"result": "reject", "reason": reason, "text": details.get("text") or deciding.why}


def _under_sender(reference: str, sender: str) -> str:
    return f"{reference} ({sender})"


def _sender_of(connection: Connection, number: int) -> str | None:
    query = select(market_process.c.data["sender"].astext).where(market_process.c.id == number)
    found: str | None = connection.execute(query).scalar_one()
    return found


def _person(message: Message) -> str:
    return f"message {message.read.envelope.id}"
