"""Formulas that multiply: capacity, energy, months, breakers, unmetered points. See `formulas.FORMULAS`."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from central.settlement.case import Case
from central.settlement.lines import Share, lines_of
from central.settlement.model import CannotPriceError, Finding, Line
from central.settlement.prices import BillingRule, PriceValue
from central.settlement.shared_energy import lowered_energy

ONE_MONTH = Decimal(1)


def per_mw_month(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """Capacity in MW x Kč/MW/month, by days where it changes inside a month; nothing where none is agreed."""
    shares = []
    for case in cases:
        kilowatts = case.quantity(rule.parameters["quantity"])
        if kilowatts:
            price = case.law.require(rule, rule.component, case.day, case.point)
            shares.append(megawatt_share(case, case.megawatts(kilowatts), price))
    return lines_of(rule, shares, "MW", step="power_mw_months", kind="power_mw")


def megawatt_share(case: Case, megawatts: Decimal, price: PriceValue, text: str = "") -> Share:
    """MW for the part's months; those of another month are another line."""
    quantity = over_months(case, megawatts)
    return Share(case, quantity, price, price.value, basis=(megawatts, case.month), timed=megawatts, text=text)


def over_months(case: Case, quantity: Decimal) -> Decimal | Fraction:
    """A quantity per month over the part's months; a whole month leaves it as it is."""
    months = case.months
    return quantity if months == 1 else months * Fraction(quantity)


