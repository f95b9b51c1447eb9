"""The volume coefficient k (objemový koeficient): volume at the meter to volume at 15 °C and 101.325 kPa."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

REFERENCE_K = Fraction(28815, 100)
"""15 °C; decree 108/2011, annex 1."""
REFERENCE_KPA = Fraction(101325, 1000)
CELSIUS_0_K = Decimal("273.15")

BAROMETRIC_SOURCE = "p_b = (1016 - 0.108 h) / 10 kPa; assumed, to be verified in annex 1 of decree 108/2011"
COEFFICIENT_SOURCE = "k = (288.15/T) x ((p_b + p)/101.325) x (1/K); standard form, assumed to be that of the annex"

Kind = Literal["fixed", "computed", "converter"]


def barometric_kpa(altitude_m: Decimal) -> Fraction:
    """Mean air pressure at an altitude above the sea, in kPa: (1016 - 0.108 h) / 10, an assumed formula."""
    return (1016 - Fraction(108, 1000) * Fraction(altitude_m)) / 10


def volume_coefficient(
    temperature_k: Decimal, gauge_kpa: Decimal, barometric: Fraction, compressibility: Decimal = Decimal(1)
) -> Fraction:
    """k = (288.15 / T) x ((p_b + p) / 101.325) x (1 / K), exactly.

    `temperature_k` is the gas' temperature in K, `gauge_kpa` its pressure above that of the air, `compressibility` the
    ratio K of compressibility factors at operating and at reference conditions (1 at low pressure).
    """
    pressure = barometric + Fraction(gauge_kpa)
    if temperature_k <= 0 or pressure <= 0 or compressibility <= 0:
        raise ValueError(
            f"A volume coefficient needs a temperature, an absolute pressure and a compressibility above 0; given were "
            f"{temperature_k} K, {float(pressure):g} kPa and {compressibility}."
        )
    return REFERENCE_K / Fraction(temperature_k) * pressure / REFERENCE_KPA / Fraction(compressibility)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a channel's volume is converted in [first, end) of gas days (end None: until further notice).

    `kind`: "fixed" has its `coefficient`, "computed" the parameters, "converter" (přepočítávač) delivers volume at
    reference conditions already.
    """

    id: int
    channel: int
    area: str
    kind: Kind
    first: date
    end: date | None
    source: str
    coefficient: Decimal | None = None
    temperature_k: Decimal | None = None
    gauge_kpa: Decimal | None = None
    compressibility: Decimal | None = None
    altitude_m: Decimal | None = None
    barometric_kpa: Decimal | None = None

    def covers(self, day: date) -> bool:
        """Whether it is valid on the gas day."""
        return self.first <= day and (self.end is None or day < self.end)

    @property
    def k(self) -> Fraction:
        """The exact volume coefficient."""
        if self.kind == "converter":
            return Fraction(1)
        if self.kind == "fixed":
            assert self.coefficient is not None
            return Fraction(self.coefficient)
        assert self.temperature_k is not None and self.gauge_kpa is not None and self.compressibility is not None
        return volume_coefficient(self.temperature_k, self.gauge_kpa, self._barometric, self.compressibility)

    @property
    def _barometric(self) -> Fraction:
        if self.barometric_kpa is not None:
            return Fraction(self.barometric_kpa)
        assert self.altitude_m is not None
        return barometric_kpa(self.altitude_m)

    @property
    def assumed(self) -> list[str]:
        """What of it stands on formulas that are not verified."""
        if self.kind != "computed":
            return []
        return [COEFFICIENT_SOURCE] + ([BAROMETRIC_SOURCE] if self.barometric_kpa is None else [])

    def document(self) -> dict[str, Any]:
        """As run documents hold it: plain values, decimals as text."""
        numbers = ("coefficient", "temperature_k", "gauge_kpa", "compressibility", "altitude_m", "barometric_kpa")
        return {
            "id": self.id,
            "area": self.area,
            "kind": self.kind,
            "from": self.first.isoformat(),
            "to": None if self.end is None else self.end.isoformat(),
            "source": self.source,
            "assumed": self.assumed,
            **{name: format(value, "f") for name in numbers if (value := getattr(self, name)) is not None},
        }
