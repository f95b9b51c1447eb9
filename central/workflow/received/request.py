"""CDSREQ received: somebody asks for interval or master data of points.

The market operator is answered at once: it was told the same before (assumed). Others wait for a person; taken, the
message that they asked for goes out to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping

from central.market.cdsdata import INTERVAL_DATA
from central.market.contents import Payload
from central.market.conversation.proposals import Deciding, Kind
from central.market.envelope import Envelope, Participant
from central.market.format_package import package_at
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
_OURS: Final = (date(1990, 1, 1), date(2199, 12, 31))
ANSWERS: Final = {"XR1": INTERVAL_DATA, MASTER_DATA: "XM1"}
"""Code of the message that answers a request."""


def effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """For each message its answers, and a proposal for every point of ours that is not answered at once."""
    codes = sorted({asked.opm for message in messages for asked in _asked(message)})
    known = points_of(connection, codes)
    operator = package_at(at).envelope.market_operator
    return [_effect(connection, message, known, operator, at) for message in messages]


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


def _effect(connection: Connection, message: Message, known: Mapping[str, int], operator: str, at: datetime) -> Effect:
    envelope = message.read.envelope
    ours = [asked for asked in _asked(message) if asked.opm in known]
    strange = not_ours([asked.opm for asked in _asked(message)], dict(known))
    if not ours:
        return Effect("kept", f"Nothing of ours is asked for. {strange}".rstrip())
    waiting: list[Proposal] = []
    answers: list[tuple[Proposal, Payload]] = []
    for asked in ours:
        proposal = _proposal(asked, known[asked.opm], envelope)
        if envelope.sender.id != operator:
            waiting.append(proposal)
            continue
        try:
            answers.append((proposal, _payload(connection, proposal, at)))
        except DomainError as error:
            waiting.append(replace(proposal, why=f"{proposal.why} {error}"))

    def write(connection: Connection, inbox: int) -> None:
        for proposal, payload in answers:
            try:
                with connection.begin_nested():
                    _say(connection, proposal, payload, (envelope.id, inbox), at, "system")
            except DomainError as error:
                propose(connection, inbox, replace(proposal, why=f"{proposal.why} {error}"), at)

    why = f"{len(answers)} requests of {envelope.sender.id} are answered, {len(waiting)} wait. {strange}".rstrip()
    return Effect("proposed" if waiting else "applied", why, waiting, write)


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


def _payload(connection: Connection, proposal: Proposal, at: datetime) -> Payload:
    """The record asked for; Refused where we cannot tell it."""
    proposed = proposal.proposed
    code = ANSWERS.get(proposed.get("code", ""))
    if code is None or proposal.supply_point is None:
        raise Refused("request", f"What answers a request {proposed.get('code')} is not known: answer it by hand.")
    first, last = _days(proposed)
    asked = AskedPoint(opm=proposal.subject, first_day=first, last_day=last, direction=proposed["direction"])
    if code == INTERVAL_DATA:
        us, them = Participant(proposed["receiver"]), Participant(proposed["sender"])
        return interval_data(connection, asked, Envelope("", code, at, us, them))
    return master_data(connection, proposal.supply_point, asked)


def _say(
    connection: Connection, proposal: Proposal, payload: Payload, request: tuple[str, int], at: datetime, person: str
) -> int:
    """Put the answer to a request (id of its message, number in the inbox) into the outbox."""
    message_id, inbox = request
    first, last = _days(proposal.proposed)
    said = Said(
        code=ANSWERS[proposal.proposed["code"]],
        payload=payload,
        sender=proposal.proposed["receiver"],
        receiver=proposal.proposed["sender"],
        subject=Subject("request", f"{message_id}/{proposal.subject}", proposal.supply_point),
        first_day=first,
        end_day=last + timedelta(days=1),
        references=(message_id,),
        basis={"inbox": inbox, "request": message_id},
    )
    return say(connection, said, at, person)


def _days(proposed: Mapping[str, Any]) -> tuple[date, date]:
    """The first and the last day; Refused where they are no days of our time."""
    first, last = date.fromisoformat(proposed["first_day"]), date.fromisoformat(proposed["last_day"])
    if not _OURS[0] <= first <= last <= _OURS[1]:
        raise Refused("days", f"{first} to {last} are no days that anything is known of.")
    return first, last


def _take(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    at = deciding.clock.now()
    proposal = Proposal(KIND, row["subject"], row["proposed"], row["why"], row["supply_point"])
    payload = _payload(connection, proposal, at)
    request = row["message_id"], row["inbox"]
    return {"market_message": _say(connection, proposal, payload, request, at, deciding.person.name)}


PROPOSAL: Final = Kind(take=_take)
