"""The formulas that a rule of a package may name; each turns the parts of a point into lines and findings.

Prices are per month already and are never divided by 12. Units follow the price tables: capacity in MW, exceeded
capacity in kW, energy in MWh, reactive energy in MVArh. Their parameters: docs/decisions/rules-as-data.md.
"""

from collections.abc import Callable, Mapping, Sequence

from central.settlement import formulas_basic as basic
from central.settlement import formulas_maximum as maximum
from central.settlement import formulas_tariffs as tariffs
from central.settlement import gas, gas_capacity
from central.settlement.case import Case
from central.settlement.formulas_reactive import power_factor
from central.settlement.model import Finding, Line
from central.settlement.prices import BillingRule

Formula = Callable[[BillingRule, Sequence[Case]], Sequence[Line | Finding]]

ALL_FORMULAS: Mapping[str, Formula] = {
    "per_mw_month": basic.per_mw_month,
    "per_mwh": basic.per_mwh,
    "per_mvarh": basic.per_mvarh,
    "per_point_month": basic.per_point_month,
    "per_started_unit_month": basic.per_started_unit_month,
    "breaker_band": basic.breaker_band,
    "capped_per_mw": basic.capped_per_mw,
    "capped_per_ampere": basic.capped_per_ampere,
    "excess_over_reserved": maximum.excess_over_reserved,
    "fixed_excess_over_reserved": maximum.fixed_excess_over_reserved,
    "lower_tariff_reserved_input": tariffs.lower_tariff_reserved_input,
    "lower_tariff_maximum_power": tariffs.lower_tariff_maximum_power,
    "power_factor": power_factor,
    "power_factor_neutral_band": power_factor,  # its name in packages that are installed already
    "gas_energy": gas.gas_energy,
    "gas_fixed_month": gas.gas_fixed_month,
    "gas_market_operator": gas.gas_market_operator,
    "gas_capacity_instalment": gas_capacity.gas_capacity_instalment,
    "gas_capacity_excess": gas_capacity.gas_capacity_excess,
}
"""Every formula that a rule of a package may name in this release."""

ONCE_A_MONTH = frozenset(
    {
        "excess_over_reserved",
        "fixed_excess_over_reserved",
        "lower_tariff_maximum_power",
        "power_factor",
        "power_factor_neutral_band",
        "gas_capacity_excess",
    }
)
"""Formulas that bill what is evaluated once a calendar month, at most one line for it."""
OF_WHOLE_MONTHS = ONCE_A_MONTH | {"lower_tariff_reserved_input"}
"""Formulas that look at all parts of a month, also at those that are settled already."""
