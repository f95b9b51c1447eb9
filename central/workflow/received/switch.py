"""CDSSWITCH received: requests of a change of supplier open conversations in which we must state in time.

Terms: to R1 by 10:15 and to S4 by 15:00 of the last day before the supply begins, to P1 silence is consent:
documented. Those of S1 and S2 are assumed: 15:00 of the last working day before.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping

from central.market.conversation.proposals import Deciding, Kind
from central.market.conversation.scenarios import SUPPLIER_CHANGE
from central.market.conversation.working_days import Term
from central.market.payloads.supplier_switch import ChangeOfSupplier, Statement, SupplierSwitch
from central.market.received import Effect, Message
from central.workflow.received.asked import (
    Asked,
    find_asked,
    hear,
    open_asked,
    reference_of,
    refusal_of,
    state_upon,
    stranger,
)
from central.workflow.received.known import not_ours, points_of

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
    return [_effect(connection, message, known, at) for message in messages]


def _data(message: Message) -> SupplierSwitch:
    payload: SupplierSwitch = message.read.payload
    return payload


def _effect(connection: Connection, message: Message, known: dict[str, int], at: datetime) -> Effect:
    data = _data(message)
    ours = [change for change in data.changes if change.opm in known]
    strange = not_ours([change.opm for change in data.changes], known)
    foreign = [_stranger(connection, message, said, at) for said in data.statements]
    heard = [said for said, why in zip(data.statements, foreign, strict=True) if why is None]
    why = f"{len(ours)} requests, {len(heard)} statements."
    why = " ".join(filter(None, [why, *foreign, strange]))
    if not ours and not heard:
        return Effect("kept", why)

    def write(connection: Connection, inbox: int) -> None:
        for change in ours:
            open_asked(connection, message, _asked(change, known[change.opm]), inbox, at)
        for said in heard:
            number = find_asked(connection, message, SUPPLIER_CHANGE, said.request)
            # One opened by a message of the same set was not there when this one was weighed.
            if number is not None and stranger(connection, message, number, at) is None:
                act = "withdraw" if said.reason == "withdrawal" else "statement"
                words = (f"{said.party}:", said.result, said.reason, said.text)
                hear(connection, message, number, act, words, inbox, at)

    return Effect("proposed" if ours else "applied", why, write=write)


def _stranger(connection: Connection, message: Message, said: Statement, at: datetime) -> str | None:
    number = find_asked(connection, message, SUPPLIER_CHANGE, said.request)
    return None if number is None else stranger(connection, message, number, at)


def _asked(change: ChangeOfSupplier, point: int) -> Asked:
    deadline = TERMS[change.kind].of(change.first_day)
    return Asked(
        SUPPLIER_CHANGE,
        KIND,
        change.request,
        change.opm,
        point,
        deadline,
        {
            "kind": change.kind,
            "first_day": change.first_day,
            "last_day": change.last_day,
            "new_supplier": change.new_supplier,
            "old_supplier": change.old_supplier,
            "balance_party": change.balance_party,
            "silence": "consent" if change.kind == "prolongation" else "none",
        },
        f"request {change.request} ({change.kind}) from {change.first_day}",
        f"{change.new_supplier} asks to supply {change.opm} from {change.first_day}; state until {deadline:%c}.",
    )


def _take(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    statement = Statement(request=reference_of(row), party="distributor", result="accept")
    payload = SupplierSwitch(statements=[statement])
    return state_upon(connection, row, deciding, STATEMENT, payload, "consent")


def _refuse(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    said = {"request": reference_of(row), "party": "distributor", **refusal_of(deciding, _REASONS)}
    payload = SupplierSwitch(statements=[msgspec.convert(said, Statement)])
    return state_upon(connection, row, deciding, STATEMENT, payload, "object")


PROPOSAL: Final = Kind(take=_take, refuse=_refuse)
