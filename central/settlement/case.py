"""A part ready to be priced: its quantities with losses, its energy rounded so that parts sum to the whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import floor

from central.settlement.law import Law, law_of
from central.settlement.model import CannotPriceError, Part, Quantities, TariffPoint
from central.settlement.prices import BillingRule
from shared.metering_day import next_month

KILO = Decimal(1000)
TARIFF_ENERGY = ("energy_vt_mwh", "energy_nt_mwh")
WITH_LOSSES = frozenset(
    {
        "energy_mwh",
        *TARIFF_ENERGY,
        "evaluated_energy_mwh",
        "max_quarter_hour_kw",
        "max_quarter_hour_without_exempt_kw",
    }
)
"""Quantities that the losses of the customer's transformer are added to: energy and quarter-hour power taken."""
_ROUNDED = (
    ("energy_vt_mwh", "energy_mwh"),
    ("energy_nt_mwh", "energy_mwh"),
    ("energy_mwh", "energy_mwh"),
    ("evaluated_energy_mwh", "energy_mwh"),
    ("energy_returned_mwh", "energy_mwh"),
    ("shared_energy_mwh", "energy_mwh"),
    ("reactive_delivery_mvarh", "reactive_mvarh"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What a formula sees of one part with the day that its prices are taken from."""

    part: Part
    law: Law
    quantities: Quantities

    @property
    def point(self) -> TariffPoint:
        return self.part.point

    @property
    def day(self) -> date:
        return self.part.priced_on or self.part.first

    @property
    def months(self) -> Fraction:
        """How many months the part has, by days of each month."""
        return months_of(self.part.first, self.part.end)

    @property
    def month(self) -> date:
        """The first day of the calendar month that the part begins in."""
        return self.part.first.replace(day=1)

    def quantity(self, name: str) -> Decimal | None:
        return self.quantities.get(name)

    def required(self, rule: BillingRule, name: str) -> Decimal:
        """A quantity that the rule cannot do without."""
        value = self.quantities.get(name)
        if value is None:
            raise CannotPriceError(rule.component, f"{rule.name.cs}: chybí veličina {name}.", self.day)
        return value

    def summed(self, names: str) -> Decimal | None:
        """The sum of quantities named "a+b"; None where none of them is given."""
        given = [value for name in names.split("+") if (value := self.quantities.get(name)) is not None]
        return sum(given, Decimal(0)) if given else None

    def megawatts(self, kilowatts: Decimal) -> Decimal:
        """kW as MW, rounded as the package says."""
        return rounded(kilowatts / KILO, self.law.step("power_mw"))


def cases_of(parts: Sequence[Part]) -> list[Case]:
    """The parts of one point, ready to be priced.

    Energy is rounded cumulatively: what is billed in the parts sums to the rounded energy of the period, wherever the
    period is cut. The total of two tariffs is the sum of what is billed in each: rounded of itself it could differ by
    a step from the lines above it.
    """
    before: dict[str, tuple[Decimal, Decimal]] = {}
    cases: list[Case] = []
    for part in parts:
        law = law_of(part.prices)
        quantities = {**part.agreed, **with_losses(part.measured, part.point.loss_coefficient)}
        if part.settled:
            cases.append(Case(part, law, quantities))
            continue
        two_tariffs = "energy_vt_mwh" in quantities
        for name, kind in _ROUNDED:
            value = quantities.get(name)
            if value is None or (two_tariffs and name == "energy_mwh"):
                continue
            total, billed = before.get(name, (Decimal(0), Decimal(0)))
            total += value
            whole = rounded(total, law.step(kind))
            quantities[name] = whole - billed
            before[name] = (total, whole)
        if two_tariffs:
            quantities["energy_mwh"] = sum((quantities.get(name, Decimal(0)) for name in TARIFF_ENERGY), Decimal(0))
        cases.append(Case(part, law, quantities))
    return cases


def with_losses(quantities: Quantities, coefficient: Decimal | None) -> Quantities:
    """Energy and quarter-hour power taken, increased for losses of the customer's transformer; the rest as it is.

    `coefficient` is what they are multiplied by, for example 1.04 for +4 %; None or 1 changes nothing.
    """
    if coefficient is None or coefficient == 1:
        return quantities
    return {name: value * coefficient if name in WITH_LOSSES else value for name, value in quantities.items()}


@lru_cache(maxsize=4096)
def months_of(first: date, end: date) -> Fraction:
    """Months from `first` to before `end`: whole ones exactly, parts by days of their month."""
    months = Fraction(0)
    at = first
    while at < end:
        following = next_month(at.year, at.month)
        begun = at.replace(day=1)
        until = min(end, following)
        months += Fraction((until - at).days, (following - begun).days)
        at = until
    return months


@lru_cache(maxsize=4096)
def told_months(first: date, end: date) -> str:
    """The same in words: "1 měs", "12/31 měs", "5 + 12/31 měs"."""
    whole, pieces = 0, []
    at = first
    while at < end:
        following = next_month(at.year, at.month)
        until = min(end, following)
        days, length = (until - at).days, (following - at.replace(day=1)).days
        if days == length:
            whole += 1
        else:
            pieces.append(f"{days}/{length}")
        at = until
    return f"{' + '.join([*([str(whole)] if whole else []), *pieces])} měs"


def rounded(value: Decimal | Fraction, step: Decimal) -> Decimal:
    """Half up to a step of a power of ten; below zero as above it, away from zero."""
    if isinstance(value, Fraction):
        exponent = step.adjusted()
        scaled = value * 10**-exponent if exponent <= 0 else value / 10**exponent
        whole = floor(abs(scaled) + Fraction(1, 2))
        return Decimal(whole if scaled >= 0 else -whole).scaleb(exponent)
    return value.quantize(step, rounding="ROUND_HALF_UP")


def by_month(cases: Iterable[Case]) -> list[list[Case]]:
    """The parts of each calendar month, in order, without those that are settled already."""
    return whole_months(case for case in cases if not case.part.settled)


def whole_months(cases: Iterable[Case]) -> list[list[Case]]:
    """The parts of each calendar month, in order."""
    months: dict[date, list[Case]] = {}
    for case in cases:
        months.setdefault(case.month, []).append(case)
    return list(months.values())