def per_mwh(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """Energy in MWh x Kč/MWh; what was shared is taken off where the rule says `lowered_by`."""
    shares: list[Share] = []
    findings: list[Finding] = []
    for case in cases:
        price = case.law.require(rule, rule.component, case.day, case.point)
        lowered = lowered_energy(rule, case, rule.parameters["quantity"])
        findings += lowered.findings
        shares.append(Share(case, lowered.quantity, price, price.value, text=lowered.text))
    return [*lines_of(rule, shares, "MWh", kind="energy_mwh"), *findings]


def per_mvarh(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """Reactive energy in MVArh x Kč/MVArh; nothing where there was none."""
    name = rule.parameters["quantity"]
    measured = [case for case in cases if case.quantity(name) is not None]
    if not measured:
        text = f"{rule.name.cs}: jalová energie se v místě neměří, složka se nevyhodnocuje."
        return [Finding(rule.component, text)]
    shares = []
    for case in measured:
        quantity = case.quantity(name)
        if quantity:
            price = case.law.require(rule, rule.component, case.day, case.point)
            shares.append(Share(case, quantity, price, price.value))
    return lines_of(rule, shares, "MVArh", kind="reactive_mvarh")


def per_point_month(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """A payment for each month of the supply point, by days in a part of a month."""
    shares = []
    for case in cases:
        price = case.law.require(rule, rule.component, case.day, case.point)
        shares.append(Share(case, over_months(case, ONE_MONTH), price, price.value, timed=ONE_MONTH))
    return lines_of(rule, shares, "měs", step="months")


def per_started_unit_month(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """An unmetered point: a payment for each started `unit` of what is installed (C60d: 10 W), each month."""
    unit = Decimal(rule.parameters["unit"])
    shares = []
    for case in cases:
        installed = case.required(rule, rule.parameters["quantity"])
        started = (installed / unit).to_integral_value(ROUND_CEILING)
        price = case.law.require(rule, rule.component, case.day, case.point)
        shares.append(
            Share(
                case,
                over_months(case, ONE_MONTH),
                price,
                price.value * started,
                basis=started,
                multiplier=started,
                timed=ONE_MONTH,
                inputs={"installed_w": str(installed), "started_units": str(started)},
            )
        )
    return lines_of(rule, shares, "měs", step="months")


def breaker_band(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The monthly payment of the main breaker by its band under the distribution rate."""
    shares = []
    for case in cases:
        phases, amperes = _breaker(rule, case)
        payment = case.law.breaker(case.point, phases, amperes, case.day)
        if payment is None:
            raise CannotPriceError(
                rule.component,
                f"Ceník {case.point.operator} nemá pro sazbu {case.point.rate} cenu jističe {phases}x{amperes} A "
                f"dne {case.day.isoformat()} (balíček {case.law.book.name} {case.law.book.version}).",
                case.day,
            )
        shares.append(
            Share(
                case,
                over_months(case, ONE_MONTH),
                payment.price,
                payment.monthly,
                basis=(case.point.rate, phases, amperes),
                multiplier=amperes if payment.per_ampere else None,
                timed=ONE_MONTH,
                inputs={"breaker": f"{phases}x{amperes} A", "band": payment.band},
            )
        )
    return lines_of(rule, shares, "měs", step="months")


def capped_per_mw(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The lower of: reserved input in MW x its price, energy x the cap; a price of 0 stays as information."""
    shares = []
    for case in cases:
        kilowatts = case.quantity(rule.parameters["quantity"])
        if kilowatts is None:
            kilowatts = case.summed(rule.parameters["otherwise"])
        if kilowatts is None:
            raise CannotPriceError(
                rule.component, f"{rule.name.cs}: není sjednán rezervovaný příkon ani kapacita.", case.day
            )
        price = case.law.require(rule, rule.component, case.day, case.point)
        shares.append(megawatt_share(case, case.megawatts(kilowatts), price))
    return _capped(rule, shares, "MW", "power_mw_months", "power_mw")


def capped_per_ampere(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The lower of: amperes x phases x the price of an ampere, energy x the cap."""
    shares = []
    for case in cases:
        phases, amperes = _breaker(rule, case)
        price = case.law.require(rule, rule.component, case.day, case.point)
        total = amperes * phases
        quantity = (
            total if case.months == 1 else case.months * total.as_integer_ratio()[0] / total.as_integer_ratio()[1]
        )
        shares.append(Share(case, quantity, price, price.value, basis=total, timed=total))
    return _capped(rule, shares, "A", "months", None)


def _capped(
    rule: BillingRule, shares: Sequence[Share], unit: str, step: str, kind: str | None
) -> Sequence[Line | Finding]:
    """Each payer's bill pays the lower of the two; parameter `per` "month" weighs them month by month.

    Days on which the price is 0 are only told: nothing is due on them, so their energy bears no cap either.
    """
    full = [share for share in shares if share.unit_price == 0]
    capped: list[Share] = []
    findings: list[Finding] = []
    for bill in _bills(
        [share for share in shares if share.unit_price], by_months=rule.parameters.get("per") == "month"
    ):
        energy = []
        for share in bill:
            case = share.case
            cap = case.law.require(rule, rule.parameters["cap"], case.day, case.point)
            lowered = lowered_energy(rule, case, rule.parameters["energy"])
            findings += lowered.findings
            energy.append(Share(case, lowered.quantity, cap, cap.value, text=lowered.text, inputs={"capped": "yes"}))
        if _total(bill) <= _total(energy):
            full += bill
        else:
            capped += energy
    # in the order of days again: a payer who comes back must not tear the stretch that lines are rounded over
    full, capped = (sorted(each, key=lambda share: share.case.part.first) for each in (full, capped))
    return [
        *lines_of(rule, full, unit, step=step, kind=kind),
        *lines_of(rule, capped, "MWh", kind="energy_mwh"),
        *findings,
    ]


def _bills(shares: Sequence[Share], *, by_months: bool) -> list[list[Share]]:
    bills: dict[tuple[object, ...], list[Share]] = {}
    for share in shares:
        part = share.case.part
        bills.setdefault((part.item, part.payer, share.case.month if by_months else None), []).append(share)
    return list(bills.values())


def _total(shares: Sequence[Share]) -> Decimal:
    """Kč, exact enough to compare."""
    total = Decimal(0)
    for share in shares:
        numerator, denominator = share.quantity.as_integer_ratio()
        total += numerator * share.unit_price / denominator
    return total


def _breaker(rule: BillingRule, case: Case) -> tuple[int, Decimal]:
    phases, amperes = case.point.breaker_phases, case.point.breaker_amperes
    if phases is None or amperes is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: položka smlouvy nemá jistič.", case.day)
    return phases, amperes
