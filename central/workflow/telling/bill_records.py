"""From a bill's lines of one supply point to billing data of distribution (DUF) and to the electronic invoice. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec

from central.market.payloads.billing_data import BilledTariff, BilledValue, BillingData, BillingDocument
from central.market.payloads.distribution_invoice import (
    DistributionInvoice,
    DistributionInvoices,
    InvoiceItem,
    InvoiceSubjects,
    ItemCode,
    VatLine,
)
from central.market.payloads.meters import MeterPeriod, Unit

_CENT: Final = Decimal("0.01")
_SEGMENTS: Final[dict[str, Literal["regular", "correction", "cancel"]]] = {
    "regular": "regular", "annual": "regular", "collective": "regular", "corrective": "correction",
    "cancelling": "cancel",
}  # fmt: skip
"""Segment by the kind of our document."""
_UNITS: Final[dict[tuple[str, bool], Unit]] = {
    ("MWh", False): "MWH", ("kWh", False): "KWH", ("MVArh", False): "MVARH", ("kVArh", False): "KVARH",
    ("MW", False): "MW", ("kW", False): "KW", ("A", False): "A", ("měs", False): "MONTH",
    ("MW", True): "MW_MONTH", ("A", True): "A_MONTH",
}  # fmt: skip
"""Unit of the message by our unit, and whether the price is for a month of it."""


class _Items(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    mark: str
    items: dict[str, ItemCode]
    values: dict[str, Any]


@cache
def _items() -> _Items:
    return msgspec.json.decode(Path(__file__).with_name("items.json").read_bytes(), type=_Items)


@dataclass(frozen=True, slots=True)
class BillLine:
    """A billed line for the days [first, stop)."""

    rate: int
    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    net: Decimal
    vat_percent: Decimal
    first: date
    stop: date


@dataclass(frozen=True, slots=True)
class Agreed:
    """Distribution rate and main breaker of the billed days [first, last]."""

    first: date
    last: date
    rate: str | None
    breaker_phases: int | None
    breaker_amps: int | None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a document bills of one supply point; `original` is the number of the one that it corrects or cancels."""

    ean: str
    number: str
    kind: str
    original: str | None
    issued: date
    tax_point: date
    due: date
    variable_symbol: str
    issuer: str | None
    recipient: str | None
    first_day: date
    last_day: date
    lines: Sequence[BillLine]
    agreed: Sequence[Agreed]
    meters: Sequence[MeterPeriod] = ()


def billing_data(bill: Bill) -> BillingData:
    """The document's billing data; a cancelling names what it cancels and has no values."""
    segment = _SEGMENTS[bill.kind]
    document = BillingDocument(
        opm=bill.ean,
        segment=segment,
        number=bill.number,
        first_day=bill.first_day,
        last_day=bill.last_day,
        concerns=bill.original if segment != "regular" else None,
        tariffs=[
            BilledTariff(
                first_day=each.first,
                last_day=each.last,
                rate=each.rate,
                breaker_phases=each.breaker_phases,
                breaker_amps=None if each.breaker_amps is None else Decimal(each.breaker_amps),
            )
            for each in bill.agreed
            if each.rate is not None or each.breaker_amps is not None
        ],
        meters=[] if segment == "cancel" else list(bill.meters),
        values=[] if segment == "cancel" else _values(bill.lines),
    )
    return BillingData(documents=[document])


def _values(lines: Sequence[BillLine]) -> list[BilledValue]:
    known = _items().values
    summed: defaultdict[tuple[Any, Unit], Decimal] = defaultdict(Decimal)
    for line in lines:
        code, unit = known.get(str(line.rate)), _UNITS.get((line.unit, False))
        # Of a correction, what it takes back and what it bills instead are both lines: the new quantity is told.
        if code is not None and unit is not None and line.quantity > 0:
            summed[code, unit] += line.quantity
    return [BilledValue(code=code, quantity=quantity, unit=unit) for (code, unit), quantity in summed.items()]


def without_code(bill: Bill) -> str | None:
    """Why the bill cannot be told as an invoice, in a sentence; None where nothing is missing."""
    if bill.recipient is None:
        return f"The payer of {bill.number} has no EAN: fill it in at its party."
    if unknown := sorted({line.rate for line in bill.lines if str(line.rate) not in _items().items}):
        rates = ", ".join(str(rate) for rate in unknown)
        return f"The bill {bill.number} has lines of the rate {rates}, for which no item code of message 127 is known."
    return None


def invoice(bill: Bill) -> DistributionInvoices:
    """The point's part of the document as an invoice; its tax is taken from the point's own sums, by rate."""
    segment = _SEGMENTS[bill.kind]
    sums: defaultdict[Decimal, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for line in bill.lines:
        sums[line.vat_percent] += line.net
    vat = {rate: (base * rate / 100).quantize(_CENT, ROUND_HALF_UP) for rate, base in sums.items()}
    net, tax = sum(sums.values(), Decimal("0.00")), sum(vat.values(), Decimal("0.00"))
    return DistributionInvoices(
        invoices=[
            DistributionInvoice(
                number=bill.number,
                variable_symbol=bill.variable_symbol,
                currency="CZK",
                kind=segment,
                issued=bill.issued,
                due=bill.due,
                first_day=bill.first_day,
                last_day=bill.last_day,
                net=net,
                vat=tax,
                gross=net + tax,
                to_pay=net + tax,
                subjects=InvoiceSubjects(issuer=bill.issuer or "", recipient=bill.recipient or "", opm=bill.ean),
                vat_lines=[VatLine(rate=rate, base=sums[rate], vat=vat[rate]) for rate in sorted(sums)],
                tax_point=bill.tax_point,
                corrects=bill.original if segment != "regular" else None,
                items=[_item(line) for line in bill.lines],
            )
        ]
    )


def _item(line: BillLine) -> InvoiceItem:
    code = _items().items[str(line.rate)]
    unit = _UNITS.get((line.unit, line.price_unit.endswith("/měs")))
    # A payment for a part of a month is not quantity x price: only its amount is told then.
    exact = (line.quantity * line.unit_price).quantize(_CENT, ROUND_HALF_UP) == line.net and unit is not None
    if code == "DIST_BREAKER" and line.unit in ("MW", "kW"):
        code = "DIST_INPUT"
    return InvoiceItem(
        code=code,
        description=line.name[:100],
        first_day=line.first,
        last_day=date.fromordinal(line.stop.toordinal() - 1),
        net=line.net,
        vat_rate=line.vat_percent,
        quantity=line.quantity if exact else None,
        unit=cast(Unit, unit) if exact else None,
        unit_price=line.unit_price if exact else None,
    )
