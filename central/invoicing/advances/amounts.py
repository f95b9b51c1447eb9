"""Sums of advances: VAT from inside, sharing a sum so that its shares add up, rounding up to whole tens. Pure."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from fractions import Fraction

CENT = Decimal("0.01")
TEN = Decimal(10)


def vat_inside(gross: Decimal, percent: Decimal) -> Decimal:
    """The VAT that a received sum holds: gross x percent / (100 + percent), half up to 0.01 (law 235/2004, § 37)."""
    return (gross * percent / (100 + percent)).quantize(CENT, rounding=ROUND_HALF_UP)


def part_of(whole: Decimal, taken: Decimal, of: Decimal) -> Decimal:
    """The part of `whole` that belongs to the first `taken` of `of`, half up to 0.01; all of it for all."""
    return whole if taken == of else (whole * taken / of).quantize(CENT, rounding=ROUND_HALF_UP)


def share(total: Decimal, weights: Sequence[Fraction], step: Decimal = CENT) -> list[Decimal]:
    """`total` (a multiple of `step`) shared by weights in whole steps: the shares sum to it exactly.

    Each running sum is rounded half up and the shares are their differences, so no share is more than a step away from
    its exact value. Without any weight all shares are alike. Raises ValueError for a negative weight or no share.
    """
    if not weights or min(weights) < 0:
        raise ValueError("A sum is shared by at least one weight, and none of them is negative.")
    whole = sum(weights, Fraction(0))
    if not whole:
        weights, whole = [Fraction(1)] * len(weights), Fraction(len(weights))
    steps = Fraction(total) / Fraction(step)
    shares: list[Decimal] = []
    running, given = Fraction(0), 0
    for weight in weights:
        running += weight
        upto = (2 * steps * running + whole) // (2 * whole)
        shares.append((upto - given) * step)
        given = upto
    return shares


def tens_up(amount: Decimal) -> Decimal:
    """Rounded up to whole tens of Kč, as advances are asked for."""
    return (amount / TEN).to_integral_value(rounding=ROUND_CEILING) * TEN
