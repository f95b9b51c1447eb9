"""Issue invoices of an approved run: checks first, then numbers, documents and files, all in one transaction.

A crash leaves neither a hole in the numbers nor half an invoice: everything belongs to the caller's transaction.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, text, update

from central.checks.results import bases_in_error
from central.checks.run import INVOICING, Scope, run_checks
from central.checks.settings import PreventInvoicing, prevent_invoicing
from central.invoicing.compose import BasisRow, PointInput, Terms, compose
from central.invoicing.document import InvoiceDocument, PartyDetails
from central.invoicing.isdoc import require_valid, write_isdoc
from central.invoicing.numbering import NumberSeries
from central.invoicing.pdf import render_pdf
from central.invoicing.tables import invoice, invoice_file, invoice_line
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from central.registry.tables import party
from central.settlement.runs import require_run
from central.settlement.tables import billing_basis
from shared.metering_day import PRAGUE

Grouping = Literal["supply_point", "payer"]

DEFAULT_PAYMENT_DAYS = 14
"""Where a package says nothing (assumed; a package's own value goes first)."""

TO_INVOICE = text("""
    -- approved bases with the input their run pinned, which says who invoices whom (the registry may have moved on);
    -- locked, so that nobody issues them twice
    SELECT b.id, b.supply_point, b.rate, b.name, b.quantity, b.unit, b.unit_price, b.price_unit, b.amount,
           b.vat_percent, b.why, si.package, sp.ean,
           b.seller AS supplier, b.payer, b.contract
      FROM billing_basis b
      JOIN settlement_input si ON si.id = b.input
      JOIN supply_point sp ON sp.id = b.supply_point
     WHERE b.run = :run AND b.state = 'approved'
     ORDER BY sp.ean, b.id
       FOR UPDATE OF b
""")

INPUTS = text("""
    SELECT si.id, si.supply_point, si.facts, lower(si.valid) AS start, upper(si.valid) AS stop, si.quantities,
           si.readings, si.information, si.findings
      FROM settlement_input si
     WHERE si.run = :run
""")


@dataclass(frozen=True, slots=True)
class Issued:
    """What was issued: invoice numbers, and the supply points left out with the reason."""

    numbers: list[str]
    left_out: list[dict[str, Any]]
    checks: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Order:
    """The bases of one invoice-to-be."""

    supplier: int
    payer: int
    bases: Sequence[Row[Any]]

    @property
    def contract(self) -> int | None:
        """The contract that all its bases belong to; None for a collective one."""
        contracts = {basis.contract for basis in self.bases}
        return contracts.pop() if len(contracts) == 1 else None


def issue_invoices(
    connection: Connection, run: int, person: Person, now: datetime, grouping: Grouping = "supply_point"
) -> Issued:
    """Issue the invoices of an approved settlement run: one a supply point, or one a payer.

    Runs the active checks first. What a live error does is the global setting's: nothing, the supply point is left out,
    or the whole invoicing is refused with the bases named. Raises Refused where the run is not approved, or nothing is
    left to invoice.
    """
    row = require_run(connection, run, lock=True)
    if row.state != "approved":
        raise Refused("run_not_approved", f"Settlement run {row.number} is a {row.state}; approve it before invoicing.")
    checked = run_checks(connection, Scope(run=run), INVOICING, person, now)
    left_out = _left_out(connection, run, row.number)
    excluded = {entry["supply_point"] for entry in left_out}
    bases = [basis for basis in connection.execute(TO_INVOICE, {"run": run}) if basis.supply_point not in excluded]
    if not bases:
        raise Refused(
            "nothing_to_invoice",
            f"Settlement run {row.number} has no basis left to invoice: all are invoiced, "
            f"or left out for an error ({len(left_out)}).",
        )
    orders = _orders(bases, grouping)
    numbers = _write(connection, row, orders, person, now)
    connection.execute(
        update(billing_basis).where(billing_basis.c.id.in_([basis.id for basis in bases])).values(state="invoiced")
    )
    details = {
        "run": run,
        "invoices": len(numbers),
        "first": numbers[0],
        "last": numbers[-1],
        "left_out": len(left_out),
    }
    audit.record(connection, person, "invoice.issue", f"settlement_run/{run}", details, now)
    return Issued(numbers=numbers, left_out=left_out, checks=checked.results)


def _left_out(connection: Connection, run: int, number: str) -> list[dict[str, Any]]:
    prevent = prevent_invoicing(connection)
    errors = [] if prevent is PreventInvoicing.DO_NOT else bases_in_error(connection, run)
    if errors and prevent is PreventInvoicing.FORBID:
        named = "; ".join(
            f"basis {error.id} of {error.ean}, rate {error.rate}: {error.text_cs}" for error in errors[:10]
        )
        raise Refused(
            "checks_in_error",
            f"Invoicing of run {number} is refused: {len(errors)} bases are in error. {named} "
            "Mend them, or cancel their errors, and issue again.",
        )
    return [
        {
            "supply_point": error.supply_point,
            "ean": error.ean,
            "basis": error.id,
            "reason": f"sazba {error.rate} {error.name}: {error.text_cs}",
        }
        for error in errors
    ]


def _orders(bases: Sequence[Row[Any]], grouping: Grouping) -> list[_Order]:
    if grouping == "supply_point":
        groups = [list(group) for _, group in groupby(bases, key=lambda basis: basis.supply_point)]
    else:
        ordered = sorted(bases, key=lambda basis: (basis.supplier, basis.payer, basis.ean, basis.id))
        groups = [list(group) for _, group in groupby(ordered, key=lambda basis: (basis.supplier, basis.payer))]
    return [_Order(supplier=group[0].supplier, payer=group[0].payer, bases=group) for group in groups]


def _write(connection: Connection, run: Row[Any], orders: Sequence[_Order], person: Person, now: datetime) -> list[str]:
    issue_date = now.astimezone(PRAGUE).date()
    inputs = {row.supply_point: _input(row) for row in connection.execute(INPUTS, {"run": run.id})}
    parties = _parties(connection, {side for order in orders for side in (order.supplier, order.payer)})
    numbers = NumberSeries(connection, "regular", issue_date).take(len(orders))
    heads: list[dict[str, Any]] = []
    documents: list[InvoiceDocument] = []
    for number, order in zip(numbers, orders, strict=True):
        document = _document(number, order, inputs, parties, run.packages, issue_date)
        documents.append(document)
        heads.append(_head(document, order, person, now))
    given = connection.execute(insert(invoice).returning(invoice.c.number, invoice.c.id), heads)
    ids: dict[str, int] = {row.number: row.id for row in given}
    lines: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    for document in documents:
        lines += _line_rows(document, ids[document.number])
        files += _file_rows(document, ids[document.number])
    connection.execute(insert(invoice_line), lines)
    connection.execute(insert(invoice_file), files)
    return numbers


def _document(
    number: str,
    order: _Order,
    inputs: dict[int, PointInput],
    parties: dict[int, PartyDetails],
    packages: Sequence[dict[str, Any]],
    issue_date: date,
) -> InvoiceDocument:
    terms = {f"{package['name']} {package['version']}": package.get("payment_term_days") for package in packages}
    days = max(terms.get(basis.package) or DEFAULT_PAYMENT_DAYS for basis in order.bases)
    points = [
        (inputs[point], [_basis(basis) for basis in group])
        for point, group in groupby(order.bases, key=lambda basis: basis.supply_point)
    ]
    return compose(number, parties[order.supplier], parties[order.payer], points, Terms(issue_date, days))


def _head(document: InvoiceDocument, order: _Order, person: Person, now: datetime) -> dict[str, Any]:
    return {
        "number": document.number,
        "document_type": document.document_type,
        "kind": document.kind,
        "contract": order.contract,
        "language": document.language,
        "deducted": document.deducted,
        "payable": document.payable,
        "state": "issued",
        "supplier": order.supplier,
        "payer": order.payer,
        "issue_date": document.issue_date,
        "tax_date": document.tax_date,
        "due_date": document.due_date,
        "variable_symbol": document.variable_symbol,
        "currency": document.currency,
        "net": document.net,
        "vat": document.vat,
        "gross": document.gross,
        "vat_rows": [{name: str(value) for name, value in asdict(row).items()} for row in document.vat_rows],
        "issued_at": now,
        "issued_by": person.name,
    }


def _line_rows(document: InvoiceDocument, identifier: int) -> list[dict[str, Any]]:
    return [
        {
            "invoice": identifier,
            "line_no": line.number,
            "basis": line.basis,
            "input": line.input,
            "supply_point": line.supply_point,
            "rate": line.rate,
            "name": line.name,
            "quantity": line.quantity,
            "unit": line.unit,
            "unit_price": line.unit_price,
            "price_unit": line.price_unit,
            "amount": line.amount,
            "vat_percent": line.vat_percent,
            "information": line.is_information,
        }
        for line in document.lines
    ]


def _file_rows(document: InvoiceDocument, identifier: int) -> list[dict[str, Any]]:
    isdoc = write_isdoc(document)
    require_valid(isdoc, document.number)
    return [
        {
            "invoice": identifier,
            "kind": kind,
            "content": content,
            "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
        }
        for kind, content in (("pdf", render_pdf(document)), ("isdoc", isdoc))
    ]


def _parties(connection: Connection, ids: set[int]) -> dict[int, PartyDetails]:
    rows = connection.execute(select(party).where(party.c.id.in_(ids)))
    return {
        row.id: PartyDetails(
            name=row.name,
            street=row.street,
            postal_code=row.postal_code,
            city=row.city,
            country=row.country,
            ico=row.ico,
            dic=row.dic,
            iban=row.iban,
            registration=row.registration,
            licence=row.licence,
            email=row.email,
        )
        for row in rows
    }


def _input(row: Row[Any]) -> PointInput:
    return PointInput(
        id=row.id,
        supply_point=row.supply_point,
        facts=row.facts,
        start=row.start,
        end=row.stop,
        quantities=row.quantities,
        readings=row.readings,
        information=row.information,
        findings=row.findings,
    )


def _basis(row: Row[Any]) -> BasisRow:
    return BasisRow(
        id=row.id,
        supply_point=row.supply_point,
        rate=row.rate,
        name=row.name,
        quantity=row.quantity,
        unit=row.unit,
        unit_price=row.unit_price,
        price_unit=row.price_unit,
        amount=Decimal(row.amount),
        vat_percent=row.vat_percent,
        why=row.why,
    )
