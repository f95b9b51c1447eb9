"""Routes of received invoices: overview, one with its items, entry by hand, import of an ISDOC, removal."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field, field_validator
from sqlalchemy import Connection, func, select

from central.market.received_tables import COMMODITIES, SOURCES, received_invoice, received_invoice_item
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person, require
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry.tables import supply_point
from central.registry.web import Body, Day, Why
from central.workflow.received import entry
from central.workflow.received.invoice import CROWNS, ReceivedInvoice, ReceivedItem, arithmetic
from central.workflow.received.isdoc_invoice import LIMITS, Given

router = APIRouter(prefix="/received-invoices", tags=["market"])
"""To be included by the router of `central.workflow.api`, which begins with /v1."""

Reader = Annotated[Person, Depends(require("read"))]
Settler = Annotated[Person, Depends(require("settle"))]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Short = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Words = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
Party = Annotated[str, Field(pattern=r"^[0-9]{6,13}$", description="EAN, or company number (IČO) without one")]
Code = Annotated[str, Field(pattern=r"^[0-9A-Z-]{16,18}$", description="EAN or EIC of a supply point")]
Money = Annotated[Decimal, Field(gt=-(10**12), lt=10**12, decimal_places=2)]
Figure = Annotated[Decimal, Field(gt=-(10**15), lt=10**15, max_digits=30, decimal_places=12)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
Rate = Annotated[int, Field(ge=1, le=9999, description="number of the service (sazba)")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
KINDS = ("regular", "correction", "extraordinary", "cancel", "end_of_contract", "historic", "advance")

_invoice, _item = received_invoice.c, received_invoice_item.c
OVERVIEW = Overview(
    name="received invoices",
    source=received_invoice,
    key=_invoice.id,
    joined=received_invoice.outerjoin(supply_point, supply_point.c.id == _invoice.supply_point),
    columns=(
        Column("id", _invoice.id, Kind.INTEGER),
        Column("source", _invoice.source, Kind.CHOICE, SOURCES),
        Column("inbox", _invoice.inbox, Kind.INTEGER),
        Column("commodity", _invoice.commodity, Kind.CHOICE, COMMODITIES),
        Column("issuer", _invoice.issuer),
        Column("recipient", _invoice.recipient),
        Column("number", _invoice.number),
        Column("kind", _invoice.kind, Kind.CHOICE, KINDS),
        Column("corrects", _invoice.corrects),
        Column("point_code", _invoice.point_code),
        Column("supply_point", _invoice.supply_point, Kind.INTEGER),
        Column("point_name", supply_point.c.name),
        Column("first_day", func.lower(_invoice.period), Kind.DATE),
        Column("end_day", func.upper(_invoice.period), Kind.DATE),
        Column("issued", _invoice.issued, Kind.DATE),
        Column("tax_point", _invoice.tax_point, Kind.DATE),
        Column("due", _invoice.due, Kind.DATE),
        Column("variable_symbol", _invoice.variable_symbol),
        Column("currency", _invoice.currency),
        Column("net", _invoice.net, Kind.DECIMAL),
        Column("vat", _invoice.vat, Kind.DECIMAL),
        Column("gross", _invoice.gross, Kind.DECIMAL),
        Column("to_pay", _invoice.to_pay, Kind.DECIMAL),
        Column("problem_count", func.cardinality(_invoice.problems), Kind.INTEGER),
        Column("received_at", _invoice.received_at, Kind.INSTANT),
        Column("person", _invoice.person),
    ),
    default_sort=(("issued", True), ("id", True)),
)
ITEMS = Overview(
    name="items of received invoices",
    source=received_invoice_item.join(received_invoice, _invoice.id == _item.invoice),
    key=_item.invoice * 10_000_000 + _item.place,
    columns=(
        Column("invoice", _item.invoice, Kind.INTEGER),
        Column("place", _item.place, Kind.INTEGER),
        Column("issuer", _invoice.issuer),
        Column("number", _invoice.number),
        Column("kind", _invoice.kind, Kind.CHOICE, KINDS),
        Column("commodity", _invoice.commodity, Kind.CHOICE, COMMODITIES),
        Column("point_code", _item.point_code),
        Column("supply_point", _item.supply_point, Kind.INTEGER),
        Column("code", _item.code),
        Column("rate", _item.rate, Kind.INTEGER),
        Column("description", _item.description),
        Column("first_day", func.lower(_item.period), Kind.DATE),
        Column("end_day", func.upper(_item.period), Kind.DATE),
        Column("quantity", _item.quantity, Kind.DECIMAL),
        Column("unit", _item.unit),
        Column("unit_price", _item.unit_price, Kind.DECIMAL),
        Column("effect", _item.effect, Kind.DECIMAL),
        Column("net", _item.net, Kind.DECIMAL),
        Column("vat_rate", _item.vat_rate, Kind.DECIMAL),
    ),
    default_sort=(("invoice", True), ("place", False)),
)


class ItemIn(Body):
    """A line; without days, point it has the invoice's. `end_day` is exclusive."""

    description: Words
    net: Money
    code: Short | None = None
    rate: Rate | None = None
    first_day: Day | None = None
    end_day: Day | None = None
    quantity: Figure | None = None
    unit: Short | None = None
    unit_price: Figure | None = None
    effect: Figure | None = None
    vat_rate: Percent | None = None
    point: Code | None = None


