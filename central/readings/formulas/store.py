"""Formulas and coefficients in the database: load, create, revise, close.

Who changes a formula or a coefficient holds the lock that who computes days holds, so that a day that is computed
meanwhile is either seen as changed or computed again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.network.channels import require_channel
from central.network.tables import channel as channel_table
from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused
from central.readings.formulas import exact
from central.readings.formulas.compile import Matrix, compile_formula, evaluate_exactly
from central.readings.formulas.exact import TooLargeError
from central.readings.formulas.formula_tables import formula, formula_coefficient, formula_input
from central.readings.formulas.graph import find_cycle
from central.readings.formulas.nodes import Coefficient, FormulaError, Node, Reference, coefficients, references
from central.readings.formulas.parse import parse
from central.readings.formulas.units import BASIC, Unit, check_result, unit_of

LOCK = 5_012
"""Advisory lock of formulas: changing them, or computing days by them."""
_FOREVER = date.max

_NEEDED = text("""
    WITH RECURSIVE needed (channel) AS (
        SELECT unnest(CAST(:channels AS integer[]))
        UNION
        SELECT i.channel
        FROM needed n
        JOIN formula f ON f.channel = n.channel AND f.valid && daterange(:first, :end)
        JOIN formula_input i ON i.formula = f.id
    )
    SELECT f.id, f.channel, f.text, f.coefficients, lower(f.valid) AS first, upper(f.valid) AS stop,
           (SELECT jsonb_agg(jsonb_build_array(i.point, i.direction, i.channel)) FROM formula_input i
            WHERE i.formula = f.id) AS inputs
    FROM formula f
    WHERE f.channel IN (SELECT channel FROM needed) AND f.valid && daterange(:first, :end)
    ORDER BY f.channel, lower(f.valid)
""")
_ABOVE = text("""
    WITH RECURSIVE above (channel) AS (
        SELECT unnest(CAST(:channels AS integer[]))
        UNION
        SELECT f.channel
        FROM above a JOIN formula_input i ON i.channel = a.channel JOIN formula f ON f.id = i.formula
        WHERE f.valid && daterange(:first, :end)
    )
    SELECT DISTINCT f.channel FROM formula f JOIN above a ON a.channel = f.channel ORDER BY f.channel
""")
# Days with versions of an input, or of the channel itself: only there is anything to compute or to replace.
_WORK = text("""
    INSERT INTO formula_work (day, channels, due)
    SELECT DISTINCT p.day, ARRAY[CAST(:channel AS integer)], CAST(:now AS timestamptz)
    FROM day_profile p
    WHERE p.day >= :first AND p.day < :end
      AND p.channel IN (
          SELECT i.channel FROM formula f JOIN formula_input i ON i.formula = f.id WHERE f.channel = :channel
          UNION SELECT CAST(:channel AS integer))
""")


@dataclass(frozen=True, slots=True)
class StoredFormula:
    """A version of a virtual channel's formula, valid on the metering days [first, end)."""

    id: int
    channel: int
    text: str
    coefficients: tuple[str, ...]
    first: date
    end: date
    inputs: dict[tuple[str, str], int]

    @property
    def node(self) -> Node:
        """The parsed text."""
        return parse(self.text)


