"""Which components are due on each day of a supply point: those that the rules of the package in force always bill, and
what must have been measured that others are.

Not expected are the surcharge for the power factor (no package that ships has its zones) and the over-run of gas (its
days of 23 and 25 hours are settlement's).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from central.settlement.law import Law
from central.settlement.model import CannotPriceError, TariffPoint
from central.settlement.price_parts import applies
from central.settlement.prices import BillingRule
from central.settlement.supply import GAS, SINGLE_TARIFF, TWO_TARIFFS


class Need(StrEnum):
    """When the rule of a formula must give a line."""

    ALWAYS = "always"
    AGREED = "agreed"
    """Where the quantity that the rule names is agreed."""
    BANDED = "banded"
    """Where the point's band of consumption has a price of the component, unless the rule says *optional*."""


DUE: Final[Mapping[str, Need]] = {
    "per_mwh": Need.ALWAYS,
    "per_point_month": Need.ALWAYS,
    "per_started_unit_month": Need.ALWAYS,
    "breaker_band": Need.ALWAYS,
    "capped_per_mw": Need.ALWAYS,
    "capped_per_ampere": Need.ALWAYS,
    "per_mw_month": Need.AGREED,
    "gas_energy": Need.ALWAYS,
    "gas_fixed_month": Need.BANDED,
    "gas_capacity_instalment": Need.BANDED,
    "gas_market_operator": Need.BANDED,
}
"""By formula; others are due only when something happened."""
HAPPENING: Final = frozenset({"excess_over_reserved", "fixed_excess_over_reserved", "per_mvarh"})
"""Formulas that bill what was measured beyond what is reserved, in kW, or at all, in MVArh."""

REASONS: Final = {
    "capacity_exempt": "rezervovaná kapacita: osvobozeno (§ 54a) / reserved capacity: exempt",
    "single_component": "zvolena jednosložková cena / single-component price chosen",
    "zero": "zákonná cena je 0 / the legal price is 0",
    "other_supplier": "dodávka jiného dodavatele / supply by another supplier",
}
"""Why something is not due, as messages name it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Rates that are due, and why others are not."""

    rates: frozenset[int]
    reasons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Happening:
    """A rate that is due where `measured`, the first of these quantities that there is, exceeds the sum of `reserved`;
    `from_zero`: also where nothing is reserved; of a `group` only the dearer one is billed."""

    rate: int
    measured: tuple[str, ...]
    reserved: tuple[str, ...]
    from_zero: bool
    group: str | None


def happenings(law: Law | None, point: TariffPoint, day: date) -> tuple[Happening, ...]:
    """What would be due of a point on a day if it happened; what costs nothing is not."""
    if law is None:
        return ()
    try:
        rules = law.rules(point)
    except CannotPriceError:
        return ()
    found = []
    for rule in rules:
        if rule.code is None or rule.formula not in HAPPENING or not applies(rule, point, day):
            continue
        price = law.find(rule.parameters.get("base", rule.component), day, point, None)
        if price is None or price.value == 0:
            continue
        if "quantity" in rule.parameters:
            found.append(Happening(rule.code, (rule.parameters["quantity"],), (), from_zero=True, group=None))
            continue
        entry = rule.parameters.get("measured_at_entry") if point.network_entry else None
        found.append(
            Happening(
                rule.code,
                (*((entry,) if entry else ()), rule.parameters["measured"]),
                tuple(rule.parameters["reserved"].split("+")),
                from_zero=rule.parameters.get("reserved_if_none") == "zero",
                group=rule.group if rule.group and law.book.takes_only_higher(rule.group) else None,
            )
        )
    return tuple(found)


def expected(law: Law | None, point: TariffPoint, day: date, agreed: frozenset[str]) -> Expected:
    """What is due of a point on a day; `agreed` names what quantities are agreed.

    Where the package cannot tell (there is none, the rate is unknown) nothing is: then some basis is due all the same.
    """
    if law is None:
        return Expected(frozenset(), frozenset())
    try:
        rules = law.rules(point)
    except CannotPriceError:
        return Expected(frozenset(), frozenset())
    rates: set[int] = set()
    reasons: set[str] = set()
    for rule in rules:
        if rule.code is None or rule.formula not in DUE:
            continue
        if not applies(rule, point, day):
            reasons |= {trait for trait in rule.parameters.get("not_if", "").split("+")
                        if trait in REASONS and point.has(trait)}  # fmt: skip
        elif _is_due(rule, law, point, day, agreed):
            if _is_free(rule, law, point, day):
                reasons.add("zero")
            else:
                rates.add(rule.code)
    return Expected(frozenset(rates), frozenset(reasons))


def supplied(commodity: str, priced: Sequence[str], *, two_tariffs: bool) -> frozenset[int]:
    """Rates of supply by an own price list whose components `priced` cost something."""
    sold = GAS if commodity == "gas" else TWO_TARIFFS if two_tariffs else SINGLE_TARIFF
    return frozenset(each.named.code for each in sold if each.component in priced)


def _is_due(rule: BillingRule, law: Law, point: TariffPoint, day: date, agreed: frozenset[str]) -> bool:
    match DUE[rule.formula]:
        case Need.ALWAYS:
            return True
        case Need.AGREED:
            return rule.parameters["quantity"] in agreed
        case Need.BANDED:
            if "optional" in rule.parameters or "included_in" in rule.parameters:
                return False
            return law.find(rule.component, day, point, _band(law, point)) is not None


def _is_free(rule: BillingRule, law: Law, point: TariffPoint, day: date) -> bool:
    price = law.find(rule.component, day, point, _band(law, point))
    return price is not None and price.value == 0


def _band(law: Law, point: TariffPoint) -> str | None:
    return None if point.annual_mwh is None else law.consumption_band(point.operator, point.annual_mwh)
