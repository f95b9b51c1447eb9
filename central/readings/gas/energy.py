"""Energy of gas: E[kWh] = V[m3] x k x Hs (decree 108/2011, annex 1), exact by gas day, rounded once at the end."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from central.readings.gas.exact import rounded


@dataclass(frozen=True, slots=True)
class EnergyRounding:
    """To what the energy of a bill is rounded, once; `step_kwh` is its step, `mark` how sure the rule is."""

    name: str
    unit: str
    decimals: int
    step_kwh: Decimal
    source: str
    mark: str


_SOURCE = "custom of gas bills; decree 108/2011 does not say it in the text at hand"
ROUNDINGS = {
    rule.name: rule
    for rule in (
        EnergyRounding("kwh", "kWh", 0, Decimal(1), _SOURCE, "assumed"),
        EnergyRounding("mwh", "MWh", 3, Decimal(1), _SOURCE, "assumed"),
    )
}
"""Whole kWh for small customers; three decimals of MWh otherwise (the same step, another unit)."""


class MissingTermError(Exception):
    """A gas day has no volume coefficient or no calorific value; it is named, never guessed."""

    def __init__(self, day: date, what: str) -> None:
        super().__init__(f"{what} for the gas day {day.isoformat()} is missing.")
        self.day = day
        self.what = what


@dataclass(frozen=True, slots=True)
class DayEnergy:
    """One gas day: volume as measured in m3, k, Hs in kWh/m3, and the exact energy in kWh."""

    day: date
    volume_m3: Decimal
    coefficient: Fraction
    calorific_value: Decimal

    @property
    def energy_kwh(self) -> Fraction:
        return Fraction(self.volume_m3) * self.coefficient * Fraction(self.calorific_value)


@dataclass(frozen=True, slots=True)
class GasEnergy:
    """A period: its days, and sums of them that are not rounded.

    `coefficient` is the mean of k weighted by volume, `calorific_value` that of Hs weighted by converted volume, so
    that V x k x Hs of the period is its energy exactly. Where no gas flowed they are plain means.
    """

    days: tuple[DayEnergy, ...]
    volume_m3: Decimal
    energy_kwh: Fraction
    coefficient: Fraction
    calorific_value: Fraction

    def rounded(self, rule: EnergyRounding) -> Decimal:
        """The energy in the rule's unit, rounded half up once."""
        value = rounded(self.energy_kwh, rule.step_kwh)
        return value if rule.unit == "kWh" else value.scaleb(-3)


def energy(
    volumes: Mapping[date, int],
    exponent: int,
    coefficient_of: Callable[[date], Fraction | None],
    calorific_of: Callable[[date], Decimal | None],
) -> GasEnergy:
    """The energy of a profile's gas days; `volumes` are the days' sums in m3 x 10^exponent.

    Days of one coefficient are summed as integers first. Raises MissingTermError for the first day without k or Hs,
    also where no gas flowed on it.
    """
    days = []
    for day, volume in sorted(volumes.items()):
        coefficient, calorific = coefficient_of(day), calorific_of(day)
        if coefficient is None:
            raise MissingTermError(day, "The volume coefficient")
        if calorific is None:
            raise MissingTermError(day, "The calorific value")
        days.append(DayEnergy(day, Decimal(volume).scaleb(exponent), coefficient, calorific))
    return _whole(days)


def _whole(days: Sequence[DayEnergy]) -> GasEnergy:
    if not days:
        raise ValueError("The energy of a period needs at least one gas day.")
    volume: dict[Fraction, Decimal] = defaultdict(Decimal)
    # Decimals of at most 10 + 9 digits a factor: their products and sums stay below the 28 digits of the context.
    heat: dict[Fraction, Decimal] = defaultdict(Decimal)
    for day in days:
        volume[day.coefficient] += day.volume_m3
        heat[day.coefficient] += day.volume_m3 * day.calorific_value
    total = sum(volume.values(), Decimal(0))
    converted = sum((Fraction(part) * k for k, part in volume.items()), Fraction(0))
    whole = sum((Fraction(part) * k for k, part in heat.items()), Fraction(0))
    return GasEnergy(
        days=tuple(days),
        volume_m3=total,
        energy_kwh=whole,
        coefficient=converted / Fraction(total) if total else _mean([day.coefficient for day in days]),
        calorific_value=whole / converted if converted else _mean([Fraction(day.calorific_value) for day in days]),
    )


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def mean_calorific(parts: Sequence[GasEnergy]) -> Fraction | None:
    """The mean of Hs over channels, weighted by converted volume; None where no gas flowed."""
    converted = sum((Fraction(part.volume_m3) * part.coefficient for part in parts), Fraction(0))
    whole = sum((part.energy_kwh for part in parts), Fraction(0))
    return whole / converted if converted else None
