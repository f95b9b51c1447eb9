"""A gas point's parts from what the readings know of its conversion and of the calorific values of its area."""

from collections.abc import Mapping, Sequence
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


def gas_parts(
    volumes: Sequence[Mapping[date, int]], exponent: int, terms: GasTerms, step: Decimal
) -> list[dict[str, Decimal]]:
    """The quantities of the parts of a period, given by their volumes by gas day: coefficient and calorific value,
    means by volume as a bill prints them, and energy.

    The energy is computed day by day, exactly, and rounded to `step` MWh so that the parts sum to the rounded whole.
    Where the area has no calorific value for any day, only the coefficient is there, and what the package holds may
    stand in. Raises MissingTermError for the first day that lacks one of the two.
    """
    if not terms.has_values:
        whole = [energy(part, exponent, terms.coefficient_of, lambda _: Decimal(1)) for part in volumes]
        return [{"volume_coefficient": shown(part.coefficient, 8)} for part in whole]
    found: list[dict[str, Decimal]] = []
    upto, given = Fraction(0), Decimal(0)
    for part in volumes:
        exact = energy(part, exponent, terms.coefficient_of, terms.calorific_of)
        upto += exact.energy_kwh / Fraction(1000)
        whole_mwh = rounded(upto, step)
        found.append(
            {
                "volume_coefficient": shown(exact.coefficient, COEFFICIENT_DECIMALS),
                "calorific_value_kwh_m3": shown(exact.calorific_value, CALORIFIC_DECIMALS),
                "energy_mwh": whole_mwh - given,
            }
        )
        given = whole_mwh
    return found


def missing_term(direction: str, error: MissingTermError) -> str:
    """In Czech, which day cannot be converted and why."""
    what = "objemový koeficient" if "coefficient" in error.what else "spalné teplo"
    return f"kanál {direction}: pro plynárenský den {error.day.isoformat()} není zadáno {what}."
