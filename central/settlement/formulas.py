"""The formulas that a rule of a package may name; each turns one case into lines and findings.

Prices are per month already and are never divided by 12. Units follow the price tables: capacity in MW, exceeded
capacity in kW, energy in MWh, reactive energy in MVArh.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from central.settlement.marks import DOCUMENTED, Assumption, czech, czech_unit, of_price, of_rule, weakest
from central.settlement.model import CannotPriceError, Case, Finding, Line, described, floor_to, half_up
from central.settlement.prices import BillingRule, PriceValue

Formula = Callable[[BillingRule, Case], Sequence[Line | Finding]]

KILO = Decimal(1000)
ONE_MONTH = Decimal(1)


def per_mw_month(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """Capacity in MW x Kč/MW/month; nothing where no capacity is agreed."""
    kilowatts = case.quantity(rule.parameters["quantity"])
    if not kilowatts:
        return []
    price = require_price(rule, case, rule.component)
    return [make_line(rule, case, _mw(case, kilowatts), "MW", price.value, price, rounded="power_mw")]


def per_mwh(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """Energy in MWh x Kč/MWh."""
    energy = _required(rule, case, rule.parameters["quantity"])
    price = require_price(rule, case, rule.component)
    quantity = _rounded(case, energy, "energy_mwh")
    return [make_line(rule, case, quantity, "MWh", price.value, price, rounded="energy_mwh")]


def per_mvarh(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """Reactive energy in MVArh x Kč/MVArh; nothing where there was none."""
    reactive = case.quantity(rule.parameters["quantity"])
    if reactive is None:
        return [Finding(rule.component, f"{rule.name.cs}: jalová energie se v místě neměří, složka se nevyhodnocuje.")]
    quantity = _rounded(case, reactive, "reactive_mvarh")
    if not quantity:
        return []
    price = require_price(rule, case, rule.component)
    return [make_line(rule, case, quantity, "MVArh", price.value, price, rounded="reactive_mvarh")]


def per_point_month(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """A payment for each month of the supply point."""
    price = require_price(rule, case, rule.component)
    return [make_line(rule, case, ONE_MONTH, "měs", price.value, price)]


def excess_over_reserved(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """kW of the month's highest quarter-hour above what is reserved x multiplier x base price per kW."""
    excess = _excess(rule, case)
    if isinstance(excess, Finding):
        return [excess]
    if not excess:
        return []
    base_component = rule.parameters["base"]
    if not case.quantity(f"{base_component}_kw"):
        # an older decision takes another base in a month without the first one
        base_component = rule.parameters.get("base_if_none", base_component)
    base = require_price(rule, case, base_component)
    multiplier = Decimal(rule.parameters["multiplier"])
    unit_price = multiplier * base.value / KILO
    return [make_line(rule, case, excess, "kW", unit_price, base, multiplier=multiplier, rounded="power_mw")]


