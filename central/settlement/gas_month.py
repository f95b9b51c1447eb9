"""A gas point's parts from what the readings know of its conversion and of the calorific values of its area."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from central.readings.gas.energy import MissingTermError, energy
from central.readings.gas.exact import rounded, shown
from central.readings.gas.terms import GasTerms
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

COEFFICIENT_DECIMALS = 4
"""Decimals of the volume coefficient on a bill."""
CALORIFIC_DECIMALS = 4
"""Decimals of the calorific value on a bill."""
HIGHEST_DAY = {24: "max_daily_taken_thousand_m3", 23: "daily_taken_23h_thousand_m3", 25: "daily_taken_25h_thousand_m3"}
"""The quantity that holds the highest gas day of so many hours."""
DAILY_DECIMALS = 6
"""Decimals of what was taken in a day in thousand m3: whole litres."""


def highest_days(volumes: Mapping[date, int], exponent: int, terms: GasTerms | None) -> dict[str, tuple[Decimal, date]]:
    """The highest gas day of a part, in thousand m3 at 15 °C and 101.325 kPa, apart for each length of a day.

    `volumes` are the days' sums in m3 x 10^exponent as measured; without `terms` they count as they are. Of equal days
    the first. Days without a coefficient are left to `gas_parts`, which names them.
    """
    best: dict[str, tuple[Fraction, date]] = {}
    for day, volume in sorted(volumes.items()):
        k = Fraction(1) if terms is None else terms.coefficient_of(day)
        if k is None:
            continue
        name, converted = HIGHEST_DAY[MeteringDay(Commodity.GAS, day).length], volume * k
        if name not in best or converted > best[name][0]:
            best[name] = converted, day
    scale = Fraction(10) ** (exponent - 3)
    return {name: (shown(converted * scale, DAILY_DECIMALS), day) for name, (converted, day) in best.items()}


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
