"""Columns of exact numbers: whole numbers times one fraction, with what is missing and what has no common unit."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_LIMIT: Final = 2**62
"""Below it whole numbers are of eight octets; above it they are Python's own, slower and without an end."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Exact:
    """`data` x `scale`; columns of length 1 stand for a number. `missing`: there is no value; `apart`: there is one in
    another unit than what it is compared with."""

    data: NDArray[Any]
    scale: Fraction
    missing: Mask
    apart: Mask

    @property
    def unknown(self) -> Mask:
        return self.missing | self.apart


NOWHERE: Final = np.zeros(1, dtype=np.bool_)


def number(value: Fraction) -> Exact:
    """One number for all rows."""
    return Exact(_whole([value.numerator]), Fraction(1, value.denominator), NOWHERE, NOWHERE)


def total(columns: list[Exact], signs: tuple[int, ...]) -> Exact:
    """The exact sum of columns, each with its sign."""
    scale = columns[0].scale
    for each in columns[1:]:
        scale = _common(scale, each.scale)
    terms = [times(each.data, sign * int(each.scale / scale)) for each, sign in zip(columns, signs, strict=True)]
    if sum(_most(term) for term in terms) >= _LIMIT:
        terms = [term.astype(object) for term in terms]
    data = terms[0]
    for term in terms[1:]:
        data = data + term
    return Exact(data, scale, _any(columns, "missing"), _any(columns, "apart"))


def product(columns: list[Exact]) -> Exact:
    """The exact product of columns."""
    data, scale = columns[0].data, columns[0].scale
    for each in columns[1:]:
        other = each.data
        if _most(data) * _most(other) >= _LIMIT:
            data, other = data.astype(object), other.astype(object)
        data, scale = data * other, scale * each.scale
    return Exact(data, scale, _any(columns, "missing"), _any(columns, "apart"))


def absolute(column: Exact) -> Exact:
    """Without the sign."""
    return Exact(np.abs(column.data), column.scale, column.missing, column.apart)


def rounded(column: Exact, places: int) -> Exact:
    """To so many decimal places, half away from zero."""
    step = Fraction(1, 10**places)
    ratio = column.scale / step
    top, bottom = ratio.numerator, ratio.denominator
    doubled = times(np.abs(column.data), 2 * top)
    if _most(doubled) + bottom >= _LIMIT or 2 * bottom >= _LIMIT:
        doubled = doubled.astype(object)
    data = np.sign(column.data) * ((doubled + bottom) // (2 * bottom))
    return Exact(data, step, column.missing, column.apart)


def compare(left: Exact, right: Exact, by: Callable[[Any, Any], Any]) -> Mask:
    """What a comparison says of each row; of unknown values it says anything."""
    scale = _common(left.scale, right.scale)
    first, second = times(left.data, int(left.scale / scale)), times(right.data, int(right.scale / scale))
    return np.asarray(by(first, second), dtype=np.bool_)


def times(data: NDArray[Any], factor: int) -> NDArray[Any]:
    """Whole numbers times one, exactly."""
    if factor == 1:
        return data
    if data.dtype != object and _most(data) * abs(factor) >= _LIMIT:
        data = data.astype(object)
    return data * factor


def _whole(values: list[int]) -> NDArray[Any]:
    fits = all(abs(value) < _LIMIT for value in values)
    return np.array(values, dtype=np.int64 if fits else object)


def _most(data: NDArray[Any]) -> int:
    return max(abs(int(data.max())), abs(int(data.min()))) if data.size else 0


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The largest fraction that both are whole multiples of."""
    bottom = one.denominator * other.denominator
    return Fraction(gcd(one.numerator * other.denominator, other.numerator * one.denominator), bottom)


def _any(columns: list[Exact], name: str) -> Mask:
    found: Mask = getattr(columns[0], name)
    for each in columns[1:]:
        found = found | getattr(each, name)
    return found
