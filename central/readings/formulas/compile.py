"""Formulas compiled to numpy: those of one shape are computed together, sums of channels by one `reduceat`.

The shape of a formula is its tree without the names of channels and with runs of channels in a sum as one leaf, so that
"parent less its children" has one shape whatever the number of children.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from central.readings.formulas import exact
from central.readings.formulas.exact import LARGEST, WORST, Codes, Exact, Reason, TooLargeError
from central.readings.formulas.nodes import (
    Coefficient,
    Extreme,
    If,
    Node,
    Number,
    Product,
    Reference,
    Sum,
)
from shared.quantities import MISSING_VALUE

CELLS = 4_000_000
"""Values gathered at once: bounds the memory of a pass at some 100 MB."""

Bindings = Mapping[tuple[str, str], tuple[int, int]]
"""By point and direction: the channel's row in the matrix and its exponent."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A signed sum of channels: rows, and the weight of each as sign x 10^exponent."""

    rows: tuple[int, ...]
    signs: tuple[int, ...]
    exponents: tuple[int, ...]


@dataclass(slots=True)
class Compiled:
    """A formula bound to rows: its shape, and its leaves in the order of the shape."""

    shape: Any
    leaves: list[Leaf] = field(default_factory=list)


def compile_formula(node: Node, bindings: Bindings) -> Compiled:
    """Bind the names of a formula and find its shape."""
    leaves: list[Leaf] = []

    def shape(node: Node) -> Any:
        match node:
            case Reference():
                leaves.append(_leaf([(node, 1)], bindings))
                return ("leaf",)
            case Number(value=value):
                return ("number", value)
            case Coefficient(name=name):
                return ("coefficient", name)
            case Sum(terms=terms, signs=signs):
                return _sum(list(zip(terms, signs, strict=True)))
            case Product(factors=factors, divides=divides):
                return ("product", divides, tuple(shape(factor) for factor in factors))
            case Extreme(function=function, operands=operands):
                return (function, tuple(shape(operand) for operand in operands))
            case If(condition, then, otherwise):
                sides = (shape(condition.left), shape(condition.right), shape(then), shape(otherwise))
                return ("if", condition.operator, sides)

    def _sum(terms: list[tuple[Node, int]]) -> Any:
        channels = [(term, sign) for term, sign in terms if isinstance(term, Reference)]
        others = [(term, sign) for term, sign in terms if not isinstance(term, Reference)]
        parts: list[tuple[Any, int]] = []
        if channels:
            leaves.append(_leaf(channels, bindings))
            parts.append((("leaf",), 1))
        parts += [(shape(term), sign) for term, sign in others]
        if parts == [(("leaf",), 1)]:
            return ("leaf",)
        return ("sum", tuple(sign for _, sign in parts), tuple(part for part, _ in parts))

    compiled = Compiled(shape(node), leaves)
    return compiled


def _leaf(terms: Sequence[tuple[Reference, int]], bindings: Bindings) -> Leaf:
    bound = [bindings[reference.name] for reference, _ in terms]
    return Leaf(
        tuple(row for row, _ in bound), tuple(sign for _, sign in terms), tuple(exponent for _, exponent in bound)
    )


@dataclass(frozen=True, slots=True)
class Matrix:
    """Channels x intervals: `values` with 0 where missing, `rank` of the quality (WORST where missing)."""

    values: NDArray[np.int32]
    rank: Codes


def evaluate_group(
    members: Sequence[Compiled],
    exponent: int,
    matrix: Matrix,
    coefficients: Mapping[str, Fraction],
) -> tuple[NDArray[np.int32], Codes, Codes]:
    """Values, ranks and reasons (members x intervals) of formulas that all have the shape of the first.

    `exponent` is that of the virtual channels, one for the group.
    """
    intervals = matrix.values.shape[1]
    values = np.empty((len(members), intervals), np.int32)
    rank = np.empty(values.shape, np.uint8)
    reason = np.empty(values.shape, np.uint8)
    for chunk in _chunks(members, intervals):
        leaves = [
            _gather([member.leaves[place] for member in members[chunk]], matrix)
            for place in range(len(members[0].leaves))
        ]
        try:
            result = _evaluate(members[0].shape, iter(leaves), coefficients)
            values[chunk], rank[chunk], reason[chunk] = exact.rounded(result, exponent)
        except TooLargeError:
            values[chunk], rank[chunk], reason[chunk] = MISSING_VALUE, WORST, Reason.SIZE
    return values, rank, reason


def evaluate_exactly(member: Compiled, matrix: Matrix, coefficients: Mapping[str, Fraction]) -> Exact:
    """One formula, not rounded; TooLargeError where exact numbers of its size could become too large."""
    leaves = [_gather([leaf], matrix) for leaf in member.leaves]
    return _evaluate(member.shape, iter(leaves), coefficients)


def _chunks(members: Sequence[Compiled], intervals: int) -> list[slice]:
    chunks, start, cells = [], 0, 0
    for place, member in enumerate(members):
        size = sum(len(leaf.rows) for leaf in member.leaves) * intervals
        if cells and cells + size > CELLS:
            chunks.append(slice(start, place))
            start, cells = place, 0
        cells += size
    chunks.append(slice(start, len(members)))
    return chunks


def _gather(leaves: Sequence[Leaf], matrix: Matrix) -> Exact:
    """The leaf's value for each member: one gather and one `reduceat` over all of them."""
    lowest = min(exponent for leaf in leaves for exponent in leaf.exponents)
    rows: Ints = np.array([row for leaf in leaves for row in leaf.rows], np.int64)
    weights = [
        sign * 10 ** (exponent - lowest)
        for leaf in leaves
        for sign, exponent in zip(leaf.signs, leaf.exponents, strict=True)
    ]
    sizes = np.array([len(leaf.rows) for leaf in leaves], np.int64)
    starts = np.cumsum(sizes) - sizes
    most = LARGEST * int(np.add.reduceat(np.array([abs(weight) for weight in weights], object), starts).max())
    dtype: Any = np.int64 if most < 2**63 else object
    values: Any = matrix.values[rows]
    if weights.count(1) != len(weights):
        values = values.astype(dtype) * np.array(weights, dtype)[:, None]
    if len(rows) == len(leaves):
        count, rank = values.astype(dtype), matrix.rank[rows]
    else:
        count = np.add.reduceat(values, starts, axis=0, dtype=dtype)
        rank = np.maximum.reduceat(matrix.rank[rows], starts, axis=0)
    return Exact(count, Fraction(10) ** lowest, most, rank)


def _evaluate(shape: Any, leaves: Any, coefficients: Mapping[str, Fraction]) -> Exact:
    match shape:
        case ("leaf",):
            found: Exact = next(leaves)
            return found
        case ("number", value):
            return exact.constant(value)
        case ("coefficient", name):
            return exact.constant(coefficients[name])
        case ("sum", signs, parts):
            return exact.add([_evaluate(part, leaves, coefficients) for part in parts], signs)
        case ("product", divides, parts):
            factors = [_evaluate(part, leaves, coefficients) for part in parts]
            total = factors[0]
            for factor, by in zip(factors[1:], divides[1:], strict=True):
                total = exact.divide(total, factor) if by else exact.multiply(total, factor)
            return total
        case ("if", operator, parts):
            left, right, then, otherwise = (_evaluate(part, leaves, coefficients) for part in parts)
            return exact.choose(exact.compare(operator, left, right), (left, right), then, otherwise)
        case (function, parts):
            return exact.extreme(function, [_evaluate(part, leaves, coefficients) for part in parts])
    raise AssertionError(f"unreachable: {shape}")
