"""Split a whole by weights so that the parts sum to it to the last step: the largest remainders get what is left.

For the superior distributor's bill over a collection (to the haléř) and for losses and common use (to the unit of the
channel). Pure; the order of the parts breaks ties, so the same input always splits the same.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

CENT = Decimal("0.01")
"""Haléř: the step of amounts."""


class NoWeightError(ValueError):
    """Nothing to split by: there are no parts, or all weights are 0."""


def split_units(total: int, weights: Sequence[Fraction]) -> list[int]:
    """Whole units by weights (not negative); raises NoWeightError where the weights are 0 and the total is not."""
    if any(weight < 0 for weight in weights):
        raise ValueError("A weight is negative; a share cannot be.")
    whole = sum(weights, Fraction(0))
    if not whole:
        if total:
            raise NoWeightError("All weights are 0; nothing says who bears the whole.")
        return [0] * len(weights)
    if total < 0:
        return [-part for part in split_units(-total, weights)]
    exact = [total * weight / whole for weight in weights]
    parts = [share.numerator // share.denominator for share in exact]
    left = total - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    for place in by_remainder[:left]:
        parts[place] += 1
    return parts


def split_amount(total: Decimal, weights: Sequence[Fraction], step: Decimal = CENT) -> list[Decimal]:
    """An amount that is a whole number of steps, by weights; the parts are whole numbers of steps and sum to it."""
    steps = total / step
    if steps != steps.to_integral_value():
        raise ValueError(f"The amount {total} is not a whole number of {step}.")
    return [part * step for part in split_units(int(steps), weights)]
