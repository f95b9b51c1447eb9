"""Routes of conversations: their time lines, deadlines that come near, planned outages, decisions on proposals."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import RowMapping

from central.market import messages
from central.market.channels.open_channels import channel_settings
from central.market.channels.watch import running_out, shown
from central.market.conversation import outages, processes, proposals, repair, warnings
from central.market.conversation.rejection import find_place
from central.market.format_package import usable_packages
from central.market.resume import find_held, find_left
from central.market.states import State
from central.platform import audit
from central.platform.errors import DomainError
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter()
"""To be included by the router of `central.market.api`, which begins with /v1/market."""

Reader = Annotated[Person, Depends(require("read"))]
Actor = Annotated[Person, Depends(require("market"))]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
After = Annotated[int, Query(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Filter = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


class Process(BaseModel):
    """A conversation by a scenario."""

    id: int
    scenario: str
    reference: str
    subject_kind: str
    subject: str
    state: str
    deadline: datetime | None
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None


class Line(BaseModel):
    """An entry of a time line: a step, a message out or in, a decision, the deadline."""

    at: datetime
    kind: str
    code: str | None
    reference: str | None
    act: str
    why: str
    person: str | None


class ProcessDetail(Process):
    """A conversation with its data and its time line, oldest first."""

    data: dict[str, Any]
    time_line: list[Line]


class Deadline(BaseModel):
    """Something unfinished and until when it must be."""

    kind: str
    id: int
    code: str
    subject: str
    state: str
    deadline: datetime
    is_past: bool


class Outage(BaseModel):
    """A planned outage of the market operator; `end` exclusive, `channel` null: all."""

    id: int
    first: datetime
    end: datetime
    channel: str | None
    why: str
    made_at: datetime
    made_by: str


class LeftMessage(BaseModel):
    """A message that nothing tries again soon."""

    id: int
    message_id: str
    message_code: str
    state: State
    attempts: int
    sent_at: datetime | None


class HeldMessage(BaseModel):
    """A message that is due and that no channel takes."""

    id: int
    message_id: str
    message_code: str
    state: State
    why: str


class Warnings(BaseModel):
    """What is in danger.

    `packages`: format packages that cannot be read, and why; `certificates`: those that run out without a successor;
    `channels`: why the channels' settings cannot be read; `left`: messages that were tried and wait for a person (their
    events say why); `held`: messages that are due and do not leave, because no channel carries their code or because
    their format must not go where it leads.
    """

    deadlines: list[Deadline]
    outages: list[Outage]
    packages: dict[str, str]
    certificates: list[dict[str, Any]]
    channels: str | None
    left: list[LeftMessage]
    held: list[HeldMessage]


class OutageIn(BaseModel):
    """An outage to plan."""

    first: AwareDatetime
    end: AwareDatetime
    why: Text
    channel: Text | None = None


class Made(BaseModel):
    """What was made."""

    id: int


class Proposal(BaseModel):
    """What a received message would change here, waiting or decided."""

    id: int
    inbox: int
    process: int | None
    kind: str
    subject: str
    proposed: dict[str, Any]
    state: str
    why: str
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    result: dict[str, Any] | None


class Decision(BaseModel):
    """Why, and whether what the change touches is known. `reason` and `text` go to the other side where it is told."""

    why: Text
    confirmed: bool = False
    reason: Text | None = None
    text: Text | None = None


class Offence(BaseModel):
    """A reason of a rejection and the place in the message that it points at, where one was found."""

    type: str
    code: str
    text: str
    path: str | None
    line: int | None
    attribute: str | None
    value: str | None
    found_by: str | None


class Rejection(BaseModel):
    """Why a message was not taken, and the record that it came from."""

    id: int
    message_id: str
    state: str
    offences: list[Offence]
    basis: dict[str, Any]
    subject_kind: str
    subject: str
    duty: int | None
    process: int | None


@router.get("/processes")
def list_processes(
    _: Reader,
    db: Db,
    scenario: Filter = None,
    state: Filter = None,
    subject: Filter = None,
    only_open: bool = False,
    after: After = 0,
    limit: Limit = 100,
) -> list[Process]:
    """Conversations with the market operator."""
    rows = processes.find_processes(
        db, scenario=scenario, state=state, subject=subject, only_open=only_open, after=after, limit=limit
    )
    return [Process(**row) for row in rows]


@router.get("/processes/{number}")
def get_process(_: Reader, db: Db, number: Number) -> ProcessDetail:
    """One conversation with its time line: messages out and in, answers, steps, decisions, the deadline."""
    row = processes.require_process(db, number)
    return ProcessDetail(**row, time_line=[Line(**line) for line in processes.time_line(db, number)])


@router.get("/warnings")
def list_warnings(
    request: Request,
    _: Reader,
    db: Db,
    clock: Now,
    within_days: Annotated[int, Query(ge=0, le=60, description="working days")] = 2,
    limit: Limit = 1000,
) -> Warnings:
    """Deadlines that are past or near, outages planned, format packages and settings that cannot be read, certificates
    that run out, messages that wait for a person or that no channel takes."""
    at, why, expiries, held = clock.now(), None, [], []
    settings = request.app.state.settings
    try:
        found = channel_settings(settings)
        expiries = [] if found is None else running_out(found, at)
        held = find_held(db, settings, limit)
    except DomainError as error:
        why = error.message
    return Warnings(
        deadlines=[Deadline(**row) for row in warnings.find_deadlines(db, at, within_days, limit)],
        outages=[Outage(**row) for row in outages.find_outages(db, at)],
        packages=usable_packages()[1],
        certificates=[shown(expiry) for expiry in expiries],
        channels=why,
        left=[LeftMessage(**row) for row in find_left(db, limit)],
        held=[HeldMessage(**row) for row in held],
    )


@router.post("/outages")
def plan_outage(person: Actor, db: Db, clock: Now, body: OutageIn) -> Made:
    """Plan an outage: nothing is sent meanwhile, deadlines stay."""
    at = clock.now()
    number = outages.plan_outage(db, body.first, body.end, body.channel, body.why, at, person.name)
    audit.record(
        db, person, "market.outage.plan", f"market_outage/{number}", body.model_dump(mode="json"), at, why=body.why
    )
    return Made(id=number)


@router.delete("/outages/{number}")
def cancel_outage(person: Actor, db: Db, clock: Now, number: Number) -> Made:
    """It does not take place."""
    outages.cancel_outage(db, number, clock.now())
    audit.record(db, person, "market.outage.cancel", f"market_outage/{number}", {}, clock.now())
    return Made(id=number)


@router.get("/proposals")
def list_proposals(
    _: Reader,
    db: Db,
    state: Filter = None,
    kind: Filter = None,
    subject: Filter = None,
    after: After = 0,
    limit: Limit = 100,
) -> list[Proposal]:
    """What received messages would change here."""
    rows = proposals.find_proposals(db, state=state, kind=kind, subject=subject, after=after, limit=limit)
    return [_proposal(row) for row in rows]


@router.post("/proposals/{number}/take")
def take_proposal(person: Actor, db: Db, clock: Now, number: Number, body: Decision) -> Proposal:
    """Do what a received message asks for."""
    return _decide(person, db, clock, number, body, takes=True)


@router.post("/proposals/{number}/refuse")
def refuse_proposal(person: Actor, db: Db, clock: Now, number: Number, body: Decision) -> Proposal:
    """Leave everything as it is; where the other side waits for a statement it is told."""
    return _decide(person, db, clock, number, body, takes=False)


@router.get("/messages/{number}/rejection")
def get_rejection(_: Reader, db: Db, number: Number) -> Rejection:
    """The reasons of a message's last answer with the offending elements, and the record that it was made from."""
    row = messages.require(db, number)
    xml = messages.require_xml(db, number)
    offences = []
    for reason in row["reasons"] or []:
        place = find_place(xml, reason["text"])
        offences.append(
            Offence(
                **reason,
                path=place.path if place else None,
                line=place.line if place else None,
                attribute=place.attribute if place else None,
                value=place.value if place else None,
                found_by=place.found_by if place else None,
            )
        )
    fields = ("id", "message_id", "state", "basis", "subject_kind", "subject", "duty", "process")
    return Rejection(**{name: row[name] for name in fields}, offences=offences)


class Repair(BaseModel):
    """Why a rejected message goes again; `xml` is the corrected message, without it the same content goes again."""

    why: Text
    xml: Annotated[str | None, Field(max_length=20_000_000)] = None


@router.post("/messages/{number}/repair")
def repair_message(person: Actor, db: Db, clock: Now, number: Number, body: Repair) -> Made:
    """Make the next version of a rejected message, which replaces it; valid by its schema and our rules, or refused."""
    content = None if body.xml is None else body.xml.encode("utf-8", "replace")
    made = repair.repair(db, number, content, clock.now(), person.name, body.why)
    audit.record(
        db, person, "market.repair", f"market_message/{number}", {"replaced_by": made}, clock.now(), why=body.why
    )
    return Made(id=made)


def _decide(person: Person, db: Db, clock: Now, number: int, body: Decision, *, takes: bool) -> Proposal:
    details = {"reason": body.reason, "text": body.text}
    deciding = proposals.Deciding(person, clock, body.why, body.confirmed, details)
    return _proposal(proposals.decide(db, number, takes=takes, deciding=deciding))


def _proposal(row: RowMapping) -> Proposal:
    return Proposal(**{name: row[name] for name in Proposal.model_fields})
