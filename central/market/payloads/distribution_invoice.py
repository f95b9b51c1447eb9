"""CDSINVOICE 127 and 240: the electronic invoice for distribution, advances included.

127 is what a distributor sends. Of 240 only the number is known, as a message with invoices beside 127: that it is of
this format, and brings what others invoice, is inferred. Documented of 127: what it is for, and that items have codes
GUxxx; which code is which item is in the code list `invoice_item` of the format package (assumed). Amounts in CZK with
two places; what is cancelled is negative.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final, Literal

import msgspec

from central.market.payloads.billing_data import CorrectionReason, Segment
from central.market.payloads.days import backward, outside
from central.market.payloads.exact import EXACT
from central.market.payloads.meters import MeterPeriod, Unit, problems_of_meters

FORMAT: Final = "CDSINVOICE"
CENT: Final = Decimal("0.01")
ItemCode = Literal[
    "DIST_USE",
    "SYS_SERV",
    "OTE_FEE",
    "POZE",
    "REACT_DELIV",
    "REACT_COS",
    "DIST_CAP_YEAR",
    "DIST_CAP_MONTH",
    "DIST_CAP_EXCEED",
    "DIST_INPUT_EXCEED",
    "DIST_VT",
    "DIST_NT",
    "DIST_BREAKER",
    "DIST_INPUT",
    "DIST_SINGLE",
    "DIST_OUTPUT_EXCEED",
    "DIST_MAXIMUM",
    "UNAUTH",
    "TAX_EL",
    "ADV",
    "ROUND",
]


class InvoiceSubjects(msgspec.Struct, frozen=True, kw_only=True):
    """Who issues it (PDS), who receives it (dodavatel), and the supply point."""

    issuer: str
    recipient: str
    opm: str


class InvoiceItem(msgspec.Struct, frozen=True, kw_only=True):
    """A line: quantity x unit price = net amount (bez DPH), half up; rounding and advances have an amount only."""

    code: ItemCode
    description: str
    first_day: date
    last_day: date
    net: Decimal
    vat_rate: Decimal
    quantity: Decimal | None = None
    unit: Unit | None = None
    unit_price: Decimal | None = None


class VatLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the VAT recapitulation (rekapitulace DPH): rate in percent, base, tax."""

    rate: Decimal
    base: Decimal
    vat: Decimal


class DeductedAdvance(msgspec.Struct, frozen=True, kw_only=True):
    """A paid advance (zaplacená záloha) that the amount to pay is less of."""

    number: str
    paid: date
    net: Decimal
    vat: Decimal
    gross: Decimal


class DistributionInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice, correction, cancelling or advance of one supply point; `corrects` names the document concerned."""

    number: str
    variable_symbol: str
    currency: Literal["CZK"]
    kind: Segment | Literal["advance"]
    issued: date
    due: date
    first_day: date
    last_day: date
    net: Decimal
    vat: Decimal
    gross: Decimal
    to_pay: Decimal
    subjects: InvoiceSubjects
    vat_lines: list[VatLine]
    tax_point: date | None = None
    corrects: str | None = None
    correction_reason: CorrectionReason | None = None
    items: list[InvoiceItem] = []
    advances: list[DeductedAdvance] = []
    meters: list[MeterPeriod] = []


class DistributionInvoices(msgspec.Struct, frozen=True, kw_only=True):
    """The payload."""

    invoices: list[DistributionInvoice]


def problems(data: DistributionInvoices) -> list[str]:
    """What the recipient would refuse, one sentence each; the items give the recapitulation, and that the totals."""
    numbers = [invoice.number for invoice in data.invoices]
    doubled = [
        f"The invoice {number} stands {numbers.count(number)} times."
        for number in sorted(set(numbers))
        if numbers.count(number) > 1
    ]
    with localcontext(EXACT):
        return doubled + [sentence for invoice in data.invoices for sentence in _of_invoice(invoice)]


def _of_invoice(invoice: DistributionInvoice) -> Iterator[str]:
    what = f"The invoice {invoice.number}"
    yield from backward(what, invoice)
    if invoice.due < invoice.issued:
        yield f"{what} is due on {invoice.due}, before it is issued on {invoice.issued}."
    if not (invoice.variable_symbol.isascii() and invoice.variable_symbol.isdigit()):
        yield f"{what} has the variable symbol {invoice.variable_symbol!r}, expected 1 to 10 digits."
    needs = invoice.kind in {"cancel", "correction"} or invoice.correction_reason is not None
    if needs and invoice.corrects is None:
        yield f"{what} cancels or corrects another one and does not say which."
    if not invoice.items:
        yield f"{what} has no item."
    if invoice.kind not in {"advance", "historic"} and invoice.tax_point is None:
        yield f"{what} is a tax document and has no tax point."
    for item in invoice.items:
        yield from _of_item(item, invoice)
    yield from _of_totals(what, invoice)
    yield from problems_of_meters(f"the invoice {invoice.number}", invoice.meters, invoice)


def _of_item(item: InvoiceItem, invoice: DistributionInvoice) -> Iterator[str]:
    this = f"The item {item.code} of the invoice {invoice.number}"
    yield from backward(this, item)
    yield from outside(this, item, invoice)
    given = [value is not None for value in (item.quantity, item.unit, item.unit_price)]
    if any(given) and not all(given):
        yield f"{this} has not all of quantity, unit and unit price."
    if item.quantity is not None and item.unit_price is not None:
        expected = _cents(item.quantity * item.unit_price)
        if expected != item.net:
            yield f"{this}: {item.quantity} x {item.unit_price} is {expected}, not {item.net}."


def _of_totals(what: str, invoice: DistributionInvoice) -> Iterator[str]:
    by_rate: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
    for item in invoice.items:
        by_rate[item.vat_rate] += item.net
    listed = {line.rate: line for line in invoice.vat_lines}
    if len(listed) != len(invoice.vat_lines):
        yield f"{what} has the same VAT rate twice in its recapitulation."
    for rate in sorted(by_rate.keys() | listed.keys()):
        base = listed[rate].base if rate in listed else Decimal(0)
        if base != by_rate[rate]:
            yield f"{what} has items of {by_rate[rate]} at {rate} % VAT, its recapitulation says {base}."
    for line in invoice.vat_lines:
        # A document made of others sums their tax, each rounded by itself: one cent an item is the most.
        most = CENT * max(1, len(invoice.items))
        if abs(line.vat - line.base * line.rate / 100) > most:
            yield f"{what} has {line.vat} of VAT at {line.rate} % from {line.base}."
    sums = {
        "net total": (invoice.net, sum(line.base for line in invoice.vat_lines)),
        "VAT": (invoice.vat, sum(line.vat for line in invoice.vat_lines)),
        "total with VAT": (invoice.gross, invoice.net + invoice.vat),
        "amount to pay": (invoice.to_pay, invoice.gross - sum(advance.gross for advance in invoice.advances)),
    }
    for name, (said, expected) in sums.items():
        if said != expected:
            yield f"{what} has a {name} of {said}, expected {expected}."
    for advance in invoice.advances:
        expected = advance.net + advance.vat
        if expected != advance.gross:
            yield f"The advance {advance.number} of the invoice {invoice.number} has {advance.gross}, not {expected}."


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
