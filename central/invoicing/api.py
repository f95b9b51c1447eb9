"""Routes of the invoicing: issue, list, look, documents, and the trace of a line down to the meter."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from central.invoicing.advances.api import router as advances_router
from central.invoicing.delivery.api import router as delivery_router
from central.invoicing.invoices import find_invoices, get_lines, require_file, require_invoice
from central.invoicing.issue import issue_invoices
from central.invoicing.trace import trace_line
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now

invoices = APIRouter(prefix="/v1/invoices", tags=["invoicing"])

Reader = Annotated[Person, Depends(require("read"))]
Issuer = Annotated[Person, Depends(require("invoice"))]


class IssueOrder(BaseModel, extra="forbid"):
    """Issue the invoices of an approved settlement run, one a supply point or one a payer."""

    run: int
    grouping: Literal["supply_point", "payer"] = "supply_point"


class LeftOut(BaseModel):
    """A supply point that was not invoiced, the basis in error and the reason."""

    supply_point: int
    ean: str
    basis: int
    reason: str


class IssuedAnswer(BaseModel):
    """Numbers of the issued invoices, what was left out, and what the checks said."""

    invoices: list[str]
    left_out: list[LeftOut]
    checks: dict[str, int]


@invoices.post("", status_code=201, summary="Issue invoices of a run")
def issue(order: IssueOrder, connection: Db, clock: Now, person: Issuer) -> IssuedAnswer:
    """Run the checks, then issue: numbers without holes, PDF with QR payment, ISDOC; all or nothing."""
    issued = issue_invoices(connection, order.run, person, clock.now(), order.grouping)
    return IssuedAnswer(
        invoices=issued.numbers, left_out=[LeftOut(**entry) for entry in issued.left_out], checks=issued.checks
    )


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


@invoices.get("/{number}", summary="An invoice with its lines")
def get_invoice(number: str, connection: Db, person: Reader) -> dict[str, Any]:
    """Head, VAT recapitulation and lines; a line without a basis is information."""
    row = require_invoice(connection, number)
    lines = [{name: _text(value) for name, value in line._mapping.items()} for line in get_lines(connection, row.id)]
    return {**_head(row._mapping), "vat_rows": row.vat_rows, "lines": lines}


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


def _head(row: Any) -> dict[str, Any]:
    hidden = ("id", "vat_rows")
    return {name: _text(value) for name, value in row.items() if name not in hidden}


def _text(value: Any) -> Any:
    """Decimals as text: a JSON number would pass through a binary float at the other end."""
    return format(value, "f") if type(value).__name__ == "Decimal" else value


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise BadInput("month", f"The month {text} is not in the form YYYY-MM, such as 2026-03.") from error


def _file(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'inline; filename="{name}"'})


router = APIRouter()
router.include_router(invoices)
router.include_router(advances_router)
router.include_router(delivery_router)
