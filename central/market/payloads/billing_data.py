"""CDSIDIS: billing data of distribution (doplňující údaje pro fakturaci distribuce, DUF) of electricity.

Documented: the message, its segment HST (historické hodnoty fakturace) and the reading reason CHS; the other segments
are those of the documented gas message. The layout is ours.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal, localcontext
from typing import Final, Literal

import msgspec

from central.market.payloads.days import backward, outside, overlapping
from central.market.payloads.exact import EXACT
from central.market.payloads.meters import MeterPeriod, Unit, problems_of_meters

FORMAT: Final = "CDSIDIS"
Segment = Literal["regular", "correction", "extraordinary", "cancel", "end_of_contract", "historic"]
"""INV, COR, EXI (EXT is read as well), CAN, EOC, HST."""
CorrectionReason = Literal["network_error", "claim"]
"""01: the distributor's own mistake; 02: a claim (reklamace)."""


class BilledTariff(msgspec.Struct, frozen=True, kw_only=True):
    """Distribution rate (distribuční sazba) and main breaker (jistič: phases, amperes) over days of the document."""

    first_day: date
    last_day: date
    rate: str | None = None
    breaker_phases: int | None = None
    breaker_amps: Decimal | None = None


class BilledValue(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity that is billed and no register shows: reserved capacity, highest power, energies in all."""

    code: Literal[
        "reserved_year",
        "reserved_month",
        "reserved_input",
        "maximum",
        "energy_high",
        "energy_low",
        "energy",
        "delivered",
        "reactive_taken",
        "reactive_delivered",
    ]
    quantity: Decimal
    unit: Unit


class BillingDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One document of a supply point; `concerns` is the number of the one that it cancels or corrects (SCNumber)."""

    opm: str
    segment: Segment
    number: str
    first_day: date
    last_day: date
    concerns: str | None = None
    correction_reason: CorrectionReason | None = None
    meters: list[MeterPeriod] = []
    tariffs: list[BilledTariff] = []
    values: list[BilledValue] = []


class BillingData(msgspec.Struct, frozen=True, kw_only=True):
    """The payload."""

    documents: list[BillingDocument]


def problems(data: BillingData) -> list[str]:
    """What the operator or the supplier would refuse, one sentence each."""
    numbers = [document.number for document in data.documents]
    doubled = [
        f"The document {number} stands {numbers.count(number)} times."
        for number in sorted(set(numbers))
        if numbers.count(number) > 1
    ]
    with localcontext(EXACT):
        return doubled + [sentence for document in data.documents for sentence in _of_document(document)]


def _of_document(document: BillingDocument) -> Iterator[str]:
    what = f"the document {document.number} of {document.opm}"
    yield from backward(f"The document {document.number} of {document.opm}", document)
    needs = document.segment in {"cancel", "correction"} or document.correction_reason is not None
    if needs and document.concerns is None:
        yield f"The document {document.number} cancels or corrects another one and does not say which."
    if document.concerns == document.number:
        yield f"The document {document.number} cancels or corrects itself."
    yield from problems_of_meters(what, document.meters, document)
    for tariff in document.tariffs:
        yield from backward(f"A rate of {what}", tariff)
        yield from outside(f"A rate of {what}", tariff, document)
        if tariff.rate is None and tariff.breaker_amps is None:
            yield f"The rate of {what} from {tariff.first_day} names neither a rate nor a breaker."
    yield from overlapping(f"A rate of {what}", document.tariffs)
