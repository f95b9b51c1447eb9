"""Sums and products of what a message holds, exact however many digits it was given."""

from decimal import Context
from typing import Final

EXACT: Final = Context(prec=100)
"""A value that is read has at most 35 digits, so a product 70: the usual 28 would round, or fail at the cents."""
