"""What a register counted between two of its states: rollover by its digits, accepted only where it is plausible."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints

TOP_OF_RANGE = 10
"""A register may roll over only from the top tenth of its range (inferred: no decree says)."""
VOLTS = 230
"""Of one phase at low voltage."""
TOLERANCE = Decimal("1.2")
"""A breaker carries a little more than its name for long: what exceeds it by more than a fifth is a mistake."""
NO_LIMIT = -1
"""In place of the most that a register could have counted, where nobody knows it."""
NO_DIGITS = 0
"""In place of a register's digits, where no version of it says how many it has."""


class Verdict(IntEnum):
    """What came of two states."""

    COUNTED = 0
    """The later state is not below the earlier one."""
    ROLLED_OVER = 1
    """The register passed its highest state and began anew."""
    FELL = 2
    """The state is lower and nobody knows how many digits the register has."""
    NOT_AT_TOP = 3
    """The state is lower, but the earlier one was not in the top of the range: an exchange or a mistake."""
    TOO_MUCH = 4
    """The state is lower, and with a rollover more would have been counted than can flow."""
    OUT_OF_RANGE = 5
    """A state has more digits than the register."""

    @property
    def is_counted(self) -> bool:
        return self <= Verdict.ROLLED_OVER


@dataclass(frozen=True, slots=True)
class Difference:
    """Units of the register (its last digit) and how they came about; 0 units where the verdict refuses them."""

    units: int
    verdict: Verdict


def differences(
    before: Ints, after: Ints, digits: Ints, largest: Ints, confirmed: NDArray[np.bool_] | None = None
) -> tuple[Ints, Ints]:
    """Units counted and Verdict of many pairs of states; all arrays (n,).

    E = (after - before) mod 10^digits. A rollover is accepted if `before` lies in the top tenth of the range (or a
    person has `confirmed` it) and E does not exceed `largest`. `digits` may be NO_DIGITS, `largest` NO_LIMIT.
    """
    known = digits > NO_DIGITS
    modulus = np.where(known, 10 ** np.where(known, digits, 0), np.iinfo(np.int64).max)
    fell = after < before
    # never negative, and each state stays below the modulus where the register has digits
    units = np.where(fell & known, modulus - before + after, after - before)
    at_top = before >= modulus - modulus // TOP_OF_RANGE
    if confirmed is not None:
        at_top |= confirmed
    verdict = np.full(len(before), Verdict.COUNTED, np.int64)
    verdict[fell] = Verdict.ROLLED_OVER
    verdict[fell & (largest != NO_LIMIT) & (units > largest)] = Verdict.TOO_MUCH
    verdict[fell & ~at_top] = Verdict.NOT_AT_TOP
    verdict[fell & ~known] = Verdict.FELL
    verdict[known & ((before >= modulus) | (after >= modulus))] = Verdict.OUT_OF_RANGE
    return np.where(verdict <= Verdict.ROLLED_OVER, units, 0), verdict


def difference(
    before: int, after: int, digits: int | None, largest: int | None = None, *, confirmed: bool = False
) -> Difference:
    """What one register counted between two states; see `differences`."""
    units, verdict = differences(
        np.array([before], np.int64),
        np.array([after], np.int64),
        np.array([NO_DIGITS if digits is None else digits], np.int64),
        np.array([NO_LIMIT if largest is None else largest], np.int64),
        np.array([confirmed]),
    )
    return Difference(int(units[0]), Verdict(int(verdict[0])))


def most_through_breaker(phases: int, amperes: Decimal, time: timedelta) -> int:
    """The most Wh that can flow through a main breaker at low voltage in a time, with TOLERANCE."""
    seconds = Decimal(time // timedelta(seconds=1))
    return int(phases * amperes * VOLTS * seconds * TOLERANCE / 3600)
