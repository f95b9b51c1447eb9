"""Gas: energy from volume, and the formulas of gas distribution."""

from collections.abc import Sequence
from decimal import Decimal

from central.settlement.formulas import FORMULAS, ONE_MONTH, Formula, make_line, require_price
from central.settlement.marks import Assumption, of_price
from central.settlement.model import CannotPriceError, Case, Finding, Line, half_up
from central.settlement.prices import BillingRule

NO_CONVERSION = "Objemový koeficient 1 je předpoklad: pro měřicí místo není zadán způsob přepočtu."
NO_CALORIFIC_VALUE = "Spalné teplo je z legislativního balíčku: pro oblast a dny není zadáno."


def energy_mwh(volume_m3: Decimal, coefficient: Decimal, calorific_value: Decimal, step: Decimal) -> Decimal:
    """E = V x k x Hs, in MWh, rounded half up once.

    `volume_m3` as measured, `coefficient` k to 15 °C and 101.325 kPa (1 behind a converter), `calorific_value` Hs in
    kWh/m3 (decree 108/2011, annex 1).
    """
    return half_up(volume_m3 * coefficient * calorific_value / 1000, step)


def gas_energy(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """Distributed energy in MWh x the price of the band of annual consumption."""
    price = require_price(rule, case, rule.component, _band(rule, case))
    step = case.prices.rounding_step("energy_mwh")
    energy = case.quantity(rule.parameters["quantity"])
    volume = case.quantity("volume_m3")
    coefficient = case.quantity("volume_coefficient")
    calorific_value = case.quantity("calorific_value_kwh_m3")
    assumed: list[Assumption] = []
    if energy is not None:
        quantity = half_up(energy, step)
    elif volume is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: chybí objem ani energie.")
    else:
        if coefficient is None:
            coefficient = Decimal(1)
            assumed.append(Assumption("assumed", NO_CONVERSION))
        if calorific_value is None:
            stored = require_price(rule, case, "calorific_value")
            calorific_value = stored.value
            assumed += of_price(stored, "Spalné teplo") or [Assumption("assumed", NO_CALORIFIC_VALUE)]
        quantity = energy_mwh(volume, coefficient, calorific_value, step)
    line = make_line(
        rule,
        case,
        quantity,
        "MWh",
        price.value,
        price,
        rounded="energy_mwh",
        also=assumed,
        volume_m3=_told(volume),
        volume_coefficient=_told(coefficient),
        calorific_value_kwh_m3=_told(calorific_value),
    )
    return [line]


def gas_fixed_month(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """The fixed monthly payment of a band; bands priced by capacity have none."""
    point = case.point
    price = case.prices.find_price(rule.component, case.day, operator=point.operator, band=_band(rule, case))
    return [] if price is None else [make_line(rule, case, ONE_MONTH, "měs", price.value, price)]


def gas_capacity_instalment(rule: BillingRule, case: Case) -> Sequence[Line | Finding]:
    """A twelfth of the yearly price of daily capacity; bands with a fixed payment have none."""
    point = case.point
    price = case.prices.find_price(rule.component, case.day, operator=point.operator, band=_band(rule, case))
    if price is None:
        return []
    capacity = case.quantity(rule.parameters["quantity"])
    if capacity is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: položka smlouvy nemá denní rezervovanou kapacitu.")
    instalment = half_up(price.value / Decimal(rule.parameters["instalments"]), case.prices.rounding_step("unit_price"))
    return [make_line(rule, case, capacity, "tis. m³", instalment, price, rounded="unit_price")]


GAS_FORMULAS: dict[str, Formula] = {
    "gas_energy": gas_energy,
    "gas_fixed_month": gas_fixed_month,
    "gas_capacity_instalment": gas_capacity_instalment,
}
"""Formulas of gas by the name that packages use."""

ALL_FORMULAS: dict[str, Formula] = {**FORMULAS, **GAS_FORMULAS}
"""Every formula that a rule of a package may name in this release."""


def _told(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _band(rule: BillingRule, case: Case) -> str:
    annual = case.point.annual_mwh
    if annual is None:
        raise CannotPriceError(rule.component, f"{rule.name.cs}: chybí přepočtená roční spotřeba v položce smlouvy.")
    band = case.prices.consumption_band(case.point.operator, annual)
    if band is None:
        raise CannotPriceError(
            rule.component, f"Ceník {case.point.operator} nemá pásmo pro roční spotřebu {annual} MWh."
        )
    return band
