"""GP6: lines of a document with their prices, by the documented formulas."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from central.market.payloads.exact import EXACT
from central.market.payloads.gas_billing import GasBilling

_CENT: Final = Decimal("0.01")
PriceField = Literal[
    "DistributionSum.UnitPrice",
    "DistributionSum.MOSettlementUnitPrice",
    "Period.Payment_Rent",
    "Period.Capacity_Price",
    "ContractValue.Year_Price",
    "ContractValue.Oversize_Price",
]
"""Where a price stands, as the specification of the checks names the fields (the last one is named alike by us)."""
_OF_ENERGY: Final[frozenset[PriceField]] = frozenset(
    {"DistributionSum.UnitPrice", "DistributionSum.MOSettlementUnitPrice"}
)


class Period(Protocol):
    """Instants, half-open."""

    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime: ...


class _Days(NamedTuple):
    start: datetime
    end: datetime


class PricedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a document: the field in which its price stands, and amount = quantity x price x effect, in CZK.

    Quantities are kWh, or 1000 m3 (a day), or 1 of a fixed payment.
    """

    field: PriceField
    start: datetime
    end: datetime
    quantity: Decimal
    price: Decimal
    effect: Decimal
    amount: Decimal


def lines_of(document: GasBilling) -> list[Decimal]:
    """Amounts of the document's lines in CZK, each rounded to cents half up, by the documented formulas."""
    return [line.amount for line in priced_lines(document)]


def priced_lines(document: GasBilling) -> list[PricedLine]:
    """The document's lines, each rounded to cents half up; the days of A/B are one line.

    Where only lines of single days give the total (priceTotal), the amount of that line is their sum.
    """
    with localcontext(EXACT):
        whole, by_day = lines_of_whole(document), lines_by_day(document)
        if sum_of(whole) == abs(document.net) or sum_of(by_day) != abs(document.net):
            return whole
        summed: dict[PriceField, Decimal] = {}
        for line in by_day:
            summed[line.field] = summed.get(line.field, Decimal(0)) + line.amount
        return [
            msgspec.structs.replace(line, amount=summed[line.field]) if line.field in _OF_ENERGY else line
            for line in whole
        ]


def lines_of_whole(document: GasBilling) -> list[PricedLine]:
    """Lines with all days of A/B as one; to be asked within the context EXACT."""
    return [*_agreed_lines(document), *_energy_lines(document, [sum(_days(document), Decimal(0))])]


def lines_by_day(document: GasBilling) -> list[PricedLine]:
    """Lines with each day of A/B for itself; to be asked within the context EXACT."""
    return [*_agreed_lines(document), *_energy_lines(document, _days(document))]


def sum_of(lines: Iterable[PricedLine]) -> Decimal:
    """CZK of lines."""
    return sum((line.amount for line in lines), Decimal(0))


def _agreed_lines(document: GasBilling) -> Iterator[PricedLine]:
    for part in document.agreed_c:
        if part.capacity is not None:
            capacity = part.capacity
            yield _line("Period.Capacity_Price", part, capacity.volume.scaleb(-3), capacity.price, capacity.effect)
        if part.payment is not None:
            yield _line("Period.Payment_Rent", part, Decimal(1), part.payment.rent, part.payment.effect)
    for agreed in document.agreed:
        days = _Days(agreed.start or document.start, agreed.end or document.end)
        yield _line("ContractValue.Year_Price", days, agreed.size.scaleb(-3), agreed.price, agreed.effect)
        for overrun in agreed.overruns:
            size = overrun.size.scaleb(-3)
            yield _line("ContractValue.Oversize_Price", days, size, overrun.unit_price, overrun.month_factor)


def _energy_lines(document: GasBilling, daily: Sequence[Decimal]) -> Iterator[PricedLine]:
    one = Decimal(1)
    for part in document.distributed:
        yield _line("DistributionSum.UnitPrice", part, part.energy_kwh, part.unit_price, one)
        yield _line("DistributionSum.MOSettlementUnitPrice", part, part.energy_kwh, part.operator_price, one)
    if document.daily is not None:
        for energy in daily:
            yield _line("DistributionSum.UnitPrice", document, energy, document.daily.unit_price, one)
            yield _line("DistributionSum.MOSettlementUnitPrice", document, energy, document.daily.operator_price, one)


def _line(field: PriceField, days: Period, quantity: Decimal, price: Decimal, effect: Decimal) -> PricedLine:
    return PricedLine(
        field=field,
        start=days.start,
        end=days.end,
        quantity=quantity,
        price=price,
        effect=effect,
        amount=_cents(quantity * price * effect),
    )


def _days(document: GasBilling) -> list[Decimal]:
    return [day.energy_kwh for day in document.daily.days] if document.daily is not None else []


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
