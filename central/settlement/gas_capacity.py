"""The formulas of daily capacity of gas: instalments of its yearly price, and what was taken above it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from central.settlement.case import Case, by_month
from central.settlement.formulas_basic import over_months
from central.settlement.formulas_maximum import over_payers_days, payer_of, plain
from central.settlement.gas import NO_CONVERSION, band_of, lacking
from central.settlement.lines import Share, lines_of
from central.settlement.marks import Assumption, czech
from central.settlement.model import CannotPriceError, Finding, Line, half_up
from central.settlement.prices import BillingRule, PriceValue

HOURS = {"daily_taken_23h_thousand_m3": 23, "daily_taken_25h_thousand_m3": 25}
"""The gas days of clock changes by the quantity that holds what was taken on them; all others have 24 hours."""
FULL_DAY = 24
LITRE = Decimal("0.000001")
"""A thousandth of a m3, in thousand m3."""
BY_HOURS = "hours"
"""Of parameter `change_days`: on the days of clock changes the capacity is 23/24 or 25/24 of what is agreed."""


def gas_capacity_instalment(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """An instalment of the yearly price of daily capacity; bands with a fixed payment have none.

    `factor` names a dated factor of the yearly price (monthly and sliding capacity); without agreed capacity such a
    rule gives nothing.
    """
    shares = []
    for case in cases:
        found = _capacity_price(rule, case)
        if found is None:
            continue
        capacity = case.quantity(rule.parameters["quantity"])
        if not capacity and "optional" in rule.parameters:
            continue
        if capacity is None:
            raise CannotPriceError(
                rule.component, f"{rule.name.cs}: položka smlouvy nemá denní rezervovanou kapacitu.", case.day
            )
        price, yearly, text = found
        multiplier = None
        if "factor" in rule.parameters:
            factor = case.law.require(rule, rule.parameters["factor"], case.day, case.point, f"{case.month:%m}")
            multiplier = factor.value
            yearly *= multiplier
        unit_price = half_up(yearly / Decimal(rule.parameters["instalments"]), case.law.step("unit_price"))
        shares.append(
            Share(
                case,
                over_months(case, capacity),
                price,
                unit_price,
                basis=(capacity, case.month),
                multiplier=multiplier,
                timed=capacity,
                text=text,
            )
        )
    return lines_of(rule, shares, "tis. m³", step="months", kind="unit_price")


@dataclass(frozen=True, slots=True)
class _Excess:
    """What a part took on a gas day above its capacity of that day, in thousand m3."""

    case: Case
    measured: Decimal
    reserved: Decimal
    hours: int

    @property
    def above(self) -> Decimal:
        return self.measured - self.reserved


def gas_capacity_excess(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The gas day of the month that was highest above the reserved daily capacity x multiplier x base price.

    Billed once a month. `measured` names the highest gas day of 24 hours and those of clock changes; with
    `change_days` "hours" the capacity of the latter is by their hours. `factor` names a dated factor of the price by
    month. A part whose band has no price of capacity is not evaluated; one that lacks a quantity is told.
    """
    outcomes: list[Line | Finding] = []
    for month in by_month(cases):
        priced = [case for case in month if _capacity_price(rule, case) is not None]
        lacking = [finding for case in priced if (finding := _lacking(rule, case)) is not None]
        days = [day for case in priced for day in _days(rule, case)]
        outcomes += lacking
        worst = max(days, key=lambda day: day.above, default=None)
        if worst is None or worst.above <= 0:
            continue
        outcomes += over_payers_days(*_billed(rule, month, worst))
    return outcomes


