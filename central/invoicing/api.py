"""Routes of the invoicing: issue, list, look, documents, and the trace of a line down to the meter."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from central.invoicing.advances.api import router as advances_router
from central.invoicing.cancel import cancel_invoice
from central.invoicing.delivery.api import router as delivery_router
from central.invoicing.document import InvoiceDocument
from central.invoicing.invoices import (
    OVERVIEW,
    find_invoices,
    get_lines,
    require_file,
    require_invoice,
    set_language,
)
from central.invoicing.issue import issue_invoices, preview_invoices
from central.invoicing.payments.api import router as payments
from central.invoicing.payments.journal_api import router as journal
from central.invoicing.payments.settling_api import router as settling
from central.invoicing.selection import Grouping, Selection
from central.invoicing.trace import related_documents, trace_line
from central.invoicing.trace_back import lines_of_day, lines_of_state
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.overview import Asked
from central.platform.web import Db, Now
from central.readings.periods import check_period

invoices = APIRouter(prefix="/v1/invoices", tags=["invoicing"])

onwards = APIRouter(prefix="/v1", tags=["invoicing"])
"""From readings to what was billed by them."""

MAX_ID = 2**63 - 1

Reader = Annotated[Person, Depends(require("read"))]
Issuer = Annotated[Person, Depends(require("invoice"))]


class InvoicingOrder(BaseModel, extra="forbid"):
    """Which approved bases: of a settlement run, a payer, contracts, rows of the payment calendar; all that are named
    must hold, at least one must be. One document a contract, a supply point or a payer."""

    run: int | None = Field(default=None, ge=1, le=MAX_ID)
    payer: Annotated[str, Field(max_length=100)] | None = Field(default=None, description="code of the payer")
    contracts: list[Annotated[str, Field(max_length=100)]] | None = Field(default=None, max_length=10_000)
    calendar: list[Annotated[int, Field(ge=1, le=MAX_ID)]] | None = Field(default=None, max_length=10_000)
    grouping: Grouping = "contract"

    def selection(self) -> Selection:
        """What is selected; BadInput where nothing is named."""
        if self.run is None and self.payer is None and not self.contracts and not self.calendar:
            raise BadInput(
                "nothing_selected", "Nothing is selected: name a run, a payer, contracts or rows of the calendar."
            )
        return Selection(self.run, self.payer, self.contracts, self.calendar)


class IssueOrder(InvoicingOrder):
    """Issue the documents; with the `token` of a preview exactly those that it showed."""

    token: str | None = Field(default=None, max_length=100)


class LeftOut(BaseModel):
    """A supply point that was not invoiced, the basis in error (null: an error of the calendar row) and the reason."""

    supply_point: int
    ean: str
    basis: int | None
    reason: str


class IssuedAnswer(BaseModel):
    """Numbers of the issued invoices, what was left out, and what the checks said."""

    invoices: list[str]
    left_out: list[LeftOut]
    checks: dict[str, int]


class PreviewedDocument(BaseModel):
    """A document as it would be issued; amounts as decimal text."""

    kind: str
    document_type: int
    payer: str
    contracts: list[str]
    supply_points: list[str]
    lines: int
    tax_date: date | None
    due_date: date
    net: str
    vat: str
    gross: str
    deducted: str
    payable: str
    original: str | None
    reason: str | None


class PreviewAnswer(BaseModel):
    """What would be issued, and the token that stands for it."""

    documents: list[PreviewedDocument]
    token: str


class CancelOrder(BaseModel, extra="forbid"):
    """Why an invoice is cancelled."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class LanguageOrder(BaseModel, extra="forbid"):
    """The language of a payer's documents."""

    language: Literal["cs", "en"]


@invoices.post("", status_code=201, summary="Issue invoices")
def issue(order: IssueOrder, connection: Db, clock: Now, person: Issuer) -> IssuedAnswer:
    """Run the checks, then issue: numbers without holes, PDF/A with QR payment, ISDOC; all or nothing."""
    issued = issue_invoices(connection, order.selection(), person, clock.now(), order.grouping, order.token)
    return IssuedAnswer(
        invoices=issued.numbers, left_out=[LeftOut(**entry) for entry in issued.left_out], checks=issued.checks
    )


@invoices.post("/preview", summary="Invoices as they would be issued")
def preview(order: InvoicingOrder, connection: Db, clock: Now, person: Issuer) -> PreviewAnswer:
    """Nothing is numbered or stored; points that the checks would leave out are still in it."""
    made = preview_invoices(connection, order.selection(), clock.now(), order.grouping)
    return PreviewAnswer(documents=[_previewed(document) for document in made.documents], token=made.token)


@invoices.put("/languages/{payer}", status_code=204, summary="The language of a payer's documents")
def put_language(payer: str, order: LanguageOrder, connection: Db, clock: Now, person: Issuer) -> None:
    """Czech is what everybody has that nothing was said of; holds for documents issued from now on."""
    set_language(connection, payer, order.language, person, clock.now())


