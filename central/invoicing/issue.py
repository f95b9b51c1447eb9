"""Issue documents of approved bases: checks first, then numbers, documents and files, all in one transaction.

A crash leaves neither a hole in the numbers nor half an invoice: everything belongs to the caller's transaction.
A preview composes the same documents without numbers; its token says whether they are still the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, text

from central.checks.bases import Scope
from central.checks.parts import INVOICING
from central.checks.results import InError, RowInError, bases_in_error, eans, rows_in_error
from central.checks.run import run_checks
from central.checks.settings import PreventInvoicing, prevent_invoicing
from central.invoicing.advances.deductions import DeductedAdvance, plan_for
from central.invoicing.compose import About, Terms, compose
from central.invoicing.document import DocumentLine, InvoiceDocument, recapitulate
from central.invoicing.kinds import CANCELLING
from central.invoicing.payments.matching import lock_payments
from central.invoicing.selection import Grouping, Order, Selection, orders, require_named, select_bases
from central.invoicing.sources import (
    original_of,
    read_languages,
    read_parties,
    read_points,
)
from central.invoicing.standing import Standing, giving_back, read_standing
from central.invoicing.token import token_of
from central.invoicing.write import Writer
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from central.settlement.runs import require_run
from shared.metering_day import PRAGUE

CHUNK = 500
"""Documents composed and written at once: what bounds the memory."""

DEDUCTED_BEFORE = text("""
    -- what cancelled documents deducted: the document that cancels one gives it back, with the opposite sign
    SELECT t.invoice, t.deposit, coalesce(doc.number, a.number) AS number, a.number AS advance_number, a.contract,
           d.received_on, doc.id IS NOT NULL AS taxed, d.vat_percent, -t.amount AS gross, -t.vat AS vat
      FROM advance_deduction t
      JOIN advance_deposit d ON d.id = t.deposit
      JOIN advance a ON a.id = d.advance
      LEFT JOIN advance_document doc ON doc.id = d.document
     WHERE t.invoice = ANY (:invoices) AND t.undone_at IS NULL
     ORDER BY t.id
""")

WITH_ADVANCES = text("""
    -- who of these has paid something in advance that is not deducted yet
    SELECT DISTINCT a.contract, a.seller, a.payer
      FROM advance_deposit d JOIN advance a ON a.id = d.advance
     WHERE a.contract = ANY (:contracts) AND d.released_on IS NULL
       AND (d.deducted < d.amount OR d.id = ANY (:given_back))
