"""The tariff structure of 2027: each month the lower of tariffs over reserved input and maximum power taken.

Per tariff T: sum(RP x months x price of RP) + M x price of M; the tariff with the lower sum is billed (pt 4.8), RP by
days where it changes inside the month (pt 4.10). Two rules give the two lines; both weigh the same sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from central.settlement.case import Case, whole_months
from central.settlement.formulas_basic import megawatt_share
from central.settlement.formulas_maximum import maximum_of, over_payers_days, payer_of
from central.settlement.lines import Share, lines_of
from central.settlement.marks import Assumption, czech
from central.settlement.model import CannotPriceError, Finding, Line
from central.settlement.prices import BillingRule

FLOOR = Assumption(
    "assumed",
    "Vstup do lokální sítě platí rezervovaný příkon nejméně z maxima a podílu sjednaného (kalkulačka ERÚ, znění "
    "výměru nebylo k dispozici).",
    "The entry of a local network pays reserved input from the higher of the maximum and a share of the agreed value "
    "(the regulator's calculator; the decision's wording was not available).",
)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A month's choice: the tariff, what each would cost, MW of reserved input of each part, the storage's share."""

    tariff: str
    sums: dict[str, Decimal]
    reserved: list[Decimal]
    coefficient: Decimal


def lower_tariff_reserved_input(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """Reserved input in MW x the price of the tariff with the lower sum; at a network's entry with its floor.

    The tariff is the whole month's, also where a part of it is settled already.
    """
    outcomes: list[Line | Finding] = []
    for month in whole_months(cases):
        weighed = _weigh(rule, month)
        shares = []
        for case, megawatts in zip(month, weighed.reserved, strict=True):
            if case.part.settled:
                continue
            price = case.law.require(rule, rule.parameters["reserved_price"], case.day, case.point, weighed.tariff)
            share = megawatt_share(case, megawatts, price, _told(weighed))
            floored = "floor" in rule.parameters and case.point.network_entry
            shares.append(_with(share, weighed, (FLOOR,) if floored else ()))
        outcomes += lines_of(rule, shares, "MW", step="power_mw_months", kind="power_mw")
    return outcomes


def lower_tariff_maximum_power(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The month's maximum power taken in MW x the price of the tariff with the lower sum, less a storage's share."""
    outcomes: list[Line | Finding] = []
    for month in whole_months(cases):
        own = [case for case in month if not case.part.settled]
        if not own:
            continue
        weighed = _weigh(rule, month)
        at_maximum, kilowatts = _highest(rule, own)
        maximum = at_maximum.megawatts(kilowatts * (1 - weighed.coefficient))
        chosen, assumed = payer_of(rule, own, at_maximum)
        price = chosen.law.require(rule, rule.parameters["measured_price"], chosen.day, chosen.point, weighed.tariff)
        share = Share(chosen, maximum, price, price.value, text=_told(weighed))
        lines = lines_of(rule, [_with(share, weighed, assumed)], "MW", kind="power_mw")
        outcomes += over_payers_days(lines, own, chosen)
    return outcomes


def storage_coefficient(share: Decimal, lower: Decimal, upper: Decimal) -> Decimal:
    """K = (share - U1) / (U2 - U1), between 0 and 1; `share` is energy given back of energy taken."""
    if upper <= lower:
        raise ValueError(f"The limits of storage must rise: U1 {lower}, U2 {upper}.")
    return min(max((share - lower) / (upper - lower), Decimal(0)), Decimal(1))


def _highest(rule: BillingRule, month: Sequence[Case]) -> tuple[Case, Decimal]:
    """The part with the highest quarter-hour, and that in kW."""
    at_maximum, kilowatts = month[0], Decimal(-1)
    for case in month:
        maximum, _ = maximum_of(rule, case)
        if maximum is None:
            raise CannotPriceError(
                rule.component, f"{rule.name.cs}: chybí veličina {rule.parameters['measured']}.", case.day
            )
        if maximum > kilowatts:
            at_maximum, kilowatts = case, maximum
    return at_maximum, kilowatts


def _weigh(rule: BillingRule, month: Sequence[Case]) -> _Weighed:
    at_maximum, kilowatts = _highest(rule, month)
    coefficient = _coefficient(rule, month)
    maximum_mw = at_maximum.megawatts(kilowatts * (1 - coefficient))
    unadjusted = at_maximum.megawatts(kilowatts)
    reserved = [_reserved(rule, case, unadjusted) for case in month]
    sums: dict[str, Decimal] = {}
    for tariff in rule.parameters["tariffs"].split("+"):
        total = Fraction(0)
        for case, megawatts in zip(month, reserved, strict=True):
            price = case.law.require(rule, rule.parameters["reserved_price"], case.day, case.point, tariff)
            total += Fraction(megawatts) * case.months * Fraction(price.value)
        price = at_maximum.law.require(
            rule, rule.parameters["measured_price"], at_maximum.day, at_maximum.point, tariff
        )
        total += Fraction(maximum_mw) * Fraction(price.value)
        sums[tariff] = Decimal(total.numerator) / Decimal(total.denominator)
    tariff = min(sums, key=lambda name: sums[name])
    return _Weighed(tariff, sums, reserved, coefficient)


def _reserved(rule: BillingRule, case: Case, maximum: Decimal) -> Decimal:
    """MW of reserved input that a part pays for; a network's entry at least for max(M; floor x RP)."""
    agreed = case.quantity(rule.parameters["reserved"])
    if agreed is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: není sjednán rezervovaný příkon.", case.day)
    floor = rule.parameters.get("floor")
    if floor is not None and case.point.network_entry:
        return max(maximum, case.megawatts(agreed * Decimal(floor)))
    return case.megawatts(agreed)


def _coefficient(rule: BillingRule, month: Sequence[Case]) -> Decimal:
    """The storage coefficient K of the month; 0 for whoever stores nothing or where the rule names no limits."""
    component, first = rule.parameters.get("storage"), month[0]
    kind = first.point.storage
    if component is None or kind is None:
        return Decimal(0)
    taken = sum((case.required(rule, "energy_mwh") for case in month), Decimal(0))
    returned = sum((case.quantity("energy_returned_mwh") or Decimal(0) for case in month), Decimal(0))
    if not taken:
        return Decimal(0)
    lower, upper = (
        first.law.require(rule, component, first.day, first.point, f"{kind} {limit}").value for limit in ("U1", "U2")
    )
    return storage_coefficient(returned / taken, lower, upper)


def _told(weighed: _Weighed) -> str:
    sums = ", ".join(f"{name} {czech(round(total, 2))} Kč" for name, total in weighed.sums.items())
    text = f"tarif {weighed.tariff} s nižším součtem ({sums})"
    if weighed.coefficient:
        text += f"; výkon snížen koeficientem akumulace K = {czech(round(weighed.coefficient, 6).normalize())}"
    return text


def _with(share: Share, weighed: _Weighed, also: tuple[Assumption, ...]) -> Share:
    inputs: dict[str, object] = {
        "tariff": weighed.tariff,
        "sums": {name: str(round(total, 2)) for name, total in weighed.sums.items()},
    }
    if weighed.coefficient:
        inputs["storage_coefficient"] = str(weighed.coefficient)
    return Share(
        share.case,
        share.quantity,
        share.price,
        share.unit_price,
        basis=share.basis,
        timed=share.timed,
        also=also,
        text=share.text,
        inputs=inputs,
    )
