"""A slow evaluator to compare with: one interval at a time, Python's fractions, no numpy and no shared arithmetic."""

from collections.abc import Mapping
from fractions import Fraction

from central.readings.formulas.nodes import Coefficient, Extreme, If, Node, Number, Product, Reference, Sum
from shared.quantities import Quality

BEST_FIRST = [
    Quality.MEASURED,
    Quality.EDITED,
    Quality.SUBSTITUTE,
    Quality.ESTIMATED,
    Quality.PROVISIONAL,
    Quality.MISSING,
]
Value = tuple[Fraction, Quality]
COMPARISONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def value_of(node: Node, channels: Mapping[tuple[str, str], Value], coefficients: Mapping[str, Fraction]) -> Value:
    """Value in the basic unit and the worst quality of what it was computed from."""

    def find(node: Node) -> Value:
        return value_of(node, channels, coefficients)

    match node:
        case Reference():
            return channels[node.name]
        case Number(value=value):
            return value, Quality.MEASURED
        case Coefficient(name=name):
            return coefficients[name], Quality.MEASURED
        case Sum(terms=terms, signs=signs):
            found = [find(term) for term in terms]
            return sum((s * v for s, (v, _) in zip(signs, found, strict=True)), Fraction(0)), worst(found)
        case Product(factors=factors, divides=divides):
            found = [find(factor) for factor in factors]
            total, quality = Fraction(1), worst(found)
            for (value, _), by in zip(found, divides, strict=True):
                if by and value == 0:
                    return Fraction(0), Quality.MISSING
                total = total / value if by else total * value
            return total, quality
        case Extreme(function=function, operands=operands):
            found = [find(operand) for operand in operands]
            return (min if function == "min" else max)(value for value, _ in found), worst(found)
        case If(condition, then, otherwise):
            left, right = find(condition.left), find(condition.right)
            chosen = find(then if COMPARISONS[condition.operator](left[0], right[0]) else otherwise)
            return chosen[0], worst([left, right, chosen])


def worst(found: list[Value]) -> Quality:
    return max((quality for _, quality in found), key=BEST_FIRST.index)


def half_away(value: Fraction) -> int:
    whole = (2 * abs(value).numerator + value.denominator) // (2 * value.denominator)
    return -whole if value < 0 else whole