class InvoiceIn(Body):
    """An invoice entered by hand; `end_day` is exclusive, amounts in `currency`. `net` must be the sum of the items."""

    issuer: Party
    number: Short
    kind: Literal["regular", "correction", "extraordinary", "cancel", "end_of_contract", "historic", "advance"]
    commodity: Literal["electricity", "gas"]
    first_day: Day
    end_day: Day
    issued: Day
    net: Money
    items: Annotated[list[ItemIn], Field(min_length=1, max_length=10_000)]
    recipient: Party | None = None
    corrects: Short | None = None
    point: Code | None = None
    tax_point: Day | None = None
    due: Day | None = None
    variable_symbol: Annotated[str, Field(pattern=r"^[0-9]{1,10}$")] | None = None
    vat: Money | None = None
    gross: Money | None = None
    to_pay: Money | None = None
    currency: Currency = CROWNS

    @field_validator("number")
    @classmethod
    def _no_blanks(cls, number: str) -> str:
        if number != number.strip():
            raise ValueError("the number begins or ends with a blank")
        return number


class Removal(Body):
    """Why what was entered by mistake is taken away."""

    why: Why


@router.get("", summary="Received invoices: filter, sort, page")
def find_received_invoices(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(OVERVIEW.asked())]
) -> list[dict[str, Any]]:
    """From messages 127 and GP6, from ISDOC, by hand. `end_day` is exclusive."""
    page = OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [plain(row) for row in page.rows]


@router.get("/items", summary="Items of received invoices: filter, sort, page")
def find_received_items(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(ITEMS.asked())]
) -> list[dict[str, Any]]:
    """Of all received invoices; amount = quantity x unit price x effect."""
    page = ITEMS.find(connection, asked)
    page.tell(request, response)
    return [plain(row) for row in page.rows]


@router.get("/{number}", summary="A received invoice with its items")
def get_received_invoice(connection: Db, _: Reader, number: Number) -> dict[str, Any]:
    """With what is not right in it, a sentence each (`problems`)."""
    return _shown(connection, number)


@router.get(
    "/{number}/original",
    summary="The ISDOC of a received invoice as it came",
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
    response_class=Response,
)
def get_original(connection: Db, _: Reader, number: Number) -> Response:
    """404 for what came as a message (see its message in the inbox) or was entered by hand."""
    content = connection.execute(select(_invoice.original).where(_invoice.id == number)).scalar()
    if content is None:
        raise NotFound("original_not_found", f"There is no ISDOC of a received invoice {number}.")
    return Response(bytes(content), media_type="application/octet-stream")


