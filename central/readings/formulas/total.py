"""Totals by a formula that belongs to no virtual meter: the same grammar, channels, units and coefficients.

A virtual meter rounds every interval to its channel; here the intervals are added exactly and nothing is rounded.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise

import numpy as np
from sqlalchemy import Connection

from central.platform.errors import BadInput
from central.readings.formulas.compile import Matrix, compile_formula, evaluate_exactly
from central.readings.formulas.exact import RANK_OF_QUALITY, WORST, Exact
from central.readings.formulas.nodes import Node, coefficients
from central.readings.formulas.parse import parse
from central.readings.formulas.store import bind, check_size, coefficient_units, coefficients_of
from central.readings.formulas.units import Unit, unit_of
from central.readings.profiles import commodity_of, read_newest


@dataclass(frozen=True, slots=True)
class Total:
    """The exact sum over some days in a basic unit, the channels with the versions by day, or the first day without
    a value."""

    value: Fraction
    unit: str
    versions: dict[int, list[int]]
    missing_day: date | None = None


@dataclass(frozen=True, slots=True)
class _Understood:
    """A formula's tree, its channels (id and exponent) by name, and the basic unit of its total."""

    node: Node
    channels: dict[tuple[str, str], tuple[int, int]]
    unit: str


def check_total(connection: Connection, text: str) -> str:
    """The basic unit of a formula's total; FormulaError or BadInput where it cannot be computed."""
    return _understood(connection, text).unit


def total_of(connection: Connection, text: str, first: date, end: date) -> Total:
    """A formula added up over the metering days [first, end), by the newest versions of its channels."""
    understood = _understood(connection, text)
    node, unit = understood.node, understood.unit
    used = sorted(channel for channel, _ in understood.channels.values())
    profiles = read_newest(connection, commodity_of(connection, used), used, first, end)
    rows = {channel: row for row, channel in enumerate(profiles.channels)}
    versions = {channel: profiles.versions[row].tolist() for channel, row in rows.items()}
    rank = RANK_OF_QUALITY[profiles.quality]
    values = np.where(rank == WORST, 0, profiles.values)
    bound = compile_formula(node, {name: (rows[number], exp) for name, (number, exp) in understood.channels.items()})
    named = coefficients_of(connection, set(coefficients(node)), first, end)
    cuts = sorted({first, end, *(day for *_, since, until in named for day in (since, until) if first < day < end)})
    total = Fraction(0)
    for since, until in pairwise(cuts):
        columns = slice(int(profiles.offset[(since - first).days]), int(profiles.offset[(until - first).days]))
        known = {name: value for name, value, begin, stop in named if begin <= since < stop}
        if len(known) < len(coefficients(node)):
            return Total(Fraction(0), unit, versions, since)
        result = evaluate_exactly(bound, Matrix(values[:, columns], rank[:, columns]), known)
        lacking = (result.rank == WORST).any(axis=0)
        if lacking.any():
            day = int(np.searchsorted(profiles.offset, columns.start + int(lacking.argmax()), side="right")) - 1
            return Total(Fraction(0), unit, versions, profiles.days[day].date)
        total += _added(result, columns.stop - columns.start)
    return Total(total, unit, versions)


def _added(result: Exact, intervals: int) -> Fraction:
    counts = np.broadcast_to(result.count, (1, intervals))[0].tolist()
    if result.over is None:
        return result.scale * int(sum(counts))
    overs = np.broadcast_to(result.over, (1, intervals))[0].tolist()
    return result.scale * sum((Fraction(count, over) for count, over in zip(counts, overs, strict=True)), Fraction(0))


def _understood(connection: Connection, text: str) -> _Understood:
    node = parse(text)
    bound = bind(connection, node)
    if not bound:
        raise BadInput("formula", "The formula names no channel; give a fixed quantity instead.")
    units = coefficient_units(connection, coefficients(node))
    found = unit_of(node, lambda ref: Unit.of(bound[ref.name].unit), lambda coefficient: units[coefficient.name])
    if found is None or found.over != "1" or found.basic == "1":
        raise BadInput("formula", f"The formula gives {found or 0}; an amount of Wh, varh or m3 is needed.")
    check_size(node, bound, list(units))
    return _Understood(node, {name: (row.id, row.exponent) for name, row in bound.items()}, found.basic)
