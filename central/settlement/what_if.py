"""What if: a point on other agreed values, another rate or package, and its cheapest reserved capacity. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from central.settlement.case import KILO, Case, cases_of
from central.settlement.formulas import ALL_FORMULAS
from central.settlement.formulas_maximum import excess_over_reserved, excess_price, maximum_of
from central.settlement.model import Part
from central.settlement.price_parts import applicable_rules, price_parts
from central.settlement.prices import PriceBook

YEARLY = "reserved_capacity_year_kw"
MONTHLY = "reserved_capacity_month_kw"
INPUT = "reserved_input_kw"


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be otherwise; what is None stays. `tariff_choice` "" takes a choice away."""

    agreed: Mapping[str, Decimal] = field(default_factory=dict)
    rate: str | None = None
    breaker: tuple[int, Decimal] | None = None
    tariff_choice: str | None = None
    book: PriceBook | None = None


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """Reserved capacity in whole kW: one yearly value, and what is bought on top in each month; their costs in Kč."""

    yearly_kw: int
    monthly_kw: tuple[int, ...]
    costs: tuple[Decimal, ...]

    @property
    def cost(self) -> Decimal:
        return sum(self.costs, Decimal("0.00"))


def changed(parts: Sequence[Part], change: Change) -> list[Part]:
    """The parts as they would be; by another package the prices of its first day where the period is not its own."""
    return [_changed(part, change) for part in parts]


def _changed(part: Part, change: Change) -> Part:
    point = part.point
    if change.rate is not None:
        point = replace(point, rate=change.rate)
    if change.breaker is not None:
        point = replace(point, breaker_phases=change.breaker[0], breaker_amperes=change.breaker[1])
    if change.tariff_choice is not None:
        point = replace(point, tariff_choice=change.tariff_choice or None)
    part = replace(part, point=point, agreed={**part.agreed, **change.agreed})
    if change.book is None:
        return part
    first, end = change.book.valid
    return replace(part, prices=change.book, priced_on=None if first <= part.first < end else first)


def cheapest_capacity(months: Sequence[Sequence[Part]]) -> CapacityPlan:
    """The yearly and monthly reserved capacity that would have cost least in these months, by their own prices.

    Exact: a month's cost is piecewise linear in both values, so that its lowest lies where a piece ends: at nothing, at
    the month's maximum, at the reserved input, and where the payment for the exceeded input overtakes that for the
    exceeded capacity. Every candidate is priced by the rules themselves. Of equal costs the lower capacity is taken.
    """
    if not months:
        raise ValueError("There is no month to find reserved capacity for.")
    ends = [sorted(_ends(month)) for month in months]
    best: CapacityPlan | None = None
    for yearly in sorted({0, *(end for month in ends for end in month)}):
        monthly: list[int] = []
        costs: list[Decimal] = []
        for month, candidates in zip(months, ends, strict=True):
            limit = _limit(month)
            if limit is not None and yearly > limit:
                break
            cost, bought = min(
                (_cost(month, yearly, extra), extra)
                for extra in sorted({0, *(end - yearly for end in candidates if end > yearly)})
            )
            monthly.append(bought)
            costs.append(cost)
        if len(costs) == len(months):
            plan = CapacityPlan(yearly, tuple(monthly), tuple(costs))
            if best is None or plan.cost < best.cost:
                best = plan
    if best is None:
        raise AssertionError("Yearly capacity 0 is within every limit.")
    return best


def agreed_capacity(months: Sequence[Sequence[Part]]) -> list[Decimal]:
    """What each month costs as it is agreed."""
    return [price_parts(month).net for month in months]


def with_capacity(month: Sequence[Part], yearly: int, monthly: int) -> list[Part]:
    """A month with other reserved capacity."""
    values = {YEARLY: Decimal(yearly), MONTHLY: Decimal(monthly)}
    return [replace(part, agreed={**part.agreed, **values}) for part in month]


def _cost(month: Sequence[Part], yearly: int, monthly: int) -> Decimal:
    return price_parts(with_capacity(month, yearly, monthly)).net


def _limit(month: Sequence[Part]) -> int | None:
    """Whole kW that yearly and monthly capacity together must not be over: the lowest reserved input of the month."""
    inputs = [value for part in month if (value := part.agreed.get(INPUT)) is not None]
    return None if not inputs else int(min(inputs).to_integral_value(ROUND_FLOOR))


def _ends(month: Sequence[Part]) -> Iterator[int]:
    """Whole kW at which a piece of the month's cost may end, none over the reserved input."""
    limit = _limit(month)
    for value in _exact_ends(month):
        for whole in (value.to_integral_value(ROUND_FLOOR), value.to_integral_value(ROUND_CEILING)):
            if whole >= 0 and (limit is None or whole <= limit):
                yield int(whole)
    if limit is not None:
        yield limit


def _exact_ends(month: Sequence[Part]) -> Iterator[Decimal]:
    for case in cases_of(with_capacity(month, 0, 0)):
        capacities: list[tuple[Decimal, Decimal]] = []
        others: list[Decimal] = []
        for rule in applicable_rules(case):
            if ALL_FORMULAS[rule.formula] is not excess_over_reserved:
                continue
            maximum, _ = maximum_of(rule, case)
            if maximum is None:
                continue
            kilowatts = case.megawatts(maximum) * KILO
            names = rule.parameters["reserved"].split("+")
            if YEARLY in names or MONTHLY in names:
                for yearly in (0, 1):
                    priced_case = _at(case, yearly)
                    capacities.append((kilowatts, excess_price(rule, priced_case)[1]))
            else:
                reserved = case.summed(rule.parameters["reserved"])
                if reserved is not None and kilowatts > reserved:
                    others.append((kilowatts - reserved) * excess_price(rule, case)[1])
        for kilowatts, unit_price in capacities:
            yield kilowatts
            for payment in others:
                if unit_price:
                    yield kilowatts - payment / unit_price


def _at(case: Case, yearly: int) -> Case:
    return replace(case, quantities={**case.quantities, YEARLY: Decimal(yearly)})
