"""The predicted bill of a month to come, as a settlement would make it of what is expected to be used. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from central.invoicing.advances.prediction import MAXIMA, REACTIVE, MonthAhead
from central.platform.errors import Refused
from central.settlement.cuts import Held
from central.settlement.facts import ContractItem, PointFacts, PointRecord, Span
from central.settlement.measured import NotMeasuredError
from central.settlement.model import CannotPriceError
from central.settlement.own import Attached
from central.settlement.prices import PriceBook
from central.settlement.quantities import Measured, PartMeasured
from central.settlement.services import UNITS, Count, Counted, unit_factor
from central.settlement.settle import parts_of, price_whole
from central.settlement.spans import facts_of
from central.workflow.advance_law import Law
from central.workflow.advance_readings import year_earlier
from central.workflow.quote import quoted, spread
from shared.metering_day import next_month

KNOWN_BEFORE = frozenset({"fixed", "area"})
"""How a service is counted whose quantity is agreed; another one is predicted by what it came to before."""
SERVICE = "service:"
_NOTHING: Mapping[str, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PointMonth:
    """A month to come of a contract item: what it will use, what that rests on, and the predicted bill.

    `quantities` are those of the item's days in the month; `gross` has the VAT of each line at its own rate.
    """

    ean: str
    month: date
    quantities: Mapping[str, Decimal]
    source: str
    net: Decimal
    gross: Decimal
    package: str
    prices_of: date


def of_item(record: PointRecord, item: int, counted: Collection[str] = ()) -> PointRecord:
    """What holds of a point under one item: only its days are billed, and of its services those whose quantity is
    agreed, or told by what was `counted` before (codes)."""
    return replace(
        record,
        items=[held for held in record.items if held.fact.id == item],
        own=replace(record.own, services=_services(record, item, counted)),
        supplies=(),
    )


def of_supply(record: PointRecord, item: int, counted: Collection[str] = ()) -> PointRecord:
    """What holds of a point under an item of a contract for supply alone: the network services are another bill."""
    return replace(
        record,
        settled={**record.settled, **{held.fact.id: [Held(None, None, "apart")] for held in record.items}},
        own=replace(record.own, services=_services(record, item, counted)),
        supplies=[held for held in record.supplies if held.fact.id == item],
    )


def _services(record: PointRecord, item: int, counted: Collection[str]) -> dict[int, list[Held[Attached]]]:
    return {
        item: [
            held
            for held in record.own.services.get(item, ())
            if held.fact.quantity in KNOWN_BEFORE or held.fact.service.code in counted
        ]
    }


def prices_in(record: PointRecord, month: date) -> str | None:
    """The price list of the network services in a month; None where no item is valid on any day of it."""
    until = next_month(month.year, month.month)
    found = [
        held.fact.prices for held in record.items if (held.since or month) < until and month < (held.until or date.max)
    ]
    return found[0] if found else None


def predict_month(
    record: PointRecord,
    prices: str,
    month: date,
    ahead: MonthAhead,
    known: Mapping[date, Mapping[str, Decimal]],
    law: Law,
    counted: Mapping[str, Decimal] = _NOTHING,
) -> PointMonth | None:
    """The bill of a month to come as a settlement would make it: the item's own days, supply, services and VAT.

    `known` is what earlier months used, `counted` what services that are counted come to in the whole month, by code.
    None where the point is not supplied under the item on any day. Raises Refused where no law is found or a price is
    missing.
    """
    found = law.of(record.commodity, prices, month)
    if found is None:
        raise Refused(
            "no_package", f"No legislative package with the price list {prices} can price {month:%Y-%m}; install one."
        )
    books, meant = found
    facts = facts_of(record, month, next_month(month.year, month.month), books)
    if facts is None or facts.is_without_contract:
        return None
    if facts.problem is not None:
        raise _unpriced(facts, month, facts.problem.reason)
    measured = _measured(facts, month, ahead.quantities, known.get(year_earlier(month), {}))
    try:
        parts = parts_of(facts, measured)
        priced = price_whole(facts, parts, Measured(count=count_by(month, counted)))
        bill = quoted(priced, parts)
    except (CannotPriceError, NotMeasuredError) as error:
        raise _unpriced(facts, month, error.reason) from error
    services = {line.component: Decimal() for line in priced.lines if line.component.removeprefix(SERVICE) in counted}
    for line in priced.lines:
        if line.component in services:
            services[line.component] += line.quantity
    return PointMonth(
        ean=facts.ean,
        month=month,
        quantities=_together(measured) | services,
        source=ahead.source,
        net=Decimal(bill["net"]),
        gross=Decimal(bill["gross"]),
        package=", ".join(bill["packages"]),
        prices_of=meant,
    )


def count_by(month: date, counted: Mapping[str, Decimal]) -> Count:
    """Counts a service by what it comes to in the whole month, in its own unit, by days."""
    length = (next_month(month.year, month.month) - month).days

    def count(attached: Attached, first: date, end: date) -> Counted:
        service = attached.service
        basic = next((unit for unit, of in UNITS if of == service.unit), service.unit)
        exact = Fraction(counted[service.code]) * Fraction((end - first).days, length)
        return Counted(exact / unit_factor(basic, service), basic, "podle loňska")

    return count


def _unpriced(facts: PointFacts, month: date, reason: str) -> Refused:
    return Refused("cannot_price", f"Supply point {facts.ean} cannot be priced for {month:%Y-%m}: {reason}")


def _measured(
    facts: PointFacts, month: date, whole: Mapping[str, Decimal], before: Mapping[str, Decimal]
) -> list[PartMeasured]:
    """A whole month's quantities by the parts of the point: energy by their days, maxima as they are."""
    lengths = [(span.end - span.first).days for span in facts.spans]
    rest = (next_month(month.year, month.month) - month).days - sum(lengths)
    found: list[dict[str, Decimal]] = [{} for _ in facts.spans]
    reactive = {name: before[name] for name in REACTIVE if name in before}
    for index, span in enumerate(facts.spans):
        above_low = span.tariff.level not in (None, "NN")
        quantities = {
            **_by_registers(whole, span.book, span.item),
            **(reactive if above_low else {}),
        }
        for name, value in quantities.items():
            found[index][name] = spread(value, [*lengths, rest] if rest else lengths)[index]
        if above_low:
            found[index] |= _maxima(span, before)
    return [PartMeasured(each) for each in found]