""")

INVOICED = text("UPDATE billing_basis SET state = 'invoiced' WHERE id = ANY (:bases)")


@dataclass(frozen=True, slots=True)
class Issued:
    """What was issued: invoice numbers, and the supply points left out with the reason."""

    numbers: list[str]
    left_out: list[dict[str, Any]]
    checks: dict[str, int]


@dataclass(frozen=True, slots=True)
class Preview:
    """Documents as they would be issued, without numbers; `token` is what they are issued with unchanged."""

    documents: list[InvoiceDocument]
    orders: list[Order]
    token: str


@dataclass(frozen=True, slots=True)
class _Composed:
    document: InvoiceDocument
    order: Order


@dataclass(slots=True)
class _Work:
    """What is read once for all documents of an act."""

    connection: Connection
    issue_date: date
    orders: list[Order]
    parties: Mapping[int, Any]
    languages: Mapping[int, str]
    standing: Standing
    deducted: dict[int, list[DeductedAdvance]] = field(default_factory=dict)


def preview_invoices(
    connection: Connection, selection: Selection, now: datetime, grouping: Grouping = "contract"
) -> Preview:
    """Compose what would be issued of the selected bases; nothing is numbered and nothing stored.

    Raises Refused where nothing is left to invoice.
    """
    _require_approved(connection, selection)
    require_named(connection, selection)
    bases = select_bases(connection, selection, lock=False)
    if not bases:
        raise _nothing(selection, 0)
    work = _prepare(connection, orders(bases, grouping), now)
    documents = list(_unnumbered(work))
    return Preview(documents, work.orders, token_of(work.orders, documents))


def issue_invoices(
    connection: Connection,
    selection: Selection | int,
    person: Person,
    now: datetime,
    grouping: Grouping = "contract",
    token: str | None = None,
) -> Issued:
    """Issue the documents of the selected approved bases (an int: of a settlement run).

    Runs the active checks first. What a live error does is the global setting's: nothing, the supply point is left out,
    or the whole invoicing is refused with the bases named. Raises Refused where a named run is not approved, nothing
    is left to invoice, a basis or advance is not what the preview of `token` showed, or a number is used already.
    """
    if isinstance(selection, int):
        selection = Selection(run=selection)
    _require_approved(connection, selection, lock=True)
    require_named(connection, selection)
    selected = select_bases(connection, selection, lock=True)
    ids = [basis.id for basis in selected]
    checked = run_checks(connection, Scope(bases=ids), INVOICING, person, now)
    left_out = _left_out(connection, selected)
    excluded = {entry["supply_point"] for entry in left_out}
    bases = [basis for basis in selected if basis.supply_point not in excluded]
    if not bases:
        raise _nothing(selection, len(left_out))
    made = orders(bases, grouping)
    if any(order.original is not None or order.settles for order in made):
        lock_payments(connection)  # before rows of advances, which acts on payments lock after it
    work = _prepare(connection, made, now)
    if token is not None and token != token_of(work.orders, _unnumbered(work)):
        raise Refused(
            "changed_since_preview",
            "What is to be invoiced is not what the preview showed: a basis was made, changed, invoiced or left out "
            "for an error, an advance was received, the day is another one, or something else that is printed changed "
            "(a party, days to pay, language). Look at a new preview and issue with its token.",
        )
    numbers = _write(work, person, now)
    connection.execute(INVOICED, {"bases": [basis.id for basis in bases]})
    details = {
        "selection": _described(selection),
        "invoices": len(numbers),
        "first": numbers[0],
        "last": numbers[-1],
        "left_out": len(left_out),
    }
    audit.record(connection, person, "invoice.issue", f"invoice/{numbers[0]}", details, now)
    return Issued(numbers=numbers, left_out=left_out, checks=checked.results)


def _unnumbered(work: _Work) -> Iterator[InvoiceDocument]:
    """All documents as they will be issued, without their numbers."""
    for first in range(0, len(work.orders), CHUNK):
        places = range(first, min(first + CHUNK, len(work.orders)))
        yield from (entry.document for entry in _compose(work, places, [""] * len(places)))


def _require_approved(connection: Connection, selection: Selection, *, lock: bool = False) -> None:
    if selection.run is None:
        return
    run = require_run(connection, selection.run, lock=lock)
    if run.state != "approved":
        raise Refused("run_not_approved", f"Settlement run {run.number} is a {run.state}; approve it before invoicing.")


def _nothing(selection: Selection, left_out: int) -> Refused:
    what = f"Settlement run {selection.run}" if selection.run is not None else "The selection"
    return Refused(
        "nothing_to_invoice",
        f"{what} has no basis left to invoice: all are invoiced, or left out for an error ({left_out}).",
    )


def _errors_of(connection: Connection, selected: Sequence[Row[Any]]) -> tuple[list[InError], list[RowInError]]:
    """Live errors that count for these bases. What only cancels is the remedy of errors on its calendar row: its own
    count alone."""
    ids = [basis.id for basis in selected]
    if all(basis.statement_type in CANCELLING for basis in selected):
        return bases_in_error(connection, ids), []
    return rows_in_error(connection, ids)


def _require_no_error(errors: Sequence[InError], rows: Sequence[RowInError]) -> None:
    """Refused where a live error stands on a calendar row of the bases: on a basis of it, or on the row itself."""
    named = [f"basis {error.id} of {error.ean}, rate {error.rate}: {error.text.cs}" for error in errors]
    named += [f"calendar row {row.id} of contract {row.contract} from {row.first}: {row.text.cs}" for row in rows]
    if named:
        raise Refused(
            "checks_in_error",
            f"Invoicing is refused: {len(errors)} bases and {len(rows)} calendar rows are in error. "
            f"{'; '.join(named[:10])} Mend them, or cancel their errors, and issue again.",
        )


def _left_out(connection: Connection, selected: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Whom the global setting leaves out: points with a live error on the calendar rows of what is to be invoiced."""
    prevent = prevent_invoicing(connection)
    if prevent not in (PreventInvoicing.FORBID, PreventInvoicing.LEAVE_OUT):
        return []
    errors, rows = _errors_of(connection, selected)
    if prevent is PreventInvoicing.FORBID:
        _require_no_error(errors, rows)
        return []
    points = {basis.supply_point for basis in selected}
    found = [
        {
            "supply_point": error.supply_point,
            "ean": error.ean,
            "basis": error.id,
            "reason": f"sazba {error.rate} {error.name}: {error.text.cs}",
        }
        for error in errors
        if error.supply_point in points
    ]
    codes = eans(connection, sorted(points)) if rows else {}
    for row in rows:
        of_row = {basis.supply_point for basis in selected if basis.id in row.bases}
        reason = f"řádek kalendáře {row.id} smlouvy {row.contract} od {row.first}: {row.text.cs}"
        found += [
            {"supply_point": point, "ean": codes[point], "basis": None, "reason": reason}
            for point in sorted(of_row if row.points is None else of_row & row.points)
        ]
    return found


def _prepare(connection: Connection, made: list[Order], now: datetime) -> _Work:
    work = _Work(
        connection=connection,
        issue_date=now.astimezone(PRAGUE).date(),
        orders=made,
        parties=read_parties(connection, (side for order in made for side in (order.supplier, order.payer))),
        languages=read_languages(connection, (order.payer for order in made)),
        standing=read_standing(connection, made),
    )
    _plan_deductions(work)
    return work


