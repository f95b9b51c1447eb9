"""Routes of the market room: what was sent and received, sending, and the call-back that brings answers."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import Engine, RowMapping

from central.market import messages
from central.market.answers import ANSWER_LIMITS, Brought, Taken, keep_too_large
from central.market.channels import archive_api, certificates_api
from central.market.channels.allowed import Environment
from central.market.channels.open_channels import channel_settings, open_channels
from central.market.conversation import api as conversation_api
from central.market.gas import api as gas_api
from central.market.incoming import take_message
from central.market.interval_import import install_reader
from central.market.months import month_of
from central.market.resume import router as resume_router
from central.market.send import SendReport, send_due
from central.market.states import State
from central.platform import audit
from central.platform.database import transaction
from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1/market", tags=["market"])
router.include_router(archive_api.router)
router.include_router(certificates_api.router)
router.include_router(gas_api.router)
router.include_router(resume_router)
router.include_router(conversation_api.router)
install_reader()

CALLBACK_RIGHT = "market-callback"
LARGEST_PAGE = 1000

Reader = Annotated[Person, Depends(require("read"))]
Actor = Annotated[Person, Depends(require("market"))]
Operator = Annotated[Person, Depends(require(CALLBACK_RIGHT))]


class Reason(BaseModel):
    """A reason of an answer."""

    type: str
    code: str
    text: str


class Message(BaseModel):
    """A message of ours without its bytes; `first_day` to `end_day` half-open, null: open."""

    id: int
    message_id: str
    message_code: str
    direction: str
    format_package: str
    sender: str
    receiver: str
    subject_kind: str
    subject: str
    ean: str | None
    first_day: date
    end_day: date | None
    version: int
    state: State
    size: int
    made_at: datetime
    made_by: str
    sent_at: datetime | None
    answered_at: datetime | None
    receipt: str | None
    reasons: list[Reason] | None
    attempts: int
    deadline: datetime | None
    duty: int | None
    process: int | None


class MessageDetail(Message):
    """A message with what it was made from: [channel, day, version] of every profile."""

    basis: dict[str, Any]


class MessagePage(BaseModel):
    """Messages by id upwards; `states` counts all messages there are, whatever the filter."""

    messages: list[Message]
    states: dict[str, int]


class Event(BaseModel):
    """A change of a message's state."""

    at: datetime
    person: str
    act: str
    from_state: str
    to_state: str
    why: str


class Received(BaseModel):
    """Something that came in, and what became of it."""

    id: int
    received_at: datetime
    person: str
    sender: str | None
    message_id: str | None
    message_code: str | None
    outcome: str
    why: str
    messages: list[int]
    size: int


class SendResult(BaseModel):
    """Ids of the messages that a round sent, could not deliver, ...; see `send.SendReport`."""

    sent: list[int]
    undelivered: list[int]
    refused: list[int]
    held_back: list[int]
    timed_out: list[int]


class TakenResult(BaseModel):
    """What became of an answer that was brought."""

    number: int
    outcome: str
    code: str
    message: str


@router.post("/send")
def send(request: Request, person: Actor, clock: Now) -> SendResult:
    """Send what is due, each message by the channel of its code; repeat what got no receipt or no answer in time."""
    engine: Engine = request.app.state.engine
    total = SendReport()
    with open_channels(engine, request.app.state.settings, clock.now) as channels:
        for channel, carried in channels:
            report = send_due(engine, channel, clock, person.name, carried=carried)
            total.add(report)
            with transaction(engine) as connection:
                counts = {key: len(numbers) for key, numbers in asdict(report).items()}
                audit.record(connection, person, "market.send", channel.destination.address, counts, clock.now())
    return SendResult(**asdict(total))


@router.get("/messages")
def list_messages(
    _: Reader,
    db: Db,
    state: State | None = None,
    ean: str | None = None,
    month: str | None = None,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
) -> MessagePage:
    """Messages of ours, filtered by state, supply point and month."""
    first_day = None if month is None else month_of(month)
    rows = messages.find(db, state=state, ean=ean, month=first_day, after=after, limit=limit)
    return MessagePage(messages=[Message(**_shown(row)) for row in rows], states=messages.count_by_state(db))


@router.get("/messages/{number}")
def get_message(_: Reader, db: Db, number: int) -> MessageDetail:
    """One message."""
    return MessageDetail(**_shown(messages.require(db, number)))


@router.get("/messages/{number}/xml")
def get_message_xml(_: Reader, db: Db, number: int) -> Response:
    """A message's bytes, exactly as sent."""
    return Response(messages.require_xml(db, number), media_type="application/xml")


@router.get("/messages/{number}/events")
def get_message_events(_: Reader, db: Db, number: int) -> list[Event]:
    """What happened to a message, oldest first."""
    messages.require(db, number)
    return [Event(**{key: row[key] for key in Event.model_fields}) for row in messages.events(db, number)]


@router.get("/received")
def list_received(
    _: Reader,
    db: Db,
    outcome: str | None = None,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
) -> list[Received]:
    """All that came in, applied or not."""
    return [Received(**row) for row in messages.find_received(db, outcome=outcome, after=after, limit=limit)]


@router.get("/received/{number}/xml")
def get_received_xml(_: Reader, db: Db, number: int) -> Response:
    """The bytes of what came in. Of a refused one they may be anything: they are not shown as XML."""
    return Response(messages.require_received_xml(db, number), media_type="application/octet-stream")


async def limited_body(request: Request) -> tuple[bytes, bool]:
    """The request's body up to the largest answer taken, and whether that is all of it."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > ANSWER_LIMITS.size_bytes:
            return bytes(content), False
    return bytes(content), True


@router.post("/callback", responses={422: {"model": TakenResult}})
def take_callback(
    request: Request,
    person: Operator,
    db: Db,
    clock: Now,
    body: Annotated[tuple[bytes, bool], Depends(limited_body)],
) -> JSONResponse:
    """A sandbox brings an answer (RESPONSE) or another message. What is refused is recorded as well, and says why.

    A token proves no signature: with a production channel only signed mail and the call-back service bring messages.
    """
    if _has_production(request):
        raise Refused(
            "callback_by_token",
            "There is a channel to production: messages come signed, by mail or the call-back service, not by a token.",
        )
    content, is_whole = body
    at = clock.now()
    if is_whole:
        taken = take_message(db, Brought(content, environment=Environment.SANDBOX), at, person.name)
    else:
        taken = keep_too_large(db, content, at, person.name)
    audit.record(db, person, "market.receive", f"market_inbox/{taken.number}", {"outcome": taken.outcome}, at)
    return JSONResponse(_result(taken).model_dump(), status_code=_status(taken))


def _has_production(request: Request) -> bool:
    found = channel_settings(request.app.state.settings)
    return found is not None and any(
        getattr(each, "environment", None) is Environment.PRODUCTION for each in found.source.channels
    )


def _status(taken: Taken) -> int:
    # A refusal is an answer and not an exception: the transaction that records it must be committed.
    return {"refused": 413 if taken.code == "xml_too_large" else 422, "conflict": 409}.get(taken.outcome, 200)


def _result(taken: Taken) -> TakenResult:
    return TakenResult(number=taken.number, outcome=taken.outcome, code=taken.code, message=taken.why)


def _shown(row: RowMapping) -> dict[str, Any]:
    period = row["period"]
    return {
        **{key: value for key, value in row.items() if key != "period"},
        "first_day": period.lower,
        "end_day": period.upper,
    }
