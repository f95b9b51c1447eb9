"""A virtual meter for people: a day's values with reasons, what depends on what, a value taken apart."""

from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from central.network.channels import require_channel
from central.network.tables import channel as channel_table
from central.platform.errors import BadInput, Refused
from central.readings.formulas.compile import Bindings, Matrix, compile_formula, evaluate_exactly
from central.readings.formulas.compute import Evaluated, compute
from central.readings.formulas.exact import BITS, QUALITY_OF_RANK, RANK_OF_QUALITY, WORST, Reason
from central.readings.formulas.nodes import Coefficient, Extreme, If, Node, Number, Product, Reference, Sum, children
from central.readings.formulas.nodes import coefficients as coefficients_in
from central.readings.formulas.store import StoredFormula, above, check_formula, coefficients_of, load, require_formulas
from central.readings.trace import formula_sources
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity

_PARTS = 500
"""Parts of a formula that are shown one by one."""


def preview(connection: Connection, channel: int, text: str | None, day: date) -> dict[str, Any]:
    """Values of one day by the stored formula, or by another text, which is checked and not stored."""
    computed = _computed(connection, channel, text, day)
    row = computed.row(channel)
    values = computed.profiles.values[row].tolist()
    codes = computed.reasons[channel].tolist()
    return {
        "channel": channel,
        "day": day,
        "begin": computed.profiles.days[0].start,
        "values": [None if value == MISSING_VALUE else value for value in values],
        "quality": computed.profiles.quality[row].tolist(),
        "reasons": {place: Reason(code).name.lower() for place, code in enumerate(codes) if code},
    }


def dependencies(connection: Connection, channel: int, day: date) -> dict[str, Any]:
    """Formulas below and virtual meters above a channel on one day."""
    require_channel(connection, channel)
    formulas = load(connection, [channel], day, MeteringDay(Commodity.ELECTRICITY, day).next.date)
    upper = [n for n in above(connection, [channel], day, _after(day)) if n != channel]
    names = _names(connection, {channel, *upper, *(n for each in formulas for n in each.inputs.values())})
    return {
        "channel": channel,
        "needs": [
            {
                "channel": each.channel,
                "name": names.get(each.channel) or _names(connection, {each.channel})[each.channel],
                "formula": each.text,
                "inputs": [{"channel": n, "name": names[n]} for n in sorted(set(each.inputs.values()))],
            }
            for each in formulas
        ],
        "needed_by": [{"channel": n, "name": names[n]} for n in upper],
    }


def explain(connection: Connection, channel: int, day: date, index: int, version: int | None = None) -> dict[str, Any]:
    """One interval: every part of the formula with its exact value before rounding, from the whole down to the inputs.

    Computed from the newest inputs; `sources` says what each stored version of the day was computed from.
    """
    require_formulas(connection, channel)
    computed = _computed(connection, channel, None, day)
    profiles = computed.profiles
    if not 0 <= index < profiles.values.shape[1]:
        raise BadInput("index", f"The day {day} has intervals 0 to {profiles.values.shape[1] - 1}, not {index}.")
    held = [each for each in computed.formulas if each.channel == channel and each.first <= day < each.end]
    if not held:
        raise Refused("no_formula", f"Channel {channel} has no formula on {day}.")
    column = profiles.values[:, index : index + 1]
    rank = RANK_OF_QUALITY[profiles.quality[:, index : index + 1]]
    matrix = Matrix(np.where(rank == WORST, 0, column), rank)
    facts = {
        row.id: row
        for row in connection.execute(select(channel_table).where(channel_table.c.id.in_(profiles.channels)))
    }
    bindings = {name: (computed.row(used), facts[used].exponent) for name, used in held[0].inputs.items()}
    named = coefficients_of(connection, held[0].coefficients, day, _after(day))
    row = computed.row(channel)
    value = int(profiles.values[row, index])
    return {
        "channel": channel,
        "day": day,
        "index": index,
        "begin": profiles.days[0].instant(index),
        "formula": held[0].text,
        "value": None if value == MISSING_VALUE else value,
        "unit": facts[channel].unit,
        "exponent": facts[channel].exponent,
        "quality": int(profiles.quality[row, index]),
        "reason": Reason(int(computed.reasons[channel][index])).name.lower(),
        "parts": _parts(held[0].node, bindings, matrix, {name: value for name, value, *_ in named}),
        "sources": formula_sources(connection, channel, day, version),
    }


def _computed(connection: Connection, channel: int, text: str | None, day: date) -> Evaluated:
    if text is None:
        require_formulas(connection, channel)
        return compute(connection, [channel], day, _after(day))
    node, bound = check_formula(connection, channel, text)
    inputs = {name: int(row.id) for name, row in bound.items()}
    if channel in inputs.values() or any(
        channel in each.inputs.values() for each in load(connection, inputs.values(), day, _after(day))
    ):
        raise Refused("formula_cycle", f"By this formula channel {channel} would need itself.")
    given = StoredFormula(0, channel, text, tuple(sorted(coefficients_in(node))), day, _after(day), inputs)
    return compute(connection, [channel], day, _after(day), instead=[given])


def _after(day: date) -> date:
    return MeteringDay(Commodity.ELECTRICITY, day).next.date


def _parts(root: Node, bindings: Bindings, matrix: Matrix, coefficients: dict[str, Fraction]) -> list[dict[str, Any]]:
    if any(name not in coefficients for name in coefficients_in(root)):
        return []
    shown: list[dict[str, Any]] = []
    waiting = [(root, 0)]
    while waiting and len(shown) < _PARTS:
        node, depth = waiting.pop()
        found = evaluate_exactly(compile_formula(node, bindings), matrix, coefficients)
        rank = int(found.rank.flat[0])
        over = 1 if found.over is None else int(found.over.flat[0])
        value = None if rank == WORST else Fraction(int(found.count.flat[0]), over) * found.scale
        shown.append(
            {
                "depth": depth,
                "part": _described(node),
                "line": node.place.line,
                "column": node.place.column,
                "value": None if value is None else _decimal(value),
                "quality": int(QUALITY_OF_RANK[rank]),
            }
        )
        waiting.extend((child, depth + 1) for child in reversed(children(node)))
    return shown


def _decimal(value: Fraction) -> str:
    """Exact where it can be, else to 12 decimal places."""
    with localcontext(prec=BITS):
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        return format(exact if Fraction(exact) == value else round(exact, 12), "f")


def _described(node: Node) -> str:
    match node:
        case Reference():
            return str(node)
        case Coefficient(name=name):
            return name
        case Number(value=value, unit=unit):
            return _decimal(value) if unit == "1" else f"{_decimal(value)} {unit}"
        case Sum():
            return "sum"
        case Product():
            return "product"
        case Extreme(function=function):
            return function
        case If(condition=condition):
            return f"if {condition.operator}"


def _names(connection: Connection, channels: set[int]) -> dict[int, str]:
    rows = connection.execute(select(channel_table).where(channel_table.c.id.in_(channels)))
    return {row.id: f"{row.point} {row.direction}" for row in rows}
