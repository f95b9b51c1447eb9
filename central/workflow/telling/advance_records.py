"""From a point's part of an advance to the electronic invoice that asks for it. Pure."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from central.market.payloads.distribution_invoice import (
    DistributionInvoice,
    DistributionInvoices,
    InvoiceItem,
    InvoiceSubjects,
    VatLine,
)

_CENT: Final = Decimal("0.01")
NAME: Final = "Záloha na distribuci elektřiny"


@dataclass(frozen=True, slots=True)
class AdvancePart:
    """What is asked for of one point for the days [first_day, last_day]; `amount` includes VAT of `vat_percent`."""

    ean: str
    number: str
    issued: date
    due: date
    first_day: date
    last_day: date
    amount: Decimal
    vat_percent: Decimal
    variable_symbol: str
    issuer: str | None
    recipient: str | None
    cancelled: bool = False


def lacking(part: AdvancePart) -> str | None:
    """Why it cannot be told, in a sentence; None where nothing is missing."""
    if part.recipient is None:
        return f"The payer of the advance {part.number} has no EAN: fill it in at its party."
    return None


def advance_invoice(part: AdvancePart) -> DistributionInvoices:
    """The advance as message 127: no tax document, so it has no tax point; its VAT is taken from inside the amount.

    One that is cancelled is told as an advance of the opposite amount, which corrects itself.
    """
    amount = -part.amount if part.cancelled else part.amount
    vat = (amount * part.vat_percent / (100 + part.vat_percent)).quantize(_CENT, ROUND_HALF_UP)
    net = amount - vat
    return DistributionInvoices(
        invoices=[
            DistributionInvoice(
                number=part.number,
                variable_symbol=part.variable_symbol,
                currency="CZK",
                kind="advance",
                issued=part.issued,
                due=max(part.due, part.issued),
                first_day=part.first_day,
                last_day=part.last_day,
                net=net,
                vat=vat,
                gross=amount,
                to_pay=amount,
                subjects=InvoiceSubjects(issuer=part.issuer or "", recipient=part.recipient or "", opm=part.ean),
                vat_lines=[VatLine(rate=part.vat_percent, base=net, vat=vat)],
                corrects=part.number if part.cancelled else None,
                items=[
                    InvoiceItem(
                        code="ADV",
                        description=NAME,
                        first_day=part.first_day,
                        last_day=part.last_day,
                        net=net,
                        vat_rate=part.vat_percent,
                    )
                ],
            )
        ]
    )