def _plan_deductions(work: _Work) -> None:
    """Statements deduct what was paid in advance: one that ends the period all of it, another no more than it bills.

    What cancels a document gives back what that one deducted, first: a document of the same act that takes its place
    deducts it anew.
    """
    taken: dict[int, tuple[Decimal, Decimal]] = {}
    whole = giving_back(work.orders, work.standing)
    for row in work.connection.execute(DEDUCTED_BEFORE, {"invoices": list(whole)}).mappings():
        given_back = {name: value for name, value in row.items() if name != "invoice"}
        work.deducted.setdefault(whole[row["invoice"]], []).append(DeductedAdvance(**given_back))
        gross, vat = taken.get(row["deposit"], (Decimal("0.00"), Decimal("0.00")))
        taken[row["deposit"]] = gross + row["gross"], vat + row["vat"]
    contracts = sorted({contract for order in work.orders for contract in order.contracts})
    paid = {
        tuple(row)
        for row in work.connection.execute(WITH_ADVANCES, {"contracts": contracts, "given_back": list(taken)})
    }
    if not paid:
        return
    places = [
        place
        for place, order in enumerate(work.orders)
        if order.original is None and any((each, order.supplier, order.payer) in paid for each in order.contracts)
    ]
    for first in range(0, len(places), CHUNK):
        part = places[first : first + CHUNK]
        for place, composed in zip(part, _compose(work, part, [""] * len(part)), strict=True):
            _plan_order(work, place, composed.document.lines, taken)


def _plan_order(
    work: _Work, place: int, lines: Sequence[DocumentLine], taken: dict[int, tuple[Decimal, Decimal]]
) -> None:
    """What one document deducts, beside what others of the act take of the same deposits."""
    order = work.orders[place]
    for contracts, limit in deducting(order, lines):
        until = order.until(contracts)
        planned = plan_for(work.connection, contracts, order.supplier, order.payer, until, limit, taken)
        for each in planned:
            gross, vat = taken.get(each.deposit, (Decimal("0.00"), Decimal("0.00")))
            taken[each.deposit] = gross + each.gross, vat + each.vat
        if planned:
            work.deducted.setdefault(place, []).extend(planned)


def deducting(order: Order, lines: Sequence[DocumentLine]) -> Iterator[tuple[list[int], Decimal | None]]:
    """Contracts of a document with what may be deducted of their advances at most; None: all that came.

    Each contract whose period ends alone; the others together, no more than is billed under them.
    """
    yield from (([contract], None) for contract in sorted(order.settles))
    going_on = [contract for contract in order.contracts if contract not in order.settles]
    if going_on:
        bases = {basis.id for basis in order.bases if basis.contract in going_on}
        billed = sum((row.gross for row in recapitulate([line for line in lines if line.basis in bases])), Decimal(0))
        yield going_on, max(billed, Decimal(0))


def _compose(work: _Work, places: Sequence[int], numbers: Sequence[str]) -> list[_Composed]:
    bases = [basis for place in places for basis in work.orders[place].bases]
    sections: dict[int, list[Any]] = {}
    owner = {basis.id: place for place in places for basis in work.orders[place].bases}
    for given, rows in read_points(work.connection, bases):
        for place in dict.fromkeys(owner[row.id] for row in rows):
            sections.setdefault(place, []).append((given, [row for row in rows if owner[row.id] == place]))
    return [
        _Composed(_document(work, place, number, sections[place]), work.orders[place])
        for place, number in zip(places, numbers, strict=True)
    ]


def _document(work: _Work, place: int, number: str, points: Sequence[Any]) -> InvoiceDocument:
    order = work.orders[place]
    about = About(
        kind=order.kind,
        language=work.languages.get(order.payer, "cs"),
        deductions=work.deducted.get(place, ()),
        original=None if order.original is None else original_of(work.standing.originals[order.original]),
        reason=order.reason,
        before=work.standing.before.get(place, ()),
    )
    days = max(basis.due_days for basis in order.bases)
    return compose(
        number,
        work.parties[order.supplier],
        work.parties[order.payer],
        points,
        Terms(work.issue_date, days),
        about,
    )


def _write(work: _Work, person: Person, now: datetime) -> list[str]:
    with Writer(work.connection, work.orders, work.standing, work.issue_date, person, now) as writer:
        writer.give_back()
        for first in range(0, len(work.orders), CHUNK):
            places = range(first, min(first + CHUNK, len(work.orders)))
            composed = _compose(work, places, writer.numbers[first : first + CHUNK])
            writer.add([entry.document for entry in composed], [entry.order for entry in composed])
        writer.finish()
    return writer.numbers


def _described(selection: Selection) -> dict[str, Any]:
    named = {
        "run": selection.run,
        "payer": selection.payer,
        "contracts": selection.contracts,
        "calendar": selection.calendar,
        "bases": None if selection.bases is None else len(selection.bases),
    }
    return {name: value for name, value in named.items() if value is not None}
