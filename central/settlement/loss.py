"""Transformer losses where a point is metered on the secondary side: a surcharge on energy and quarter-hours.

The coefficient is a condition of the point with validity, in percent. A bill multiplies energy and the highest
quarter-hour by it exactly; what the market operator gets are integers in the channel's unit: the running total of a
metering day is multiplied exactly and rounded half up, and an interval is the difference of two running totals. So a
day sums to its exact product, rounded once, and no interval is further than one unit from its own product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from shared.quantities import MISSING_VALUE

_SCALE = 100_000
"""Percent has 3 decimal places: 1 % of a value is value x 1000 / _SCALE."""
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class LossTerm:
    """A coefficient in percent on the days [first, end)."""

    percent: Decimal
    first: date
    end: date


def raised_day(values: NDArray[np.int32], percent: Decimal) -> NDArray[np.int32]:
    """The intervals of one metering day (..., intervals) with the surcharge; missing ones stay missing and count 0.

    Raises OverflowError where a value would not fit into 32 bits.
    """
    factor = _SCALE + int(percent * 1000)
    missing = values == MISSING_VALUE
    running = np.cumsum(np.where(missing, 0, values).astype(np.int64), axis=-1)
    # half up, also below zero: floor((2 x product + scale) / (2 x scale))
    totals = (2 * running * factor + _SCALE) // (2 * _SCALE)
    raised = np.diff(totals, axis=-1, prepend=0)
    if raised.size and int(np.abs(raised).max()) > _LARGEST:
        raise OverflowError("A value with the surcharge for losses does not fit into 32 bits.")
    # a missing interval adds nothing to the running total, so its difference is 0 and no energy is lost
    return np.where(missing, MISSING_VALUE, raised).astype(np.int32)


def raised(
    values: NDArray[np.int32],
    days: Sequence[date],
    offset: Sequence[int] | NDArray[np.int64],
    terms: Sequence[LossTerm],
) -> NDArray[np.int32]:
    """A channel's period with the surcharge of each day; days without a term stay as they are."""
    if not terms:
        return values
    result = values.copy()
    for place, day in enumerate(days):
        term = next((each for each in terms if each.first <= day < each.end), None)
        if term is not None:
            columns = slice(int(offset[place]), int(offset[place + 1]))
            result[columns] = raised_day(values[columns], term.percent)
    return result