def _together(measured: Sequence[PartMeasured]) -> dict[str, Decimal]:
    """What the parts of a month come to: energies summed, the highest of maxima."""
    sums: dict[str, Decimal] = {}
    for part in measured:
        for name, value in part.quantities.items():
            sums[name] = value if name not in sums else max(sums[name], value) if name in MAXIMA else sums[name] + value
    return sums


def _by_registers(quantities: Mapping[str, Decimal], book: PriceBook, item: ContractItem) -> dict[str, Decimal]:
    """A planned total of a rate with tariffs counts in the high one: an advance is rather higher than lower."""
    registers = book.rate_registers(item.rate) if item.rate else None
    if registers and "VT" in registers and not any(name in quantities for name in ("energy_vt_mwh", "energy_nt_mwh")):
        total = quantities.get("energy_mwh", Decimal(0))
        low = {"energy_nt_mwh": Decimal(0)} if "NT" in registers else {}
        return {"energy_vt_mwh": total, **low, "energy_mwh": total}
    return dict(quantities)


def _maxima(span: Span, before: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The maxima of the same month of last year; where they are not known, what is reserved: no over-run is predicted
    without a cause."""
    names = ("reserved_capacity_year_kw", "reserved_capacity_month_kw")
    reserved = sum((span.agreed.get(name, Decimal(0)) for name in names), Decimal(0))
    return {"max_quarter_hour_kw": reserved, **{name: before[name] for name in MAXIMA if name in before}}
