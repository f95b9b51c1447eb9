"""Evaluation of virtual meters in the order of their dependencies: one vectorised pass per level and shape. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from central.readings.formulas.compile import Compiled, Matrix, compile_formula, evaluate_group
from central.readings.formulas.exact import WORST, Codes
from central.readings.formulas.graph import levels
from central.readings.formulas.nodes import Node


@dataclass(frozen=True, slots=True)
class Formula:
    """The formula of a virtual channel; `inputs` are the channels that its references are bound to."""

    channel: int
    node: Node
    inputs: Mapping[tuple[str, str], int]


def evaluate(
    formulas: Sequence[Formula],
    exponents: Mapping[int, int],
    rows: Mapping[int, int],
    matrix: Matrix,
    coefficients: Mapping[str, Fraction],
) -> dict[int, Codes]:
    """Fill the rows of virtual channels in `matrix`, and return by channel why values are missing (codes of Reason).

    `exponents` and `rows` are of all channels, inputs and results. There is one formula a channel, all are valid for
    the whole of the matrix, and so are the coefficients. A missing value stands as 0 with the rank WORST.
    """
    by_channel = {formula.channel: formula for formula in formulas}
    reasons: dict[int, Codes] = {}
    for level in levels({formula.channel: set(formula.inputs.values()) for formula in formulas}):
        groups: dict[Any, list[tuple[int, Compiled]]] = {}
        for channel in level:
            formula = by_channel[channel]
            bindings = {name: (rows[used], exponents[used]) for name, used in formula.inputs.items()}
            compiled = compile_formula(formula.node, bindings)
            groups.setdefault((compiled.shape, exponents[channel]), []).append((channel, compiled))
        for (_, exponent), members in groups.items():
            values, rank, reason = evaluate_group([compiled for _, compiled in members], exponent, matrix, coefficients)
            places = [rows[channel] for channel, _ in members]
            matrix.values[places] = np.where(rank == WORST, 0, values)
            matrix.rank[places] = rank
            reasons.update({channel: reason[place] for place, (channel, _) in enumerate(members)})
    return reasons