def lock(connection: Connection) -> None:
    """Wait until nobody else changes formulas or computes days by them; until the end of the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def load(connection: Connection, channels: Collection[int], first: date, end: date) -> list[StoredFormula]:
    """All versions valid in [first, end) that these channels need, down to channels without formula."""
    rows = connection.execute(_NEEDED, {"channels": list(channels), "first": first, "end": end})
    return [
        StoredFormula(
            row.id,
            row.channel,
            row.text,
            tuple(row.coefficients),
            row.first,
            row.stop or _FOREVER,
            {(point, direction): number for point, direction, number in row.inputs or ()},
        )
        for row in rows
    ]


def above(connection: Connection, channels: Collection[int], first: date, end: date) -> list[int]:
    """Virtual channels among these and all that need one of them in [first, end), directly or not."""
    parameters = {"channels": list(channels), "first": first, "end": end}
    return [row.channel for row in connection.execute(_ABOVE, parameters)]


def virtual_channels(connection: Connection, channels: Collection[int]) -> set[int]:
    """Those that have, or had, a formula."""
    query = select(formula.c.channel).where(formula.c.channel.in_(channels)).distinct()
    return set(connection.execute(query).scalars())


def find_formulas(connection: Connection, channel: int) -> Sequence[Any]:
    """Versions of a channel's formula, oldest first; replaced ones (valid on no day) last."""
    query = select(formula).where(formula.c.channel == channel).order_by(formula.c.valid, formula.c.id)
    return sorted(connection.execute(query).mappings().all(), key=lambda row: (row["valid"].isempty, row["id"]))


def create_formula(
    connection: Connection, channel: int, formula_text: str, since: date, until: date | None, reason: str, by: str,
    at: datetime,
) -> int:  # fmt: skip
    """A first formula, or one for days that have none; Refused where it overlaps another. Returns its id."""
    lock(connection)
    return _insert(connection, channel, formula_text, Range(since, _after(since, until)), reason, by, at)


def revise_formula(
    connection: Connection, channel: int, formula_text: str, since: date, reason: str, by: str, at: datetime
) -> int:
    """Another formula from `since` on, for as long as the one that holds then; that one ends there. Returns its id."""
    lock(connection)
    holds = _require_holding(connection, channel, since)
    _end(connection, holds, since)
    return _insert(connection, channel, formula_text, Range(since, holds.valid.upper), reason, by, at)


def close_formula(connection: Connection, channel: int, end: date, at: datetime) -> int:
    """The formula that holds on the day before `end` ends there; returns its id."""
    lock(connection)
    query = select(formula).where(formula.c.channel == channel, formula.c.valid.op("&&")(Range(None, end)))
    last = connection.execute(query.order_by(formula.c.valid.desc())).first()
    if last is None or (last.valid.upper is not None and last.valid.upper <= end):
        raise Refused("no_formula", f"Channel {channel} has no formula that holds after {end}; nothing to end.")
    _enqueue(connection, channel, end, last.valid.upper, at)
    _end(connection, last, end)
    return int(last.id)


def check_formula(connection: Connection, channel: int, formula_text: str) -> tuple[Node, dict[tuple[str, str], Any]]:
    """Everything but cycles: grammar, channels, units, size. Returns the tree and the channels by name."""
    target = require_channel(connection, channel)
    name = f"{target['point']} {target['direction']}"
    if target["kind"] != "interval" or target["unit"] not in BASIC:
        raise BadInput("formula_channel", f"The channel {name} has {target['kind']}s in {target['unit']}; none fits.")
    node = parse(formula_text)
    bound = bind(connection, node, target)
    units = coefficient_units(connection, coefficients(node))
    found = unit_of(node, lambda ref: Unit.of(bound[ref.name].unit), lambda coefficient: units[coefficient.name])
    check_result(node, found, Unit.of(target["unit"]), name)
    check_size(node, bound, list(units))
    return node, bound


def find_coefficients(connection: Connection, name: str | None = None) -> Sequence[Any]:
    """Coefficients by name and validity."""
    query = select(formula_coefficient).order_by(formula_coefficient.c.name, formula_coefficient.c.valid)
    if name is not None:
        query = query.where(formula_coefficient.c.name == name)
    return connection.execute(query).mappings().all()


