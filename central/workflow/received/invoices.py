"""CDSINVOICE (127, 240) and CDSGASPOF GP6 received: invoices for distribution that were issued to us, with items.

One of an issuer and number is kept once: the same again changes nothing, another content under a known number is a
proposal that a person looks at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from central.market.format_package import package_at
from central.market.payloads.distribution_invoice import DistributionInvoices
from central.market.payloads.gas_billing import GasBillings
from central.market.received import Effect, Message, Proposal
from central.workflow.received import electric_invoice, gas_invoice
from central.workflow.received.invoice import Origin, ReceivedInvoice, find_there, keep
from central.workflow.received.known import not_ours, points_of

REPEATED: Final = "invoice_again"
_BEFORE: Final = text("""
    -- where the last document of each gas point ends that came before a day; corrections stand beside the row, and
    -- what was cancelled stands in it no more
    SELECT asked.point, asked.day, max(upper(i.period)) AS stop
      FROM unnest(CAST(:points AS text[]), CAST(:days AS date[])) AS asked (point, day)
      JOIN received_invoice i ON i.point_code = asked.point AND i.commodity = 'gas' AND lower(i.period) < asked.day
                             AND i.corrects IS NULL AND i.kind NOT IN ('correction', 'cancel', 'historic')
                             AND NOT EXISTS (SELECT FROM received_invoice c
                                              WHERE c.issuer = i.issuer AND c.corrects = i.number AND c.kind = 'cancel')
     GROUP BY asked.point, asked.day
""")


def effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """For each message its invoices, those that are not there yet."""
    operator = package_at(at).envelope.market_operator
    read = [_invoices(message, operator) for message in messages]
    every = [invoice for invoices in read for invoice in invoices]
    known = points_of(connection, {code for invoice in every for code in invoice.codes})
    there = find_there(connection, {invoice.key for invoice in every})
    before = _ends_before(connection, every)
    told = [[with_gap(each, before.get((each.point or "", each.first))) for each in invoices] for invoices in read]
    senders = [message.read.envelope.sender.id for message in messages]
    return [
        _effect(invoices, sender, operator, known, there, at) for invoices, sender in zip(told, senders, strict=True)
    ]


def _invoices(message: Message, operator: str) -> list[ReceivedInvoice]:
    payload: DistributionInvoices | GasBillings = message.read.payload
    if isinstance(payload, GasBillings):
        envelope = message.read.envelope
        return [
            gas_invoice.received(document, envelope, operator, place)
            for place, document in enumerate(payload.documents, 1)
        ]
    return [electric_invoice.received(invoice) for invoice in payload.invoices]


def _ends_before(connection: Connection, invoices: Sequence[ReceivedInvoice]) -> dict[tuple[str, date], date]:
    gas = [(invoice.point or "", invoice.first) for invoice in invoices if invoice.commodity == "gas"]
    if not gas:
        return {}
    asked = {"points": [point for point, _ in gas], "days": [day for _, day in gas]}
    return {(row.point, row.day): row.stop for row in connection.execute(_BEFORE, asked)}


def with_gap(invoice: ReceivedInvoice, stop: date | None) -> ReceivedInvoice:
    """With a sentence where a gas document does not begin where the one before it ends, on `stop` (documented)."""
    if stop in {None, invoice.first} or not invoice.in_a_row or invoice.corrects is not None:
        return invoice
    why = f"The gas document {invoice.number} of {invoice.point} begins on {invoice.first}, the one before ends {stop}."
    return replace(invoice, problems=[*invoice.problems, why])


def _effect(
    invoices: Sequence[ReceivedInvoice], sender: str, operator: str, known: Mapping[str, int],
    there: Mapping[tuple[str, str], Any], at: datetime,
) -> Effect:  # fmt: skip
    new: dict[tuple[str, str], ReceivedInvoice] = {}
    proposals, foreign = [], []
    for invoice in invoices:
        # Gas documents have no issuer of their own: it comes from the envelope.
        if invoice.commodity == "electricity" and invoice.issuer != sender and sender != operator:
            foreign.append(
                f"The invoice {invoice.number} names the issuer {invoice.issuer} and was sent by {sender}: not taken."
            )
        elif invoice.key in there or invoice.key in new:
            proposals.append(_again(invoice, known))
        else:
            new[invoice.key] = invoice
    strange = not_ours([code for invoice in invoices for code in invoice.codes], dict(known))
    why = f"{len(new)} invoices kept, {len(proposals)} under a number that is there already."
    why = " ".join(filter(None, [why, *foreign, strange]))

    def write(connection: Connection, inbox: int) -> None:
        keep(connection, list(new.values()), Origin("message", inbox), at)

    outcome = "applied" if new else "proposed" if proposals else "kept"
    return Effect(outcome, why, proposals, write)


def _again(invoice: ReceivedInvoice, known: Mapping[str, int]) -> Proposal:
    return Proposal(
        REPEATED,
        invoice.number,
        {"issuer": invoice.issuer, "gross": str(invoice.gross), "kind": invoice.kind},
        f"The invoice {invoice.number} of {invoice.issuer} is there already: look whether this one differs.",
        known.get(invoice.point or ""),
    )
