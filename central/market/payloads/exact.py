"""Sums and products of what a message holds, exact however many digits it was given."""

from collections.abc import Sequence
from decimal import Context, Decimal
from math import prod
from typing import Final

EXACT: Final = Context(prec=100)
"""A value that is read has at most 35 digits, so a product 70: the usual 28 would round, or fail at the cents."""


def product_fits(said: Decimal, *factors: Decimal, exact: int = 0) -> bool:
    """Whether `said` can be the product of what the factors were before they were rounded to the places they have.

    The last `exact` factors are constants, not rounded. To be asked within the context EXACT.
    """
    count = len(factors) - exact
    slacks = [_slack(factor) if place < count else Decimal(0) for place, factor in enumerate(factors)]
    least = prod((max(abs(f) - s, Decimal(0)) for f, s in zip(factors, slacks, strict=True)), start=Decimal(1))
    most = prod((abs(f) + s for f, s in zip(factors, slacks, strict=True)), start=Decimal(1))
    has_sign = sum(factor < 0 for factor in factors) % 2 == (said < 0) or said == 0
    return has_sign and least - _slack(said) <= abs(said) <= most + _slack(said)


def sums_fit(left: Sequence[Decimal], right: Sequence[Decimal]) -> bool:
    """Whether both sums can be one, each addend having been rounded to the places it has. Within EXACT."""
    slack = sum((_slack(value) for value in (*left, *right)), Decimal(0))
    return abs(sum(left, Decimal(0)) - sum(right, Decimal(0))) <= slack


def _slack(value: Decimal) -> Decimal:
    """Half of the value's last place; of a whole number half of one."""
    exponent = value.as_tuple().exponent
    return Decimal(5).scaleb(min(exponent if isinstance(exponent, int) else 0, 0) - 1)
