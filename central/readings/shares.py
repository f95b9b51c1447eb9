"""An integer quantity shared out by weights, to the last unit: the method of largest remainders."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints

# Weights are compared as integers of 30 bits, so that the result does not depend on how a machine sums floats; 2^30
# times a quantity below 2^32 still fits 64 bits.
_BITS = 30
_INT64_MAX = int(np.iinfo(np.int64).max)


def share_out(total: int, weights: NDArray[Any]) -> Ints:
    """Split `total` into integers in proportion to `weights` (finite, >= 0) whose sum is exactly `total`.

    What is left after rounding down goes one unit each to the largest remainders, the earlier place first. Where all
    weights are 0 the shares are equal. A negative total gives negative shares. Raises ValueError for a weight that
    is negative or not finite, and for no weights unless the total is 0.
    """
    count = len(weights)
    if not count:
        if total:
            raise ValueError(f"the quantity {total} has no interval that it could be shared out to")
        return np.empty(0, np.int64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("weights of a split must be finite and not negative")
    if total < 0:
        return -share_out(-total, weights)
    whole = _as_integers(weights)
    weight = int(whole.sum())
    if total * int(whole.max()) <= _INT64_MAX:
        shares, rests = np.divmod(whole * total, weight)
    else:
        pairs = [divmod(each * total, weight) for each in whole.tolist()]
        shares = np.array([pair[0] for pair in pairs], np.int64)
        rests = np.array([pair[1] for pair in pairs], np.int64)
    left = total - int(shares.sum())
    shares[np.argsort(-rests, kind="stable")[:left]] += 1
    return shares


def _as_integers(weights: NDArray[Any]) -> Ints:
    """Weights as integers: small integers as they are, others relative to the largest one."""
    highest = weights.max()
    if highest == 0:
        return np.ones(len(weights), np.int64)
    if np.issubdtype(weights.dtype, np.integer) and int(highest) < 2**_BITS:
        return weights.astype(np.int64)
    scaled: Ints = np.rint(weights / float(highest) * 2**_BITS).astype(np.int64)
    return scaled
