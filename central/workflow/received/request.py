"""CDSREQ received: somebody asks for interval or master data of points.

The market operator is answered at once: it was told the same before (assumed). Others wait for a person; taken, the
message that they asked for goes out to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping

from central.market.cdsdata import INTERVAL_DATA
from central.market.contents import Payload
from central.market.conversation.proposals import Deciding, Kind
from central.market.envelope import Envelope, Participant
from central.market.format_package import package_valid_on
from central.market.messages import Subject
from central.market.payloads.gas_requests import GasRequest
from central.market.payloads.requests import AskedPoint, DataRequest
from central.market.received import Effect, Message, Proposal, propose
from central.platform.errors import DomainError, Refused
from central.workflow.received.known import not_ours, points_of
from central.workflow.received.statement import Said, say
from central.workflow.received.told import interval_data, master_data

KIND: Final = "data_asked"
GAS_KIND: Final = "gas_data_asked"
MASTER_DATA: Final = "XR3"
ANSWERS: Final = {"XR1": INTERVAL_DATA, MASTER_DATA: "XM1"}
"""Code of the message that answers a request."""


def effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """For each message its answers, and a proposal for every point of ours that is not answered at once."""
    codes = sorted({asked.opm for message in messages for asked in _asked(message)})
    known = points_of(connection, codes)
    operator = package_valid_on(at.date()).envelope.market_operator
    return [_effect(message, known, operator, at) for message in messages]


def gas_effects(connection: Connection, messages: Sequence[Message], _at: datetime) -> list[Effect]:
    """Requests for gas data: a person answers them, with the export of the data that wait."""
    payloads: list[GasRequest] = [message.read.payload for message in messages]
    known = points_of(connection, {asked.opm for payload in payloads for asked in payload.locations})
    found = []
    for payload in payloads:
        proposals = [
            Proposal(
                GAS_KIND,
                asked.opm,
                {"first_day": asked.first_day.isoformat(), "last_day": asked.last_day.isoformat()},
                f"Data of {asked.opm} from {asked.first_day} to {asked.last_day} are asked for.",
                known[asked.opm],
            )
            for asked in payload.locations
            if asked.opm in known
        ]
        strange = not_ours([asked.opm for asked in payload.locations], known)
        why = f"{len(proposals)} requests wait for a person. {strange}".rstrip()
        found.append(Effect("proposed" if proposals else "kept", why, proposals))
    return found


def _asked(message: Message) -> list[AskedPoint]:
    payload: DataRequest = message.read.payload
    return payload.locations


def _effect(message: Message, known: Mapping[str, int], operator: str, at: datetime) -> Effect:
    envelope = message.read.envelope
    ours = [asked for asked in _asked(message) if asked.opm in known]
    strange = not_ours([asked.opm for asked in _asked(message)], dict(known))
    if not ours:
        return Effect("kept", f"Nothing of ours is asked for. {strange}".rstrip())
    is_answered = envelope.sender.id == operator

    def write(connection: Connection, inbox: int) -> None:
        for asked in ours:
            point = known[asked.opm]
            proposal = _proposal(asked, point, envelope)
            if not is_answered:
                propose(connection, inbox, proposal, at)
                continue
            try:
                with connection.begin_nested():
                    _answer(connection, _Request(proposal.proposed, asked.opm, point, envelope.id, inbox), at, "system")
            except DomainError as error:
                waits = Proposal(KIND, asked.opm, proposal.proposed, f"{proposal.why} {error}", point)
                propose(connection, inbox, waits, at)

    what = "are answered, or wait where they cannot be" if is_answered else "wait for a decision"
    why = f"{len(ours)} requests of {envelope.sender.id} {what}. {strange}".rstrip()
    return Effect("applied" if is_answered else "proposed", why, write=write)


def _proposal(asked: AskedPoint, point: int, envelope: Envelope) -> Proposal:
    what = "Master data" if envelope.code == MASTER_DATA else "Data"
    proposed = {
        "code": envelope.code,
        "first_day": asked.first_day.isoformat(),
        "last_day": asked.last_day.isoformat(),
        "direction": asked.direction,
        "sender": envelope.sender.id,
        "receiver": envelope.receiver.id,
    }
    why = f"{what} of {asked.opm} from {asked.first_day} to {asked.last_day} are asked for by {envelope.sender.id}."
    return Proposal(KIND, asked.opm, proposed, why, point)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for of a point, by which message."""

    proposed: Mapping[str, Any]
    opm: str
    point: int
    message_id: str
    inbox: int


def _answer(connection: Connection, request: _Request, at: datetime, person: str) -> int:
    """Put the message asked for into the outbox; Refused where we cannot tell it."""
    proposed = request.proposed
    code = ANSWERS.get(proposed.get("code", ""))
    if code is None:
        raise Refused("request", f"What answers a request {proposed.get('code')} is not known: answer it by hand.")
    first, last = (date.fromisoformat(proposed[name]) for name in ("first_day", "last_day"))
    asked = AskedPoint(opm=request.opm, first_day=first, last_day=last, direction=proposed["direction"])
    us, them = proposed["receiver"], proposed["sender"]
    payload: Payload
    if code == INTERVAL_DATA:
        payload = interval_data(connection, asked, Envelope("", code, at, Participant(us), Participant(them)))
    else:
        payload = master_data(connection, request.point, asked)
    said = Said(
        code=code,
        payload=payload,
        sender=us,
        receiver=them,
        subject=Subject("request", f"{request.message_id}/{request.opm}", request.point),
        first_day=first,
        end_day=last + timedelta(days=1),
        references=(request.message_id,),
        basis={"inbox": request.inbox, "request": request.message_id},
    )
    return say(connection, said, at, person)


def _take(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    request = _Request(row["proposed"], row["subject"], row["supply_point"], row["message_id"], row["inbox"])
    return {"market_message": _answer(connection, request, deciding.clock.now(), deciding.person.name)}


PROPOSAL: Final = Kind(take=_take)
