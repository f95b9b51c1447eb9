"""What is settled already of the months that are settled: the parts that runs hold, and what their lines bill.

A month's maximum and over-run are one, however many runs the month is settled by. What a run holds is taken as it was
pinned, not as it would be measured today: that is for a correction.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.settlement.facts import PointFacts
from central.settlement.model import QUANTITIES, Beside, Part
from central.settlement.statements import StatementType
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

T = StatementType
_FOR_GOOD = (T.REGULAR, T.FINAL_SETTLEMENT, T.CORRECTS_REGULAR, T.CORRECTS_SETTLEMENT)
_FOR_GOOD_LINES = (*_FOR_GOOD, T.CANCELS_REGULAR, T.CANCELS_SETTLEMENT)
_PRELIMINARY = (T.PRELIMINARY, T.CORRECTS_PRELIMINARY)
_PRELIMINARY_LINES = (
    *_PRELIMINARY,
    T.CANCELS_PRELIMINARY,
    T.NEGATIVE_SETTLEMENT,
    T.CANCELS_NEGATIVE,
    T.CORRECTS_NEGATIVE,
)
_MORE: Mapping[int, tuple[tuple[T, ...], tuple[T, ...]]] = {
    T.PRELIMINARY_ACCRUAL: ((T.PRELIMINARY_ACCRUAL,), (T.PRELIMINARY_ACCRUAL,)),
    T.ACCRUAL: ((T.ACCRUAL,), (T.ACCRUAL, T.CANCELS_ACCRUAL)),
}
"""By the type that is settled: inputs and lines that count beside those billed for good or preliminarily."""
_OWN_PAYER = -1

_INPUTS = text("""
    -- what approved runs hold of these points in the months: billed for good before preliminarily, the newest first
    SELECT i.supply_point, i.contract_item, (lower(i.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
           (upper(i.valid) AT TIME ZONE 'Europe/Prague')::date AS end, i.quantities
      FROM settlement_input i
     WHERE i.supply_point = ANY (CAST(:points AS bigint[])) AND i.approved
       AND i.statement_type = ANY (CAST(:types AS integer[])) AND i.valid && tstzrange(:start, :stop)
     ORDER BY i.statement_type = ANY (CAST(:for_good AS integer[])) DESC, i.id DESC
""")
_LINES = text("""
    -- what is billed of the network services of these points in the months, lines that cancel among it
    SELECT b.supply_point, b.component, (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS end, b.quantity, b.amount
      FROM billing_basis b
     WHERE b.supply_point = ANY (CAST(:points AS bigint[])) AND b.state IN ('approved', 'invoiced')
       AND b.statement_type = ANY (CAST(:types AS integer[])) AND b.service IN ('distribution', 'purchase')
       AND b.valid && tstzrange(:start, :stop)
     ORDER BY b.id
""")


@dataclass(frozen=True, slots=True)
class Settled:
    """What an approved input holds of a contract item: days [first, end) and quantities as they were pinned."""

    item: int
    first: date
    end: date
    quantities: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Billed:
    """A billed line of a point: its days, quantity and amount in Kč."""

    component: str
    first: date
    end: date
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of one point beside its parts; the inputs with the newest first."""

    inputs: list[Settled] = field(default_factory=list)
    lines: list[Billed] = field(default_factory=list)


def read_beside(connection: Connection, facts: Iterable[PointFacts]) -> dict[int, Beside]:
    """By point what is settled already of its months; points without anything of the kind are left out."""
    found: dict[int, Beside] = {}
    wanted: dict[int, dict[int, PointFacts]] = defaultdict(dict)
    for point in facts:
        if point.beside:
            wanted[point.record.statement_type][point.supply_point] = point
        elif point.goes_on:
            found[point.supply_point] = Beside(goes_on=point.goes_on)
    for kind, points in wanted.items():
        held = _read(connection, kind, points)
        found.update({number: beside_of(point, held[number]) for number, point in points.items()})
    return found


def counted(kind: int) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Types of inputs, and of lines, that count beside what is settled as `kind`.

    What another payer of the month is billed preliminarily counts until it is taken back: his final statement comes
    later, and counts what was billed for good by then.
    """
    inputs, lines = _MORE.get(kind, ((), ()))
    return (*_FOR_GOOD, *_PRELIMINARY, *inputs), (*_FOR_GOOD_LINES, *_PRELIMINARY_LINES, *lines)


def _read(connection: Connection, kind: int, points: Mapping[int, PointFacts]) -> dict[int, Held]:
    spans = [span for point in points.values() for span in point.beside]
    inputs, lines = counted(kind)
    asked: dict[str, Any] = {
        "points": int_array(sorted(points)),
        "start": MeteringDay(Commodity.ELECTRICITY, min(span.first for span in spans)).start,
        "stop": MeteringDay(Commodity.GAS, max(span.end for span in spans)).start,
    }
    held: dict[int, Held] = defaultdict(Held)
    of_inputs = {**asked, "types": int_array(inputs), "for_good": int_array(_FOR_GOOD)}
    for row in connection.execute(_INPUTS, of_inputs):
        held[row.supply_point].inputs.append(Settled(row.contract_item, row.first, row.end, row.quantities))
    for row in connection.execute(_LINES, {**asked, "types": int_array(lines)}):
        held[row.supply_point].lines.append(Billed(row.component, row.first, row.end, row.quantity, row.amount))
    return held


def beside_of(facts: PointFacts, held: Held) -> Beside:
    """The settled parts of a point's months as pricing takes them, and what is billed on days that are not its own."""
    parts: list[Part] = []
    for entry in held.inputs:
        for first, end, quantities in _pinned(entry):
            span = next((span for span in facts.beside if span.first <= first < span.end), None)
            if (
                span is None
                or span.item.id != entry.item
                or any(each.first < end and first < each.end for each in parts)
            ):
                continue
            parts.append(
                Part(
                    first,
                    end,
                    span.item.id,
                    span.tariff,
                    span.agreed,
                    quantities,
                    span.book,
                    _OWN_PAYER,
                    settled=True,
                )
            )
    own = [span for span in facts.spans if not span.billed]
    billed: dict[tuple[str, date], tuple[Decimal, Decimal]] = {}
    for line in held.lines:
        if not any(span.first < line.end and line.first < span.end for span in own):
            key = (line.component, line.first.replace(day=1))
            quantity, amount = billed.get(key, (Decimal(0), Decimal(0)))
            billed[key] = (quantity + line.quantity, amount + line.amount)
    return Beside(tuple(sorted(parts, key=lambda part: part.first)), billed, facts.goes_on)


def _pinned(entry: Settled) -> Sequence[tuple[date, date, dict[str, Decimal]]]:
    """The parts that an input was settled in, with their quantities."""
    parts = entry.quantities.get("parts")
    if parts is None:
        return [(entry.first, entry.end, _numbers(entry.quantities))]
    return [(date.fromisoformat(part["from"]), date.fromisoformat(part["to"]), _numbers(part)) for part in parts]


def _numbers(told: Mapping[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in told.items() if name in QUANTITIES}