def fixed_excess_over_reserved(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """kW of the month's highest quarter-hour above what is reserved x a fixed price per kW; nothing without power.

    Power without any agreed value is told and not billed.
    """
    if not case.quantity(rule.parameters["measured"]):
        return []
    excess = _excess(rule, case)
    if isinstance(excess, Finding):
        return [excess]
    price = require_price(rule, case, rule.component)
    return [make_line(rule, case, excess, "kW", price.value, price, rounded="power_mw")] if excess else []


def capped_per_mw(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """The lower of: reserved input in MW x its price, energy x the cap; a price of 0 stays as information."""
    kilowatts = case.quantity(rule.parameters["quantity"])
    if kilowatts is None:
        kilowatts = case.summed(rule.parameters["otherwise"])
    if kilowatts is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: není sjednán rezervovaný příkon ani kapacita.")
    price = require_price(rule, case, rule.component)
    return [_capped(rule, case, _mw(case, kilowatts), "MW", price, rounded="power_mw")]


def capped_per_ampere(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """The lower of: amperes x phases x the price of an ampere, energy x the cap."""
    phases, amperes = _breaker(rule, case)
    price = require_price(rule, case, rule.component)
    return [_capped(rule, case, amperes * phases, "A", price)]


def breaker_band(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """The monthly payment of the main breaker by its band under the distribution rate."""
    phases, amperes = _breaker(rule, case)
    rate = case.point.rate or ""
    payment = case.prices.breaker_price(rate, case.point.operator, phases, amperes, case.day)
    if payment is None:
        raise CannotPriceError(
            rule.component,
            f"Ceník {case.point.operator} nemá pro sazbu {rate} cenu jističe {phases}x{amperes} A "
            f"dne {case.day.isoformat()} (balíček {case.prices.name} {case.prices.version}).",
        )
    return [
        make_line(
            rule,
            case,
            ONE_MONTH,
            "měs",
            payment.monthly,
            payment.price,
            multiplier=amperes if payment.per_ampere else None,
            breaker=f"{phases}x{amperes} A",
            band=payment.band,
        )
    ]


def power_factor_neutral_band(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """tg phi = reactive taken / active taken, rounded down; nothing inside the neutral band.

    Outside it the surcharge's zones valid since 2021 are not public: the point is left out.
    """
    reactive, energy = case.quantity(rule.parameters["reactive"]), case.quantity(rule.parameters["energy"])
    if reactive is None or energy is None:
        return [Finding(rule.component, f"{rule.name.cs}: jalový odběr se v místě neměří, účiník se nevyhodnocuje.")]
    if energy == 0:
        return [Finding(rule.component, f"{rule.name.cs}: bez odběru činné energie se účiník nevyhodnocuje.")]
    unsure = of_rule(rule, case.prices)
    tangent = floor_to(reactive / energy, Decimal(rule.parameters["step"]))
    limit = Decimal(rule.parameters["limit"])
    if tangent > limit:
        raise CannotPriceError(
            rule.component,
            f"tg φ = {czech(tangent)} je nad neutrálním pásmem (do {czech(limit)}, cos φ 0,95); pásma přirážky "
            "platná od roku 2021 balíček nemá. Doplňte pravidlo do balíčku a místo zúčtujte znovu.",
        )
    text = f"{rule.name.cs}: tg φ = {czech(tangent)}, v neutrálním pásmu (do {czech(limit)}), bez přirážky."
    if unsure:
        text += f" Mez je převzatá hodnota (zdroj: {case.prices.source_title(rule.source)}), pro období neověřená."
    return [Finding(rule.component, text, weakest(unsure))]


FORMULAS: dict[str, Formula] = {
    "per_mw_month": per_mw_month,
    "per_mwh": per_mwh,
    "per_mvarh": per_mvarh,
    "per_point_month": per_point_month,
    "excess_over_reserved": excess_over_reserved,
    "fixed_excess_over_reserved": fixed_excess_over_reserved,
    "capped_per_mw": capped_per_mw,
    "capped_per_ampere": capped_per_ampere,
    "breaker_band": breaker_band,
    "power_factor_neutral_band": power_factor_neutral_band,
}
"""Formulas of electricity by the name that packages use."""


def require_price(rule: BillingRule, case: Case, component: str, band: str | None = None) -> PriceValue:
    """The price of a component for this case; its absence leaves the point out."""
    point = case.point
    price = case.prices.find_price(
        component, case.day, operator=point.operator, level=point.level, rate=point.rate, band=band
    )
    if price is None:
        keys = ", ".join(key for key in (point.operator, point.level, point.rate, band) if key)
        raise CannotPriceError(
            rule.component,
            f"Balíček {case.prices.name} {case.prices.version} nemá cenu {component} pro {keys} "
            f"dne {case.day.isoformat()}.",
        )
    return price


def make_line(
    rule: BillingRule,
    case: Case,
    quantity: Decimal,
    unit: str,
    unit_price: Decimal,
    price: PriceValue,
    *,
    multiplier: Decimal | None = None,
    rounded: str | None = None,
    also: Sequence[Assumption] = (),
    **inputs: str | None,
) -> Line:
    """The line of a rule: amount rounded half up once, with its explanation and the price it stands on.

    `rounded` names the package's rounding that the quantity went through; `also` are assumptions beyond those of the
    price and the rule.
    """
    if rule.code is None:
        raise CannotPriceError(rule.component, f"Pravidlo {rule.component} nemá číslo sazby a nemůže dát řádek.")
    amount = half_up(quantity * unit_price, case.prices.rounding_step("amount"))
    assumptions = (*of_price(price, "Cena"), *also, *of_rule(rule, case.prices, price))
    base = f"{czech(price.value)} {czech_unit(price.unit)}"
    if multiplier is not None:
        base = f"{czech(multiplier)} × {base}"
    why = (
        f"{czech(quantity)} {unit} × {czech(unit_price)} ({base}; {price.source}, {_word(weakest(assumptions))}) "
        f"= {czech(amount)} Kč"
    )
    return Line(
        component=rule.component,
        first=case.part.first,
        end=case.part.end,
        item=case.part.item,
        payer=case.part.payer,
        code=rule.code,
        name=rule.name.cs,
        name_en=rule.name.en,
        quantity=quantity,
        unit=unit,
        unit_price=unit_price,
        price_unit=_unit_of_price(price.unit, unit),
        amount=amount,
        why=why,
        inputs={
            "formula": rule.formula,
            "parameters": dict(rule.parameters),
            "price": described(price),
            "mark": weakest(assumptions),
            "assumptions": [{"mark": entry.mark, "text": entry.text} for entry in assumptions],
            "rounding": {
                kind: {"step": str(case.prices.rounding_step(kind)), "mark": case.prices.rounding_mark(kind)}
                for kind in (rounded, "amount")
                if kind is not None
            },
            **({} if multiplier is None else {"multiplier": str(multiplier)}),
            **{name: value for name, value in inputs.items() if value is not None},
        },
        assumptions=assumptions,
    )


def _capped(
    rule: BillingRule, case: Case, quantity: Decimal, unit: str, price: PriceValue, rounded: str | None = None
) -> Line:
    full = make_line(rule, case, quantity, unit, price.value, price, rounded=rounded)
    if price.value == 0:
        return full
    cap = require_price(rule, case, rule.parameters["cap"])
    energy = _rounded(case, _required(rule, case, rule.parameters["energy"]), "energy_mwh")
    capped = make_line(rule, case, energy, "MWh", cap.value, cap, rounded="energy_mwh", capped="yes")
    return min(full, capped, key=lambda line: line.amount)


def _excess(rule: BillingRule, case: Case) -> Decimal | Finding:
    """kW above the reserved sum, or the finding that nothing is reserved."""
    measured = _mw(case, _required(rule, case, rule.parameters["measured"])) * KILO
    reserved = case.summed(rule.parameters["reserved"])
    if reserved is None:
        return Finding(rule.component, f"{rule.name.cs}: nic není rezervováno, překročení se nevyhodnocuje.")
    return max(Decimal(0), measured - reserved).normalize() + 0


def _required(rule: BillingRule, case: Case, name: str) -> Decimal:
    value = case.quantity(name)
    if value is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: chybí veličina {name}.")
    return value


def _breaker(rule: BillingRule, case: Case) -> tuple[int, Decimal]:
    phases, amperes = case.point.breaker_phases, case.point.breaker_amperes
    if phases is None or amperes is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: položka smlouvy nemá jistič.")
    return phases, amperes


def _mw(case: Case, kilowatts: Decimal) -> Decimal:
    return half_up(kilowatts / KILO, case.prices.rounding_step("power_mw"))


def _rounded(case: Case, value: Decimal, kind: str) -> Decimal:
    return half_up(value, case.prices.rounding_step(kind))


def _word(mark: str) -> str:
    words = {DOCUMENTED: "doloženo", "inferred": "odvozeno", "assumed": "předpoklad", "example": "příklad"}
    return words.get(mark, mark)


def _unit_of_price(price_unit: str, quantity_unit: str) -> str:
    """The unit of the unit price as it is printed: Kč per unit, and month where it is for one."""
    per_month = "/měs" if price_unit.endswith(("/month", "/year")) and quantity_unit != "měs" else ""
    return f"Kč/{quantity_unit}{per_month}"
