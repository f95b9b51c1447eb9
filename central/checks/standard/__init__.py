"""The checks that come with a release; one file each."""

from central.checks.framework import Check
from central.checks.standard.unit_price import UnitPriceNotZero

STANDARD: tuple[Check, ...] = (UnitPriceNotZero(),)
"""In the order of their numbers."""
