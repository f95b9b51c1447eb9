"""What numbers of a condition are in: so that crowns are not compared with megawatt-hours, nor kWh with MWh.

A quantity of a basis is in the basis's own unit (UNIT), which is another one on the next basis. Where it meets a number
in megawatt-hours it is converted row by row, and a row whose unit is none of energy has no answer.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from central.checks import units

UNIT: Final = "unit of the basis"
CROWNS: Final = "Kč"
DAYS: Final = "days"
DATE: Final = "date"


@dataclass(frozen=True, slots=True)
class Measure:
    """Exponents of dimensions, without zeros, by name."""

    powers: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        above = [name for name, power in self.powers for _ in range(power)]
        below = [name for name, power in self.powers for _ in range(-power)]
        if not self.powers:
            return "no unit"
        return "/".join([" x ".join(above) or "1", *below])

    def power(self, name: str) -> int:
        return dict(self.powers).get(name, 0)

    def by(self, other: "Measure") -> "Measure":
        """The measure of a product."""
        return measure({name: self.power(name) + other.power(name) for name in _names(self, other)})

    def without(self, other: "Measure") -> "Measure":
        """The measure of a quotient."""
        return measure({name: self.power(name) - other.power(name) for name in _names(self, other)})


PLAIN: Final = Measure()


def measure(powers: dict[str, int]) -> Measure:
    return Measure(tuple(sorted((name, power) for name, power in powers.items() if power)))


IN_UNIT: Final = measure({UNIT: 1})
PER_UNIT: Final = measure({CROWNS: 1, UNIT: -1})
MONEY: Final = measure({CROWNS: 1})
SPAN: Final = measure({DAYS: 1})
ON_DAY: Final = measure({DATE: 1})


def own_unit(given: Measure, wanted: Measure) -> tuple[str, int] | None:
    """The dimension, and its power, that the basis's own unit must be of for `given` to be in `wanted`; None: there is
    no such one."""
    power = given.power(UNIT)
    if abs(power) != 1 or wanted.power(UNIT):
        return None
    rest = wanted.without(given.without(measure({UNIT: power})))
    if len(rest.powers) != 1 or rest.powers[0][1] != power or rest.powers[0][0] not in DIMENSIONS:
        return None
    return rest.powers[0][0], power


def _names(one: Measure, other: Measure) -> set[str]:
    return {name for name, _ in (*one.powers, *other.powers)}


def _units() -> dict[str, tuple[Measure, Fraction]]:
    found = {"%": (PLAIN, Fraction(1, 100)), "Kč": (MONEY, Fraction(1))}
    found |= {word: (SPAN, Fraction(1)) for word in ("day", "days", "den", "dny", "dní")}
    for unit in (each for each in units.KNOWN if each != CROWNS):
        for ending in ("", *(("/měs",) if unit in ("MW", "kW", "A") else ())):
            named = units.of_basis(unit, f"Kč/{unit}{ending}")
            assert named is not None
            dimension, factor = named
            found[f"Kč/{unit}{ending}"] = (measure({CROWNS: 1, dimension: -1}), Fraction(1, factor))
            if not ending:
                found[unit] = (measure({dimension: 1}), Fraction(factor))
    return found


UNITS: Final = _units()
"""Units of numbers: what they measure, and how many of the smallest unit one is."""
DIMENSIONS: Final = frozenset(name for found, _ in UNITS.values() for name, _ in found.powers) - {CROWNS, DAYS}
