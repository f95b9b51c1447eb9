"""Write documents: numbers, heads, lines, files, what they deduct, and the open items that they are."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self

import psycopg
from sqlalchemy import Connection, insert, text, update

from central.invoicing import states
from central.invoicing.advances.deductions import deduct, settle_period, undo_deductions
from central.invoicing.document import InvoiceDocument
from central.invoicing.numbering import NumberSeries
from central.invoicing.payments.receivables import NewReceivable, open_receivables, settle_corrected
from central.invoicing.rendering import File, Renderer, renderer
from central.invoicing.selection import Order
from central.invoicing.standing import Standing, giving_back
from central.invoicing.tables import invoice, invoice_settled
from central.platform.copy_text import copy_in
from central.platform.identity import Person
from central.platform.plans import plans_kept

LINES = (
    "invoice", "line_no", "basis", "input", "supply_point", "rate", "name", "quantity", "unit", "unit_price",
    "price_unit", "amount", "vat_percent", "information",
)  # fmt: skip

SENT = text("SELECT FROM delivery WHERE invoice = :invoice AND state = 'sent' LIMIT 1")


class Writer:
    """Writes the documents of one act, chunk after chunk, in the caller's transaction.

    Numbers are taken first, kind by kind in a fixed order, so that two issuers never wait for each other in a circle.
    Files of a chunk are made while the next one is composed.
    """

    def __init__(
        self,
        connection: Connection,
        orders: Sequence[Order],
        standing: Standing,
        issue_date: date,
        person: Person,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._standing = standing
        self._person, self._now, self._issue_date = person, now, issue_date
        self._orders = orders
        self._stack = ExitStack()
        self._ids: list[int] = []
        self._waiting: tuple[list[int], Iterator[list[File]]] | None = None
        self.numbers = self._take_numbers()

    def __enter__(self) -> Self:
        self._renderer: Renderer = self._stack.enter_context(renderer(len(self._orders)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def give_back(self) -> None:
        """What cancelled documents deducted is free, before a document of the same act deducts it anew."""
        for document, place in giving_back(self._orders, self._standing).items():
            reason = self._orders[place].reason or ""
            undo_deductions(self._connection, document, reason, self._person, self._now)

    def add(self, documents: Sequence[InvoiceDocument], orders: Sequence[Order]) -> None:
        """Write a chunk of documents with the orders that they are of."""
        pairs = list(zip(documents, orders, strict=True))
        heads = [self._head(document, order) for document, order in pairs]
        inserted = insert(invoice).returning(invoice.c.id, sort_by_parameter_order=True)
        with plans_kept(self._connection):
            ids = list(self._connection.execute(inserted, heads).scalars())
        copy_in(
            self._connection,
            "invoice_line",
            LINES,
            [row for document, number in zip(documents, ids, strict=True) for row in _lines(document, number)],
        )
        made = self._renderer.files(documents)
        self._store_files()
        self._waiting = ids, made
        self._ids += ids
        open_receivables(
            self._connection,
            [_receivable(document, order, number) for (document, order), number in zip(pairs, ids, strict=True)],
        )
        for (document, order), number in zip(pairs, ids, strict=True):
            if document.deductions and order.original is None:
                deduct(self._connection, number, document.deductions, self._person, self._now)
            if order.original is None:
                self._settle(document, order)

    def finish(self) -> None:
        """Store what still waits, and give the documents that were corrected or cancelled their new state."""
        self._store_files()
        corrections = [
            (made, order.original) for made, order in zip(self._ids, self._orders, strict=True) if order.original
        ]
        settled = [
            {"invoice": made, "settled": other}
            for made, order in zip(self._ids, self._orders, strict=True)
            for other in sorted(order.about - {order.original})
        ]
        if settled:
            self._connection.execute(insert(invoice_settled), settled)
        settle_corrected(self._connection, corrections, self._person, self._now)
        for document, act in self._standing.acts.items():
            row = self._standing.originals[document]
            following = states.advance(row.state, act, row.number)
            if act == "restore" and self._connection.execute(SENT, {"invoice": document}).first() is not None:
                following = states.advance(following, "send", row.number)
            self._connection.execute(update(invoice).where(invoice.c.id == document).values(state=following))

    def _take_numbers(self) -> list[str]:
        kinds = sorted({order.kind for order in self._orders})
        counts = {kind: sum(order.kind == kind for order in self._orders) for kind in kinds}
        taken = {
            kind: iter(NumberSeries(self._connection, kind, self._issue_date).take(counts[kind])) for kind in kinds
        }
        return [next(taken[order.kind]) for order in self._orders]

    def _store_files(self) -> None:
        if self._waiting is None:
            return
        ids, made = self._waiting
        self._waiting = None
        raw: psycopg.Connection[Any] = self._connection.connection.driver_connection  # type: ignore[assignment]  # psycopg is the driver
        statement = "COPY invoice_file (invoice, kind, content, digest) FROM STDIN (FORMAT BINARY)"
        files = list(made)
        with plans_kept(self._connection), raw.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(("int8", "text", "bytea", "text"))
            for number, each in zip(ids, files, strict=True):
                for file in each:
                    copy.write_row((number, file.kind, file.content, file.digest))

    def _settle(self, document: InvoiceDocument, order: Order) -> None:
        reason = f"settled by {document.number}"
        for contract in sorted(order.settles):
            until = order.until([contract])
            settle_period(
                self._connection, [contract], order.supplier, order.payer, until, reason, self._person, self._now
            )

    def _head(self, document: InvoiceDocument, order: Order) -> dict[str, Any]:
        return {
            "number": document.number,
            "kind": document.kind,
            "document_type": document.document_type,
            "state": "issued",
            "supplier": order.supplier,
            "payer": order.payer,
            "contract": order.contract,
            "original": order.original,
            "reason": document.reason,
            "language": document.language,
            "issue_date": document.issue_date,
            "tax_date": document.tax_date,
            "due_date": document.due_date,
            "variable_symbol": document.variable_symbol,
            "currency": document.currency,
            "net": document.net,
            "vat": document.vat,
            "gross": document.gross,
            "deducted": document.deducted,
            "payable": document.payable,
            "vat_rows": [{name: str(value) for name, value in asdict(row).items()} for row in document.vat_rows],
            "issued_at": self._now,
            "issued_by": self._person.name,
        }


def _lines(document: InvoiceDocument, identifier: int) -> Iterator[tuple[Any, ...]]:
    for line in document.lines:
        yield (
            identifier,
            line.number,
            line.basis,
            line.input,
            line.supply_point,
            line.rate,
            line.name,
            line.quantity,
            line.unit,
            line.unit_price,
            line.price_unit,
            line.amount,
            line.vat_percent,
            line.is_information,
        )


def _receivable(document: InvoiceDocument, order: Order, identifier: int) -> NewReceivable:
    return NewReceivable(
        kind="credit" if document.payable < 0 else "invoice",
        number=document.number,
        seller=order.supplier,
        payer=order.payer,
        variable_symbol=document.variable_symbol,
        issued_on=document.issue_date,
        due=document.due_date,
        amount=document.payable,
        contract=order.contract,
        invoice=identifier,
        currency=document.currency,
    )
