"""Differences in percent, exact whatever the numbers: what a 64-bit number does not hold is computed one by one."""

from decimal import Decimal
from typing import Final

import numpy as np

from central.checks.frame import MICRO, Chosen, Numbers

_WHOLE: Final = 100 * MICRO
"""A hundred percent, in millionths of a percent."""
_LARGEST: Final = 2**62


def more_than(difference: Numbers, whole: Numbers, percent: Decimal) -> Chosen:
    """Whether differences, none of which is negative, are more than so many percent (to a millionth) of amounts, of
    whatever sign. Of nothing: any difference is."""
    part = int(percent * MICRO)
    fits = _LARGEST // max(part, _WHOLE)
    large = (difference > fits) | (whole > fits) | (whole < -fits)
    over: Chosen = np.where(large, 0, difference) * _WHOLE > np.abs(np.where(large, 0, whole)) * part
    for place in np.flatnonzero(large).tolist():
        over[place] = int(difference[place]) * _WHOLE > abs(int(whole[place])) * part
    return over
