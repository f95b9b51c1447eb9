"""Read two runs as they were made, and compare them by `compare.py`: only the points that both hold."""

from collections import defaultdict
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.settlement.compare import Change, Figures, RunInput, RunLine, causes, changes, vat_of
from central.settlement.runs import require_run

MOST_NAMED = 1_000
"""Points of only one run that are named."""

_POINTS = text("""
    SELECT si.supply_point, sp.ean, bool_or(si.run = :first) AS in_first, bool_or(si.run = :second) AS in_second
      FROM settlement_input si JOIN supply_point sp ON sp.id = si.supply_point
     WHERE si.run IN (:first, :second)
     GROUP BY si.supply_point, sp.ean ORDER BY sp.ean
""")
_LINES = text("""
    -- lines of a run as it made them: those that updates have taken over since, and those that they cancelled
    SELECT sp.ean, b.service, b.component, b.name, b.unit, b.quantity, b.unit_price, b.amount,
           b.vat_percent
      FROM billing_basis b JOIN supply_point sp ON sp.id = b.supply_point
     WHERE (b.run = :run OR b.earlier_runs <> '{}' AND b.earlier_runs @> ARRAY[CAST(:run AS bigint)])
       AND b.supply_point = ANY (CAST(:points AS bigint[]))
     ORDER BY sp.ean, b.id
""")
_INPUTS = text("""
    SELECT sp.ean, si.package, si.facts, si.profiles, si.readings
      FROM settlement_input si JOIN supply_point sp ON sp.id = si.supply_point
     WHERE si.run = :run AND sp.ean = ANY (:eans)
     ORDER BY sp.ean, lower(si.valid), si.id
""")


def compare_runs(connection: Connection, first: int, second: int) -> dict[str, Any]:
    """What differs between two runs over the points that both hold: amounts, quantities, prices, and the causes.

    A line that a person deleted from one of the runs counts as its run made it.
    """
    heads = [require_run(connection, run) for run in (first, second)]
    points = connection.execute(_POINTS, {"first": first, "second": second}).all()
    both = int_array([row.supply_point for row in points if row.in_first and row.in_second])
    before, after = (_lines(connection, run, both) for run in (first, second))
    found: dict[str, list[Change]] = defaultdict(list)
    for change in changes(before, after):
        found[change.ean].append(change)
    inputs = [_inputs(connection, run, list(found)) for run in (first, second)]
    return {
        "first": {"id": first, "number": heads[0].number, "amount": _total(before)},
        "second": {"id": second, "number": heads[1].number, "amount": _total(after)},
        "difference": _difference([change for lines in found.values() for change in lines]),
        "points_in_both": sum(row.in_first and row.in_second for row in points),
        "only_in_first": [row.ean for row in points if not row.in_second][:MOST_NAMED],
        "only_in_second": [row.ean for row in points if not row.in_first][:MOST_NAMED],
        "points": [
            {
                "ean": ean,
                "difference": _difference(lines),
                "causes": [asdict(cause) for cause in causes(inputs[0].get(ean, []), inputs[1].get(ean, []))],
                "lines": [_shown(change) for change in lines],
            }
            for ean, lines in found.items()
        ],
    }


def _lines(connection: Connection, run: int, points: str) -> list[RunLine]:
    return [RunLine(*row) for row in connection.execute(_LINES, {"run": run, "points": points})]


def _inputs(connection: Connection, run: int, eans: list[str]) -> dict[str, list[RunInput]]:
    read: dict[str, list[RunInput]] = defaultdict(list)
    for row in connection.execute(_INPUTS, {"run": run, "eans": eans}):
        read[row.ean].append(RunInput(row.package, row.facts, row.profiles, row.readings))
    return read


def _shown(change: Change) -> dict[str, Any]:
    return {
        "service": change.service,
        "component": change.component,
        "name": change.name,
        "unit": change.unit,
        "first": _figures(change.first),
        "second": _figures(change.second),
        "difference": format(change.difference, "f"),
    }


def _figures(figures: Figures | None) -> dict[str, Any] | None:
    if figures is None:
        return None
    return {
        "quantity": format(figures.quantity, "f"),
        "unit_prices": [format(price, "f") for price in figures.unit_prices],
        "amount": format(figures.amount, "f"),
        "vat": format(vat_of([figures]), "f"),
    }


def _total(lines: list[RunLine]) -> str:
    return format(sum((line.amount for line in lines), Decimal("0.00")), "f")


def _difference(lines: list[Change]) -> str:
    return format(sum((change.difference for change in lines), Decimal("0.00")), "f")
