"""Routes of advances: prescribe, send, withdraw; what came for them, and their tax documents."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection, select

from central.invoicing.advances import overviews
from central.invoicing.advances.degree_days import DegreeDays, find_degree_days, put_degree_days
from central.invoicing.advances.papers import paper_of_advance, paper_of_document
from central.invoicing.advances.prescriptions import cancel_advance, prescribe, require_advance, send_advances
from central.invoicing.advances.tables import advance_part
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.overview import Asked
from central.platform.plain import plain
from central.platform.reconcile import ids_of
from central.platform.web import Db, Now
from central.registry.tables import contract, supply_point
from central.registry.web import Body, Day, Why

router = APIRouter(prefix="/v1/advances", tags=["invoicing"])

Reader = Annotated[Person, Depends(require("read"))]
Issuer = Annotated[Person, Depends(require("invoice"))]
Numbers = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=10_000)]


FileKind = Literal["pdf", "isdoc"]
_MEDIA = {"pdf": "application/pdf", "isdoc": "application/xml"}


class PrescribeOrder(Body):
    """Prescribe the advances that calendars ask for from `since` to `until` (exclusive), of all contracts or some."""

    since: Day
    until: Day
    contracts: Numbers | None = None


class SendOrder(Body):
    """Send what is prescribed and due before `until` (exclusive), of all contracts or some."""

    until: Day
    contracts: Numbers | None = None


class Withdrawal(Body):
    """Why an advance is no longer asked for."""

    why: Why


class DegreeDaysIn(Body):
    """Degree days of a month (its first day) in a temperature zone (empty: points without one)."""

    zone: Annotated[str, Field(max_length=50, pattern="^[^\x00]*$")] = ""
    month: Day
    normal: Annotated[Decimal, Field(ge=0, le=2_000, decimal_places=1)]
    actual: Annotated[Decimal, Field(ge=0, le=2_000, decimal_places=1)]
    source: Annotated[str, Field(min_length=1, max_length=200, pattern="^[^\x00]*$")]


class Prescribed(BaseModel):
    """How many advances were made or made anew, were right already, went away, or are left alone as sent."""

    made: int
    kept: int
    removed: int
    left_alone: int


class Sent(BaseModel):
    """The numbers of the sent advances; each is its variable symbol."""

    advances: list[str]


@router.post("/prescribe", summary="Prescribe advances from payment calendars")
def prescribe_advances(order: PrescribeOrder, connection: Db, clock: Now, person: Issuer) -> Prescribed:
    """As often as needed: what is not sent is made as the calendar has it now, what was sent stays."""
    if not order.since < order.until:
        raise BadInput("period", f"The period {order.since} to {order.until} is empty; its end is exclusive.")
    chosen = _contracts(connection, order.contracts)
    return Prescribed(**prescribe(connection, order.since, order.until, person, clock.now(), chosen))


@router.post("/send", status_code=201, summary="Send prescribed advances")
def send(order: SendOrder, connection: Db, clock: Now, person: Issuer) -> Sent:
    """Numbers without holes, an open item each; all or nothing."""
    chosen = _contracts(connection, order.contracts)
    return Sent(advances=send_advances(connection, order.until, person, clock.now(), chosen))


@router.get("", summary="Advances: filter, sort, page")
def find_advances(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(overviews.ADVANCES.asked())],
) -> list[dict[str, Any]]:
    """By the day when they are due; `received` is what came so far."""
    page = overviews.ADVANCES.find(connection, asked)
    page.tell(request, response)
    return [_plain(row) for row in page.rows]


@router.put("/degree-days", status_code=204, summary="Enter degree days")
def put_days(
    days: Annotated[list[DegreeDaysIn], Field(min_length=1, max_length=10_000)],
    connection: Db,
    clock: Now,
    person: Issuer,
) -> None:
    """For predictions in normal weather; a month that is there takes the new values."""
    put_degree_days(connection, [DegreeDays(**each.model_dump()) for each in days], person, clock.now())


@router.get("/degree-days", summary="Degree days of a temperature zone")
def get_days(
    connection: Db, _: Reader, zone: Annotated[str, Query(max_length=50, pattern="^[^\x00]*$")] = ""
) -> list[dict[str, Any]]:
    """The newest month first."""
    return [_plain(row) for row in find_degree_days(connection, zone)]


@router.get("/deposits", summary="Received advances: filter, sort, page")
def find_deposits(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(overviews.DEPOSITS.asked())],
) -> list[dict[str, Any]]:
    """What came for which advance, its tax document, and how much of it is deducted."""
    page = overviews.DEPOSITS.find(connection, asked)
    page.tell(request, response)
    return [_plain(row) for row in page.rows]


@router.get("/documents", summary="Tax documents of advances: filter, sort, page")
def find_documents(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(overviews.DOCUMENTS.asked())],
) -> list[dict[str, Any]]:
    """Tax documents (type 5) and credit notes (type 6), by number."""
    page = overviews.DOCUMENTS.find(connection, asked)
    page.tell(request, response)
    return [_plain(row) for row in page.rows]


@router.get(
    "/documents/{number}/{kind}", summary="A tax document of an advance as PDF or ISDOC", response_class=Response
)
def get_document_paper(
    number: Annotated[str, Field(pattern="^[0-9]{1,20}$")], kind: FileKind, connection: Db, _: Reader
) -> Response:
    """Made when it is first asked for, and never again."""
    return _paper(paper_of_document(connection, number, kind), number, kind)


@router.get("/{identifier}/{kind}", summary="An advance request as PDF or ISDOC", response_class=Response)
def get_paper(identifier: Annotated[int, Field(ge=1, lt=2**63)], kind: FileKind, connection: Db, _: Reader) -> Response:
    """Made when it is first asked for, and never again; there is none before the advance is sent."""
    return _paper(paper_of_advance(connection, identifier, kind), str(identifier), kind)


@router.get("/{identifier}", summary="An advance with its parts")
def get_advance(identifier: Annotated[int, Field(ge=1, lt=2**63)], connection: Db, _: Reader) -> dict[str, Any]:
    """The advance and its part for each supply point."""
    row = require_advance(connection, identifier)
    parts = (
        select(supply_point.c.ean, advance_part.c.amount)
        .join(supply_point, supply_point.c.id == advance_part.c.supply_point)
        .where(advance_part.c.advance == identifier)
        .order_by(supply_point.c.ean)
    )
    period: Any = row.period
    head = {name: value for name, value in row._mapping.items() if name != "period"}
    return {
        **_plain({**head, "start": period.lower, "end": period.upper}),
        "parts": [_plain(part) for part in connection.execute(parts).mappings()],
    }


@router.post("/{identifier}/cancel", status_code=204, summary="Withdraw an advance")
def cancel(
    identifier: Annotated[int, Field(ge=1, lt=2**63)], body: Withdrawal, connection: Db, clock: Now, person: Issuer
) -> None:
    """Refused where something came for it: release the payment first."""
    cancel_advance(connection, identifier, body.why, person, clock.now())


def _contracts(connection: Connection, numbers: list[str] | None) -> list[int] | None:
    if numbers is None:
        return None
    return sorted(ids_of(connection, contract, "contract", "number", numbers).values())


def _plain(row: Any) -> dict[str, Any]:
    """Money as decimal text with its haléře, days in ISO form."""
    return {str(name): f"{value:f}" if isinstance(value, Decimal) else plain(value) for name, value in row.items()}


def _paper(content: bytes, name: str, kind: FileKind) -> Response:
    return Response(
        content, media_type=_MEDIA[kind], headers={"Content-Disposition": f'inline; filename="{name}.{kind}"'}
    )
