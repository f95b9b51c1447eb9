"""Routes of the delivery: order, look, take back; batches for print."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from central.invoicing.delivery.orders import change_state, order_deliveries
from central.invoicing.delivery.printing import batch_pdf, make_batch
from central.invoicing.delivery.states import STATES
from central.invoicing.delivery.tables import delivery, print_batch
from central.platform.identity import Person, require
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1", tags=["invoicing"])

Reader = Annotated[Person, Depends(require("read"))]
Issuer = Annotated[Person, Depends(require("invoice"))]
Number = Annotated[int, Path(ge=1, lt=2**63)]
Code = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[0-9A-Za-z/-]+$")]


class Order(BaseModel, extra="forbid"):
    """Send documents: these numbers (of any sort), or (null) all of a sort that have not left; `to` for the mail of
    one."""

    kind: Literal["mail", "print"]
    sort: Literal["invoices", "advances", "advance_documents"] = "invoices"
    numbers: Annotated[list[Code], Field(min_length=1, max_length=10_000)] | None = None
    to: Annotated[str, Field(min_length=3, max_length=254)] | None = None


class OrderAnswer(BaseModel):
    """How many wait now, and documents left out with the reason."""

    queued: int
    left_out: list[dict[str, str]]


class Reason(BaseModel, extra="forbid"):
    """Why, kept in the record of acts."""

    why: Annotated[str, Field(min_length=3, max_length=1_000, pattern=r"^[^\x00]+$")]


DELIVERIES = Overview(
    name="deliveries",
    source=delivery,
    key=delivery.c.id,
    columns=(
        Column("id", delivery.c.id, Kind.INTEGER),
        Column("number", delivery.c.number),
        Column("kind", delivery.c.kind, Kind.CHOICE, ("mail", "print")),
        Column("state", delivery.c.state, Kind.CHOICE, STATES),
        Column("address", delivery.c.address),
        Column("attempts", delivery.c.attempts, Kind.INTEGER),
        Column("due_at", delivery.c.due_at, Kind.INSTANT),
        Column("answer", delivery.c.answer),
        Column("queued_at", delivery.c.queued_at, Kind.INSTANT),
        Column("queued_by", delivery.c.queued_by),
        Column("sent_at", delivery.c.sent_at, Kind.INSTANT),
        Column("batch", delivery.c.batch, Kind.INTEGER),
    ),
    default_sort=(("id", True),),
)
Deliveries = Annotated[Asked, Depends(DELIVERIES.asked())]


@router.post("/deliveries", status_code=201, summary="Send documents by mail or in print")
def order(body: Order, connection: Db, clock: Now, person: Issuer) -> OrderAnswer:
    """Queue them; mail leaves by the post (`central post`), print by a batch. Cancelled ones and those that left are
    left out with the reason."""
    made = order_deliveries(connection, body.kind, body.numbers, body.to, person, clock.now(), body.sort)
    return OrderAnswer(queued=made.queued, left_out=made.left_out)


@router.get("/deliveries", summary="Deliveries")
def find_deliveries(
    connection: Db, person: Reader, request: Request, response: Response, asked: Deliveries
) -> list[dict[str, Any]]:
    """What is on its way, left, was refused or came back, with the mail server's last words."""
    page = DELIVERIES.find(connection, asked)
    page.tell(request, response)
    return [dict(row) for row in page.rows]


@router.post("/deliveries/{number}/withdraw", summary="Take back a delivery that has not left")
def withdraw(number: Number, body: Reason, connection: Db, clock: Now, person: Issuer) -> dict[str, Any]:
    """Refused once it left."""
    return change_state(connection, number, "withdraw", body.why, person, clock.now())


@router.post("/deliveries/{number}/bounce", summary="Say that a mail came back")
def bounce(number: Number, body: Reason, connection: Db, clock: Now, person: Issuer) -> dict[str, Any]:
    """The document may then be ordered again, to another address or in print."""
    return change_state(connection, number, "bounce", body.why, person, clock.now())


@router.post("/print-batches", status_code=201, summary="Put what waits for print into a batch")
def print_waiting(connection: Db, clock: Now, person: Issuer) -> dict[str, int]:
    """At most 500 documents, in the order of their numbers; call again for the rest."""
    return make_batch(connection, person, clock.now())


@router.get("/print-batches", summary="Batches for print")
def find_batches(connection: Db, person: Reader) -> list[dict[str, Any]]:
    """The last hundred, newest first."""
    rows = connection.execute(select(print_batch).order_by(print_batch.c.id.desc()).limit(100))
    return [dict(row._mapping) for row in rows]


@router.get("/print-batches/{number}/pdf", summary="The PDF of a batch", response_class=Response)
def get_batch(number: Number, connection: Db, person: Reader) -> Response:
    """All its documents in one file, each beginning on a sheet of its own."""
    name = f'attachment; filename="batch-{number}.pdf"'
    content = batch_pdf(connection, number)
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": name})
