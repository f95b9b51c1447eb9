"""CDSINVOICE 127 received: invoices for distribution that the superior distributor issued to us, with their items.

One of an issuer and number is kept once: the same again changes nothing, another content under a known number is a
proposal that a person looks at.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, insert, select, tuple_
from sqlalchemy.dialects.postgresql import Range

from central.market.payloads.distribution_invoice import DistributionInvoice, DistributionInvoices, problems
from central.market.received import Effect, Message, Proposal
from central.market.tables import received_invoice, received_invoice_item
from central.workflow.received.known import not_ours, points_of

REPEATED: Final = "invoice_again"


def effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """For each message its invoices, those that are not there yet."""
    invoices = [invoice for message in messages for invoice in _invoices(message)]
    known = points_of(connection, [invoice.subjects.opm for invoice in invoices])
    table = received_invoice
    keys = [(invoice.subjects.issuer, invoice.number) for invoice in invoices]
    rows = connection.execute(
        select(table.c.issuer, table.c.number, table.c.gross, table.c.period).where(
            tuple_(table.c.issuer, table.c.number).in_(keys)
        )
    )
    there = {(row.issuer, row.number): row for row in rows}
    return [_effect(_invoices(message), known, there, at) for message in messages]


def _invoices(message: Message) -> list[DistributionInvoice]:
    payload: DistributionInvoices = message.read.payload
    return payload.invoices


def _effect(
    invoices: list[DistributionInvoice], known: dict[str, int], there: dict[tuple[str, str], Any], at: datetime
) -> Effect:
    new: dict[tuple[str, str], DistributionInvoice] = {}
    proposals = []
    for invoice in invoices:
        key = invoice.subjects.issuer, invoice.number
        if key in there or key in new:
            proposals.append(_again(invoice, known))
        else:
            new[key] = invoice
    strange = not_ours([invoice.subjects.opm for invoice in invoices], known)
    why = f"{len(new)} invoices kept, {len(proposals)} under a number that is there already. {strange}".rstrip()

    def write(connection: Connection, inbox: int) -> None:
        for invoice in new.values():
            number = connection.execute(
                insert(received_invoice).values(_row(invoice, known, inbox, at)).returning(received_invoice.c.id)
            ).scalar_one()
            if items := _items(invoice, int(number)):
                connection.execute(insert(received_invoice_item), items)

    return Effect("applied" if new else "proposed", why, proposals, write)


def _again(invoice: DistributionInvoice, known: dict[str, int]) -> Proposal:
    return Proposal(
        REPEATED,
        invoice.number,
        {"issuer": invoice.subjects.issuer, "gross": str(invoice.gross), "kind": invoice.kind},
        f"The invoice {invoice.number} of {invoice.subjects.issuer} is there already: look whether this one differs.",
        known.get(invoice.subjects.opm),
    )


def _row(invoice: DistributionInvoice, known: dict[str, int], inbox: int, at: datetime) -> dict[str, Any]:
    return {
        "inbox": inbox,
        "issuer": invoice.subjects.issuer,
        "recipient": invoice.subjects.recipient,
        "number": invoice.number,
        "kind": invoice.kind,
        "corrects": invoice.corrects,
        "point_code": invoice.subjects.opm,
        "supply_point": known.get(invoice.subjects.opm),
        "period": Range(invoice.first_day, invoice.last_day + timedelta(days=1)),
        "issued": invoice.issued,
        "tax_point": invoice.tax_point,
        "due": invoice.due,
        "variable_symbol": invoice.variable_symbol,
        "net": invoice.net,
        "vat": invoice.vat,
        "gross": invoice.gross,
        "to_pay": invoice.to_pay,
        "problems": problems(DistributionInvoices(invoices=[invoice])),
        "received_at": at,
    }


def _items(invoice: DistributionInvoice, number: int) -> list[dict[str, Any]]:
    return [
        {
            "invoice": number,
            "place": place,
            "code": item.code,
            "description": item.description,
            "period": Range(item.first_day, item.last_day + timedelta(days=1)),
            "quantity": item.quantity,
            "unit": item.unit,
            "unit_price": item.unit_price,
            "net": item.net,
            "vat_rate": item.vat_rate,
        }
        for place, item in enumerate(invoice.items, 1)
    ]