def _billed(rule: BillingRule, month: Sequence[Case], worst: _Excess) -> tuple[list[Line], Sequence[Case], Case]:
    """The line of a month's excess, the parts of the month, and the one whose payer pays."""
    case = worst.case
    found = _capacity_price(rule, case)
    if found is None:  # its day would not be here
        raise CannotPriceError(rule.component, f"{rule.name.cs}: pásmo nemá cenu kapacity.", case.day)
    price, yearly, _ = found
    multiplier = Decimal(rule.parameters["multiplier"])
    if "factor" in rule.parameters:
        factor = case.law.require(rule, rule.parameters["factor"], case.day, case.point, f"{case.month:%m}")
        multiplier *= factor.value
    unit_price = half_up(yearly * multiplier / Decimal(rule.parameters["instalments"]), case.law.step("unit_price"))
    chosen, assumed = payer_of(rule, month, case)
    without: tuple[Assumption, ...] = () if case.quantity("volume_coefficient") is not None else (NO_CONVERSION,)
    changed = "" if worst.hours == FULL_DAY else f" ({worst.hours} hodin)"
    text = (
        f"nejvyšší plynárenský den{changed} {czech(plain(worst.measured))} tis. m³, "
        f"rezervováno {czech(plain(worst.reserved))} tis. m³"
    )
    share = Share(
        chosen,
        plain(worst.above),
        price,
        unit_price,
        multiplier=multiplier,
        also=(*assumed, *without),
        text=text,
        inputs={
            "maximum_thousand_m3": str(plain(worst.measured)),
            "reserved_thousand_m3": str(plain(worst.reserved)),
            "hours": str(worst.hours),
        },
    )
    return lines_of(rule, [share], "tis. m³", kind="unit_price"), month, chosen


def _days(rule: BillingRule, case: Case) -> Iterator[_Excess]:
    """The gas days of a part that may be its highest above what is reserved."""
    agreed = case.summed(rule.parameters["reserved"])
    if agreed is None:
        return
    for name in rule.parameters["measured"].split("+"):
        measured = case.quantity(name)
        if measured is not None:
            hours = HOURS.get(name, FULL_DAY)
            by_hours = rule.parameters.get("change_days") == BY_HOURS
            reserved = half_up(agreed * hours / FULL_DAY, LITRE) if by_hours and hours != FULL_DAY else agreed
            yield _Excess(case, measured, reserved, hours)


def _lacking(rule: BillingRule, case: Case) -> Finding | None:
    """The quantity without which a part's excess is not evaluated, told by name and days."""
    for wanted in ("measured", "reserved"):
        if case.summed(rule.parameters[wanted]) is None:
            return lacking(rule, case, rule.parameters[wanted].split("+")[0])
    return None


def _capacity_price(rule: BillingRule, case: Case) -> tuple[PriceValue, Decimal, str] | None:
    """The yearly price of daily capacity by the first of the rule's `forms` that the band has.

    "const": the band's price; "ln": a + b x ln(K) from `<base>_a` and `<base>_b`, K the agreed thousand m3 a day;
    "table": the row of `<base>_table` that begins at or below K. The component of the price is parameter `base`, or
    the rule's own. With the price: what it comes to, and what tells how.
    """
    base = rule.parameters.get("base", rule.component)
    band = band_of(rule, case)
    capacity = case.quantity(rule.parameters["quantity"]) if "quantity" in rule.parameters else None
    for form in rule.parameters.get("forms", "const").split("+"):
        if form == "const":
            price = case.law.find(base, case.day, case.point, band)
            if price is not None:
                return price, price.value, ""
        elif capacity:
            if form == "ln":
                first = case.law.find(f"{base}_a", case.day, case.point, band)
                slope = case.law.find(f"{base}_b", case.day, case.point, band)
                if first is not None and slope is not None:
                    value = half_up(first.value + slope.value * capacity.ln(), case.law.step("unit_price"))
                    text = f"{czech(first.value)} + {czech(slope.value)} × ln({czech(capacity)}) = {czech(value)}"
                    return first, value, text
            else:
                row = case.law.find_step(f"{base}_table", case.day, capacity)
                if row is not None:
                    return row, row.value, ""
    return None
