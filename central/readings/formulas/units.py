"""Units of a formula: energy is added to energy only, and never multiplied by energy.

A unit is a numerator and a denominator, each Wh, varh, m3 or 1: "Wh", "Wh/m3", "1". The number 0 fits any unit.
"""

from collections.abc import Callable
from typing import NamedTuple

from central.readings.formulas.nodes import (
    Coefficient,
    Condition,
    Extreme,
    FormulaError,
    If,
    Node,
    Number,
    Place,
    Product,
    Reference,
    Sum,
)

BASIC = ("1", "Wh", "varh", "m3")


class Unit(NamedTuple):
    """What a value counts: `over` is "1" unless it is a quotient."""

    basic: str
    over: str = "1"

    def __str__(self) -> str:
        return self.basic if self.over == "1" else f"{self.basic}/{self.over}"

    @classmethod
    def of(cls, text: str) -> "Unit":
        """From "Wh" or "Wh/m3"; ValueError for anything else."""
        count, _, over = text.partition("/")
        over = over or "1"
        if count not in BASIC or over not in BASIC or (count == over and over != "1"):
            raise ValueError(f"The unit {text!r} is none of {', '.join(BASIC)} or a quotient of two of them.")
        return cls(count, over)


def unit_of(
    node: Node, of_channel: Callable[[Reference], Unit], of_coefficient: Callable[[Coefficient], Unit]
) -> Unit | None:
    """The unit of a formula's value (None: it is 0, which fits any); FormulaError names the place and both units."""

    def find(node: Node) -> Unit | None:
        match node:
            case Reference():
                return of_channel(node)
            case Coefficient():
                return of_coefficient(node)
            case Number(value=value, unit=unit):
                return None if value == 0 and unit == "1" else Unit(unit)
            case Sum(terms=terms):
                return _common(terms, "cannot be added or subtracted")
            case Extreme(function=function, operands=operands):
                return _common(operands, f"cannot be compared by {function}")
            case Product():
                return _product(node)
            case If(condition, then, otherwise):
                check(condition)
                return _common((then, otherwise), "cannot both be the result of if")

    def check(condition: Condition) -> None:
        _common((condition.left, condition.right), f"cannot be compared by {condition.operator}", condition.place)

    def _common(operands: tuple[Node, ...], act: str, place: Place | None = None) -> Unit | None:
        first: Unit | None = None
        for operand in operands:
            unit = find(operand)
            if first is None:
                first = unit
            elif unit is not None and unit != first:
                raise FormulaError("formula_unit", place or operand.place, f"{first} and {unit} {act}.")
        return first

    def _product(product: Product) -> Unit | None:
        result: Unit | None = Unit("1")
        for factor, divides in zip(product.factors, product.divides, strict=True):
            unit = find(factor)
            if unit is None:
                if divides:
                    raise FormulaError("formula_zero", factor.place, "This divides by the number 0.")
                result = None
            elif result is not None:
                result = _times(result, unit, divides, factor.place)
        return result

    return find(node)


def check_result(node: Node, found: Unit | None, expected: Unit, channel: str) -> None:
    """Refuse a formula whose value is not in the virtual channel's unit."""
    if found is not None and found != expected:
        raise FormulaError(
            "formula_unit", node.place, f"The formula gives {found}; the channel {channel} is in {expected}."
        )


def _times(left: Unit, right: Unit, divides: bool, place: Place) -> Unit:
    count, over = (right.over, right.basic) if divides else right
    counts = [unit for unit in (left.basic, count) if unit != "1"]
    overs = [unit for unit in (left.over, over) if unit != "1"]
    for unit in [unit for unit in counts if unit in overs]:
        if unit in counts and unit in overs:
            counts.remove(unit)
            overs.remove(unit)
    if len(counts) > 1 or len(overs) > 1:
        act = "divided by" if divides else "multiplied by"
        raise FormulaError("formula_unit", place, f"{left} cannot be {act} {right}.")
    return Unit((counts or ["1"])[0], (overs or ["1"])[0])
