"""A gas point's month from what the readings know of its conversion and of the calorific values of its area."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from central.readings.gas.energy import MissingTermError, energy
from central.readings.gas.exact import rounded, shown
from central.readings.gas.terms import GasTerms

COEFFICIENT_DECIMALS = 4
"""Decimals of the volume coefficient on a bill."""
CALORIFIC_DECIMALS = 4
"""Decimals of the calorific value on a bill."""


def gas_month(volumes: Mapping[date, int], exponent: int, terms: GasTerms, step: Decimal) -> dict[str, Decimal]:
    """The quantities of a month: coefficient and calorific value, means by volume as a bill prints them, and energy.

    The energy is computed day by day, exactly, and rounded once, to `step` MWh. Where the area has no calorific value
    for any day, only the coefficient is there, and what the package holds may stand in. Raises MissingTermError for
    the first day that lacks one of the two.
    """
    if not terms.has_values:
        whole = energy(volumes, exponent, terms.coefficient_of, lambda _: Decimal(1))
        return {"volume_coefficient": shown(whole.coefficient, 8)}
    whole = energy(volumes, exponent, terms.coefficient_of, terms.calorific_of)
    return {
        "volume_coefficient": shown(whole.coefficient, COEFFICIENT_DECIMALS),
        "calorific_value_kwh_m3": shown(whole.calorific_value, CALORIFIC_DECIMALS),
        "energy_mwh": rounded(whole.energy_kwh / Fraction(1000), step),
    }


def missing_term(direction: str, error: MissingTermError) -> str:
    """In Czech, which day cannot be converted and why."""
    what = "objemový koeficient" if "coefficient" in error.what else "spalné teplo"
    return f"kanál {direction}: pro plynárenský den {error.day.isoformat()} není zadáno {what}."
