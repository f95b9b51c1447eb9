"""The static method of allocation (statická metoda), iterative, as EDC computes it: in whole 0.01 kWh, rounded down.

Source: replays of EDC's exports described in a public repository (documented there; EDC's own was not found).
Of several producers each has keys of its own and they give one after the other, in the order of their EANs (assumed).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Units = NDArray[np.int64]
"""Energy in units of 0.01 kWh."""
WHOLE: Final = 10_000
"""Hundredths of a percent that a whole has."""
LARGEST: Final = 2**63 // (2 * WHOLE)
"""Units above which a product with a key could overflow."""


def share_one(produced: Units, left: Units, keys: Sequence[int], rounds: int) -> Units:
    """What one producer gives: (consumers, periods).

    `produced` is (periods,), `left` (consumers, periods) what each can still take, `keys` hundredths of a percent of
    each consumer, together at most 10,000. In each round everyone is offered the key's part of what is there at the
    round's begin and takes what is still needed. Raises ValueError for values that are negative or too large, and for
    keys that do not fit.
    """
    if len(keys) != len(left) or any(key < 0 for key in keys) or sum(keys) > WHOLE:
        raise ValueError(f"The keys {list(keys)} must be {len(left)} parts of {WHOLE} or less together.")
    for values in (produced, left):
        if values.size and (values.min() < 0 or values.max() > LARGEST):
            raise ValueError(f"Energy to be shared must lie between 0 and {LARGEST} units of 0.01 kWh.")
    weights = np.asarray(keys, np.int64)[:, None]
    there = produced.astype(np.int64, copy=True)
    needed = left.astype(np.int64, copy=True)
    given = np.zeros_like(needed)
    for _ in range(rounds):
        offered = np.minimum(needed, weights * there // WHOLE)
        taken = offered.sum(axis=0)
        if not taken.any():
            break
        given += offered
        needed -= offered
        there -= taken
    return given


def share(produced: Units, demanded: Units, keys: Sequence[Sequence[int]], rounds: int) -> Units:
    """What each producer gives each consumer: (producers, consumers, periods), never more than there is or is needed.

    `produced` is (producers, periods), `demanded` (consumers, periods), `keys` a row for each producer. What is given
    is that much of both; the rest of a producer goes to who buys it, the rest of a consumer comes from the supplier.
    """
    left = demanded.astype(np.int64, copy=True)
    given = np.zeros((len(produced), *demanded.shape), np.int64)
    for number, (energy, row) in enumerate(zip(produced, keys, strict=True)):
        given[number] = share_one(energy, left, row, rounds)
        left -= given[number]
    return given
