"""Exact numbers: fractions inside, decimals where people and databases see them."""

from decimal import Decimal
from fractions import Fraction


def rounded(value: Fraction, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to the exact value, halves away from zero: the one rounding of a result."""
    whole = int(abs(value) / Fraction(step) + Fraction(1, 2))
    return (Decimal(whole if value >= 0 else -whole) * step).quantize(step)


def shown(value: Fraction, decimals: int) -> Decimal:
    """The value for the eye, with so many decimals; nothing is computed from it."""
    return rounded(value, Decimal(1).scaleb(-decimals))
