"""Seeded noise that any interval can have without the others: a counter-based hash, integers only.

Everything here is integer arithmetic, so the same curve comes out on every machine and in slices of every length.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FULL: Final = 65535
"""Largest value of `uniform`."""

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB


def _mix(value: int) -> int:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014) on one number."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * _MIX_1) & _MASK
    value = ((value ^ (value >> 27)) * _MIX_2) & _MASK
    return value ^ (value >> 31)


def key(*parts: int) -> int:
    """One 64-bit key from numbers (seed, stream ...); their order counts."""
    result = 0
    for part in parts:
        result = _mix(result ^ (part & _MASK))
    return result


def uniform(stream: int, index: Ints) -> Ints:
    """Evenly distributed 0 to `FULL` for each index of the stream named by `key`."""
    value = index.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(stream)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(_MIX_1)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(_MIX_2)
    return ((value ^ (value >> np.uint64(31))) >> np.uint64(48)).astype(np.int64)


def between(stream: int, index: Ints, low: int, high: int) -> Ints:
    """Evenly distributed `low` to `high`, both included."""
    return low + uniform(stream, index) * (high - low + 1) // (FULL + 1)


def wave(stream: int, index: Ints, amplitude: int) -> Ints:
    """Triangular noise within plus or minus `amplitude`, most often near 0."""
    swing = uniform(stream, index) + uniform(stream ^ _MIX_1, index) - FULL
    return amplitude * swing // FULL


def drift(stream: int, index: Ints, amplitude: int, knot: int) -> Ints:
    """Slow noise within plus or minus `amplitude`: straight lines between a value every `knot` indices."""
    before, part = np.divmod(index, knot)
    left, right = wave(stream, before, amplitude), wave(stream, before + 1, amplitude)
    result: Ints = (left * (knot - part) + right * part) // knot
    return result
