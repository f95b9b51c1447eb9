"""From a bill's lines of one gas point to billing data GP6, so that the consumer's arithmetic gives the bill. Pure.

The message has no amounts of lines: parts of a year and of months (`effect`) are told such that price x quantity x
effect is the billed amount to the cent. A price of capacity is told by the year: twelve instalments.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from central.market.payloads.gas_billing import (
    AgreedC,
    AgreedCapacity,
    CapacityC,
    DailyEnergy,
    DistributedEnergy,
    FixedPayment,
    GasBilling,
    GasBillings,
    GasDayEnergy,
    Overrun,
)
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

ENERGY, FIXED, OPERATOR, EXCESS = 1001, 1002, 1023, 1998
CAPACITIES: Final = frozenset({1019, 1021, 1022})
KNOWN: Final = frozenset({ENERGY, FIXED, OPERATOR, EXCESS}) | CAPACITIES
DAILY: Final = frozenset({"A", "B"})
"""Types of metering whose energy is told by gas day."""
_CENT: Final = Decimal("0.01")
_THOUSAND: Final = Decimal(1000)
_MONTHS: Final = 12
_EFFECT: Final = Decimal(1).scaleb(-10)
_FACTOR: Final = Decimal(1).scaleb(-8)
_PRICE: Final = Decimal(1).scaleb(-5)
_KWH_PRICE: Final = Decimal(1).scaleb(-8)
_DAY_STEP: Final = Decimal(1).scaleb(-2)
_NUMBER: Final = 15


class UntellableError(Exception):
    """A bill that GP6 has no place for; a sentence says what of it."""


@dataclass(frozen=True, slots=True)
class GasLine:
    """A billed line for the gas days [first, stop)."""

    rate: int
    name: str
    quantity: Decimal
    unit_price: Decimal
    net: Decimal
    vat_percent: Decimal
    first: date
    stop: date


@dataclass(frozen=True, slots=True)
class GasBill:
    """What a document bills of a gas point; `original` is the number of the one that it corrects or cancels.

    `daily_kwh` are the energies of the gas days as they were measured, exact or nearly so: shares of what is billed.
    """

    eic: str
    number: str
    kind: str
    original: str | None
    metering_type: str | None
    daily_capacity_m3: Decimal | None
    annual_mwh: Decimal | None
    first: date
    stop: date
    lines: Sequence[GasLine]
    daily_kwh: Mapping[date, Decimal]


def gas_billing(bill: GasBill) -> GasBillings:
    """The message's documents; UntellableError names what has no place in them.

    A cancelling has no body. A correction is two documents: what it takes back, and what it bills instead.
    """
    if unknown := sorted({line.rate for line in bill.lines} - KNOWN):
        raise UntellableError(
            f"The bill {bill.number} has lines of the rate {', '.join(map(str, unknown))}, for which GP6 has no place."
        )
    back = [line for line in bill.lines if line.net < 0]
    billed = [line for line in bill.lines if line.net >= 0]
    documents = []
    if bill.kind in {"cancelling", "corrective"} and back:
        suffix = "/S" if billed and bill.kind == "corrective" else ""
        documents.append(_head(bill, back, bill.number + suffix, segment="cancel", concerns=bill.original))
    elif back:
        raise UntellableError(f"The bill {bill.number} takes back lines and does not say of which document.")
    if billed and bill.kind != "cancelling":
        corrects = bill.kind == "corrective"
        document = _head(bill, billed, bill.number, segment="regular", concerns=bill.original if corrects else None)
        body: dict[str, Any] = _body_ab(bill, billed) if bill.metering_type in DAILY else _body_c(bill, billed)
        named = {name: getattr(document, name) for name in document.__struct_fields__}
        reason = {"correction_reason": "network_error"} if corrects else {}
        documents.append(GasBilling(**{**named, **reason, **body}))
    return GasBillings(documents=documents)


def _head(bill: GasBill, lines: Sequence[GasLine], number: str, **more: Any) -> GasBilling:
    sums: defaultdict[Decimal, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for line in lines:
        sums[line.vat_percent] += line.net
    net = sum(sums.values(), Decimal("0.00"))
    vat = sum((_cents(base * percent / 100) for percent, base in sums.items()), Decimal("0.00"))
    short = number if len(number) <= _NUMBER else None
    return GasBilling(
        net=net,
        gross=net + vat,
        start=begin(bill.first),
        end=begin(bill.stop),
        opm=bill.eic,
        number=short,
        further_number=None if short else number[:25],
        yearly_kwh=None if bill.annual_mwh is None else (bill.annual_mwh * _THOUSAND).quantize(_CENT),
        **more,
    )


def _body_c(bill: GasBill, lines: Sequence[GasLine]) -> dict[str, Any]:
    if any(line.rate == EXCESS for line in lines):
        raise UntellableError(f"The bill {bill.number} has an excess of capacity, which metering C has no place for.")
    operator = {(line.first, line.stop): line for line in lines if line.rate == OPERATOR}
    distributed = [_distributed(line, operator.pop((line.first, line.stop), None)) for line in _of(lines, ENERGY)]
    # A market operator's line of other days than the energy's stands for itself.
    distributed += [_distributed(None, line) for line in operator.values()]
    return {"distributed": distributed, "agreed_c": [each for line in lines if (each := _agreed_c(bill, line))]}


def _distributed(energy: GasLine | None, operator: GasLine | None) -> DistributedEnergy:
    line = energy or operator
    assert line is not None, "one of them is there"
    return DistributedEnergy(
        start=begin(line.first),
        end=begin(line.stop),
        energy_kwh=line.quantity * _THOUSAND,
        unit_price=_by_kwh(energy),
        operator_price=_by_kwh(operator),
    )


def _agreed_c(bill: GasBill, line: GasLine) -> AgreedC | None:
    span: dict[str, Any] = {"start": begin(line.first), "end": begin(line.stop)}
    if line.rate == FIXED:
        rent = line.unit_price.quantize(_PRICE)
        return AgreedC(**span, payment=FixedPayment(rent=rent, effect=_part(line.net, rent, _EFFECT)))
    if line.rate in CAPACITIES:
        volume, price, effect = _capacity(bill, line)
        return AgreedC(**span, capacity=CapacityC(volume=volume, price=price, effect=effect))
    return None


def _body_ab(bill: GasBill, lines: Sequence[GasLine]) -> dict[str, Any]:
    if any(line.rate == FIXED for line in lines):
        raise UntellableError(f"The bill {bill.number} has a fixed payment, which metering A and B have no place for.")
    energy, operator = _of(lines, ENERGY), _of(lines, OPERATOR)
    prices = {line.unit_price for line in energy}, {line.unit_price for line in operator}
    if any(len(each) > 1 for each in prices):
        raise UntellableError(f"The bill {bill.number} has two prices of energy: metering A and B have place for one.")
    agreed = []
    for line in lines:
        if line.rate in CAPACITIES:
            size, price, effect = _capacity(bill, line)
            span: dict[str, Any] = {"start": begin(line.first), "end": begin(line.stop)}
            agreed.append(AgreedCapacity(size=size, price=price, effect=effect, **span))
    overruns = [
        Overrun(
            size=line.quantity * _THOUSAND,
            unit_price=line.unit_price.quantize(_PRICE),
            month_factor=_part(line.net, line.quantity * line.unit_price, _FACTOR),
        )
        for line in _of(lines, EXCESS)
    ]
    if overruns and not agreed:
        raise UntellableError(f"The bill {bill.number} has an excess of capacity and no capacity that it is above.")
    if overruns:
        first = agreed[0]
        named = {name: getattr(first, name) for name in first.__struct_fields__}
        agreed[0] = AgreedCapacity(**{**named, "overruns": overruns})
    daily = None
    if energy or operator:
        total = sum((line.quantity for line in energy or operator), Decimal(0)) * _THOUSAND
        days = [GasDayEnergy(day=begin(day), energy_kwh=kwh) for day, kwh in _shared(bill, total).items()]
        daily = DailyEnergy(
            unit_price=_by_kwh(next(iter(energy), None)), operator_price=_by_kwh(next(iter(operator), None)), days=days
        )
    return {"daily": daily, "agreed": agreed}


def _shared(bill: GasBill, total: Decimal) -> dict[date, Decimal]:
    """What is billed, in kWh, by gas day: by the shares that were measured, rounded such that the sum stays."""
    measured = {day: kwh for day, kwh in sorted(bill.daily_kwh.items()) if bill.first <= day < bill.stop}
    whole = sum(measured.values(), Decimal(0))
    if not measured or (whole == 0 and total != 0):
        raise UntellableError(
            f"Of the bill {bill.number} no energies of gas days are known, which A and B are told by."
        )
    found, upto, given = {}, Decimal(0), Decimal(0)
    for day, kwh in measured.items():
        upto += kwh
        until = (upto * total / whole).quantize(_DAY_STEP, ROUND_HALF_UP) if whole else Decimal(0)
        found[day], given = until - given, until
    last = max(found)
    found[last] += total - given
    return found


def _capacity(bill: GasBill, line: GasLine) -> tuple[Decimal, Decimal, Decimal]:
    """m3 a day, CZK per 1000 m3 and year, part of a year."""
    agreed = bill.daily_capacity_m3 if line.rate == min(CAPACITIES) else None
    size = agreed or line.quantity * _THOUSAND
    price = (line.unit_price * _MONTHS).quantize(_PRICE, ROUND_HALF_UP)
    return size, price, _part(line.net, size / _THOUSAND * price, _EFFECT)


def _part(amount: Decimal, whole: Decimal, step: Decimal) -> Decimal:
    return (amount / whole).quantize(step, ROUND_HALF_UP) if whole else Decimal(0)


def _by_kwh(line: GasLine | None) -> Decimal:
    return Decimal(0) if line is None else (line.unit_price / _THOUSAND).quantize(_KWH_PRICE, ROUND_HALF_UP)


def _of(lines: Sequence[GasLine], rate: int) -> list[GasLine]:
    return [line for line in lines if line.rate == rate]


def begin(day: date) -> datetime:
    """The instant at which a gas day begins, 6:00 in Prague."""
    return MeteringDay(Commodity.GAS, day).start


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
