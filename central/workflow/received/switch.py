"""CDSSWITCH received: requests of a change of supplier open conversations in which we must state in time.

Terms: to R1 by 10:15 and to S4 by 15:00 of the last day before the supply begins, to P1 silence is consent:
documented. Those of S1 and S2 are assumed: 15:00 of the last working day before.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping

from central.market.conversation.processes import Opening, Step, advance_process, find_process, open_process
from central.market.conversation.proposals import Deciding, Kind
from central.market.conversation.scenarios import SUPPLIER_CHANGE
from central.market.conversation.working_days import Term
from central.market.payloads.supplier_switch import ChangeOfSupplier, Statement, SupplierSwitch
from central.market.received import Effect, Message, Proposal, propose
from central.platform.errors import Refused
from central.platform.plain import plain
from central.workflow.received.known import not_ours, points_of
from central.workflow.received.statement import state

KIND: Final = "supplier_change"
STATEMENT: Final = "XS2"
TERMS: Final[dict[str, Term]] = {
    "new_connection": Term(-1, time(10, 15), counts_working=False),
    "after_unauthorised": Term(-1, time(15), counts_working=False),
    "standard": Term(-1, time(15)),
    "fast": Term(-1, time(15)),
    "prolongation": Term(-1, time(15)),
}
_REASONS: Final = frozenset({"withdrawal", "not_connected", "no_contract", "interrupted", "other_request", "other"})


def effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """For each message its requests as conversations with a proposal, and what others stated as steps of theirs."""
    known = points_of(connection, [change.opm for message in messages for change in _data(message).changes])
    return [_effect(message, known, at) for message in messages]


def _data(message: Message) -> SupplierSwitch:
    payload: SupplierSwitch = message.read.payload
    return payload


def _effect(message: Message, known: dict[str, int], at: datetime) -> Effect:
    data = _data(message)
    ours = [change for change in data.changes if change.opm in known]
    strange = not_ours([change.opm for change in data.changes], known)
    why = f"{len(ours)} requests, {len(data.statements)} statements. {strange}".rstrip()
    if not ours and not data.statements:
        return Effect("kept", why)

    def write(connection: Connection, inbox: int) -> None:
        person = f"message {message.read.envelope.id}"
        for change in ours:
            _open(connection, message, change, known[change.opm], inbox, at)
        for statement in data.statements:
            number = find_process(connection, SUPPLIER_CHANGE, statement.request)
            if number is not None:
                _hear(connection, number, statement, inbox, at, person)

    return Effect("proposed" if ours else "applied", why, write=write)


def _open(
    connection: Connection, message: Message, change: ChangeOfSupplier, point: int, inbox: int, at: datetime
) -> None:
    envelope = message.read.envelope
    data = plain(
        {
            "kind": change.kind,
            "first_day": change.first_day,
            "last_day": change.last_day,
            "new_supplier": change.new_supplier,
            "old_supplier": change.old_supplier,
            "balance_party": change.balance_party,
            "sender": envelope.sender.id,
            "receiver": envelope.receiver.id,
            "silence": "consent" if change.kind == "prolongation" else "none",
        }
    )
    deadline = TERMS[change.kind].of(change.first_day)
    opening = Opening(SUPPLIER_CHANGE, change.request, "supply_point", change.opm, point, deadline, data)
    step = Step(f"request {change.request} ({change.kind}) from {change.first_day}", inbox=inbox)
    number, is_new = open_process(connection, opening, at, f"message {envelope.id}", step)
    if is_new:
        why = f"{change.new_supplier} asks to supply {change.opm} from {change.first_day}; state until {deadline:%c}."
        propose(
            connection, inbox, Proposal(KIND, change.opm, {"request": change.request, **data}, why, point), at, number
        )


def _hear(connection: Connection, number: int, statement: Statement, inbox: int, at: datetime, person: str) -> None:
    act = "withdraw" if statement.reason == "withdrawal" else "statement"
    said = f"{statement.party}: {statement.result} {statement.reason or ''} {statement.text or ''}".strip()
    try:
        advance_process(connection, number, act, at, person, Step(said, inbox=inbox))
    except Refused:
        # It is over: what comes afterwards stands in the inbox and changes nothing.
        return


def _take(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    statement = Statement(request=row["proposed"]["request"], party="distributor", result="accept")
    return _state(connection, row, deciding, statement, "consent")


def _refuse(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    details = deciding.details or {}
    reason = details.get("reason") or "other"
    if reason not in _REASONS:
        raise Refused("reason", f"The reason {reason!r} is not known; it is one of {', '.join(sorted(_REASONS))}.")
    said = {
        "request": row["proposed"]["request"],
        "party": "distributor",
        "result": "reject",
        "reason": reason,
        "text": details.get("text") or deciding.why,
    }
    statement = msgspec.convert(said, Statement)
    return _state(connection, row, deciding, statement, "object")


def _state(
    connection: Connection, row: RowMapping, deciding: Deciding, statement: Statement, act: str
) -> Mapping[str, Any]:
    at, person = deciding.clock.now(), deciding.person.name
    day = datetime.fromisoformat(row["proposed"]["first_day"]).date()
    payload = SupplierSwitch(statements=[statement])
    number = state(connection, row, STATEMENT, payload, (day, None), at, person)
    advance_process(connection, row["process"], act, at, person, Step(deciding.why, message=number))
    return {"market_message": number}


PROPOSAL: Final = Kind(take=_take, refuse=_refuse)
