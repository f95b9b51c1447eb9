"""Exact numbers in arrays: rational values of many intervals at once, each with its quality and why it is missing.

A value is `count` / `over` x `scale`: integers in arrays (int64 while the bounds prove that they fit, Python's own
integers beyond) and one rational for the whole array. Nothing is rounded before `rounded`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from math import gcd, lcm
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.quantities import MISSING_VALUE, Quality

Array = NDArray[Any]
Codes = NDArray[np.uint8]

_INT64 = 2**63 - 1
BITS: Final = 2_048
"""Of the largest integer that an exact value may need; a formula that could need more is refused."""
LARGEST: Final = 2**31 - 1
"""A day profile holds 32-bit values."""


class TooLargeError(ArithmeticError):
    """An exact value would need integers of more than BITS bits."""


class Reason(IntEnum):
    """Why a formula has no value for an interval."""

    NONE = 0
    INPUT = 1
    """An input is missing."""
    DIVISION = 2
    """Division by zero."""
    SIZE = 3
    """The value does not fit into 32 bits."""
    COEFFICIENT = 4
    """A coefficient has no value on this day."""
    FORMULA = 5
    """The virtual meter has no formula on this day."""


_BEST_FIRST = (
    Quality.MEASURED,
    Quality.EDITED,
    Quality.SUBSTITUTE,
    Quality.ESTIMATED,
    Quality.PROVISIONAL,
    Quality.MISSING,
)
"""From the best to the worst: what a person or a rule has made final is better than what is still to be replaced."""
QUALITY_OF_RANK: Final = np.array(_BEST_FIRST, np.int16)
RANK_OF_QUALITY: Final = np.argsort(QUALITY_OF_RANK).astype(np.uint8)
WORST: Final = int(RANK_OF_QUALITY[Quality.MISSING])


@dataclass(frozen=True, slots=True)
class Exact:
    """Values of (members, intervals), or (1, 1) for a constant. `over` is positive or None for 1.

    `rank` is the place of the quality in the order from best to worst, `reason` is not NONE only where `rank` is
    WORST. `most` and `most_over` bound the magnitudes of `count` and `over`.
    """

    count: Array
    scale: Fraction
    most: int
    rank: Codes
    reason: Codes | None = None
    over: Array | None = None
    most_over: int = 1


def constant(value: Fraction) -> Exact:
    """The same value for all members and intervals."""
    one = np.array([[0 if value == 0 else 1]], np.int64)
    return Exact(one, value or Fraction(1), 1, np.zeros((1, 1), np.uint8))


def add(terms: Sequence[Exact], signs: Sequence[int]) -> Exact:
    """The signed sum."""
    total = _signed(terms[0], signs[0])
    for term, sign in zip(terms[1:], signs[1:], strict=True):
        left, right = _on_one_scale(total, _signed(term, sign))
        rank, reason = _worst(left, right)
        if left.over is None and right.over is None:
            most = left.most + right.most
            count = _held(left.count, most) + _held(right.count, most)
            total = Exact(count, left.scale, most, rank, reason)
        else:
            left_count, left_most = _crossed(left, right)
            right_count, right_most = _crossed(right, left)
            most = left_most + right_most
            over, most_over = _product_of_overs(left, right)
            count = _held(left_count, most) + _held(right_count, most)
            total = Exact(count, left.scale, most, rank, reason, over, most_over)
    return total


def multiply(left: Exact, right: Exact) -> Exact:
    """The product."""
    most = left.most * right.most
    over, most_over = _product_of_overs(left, right)
    count = _held(left.count, most) * _held(right.count, most)
    return Exact(count, left.scale * right.scale, most, *_worst(left, right), over, most_over)


def divide(left: Exact, right: Exact) -> Exact:
    """The quotient; where the divisor is 0 the value is missing, the reason being DIVISION."""
    rank, reason = _worst(left, right)
    zero = right.count == 0
    if zero.any():
        fresh = zero & (rank != WORST)
        reason = np.zeros(rank.shape, np.uint8) if reason is None else reason
        reason = np.where(fresh, np.uint8(Reason.DIVISION), reason)
        rank = np.where(fresh, np.uint8(WORST), rank)
    right_over: Array = np.ones((1, 1), np.int64) if right.over is None else right.over
    most = max(left.most * right.most_over, 1)
    most_over = max(left.most_over * right.most, 1)
    sign = np.where(right.count < 0, -1, 1)
    magnitude = np.where(zero, 1, abs(right.count))
    count = _held(left.count, most) * _held(right_over, most) * sign
    over = _held(magnitude, most_over)
    if left.over is not None:
        over = over * _held(left.over, most_over)
    return Exact(count, left.scale / right.scale, most, rank, reason, over, most_over)


def extreme(function: str, operands: Sequence[Exact]) -> Exact:
    """The smallest ("min") or greatest ("max") operand of each interval; the quality is the worst of all operands."""
    chosen = operands[0]
    for operand in operands[1:]:
        take = compare("<=" if function == "min" else ">=", chosen, operand)
        picked = _pick(take, chosen, operand)
        rank, reason = _worst(chosen, operand)
        chosen = Exact(picked.count, picked.scale, picked.most, rank, reason, picked.over, picked.most_over)
    return chosen


def choose(condition: NDArray[np.bool_], decided_by: Sequence[Exact], then: Exact, otherwise: Exact) -> Exact:
    """`then` where the condition holds, else `otherwise`; quality of what decided and of the chosen side."""
    picked = _pick(condition, then, otherwise)
    rank, reason = picked.rank, picked.reason
    for side in decided_by:
        rank, reason = _worst(side, Exact(picked.count, picked.scale, 0, rank, reason))
    return Exact(picked.count, picked.scale, picked.most, rank, reason, picked.over, picked.most_over)


def compare(operator: str, left: Exact, right: Exact) -> NDArray[np.bool_]:
    """Interval by interval; what is missing compares as 0, and is missing in the result anyway."""
    one, other = _on_one_scale(left, right)
    ours, our_most = _crossed(one, other)
    theirs, their_most = _crossed(other, one)
    ours, theirs = _held(ours, max(our_most, their_most)), _held(theirs, max(our_most, their_most))
    match operator:
        case "<":
            result = ours < theirs
        case "<=":
            result = ours <= theirs
        case ">":
            result = ours > theirs
        case ">=":
            result = ours >= theirs
        case "=":
            result = ours == theirs
        case _:
            result = ours != theirs
    return np.asarray(result, np.bool_)


def rounded(value: Exact, exponent: int) -> tuple[NDArray[np.int32], Codes, Codes]:
    """Values as integers of 10^`exponent`, rank and reason; what does not fit into 32 bits is missing.

    This is the one place where the result of a formula is rounded: half away from zero.
    """
    scale = value.scale / Fraction(10) ** exponent
    up, down = abs(scale.numerator), scale.denominator
    most = value.most * up
    count = _held(value.count, most) * up
    if scale < 0:
        count = -count
    over: Array | int = down
    if value.over is not None:
        over = _held(value.over, value.most_over * down) * down
    if value.over is not None or down != 1:
        bound = 2 * most + value.most_over * down
        magnitude, over = _held(abs(count), bound), _held(np.asarray(over), 2 * value.most_over * down)
        whole = (2 * magnitude + over) // (2 * over)
        count = np.where(count < 0, -whole, whole)
    shape = np.broadcast_shapes(count.shape, value.rank.shape)
    count, rank = np.broadcast_to(count, shape), np.broadcast_to(value.rank, shape)
    reason = np.where(rank == WORST, np.uint8(Reason.INPUT), np.uint8(Reason.NONE))
    if value.reason is not None:
        reason = np.where((rank == WORST) & (value.reason != Reason.NONE), value.reason, reason)
    beyond = (abs(count) > LARGEST) & (rank != WORST)
    reason = np.where(beyond, np.uint8(Reason.SIZE), reason).astype(np.uint8)
    rank = np.where(beyond, np.uint8(WORST), rank)
    return np.where(rank == WORST, MISSING_VALUE, count).astype(np.int32), rank, reason


def _signed(value: Exact, sign: int) -> Exact:
    if sign == 1:
        return value
    return Exact(value.count, -value.scale, value.most, value.rank, value.reason, value.over, value.most_over)


def _held(array: Array, most: int) -> Array:
    """The array in a type that holds `most`."""
    if most > _INT64:
        if most.bit_length() > BITS:
            raise TooLargeError
        return array if array.dtype == object else array.astype(object)
    return array if array.dtype == np.int64 else array.astype(np.int64)


def _on_one_scale(left: Exact, right: Exact) -> tuple[Exact, Exact]:
    if left.scale == right.scale:
        return left, right
    scale = Fraction(
        gcd(left.scale.numerator, right.scale.numerator), lcm(left.scale.denominator, right.scale.denominator)
    )
    return _rescaled(left, scale), _rescaled(right, scale)


def _rescaled(value: Exact, scale: Fraction) -> Exact:
    weight = int(value.scale / scale)
    most = value.most * abs(weight)
    count = _held(value.count, most)
    # A numpy integer times a Python integer beyond 64 bits is refused; the object type takes it.
    count = count * weight if count.dtype == object or weight != 1 else count
    return Exact(count, scale, most, value.rank, value.reason, value.over, value.most_over)


def _crossed(value: Exact, other: Exact) -> tuple[Array, int]:
    """The count over the product of both denominators."""
    if other.over is None:
        return value.count, value.most
    most = value.most * other.most_over
    return _held(value.count, most) * _held(other.over, most), most


def _product_of_overs(left: Exact, right: Exact) -> tuple[Array | None, int]:
    most = left.most_over * right.most_over
    if left.over is None or right.over is None:
        return (left.over if right.over is None else right.over), most
    return _held(left.over, most) * _held(right.over, most), most


def _pick(take: NDArray[np.bool_], yes: Exact, no: Exact) -> Exact:
    yes, no = _on_one_scale(yes, no)
    most, most_over = max(yes.most, no.most), max(yes.most_over, no.most_over)
    count = np.where(take, _held(yes.count, most), _held(no.count, most))
    over = None
    if yes.over is not None or no.over is not None:
        one: Array = np.ones((1, 1), np.int64)
        sides = [one if side.over is None else side.over for side in (yes, no)]
        over = np.where(take, _held(sides[0], most_over), _held(sides[1], most_over))
    reason = None
    if yes.reason is not None or no.reason is not None:
        none = np.zeros((1, 1), np.uint8)
        reasons = [none if side.reason is None else side.reason for side in (yes, no)]
        reason = np.where(take, reasons[0], reasons[1])
    return Exact(count, yes.scale, most, np.where(take, yes.rank, no.rank), reason, over, most_over)


def _worst(left: Exact, right: Exact) -> tuple[Codes, Codes | None]:
    rank = np.maximum(left.rank, right.rank)
    if left.reason is None or right.reason is None:
        return rank, left.reason if right.reason is None else right.reason
    return rank, np.maximum(left.reason, right.reason)