@router.post("", status_code=201, summary="Enter a received invoice by hand")
def enter_invoice(connection: Db, person: Settler, clock: Now, body: InvoiceIn) -> dict[str, Any]:
    """Refused (409) when one of that issuer and number is there. What is odd in its lines is told, not refused."""
    invoice = _invoice_of(body)
    return _shown(connection, entry.enter(connection, invoice, person, clock.now()))


async def isdoc_body(request: Request) -> bytes:
    """The document, refused as soon as it is too long."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > LIMITS.size_bytes:
            raise BadInput("too_large", f"An ISDOC of more than {LIMITS.size_bytes} bytes is not taken.", 413)
    return bytes(content)


@router.post(
    "/isdoc",
    status_code=201,
    summary="Import the ISDOC of a received invoice",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/xml": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def import_isdoc(
    connection: Db,
    person: Settler,
    clock: Now,
    content: Annotated[bytes, Depends(isdoc_body)],
    commodity: Literal["electricity", "gas"] = "electricity",
    first: Annotated[date | None, Query(ge=date(1990, 1, 1), lt=date(2200, 1, 1))] = None,
    stop: Annotated[date | None, Query(ge=date(1990, 1, 1), lt=date(2200, 1, 1), description="exclusive")] = None,
    point: Annotated[str | None, Query(pattern=r"^[0-9A-Z-]{16,18}$", description="EAN or EIC")] = None,
) -> dict[str, Any]:
    """`first`, `stop`, `point`: what it is for; an ISDOC says it only where this system made it.

    No entities, no network, bounded size and depth.
    """
    given = Given(commodity, first, stop, point)
    return _shown(connection, entry.import_isdoc(connection, content, given, person, clock.now()))


@router.post("/{number}/remove", status_code=204, summary="Take away a received invoice that was entered by mistake")
def remove_invoice(connection: Db, person: Settler, clock: Now, number: Number, body: Removal) -> None:
    """Refused (409) for what came as a message: that one is evidence."""
    entry.remove(connection, number, person, clock.now(), body.why)


def _invoice_of(body: InvoiceIn) -> ReceivedInvoice:
    if not body.first_day < body.end_day:
        raise BadInput("period", f"The invoice is for {body.first_day} to before {body.end_day}: that is no day.")
    items = []
    for place, each in enumerate(body.items, 1):
        first, stop = each.first_day or body.first_day, each.end_day or body.end_day
        if not first < stop:
            raise BadInput("period", f"The item {place} is for {first} to before {stop}: that is no day.")
        told = each.model_dump(exclude={"first_day", "end_day"})
        items.append(ReceivedItem(**told, first=first, stop=stop))
    told = body.model_dump(exclude={"items", "first_day", "end_day"})
    invoice = ReceivedInvoice(**told, items=items, first=body.first_day, stop=body.end_day)
    total = sum((item.net for item in items), Decimal(0))
    if total != body.net:
        raise BadInput("total", f"The items of the invoice {body.number} sum to {total}, its `net` says {body.net}.")
    if body.vat is not None and body.gross is not None and body.net + body.vat != body.gross:
        raise BadInput("total", f"{body.net} with {body.vat} of VAT is {body.net + body.vat}, not {body.gross}.")
    return entry.with_problems(invoice, arithmetic(invoice))


def _shown(connection: Connection, number: int) -> dict[str, Any]:
    page = OVERVIEW.find(connection, Asked(sort=OVERVIEW.default_sort, limit=1), _invoice.id == number)
    if not page.rows:
        raise NotFound("received_invoice_not_found", f"There is no received invoice {number}.")
    problems = connection.execute(select(_invoice.problems).where(_invoice.id == number)).scalar_one()
    items = connection.execute(
        select(*(column.sql.label(column.name) for column in ITEMS.columns if column.name not in _HEAD))
        .where(_item.invoice == number)
        .order_by(_item.place)
    ).mappings()
    return {**plain(page.rows[0]), "problems": problems, "items": [plain(row) for row in items]}


_HEAD = {"invoice", "issuer", "number", "kind", "commodity"}
