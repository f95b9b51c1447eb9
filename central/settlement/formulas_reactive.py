"""The power factor (účiník): evaluated each month, inside its neutral band free, outside it a surcharge by zones."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from central.settlement.case import Case, by_month
from central.settlement.formulas_maximum import payer_of, plain
from central.settlement.interval_mask import told_mask
from central.settlement.lines import Share, lines_of
from central.settlement.marks import czech, of_price, of_rule, weakest
from central.settlement.model import CannotPriceError, Finding, Line
from central.settlement.prices import BillingRule, PriceValue


def power_factor(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """tg phi = reactive taken / active taken, rounded down; inside the neutral band nothing is paid.

    Outside it c = (Pmax x c_rk + (c_ps + c_se) x W) x u, with u of the zone of tg phi (price decision 2021, 4.53: a
    sum). A package without zones (no parameter `zones`, or no zone for the day) leaves the point out there.
    """
    outcomes: list[Line | Finding] = []
    for month in by_month(cases):
        outcomes.append(_month(rule, month))
    return outcomes


def _month(rule: BillingRule, month: Sequence[Case]) -> Line | Finding:
    reactive = _evaluated(rule, month, rule.parameters["reactive"])
    energy = _evaluated(rule, month, rule.parameters["energy"])
    if reactive is None or energy is None:
        return Finding(rule.component, f"{rule.name.cs}: jalový odběr se v místě neměří, účiník se nevyhodnocuje.")
    if energy == 0:
        return Finding(rule.component, f"{rule.name.cs}: bez odběru činné energie se účiník nevyhodnocuje.")
    book = month[0].law.book
    unsure = of_rule(rule, book)
    tangent = (reactive / energy).quantize(Decimal(rule.parameters["step"]), rounding=ROUND_FLOOR)
    limit = Decimal(rule.parameters["limit"])
    if tangent > limit:
        return _surcharge(rule, month, tangent, limit, _over(rule, reactive, energy))
    text = (
        f"{rule.name.cs}: tg φ = {czech(tangent)}{_over(rule, reactive, energy)}, v neutrálním pásmu "
        f"(do {czech(limit)}), bez přirážky."
    )
    if unsure:
        text += f" Mez je převzatá hodnota (zdroj: {book.source_title(rule.source)}), pro období neověřená."
    return Finding(rule.component, text, weakest(unsure))


def _over(rule: BillingRule, reactive: Decimal, energy: Decimal) -> str:
    """What tg phi is of, where not all intervals are evaluated."""
    mask = told_mask(rule.parameters)
    if mask is None:
        return ""
    return f" z intervalů {mask}: {czech(plain(reactive))} MVArh / {czech(plain(energy))} MWh"


def _surcharge(rule: BillingRule, month: Sequence[Case], tangent: Decimal, limit: Decimal, over: str) -> Line | Finding:
    at = max(month, key=lambda case: case.quantity("max_quarter_hour_kw") or Decimal(0))
    zones = rule.parameters.get("zones")
    zone = None if zones is None else at.law.find_step(zones, at.day, tangent)
    if zone is None:
        raise CannotPriceError(
            rule.component,
            f"tg φ = {czech(tangent)} je nad neutrálním pásmem (do {czech(limit)}, cos φ 0,95); pásma přirážky "
            "platná od roku 2021 balíček nemá. Doplňte pravidlo do balíčku a místo zúčtujte znovu.",
            at.day,
        )
    capacity = _price(rule, at, "capacity_price")
    networks = _price(rule, at, "networks_price")
    electricity = _price(rule, at, "electricity_price")
    maximum = at.megawatts(at.required(rule, "max_quarter_hour_kw"))
    energy = sum((case.required(rule, "energy_mwh") for case in month), Decimal(0))
    base = maximum * capacity.value + (networks.value + electricity.value) * energy
    chosen, assumed = payer_of(rule, month, at)
    others = [entry for price in (capacity, networks, electricity) for entry in of_price(price, "Cena", "The price")]
    share = Share(
        chosen,
        zone.value,
        zone,
        plain(base / 100),
        also=(*others, *assumed),
        text=(
            f"tg φ = {czech(tangent)}{over}; základ {czech(maximum)} MW × {czech(capacity.value)} + "
            f"({czech(networks.value)} + {czech(electricity.value)}) × {czech(energy)} MWh = {czech(base)} Kč"
        ),
        inputs={
            "tangent": str(tangent),
            "surcharge_percent": str(zone.value),
            "base": str(base),
            "prices": {
                price.component: {"value": str(price.value), "unit": price.unit, "source": price.source}
                for price in (capacity, networks, electricity)
            },
        },
    )
    (line,) = lines_of(rule, [share], "%")
    return line


def _evaluated(rule: BillingRule, month: Sequence[Case], name: str) -> Decimal | None:
    """The month's sum over the evaluated intervals: all of them, or those of the mask in parameter `intervals`.

    Whoever measures gives the sums over a mask as quantities of their own (`evaluated_...`).
    """
    if told_mask(rule.parameters) is not None:
        name = f"evaluated_{name}"
    values = [value for case in month if (value := case.quantity(name)) is not None]
    return sum(values, Decimal(0)) if values else None


def _price(rule: BillingRule, case: Case, parameter: str) -> PriceValue:
    """A price of the formula; parameter `price_level` names the level whose prices low voltage takes."""
    return case.law.require(
        rule, rule.parameters[parameter], case.day, case.point, level=rule.parameters.get("price_level")
    )