def set_coefficient(
    connection: Connection, name: str, value: Decimal, unit: str, since: date, until: date | None, source: str,
    at: datetime,
) -> int:  # fmt: skip
    """A value from `since` on; the one that holds then ends there. Days of formulas with it are computed anew."""
    try:
        is_name = isinstance(parse(name), Coefficient)
    except FormulaError:
        is_name = False
    if not is_name or name in ("x", "min", "max", "if"):
        raise BadInput("coefficient_name", f"{name!r} is no name of a coefficient: letters, digits and _, no x alone.")
    try:
        Unit.of(unit)
    except ValueError as error:
        raise BadInput("coefficient_unit", str(error)) from None
    lock(connection)
    table = formula_coefficient
    known = connection.execute(select(table).where(table.c.name == name).order_by(table.c.valid)).all()
    if known and known[0].unit != unit:
        raise Refused(
            "coefficient_unit", f"The coefficient {name} is in {known[0].unit}, not {unit}; take another name."
        )
    end = _after(since, until)
    for row in known:
        if not row.valid.isempty and row.valid.lower <= since and (row.valid.upper is None or since < row.valid.upper):
            end = end or row.valid.upper
            left = Range(row.valid.lower, since) if row.valid.lower < since else Range(empty=True)
            connection.execute(update(table).where(table.c.id == row.id).values(valid=left))
    try:
        number: int = connection.execute(
            insert(table)
            .values(name=name, value=value, unit=unit, valid=Range(since, end), source=source)
            .returning(table.c.id)
        ).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    using = select(formula.c.channel).where(formula.c.coefficients.contains([name])).distinct()
    for channel in connection.execute(using).scalars().all():
        _enqueue(connection, channel, since, end, at)
    return number


def coefficients_of(
    connection: Connection, names: Collection[str], first: date, end: date
) -> list[tuple[str, Fraction, date, date]]:
    """Name, value and days [first, end) of the coefficients that hold in a period."""
    table = formula_coefficient
    query = select(table).where(table.c.name.in_(names), table.c.valid.op("&&")(Range(first, end)))
    return [
        (row.name, Fraction(row.value), row.valid.lower, row.valid.upper or _FOREVER)
        for row in connection.execute(query)
    ]


def _after(since: date, until: date | None) -> date | None:
    if until is not None and until <= since:
        raise BadInput("validity", f"It would end {until}, not after its start {since}; the end is exclusive.")
    return until


def _insert(
    connection: Connection, channel: int, formula_text: str, valid: Range[date], reason: str, by: str, at: datetime
) -> int:
    node, bound = check_formula(connection, channel, formula_text)
    ids = {name: row.id for name, row in bound.items()}
    assert valid.lower is not None
    _check_cycles(connection, channel, set(ids.values()), valid.lower, valid.upper or _FOREVER)
    values = {
        "channel": channel,
        "text": formula_text,
        "coefficients": sorted(coefficients(node)),
        "valid": valid,
        "reason": reason,
        "made_at": at,
        "made_by": by,
    }
    try:
        number: int = connection.execute(insert(formula).values(values).returning(formula.c.id)).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    if ids:
        rows = [{"formula": number, "point": n[0], "direction": n[1], "channel": used} for n, used in ids.items()]
        connection.execute(insert(formula_input), rows)
    _enqueue(connection, channel, valid.lower, valid.upper, at)
    return number


def _end(connection: Connection, row: Any, end: date) -> None:
    left = Range(row.valid.lower, end) if row.valid.lower < end else Range(empty=True)
    connection.execute(update(formula).where(formula.c.id == row.id).values(valid=left))


def _require_holding(connection: Connection, channel: int, day: date) -> Any:
    require_channel(connection, channel)
    query = select(formula).where(formula.c.channel == channel, formula.c.valid.contains(day))
    found = connection.execute(query).first()
    if found is None:
        raise Refused("no_formula", f"Channel {channel} has no formula on {day}; create one instead of revising it.")
    return found


def _enqueue(connection: Connection, channel: int, first: date, end: date | None, at: datetime) -> None:
    connection.execute(_WORK, {"channel": channel, "first": first, "end": end or _FOREVER, "now": at})