@invoices.get("", summary="Invoices")
def list_invoices(
    connection: Db,
    person: Reader,
    run: int | None = None,
    month: Annotated[str | None, Query(description="month of the tax point, such as 2026-03")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[dict[str, Any]]:
    """By number; amounts as decimal text."""
    return [_head(row._mapping) for row in find_invoices(connection, run, _month(month), limit)]


@invoices.get("/overview", summary="Invoices as an overview")
def overview(
    request: Request,
    response: Response,
    connection: Db,
    person: Reader,
    asked: Annotated[Asked, Depends(OVERVIEW.asked())],
) -> list[dict[str, Any]]:
    """Filter, sort and search as in every overview; amounts as decimal text."""
    page = OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [{name: _text(value) for name, value in row.items()} for row in page.rows]


@invoices.get("/{number}", summary="An invoice with its lines")
def get_invoice(number: str, connection: Db, person: Reader) -> dict[str, Any]:
    """Head, VAT recapitulation, lines, the original and what followed it, advances deducted with their payments.

    A line without a basis is information.
    """
    row = require_invoice(connection, number)
    lines = [{name: _text(value) for name, value in line._mapping.items()} for line in get_lines(connection, row.id)]
    related = _plain(related_documents(connection, row.id))
    return {**_head(row._mapping), "vat_rows": row.vat_rows, "lines": lines, **related}


@invoices.post("/{number}/cancel", status_code=201, summary="Cancel an invoice")
def cancel(number: str, order: CancelOrder, connection: Db, clock: Now, person: Issuer) -> IssuedAnswer:
    """Take back all lines that stand of it and of its corrections by cancelling bases, and issue what says so, one
    document for each; what it billed is not settled anew by itself."""
    issued = cancel_invoice(connection, number, order.reason, person, clock.now())
    return IssuedAnswer(invoices=issued.numbers, left_out=[], checks=issued.checks)


@invoices.get("/{number}/pdf", summary="The invoice as PDF", response_class=Response)
def get_pdf(number: str, connection: Db, person: Reader) -> Response:
    """The issued document itself."""
    return _file(require_file(connection, number, "pdf"), "application/pdf", f"{number}.pdf")


@invoices.get("/{number}/isdoc", summary="The invoice as ISDOC", response_class=Response)
def get_isdoc(number: str, connection: Db, person: Reader) -> Response:
    """The issued document itself, ISDOC 6.0.2."""
    return _file(require_file(connection, number, "isdoc"), "application/xml", f"{number}.isdoc")


@invoices.get("/{number}/lines/{line}/trace", summary="Where a line came from")
def get_trace(
    number: str,
    line: int,
    connection: Db,
    person: Reader,
    day: Annotated[date | None, Query(description="only this metering day of the profiles")] = None,
) -> dict[str, Any]:
    """Line, basis, run and its pinned inputs, price decision, profiles or states, blocks, batches, meter."""
    return trace_line(connection, number, line, day)


def _previewed(document: InvoiceDocument) -> PreviewedDocument:
    return PreviewedDocument(
        kind=document.kind,
        document_type=document.document_type,
        payer=document.customer.name,
        contracts=sorted({point.contract for point in document.points}),
        supply_points=sorted({point.code for point in document.points}),
        lines=len(document.lines),
        tax_date=document.tax_date,
        due_date=document.due_date,
        net=str(document.net),
        vat=str(document.vat),
        gross=str(document.gross),
        deducted=str(document.deducted),
        payable=str(document.payable),
        original=None if document.original is None else document.original.number,
        reason=document.reason,
    )


def _head(row: Any) -> dict[str, Any]:
    hidden = ("id", "vat_rows")
    return {name: _text(value) for name, value in row.items() if name not in hidden}


def _text(value: Any) -> Any:
    """Decimals as text: a JSON number would pass through a binary float at the other end."""
    return format(value, "f") if type(value).__name__ == "Decimal" else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return _text(value)


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise BadInput("month", f"The month {text} is not in the form YYYY-MM, such as 2026-03.") from error


def _file(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'inline; filename="{name}"'})


@onwards.get("/channels/{identifier}/days/{day}/invoices", summary="What a day's values were billed by")
def get_lines_of_day(
    identifier: Annotated[int, Path(ge=1, le=MAX_ID)], day: date, connection: Db, person: Reader
) -> list[dict[str, Any]]:
    """Invoice lines that stand on the day, with the version that each was billed in; newer ones are not billed yet."""
    check_period(day, day + timedelta(days=1) if day < date.max else day)
    return [_plain(each) for each in lines_of_day(connection, identifier, day)]


@onwards.get("/readings/states/invoices", summary="What a register state was billed by")
def get_lines_of_state(
    evidence_channel: Annotated[int, Query(ge=1, le=MAX_ID)], at: AwareDatetime, connection: Db, person: Reader
) -> list[dict[str, Any]]:
    """Invoice lines whose consumption begins or ends with the state."""
    check_period(at.date(), at.date() + timedelta(days=1) if at.date() < date.max else at.date())
    return [_plain(each) for each in lines_of_state(connection, evidence_channel, at)]


router = APIRouter()
for each in (invoices, onwards, advances_router, delivery_router, payments, settling, journal):
    router.include_router(each)