def bind(connection: Connection, node: Node, target: Any = None) -> dict[tuple[str, str], Any]:
    """The interval channels that a formula names, all of the commodity and step of `target` (None: of one another)."""
    named = references(node)
    table = channel_table.c
    rows = connection.execute(
        select(channel_table).where(tuple_(table.point, table.direction).in_(named), table.kind == "interval")
    )
    bound = {(row.point, row.direction): row for row in rows}
    for name, reference in named.items():
        found = bound.get(name)
        if found is None:
            raise FormulaError("formula_channel", reference.place, f"There is no interval channel {reference}.")
        target = target or found._mapping
        _check_channel(reference, found, target)
    return bound


def _check_channel(reference: Reference, found: Any, target: Any) -> None:
    if (found.commodity, found.step_ms) != (target["commodity"], target["step_ms"]):
        raise FormulaError(
            "formula_channel",
            reference.place,
            f"{reference} is {found.commodity} in steps of {found.step_ms // 60_000} min, the first or virtual one "
            f"{target['commodity']} in steps of {target['step_ms'] // 60_000} min.",
        )
    if found.unit not in BASIC:
        raise FormulaError("formula_unit", reference.place, f"{reference} is in {found.unit}; formulas have no such.")


def coefficient_units(connection: Connection, named: dict[str, Coefficient]) -> dict[str, Unit]:
    """The units of named coefficients; FormulaError for one that was never entered."""
    table = formula_coefficient.c
    rows = connection.execute(select(table.name, table.unit).where(table.name.in_(named)).distinct())
    units = {row.name: Unit.of(row.unit) for row in rows}
    for name, coefficient in named.items():
        if name not in units:
            raise FormulaError("formula_coefficient", coefficient.place, f"There is no coefficient {name}; enter it.")
    return units


def check_size(node: Node, bound: dict[tuple[str, str], Any], names: Sequence[str]) -> None:
    """Compute one interval with the largest numbers that coefficients may have."""
    rows = {name: (place, found.exponent) for place, (name, found) in enumerate(bound.items())}
    matrix = Matrix(np.ones((len(rows) or 1, 1), np.int32), np.zeros((len(rows) or 1, 1), np.uint8))
    longest = {name: Fraction(10**24 - 1 - place, 10**12) for place, name in enumerate(names)}
    try:
        exact.rounded(evaluate_exactly(compile_formula(node, rows), matrix, longest), 0)
    except TooLargeError:
        raise FormulaError(
            "formula_size", node.place, "The exact result would have too many digits; divide or multiply less."
        ) from None


def _check_cycles(connection: Connection, channel: int, needs: set[int], first: date, end: date) -> None:
    """Refuse a formula by which the channel would need itself on some day; the formulas of the others hold in turns."""
    others = [stored for stored in load(connection, needs, first, end) if stored.channel != channel]
    if channel not in needs and all(channel not in stored.inputs.values() for stored in others):
        return
    days = sorted({first, *(max(stored.first, first) for stored in others)})
    for day in days:
        graph: dict[int, Collection[int]] = {channel: needs}
        graph |= {each.channel: set(each.inputs.values()) for each in others if each.first <= day < each.end}
        path = find_cycle(graph, channel)
        if path is not None:
            raise Refused(
                "formula_cycle", f"The virtual meter would need itself from {day} on: {_named(connection, path)}."
            )


def _named(connection: Connection, path: Sequence[int]) -> str:
    rows = connection.execute(select(channel_table).where(channel_table.c.id.in_(set(path))))
    names = {row.id: f"{row.point} {row.direction}" for row in rows}
    return " needs ".join(names[number] for number in path)


def require_formulas(connection: Connection, channel: int) -> None:
    """NotFound for a channel that is no virtual meter."""
    require_channel(connection, channel)
    if not virtual_channels(connection, [channel]):
        raise NotFound("formula_not_found", f"Channel {channel} has no formula; it is no virtual meter.")
