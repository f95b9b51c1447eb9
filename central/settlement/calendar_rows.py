"""Payment calendar rows and their bases: which statement a row orders, over what time, and what stands in it.

A basis belongs to the row of its contract in whose period it ends: a quarterly statement stands whole in the row of the
month in which it is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, text

from central.platform.arrays import int_array
from central.platform.errors import NotFound
from central.registry.capacity_rules import months_later
from central.settlement.statements import GROUPS

MOST_MONTHS = 12
"""No statement covers more: what lies further back, the row before has left out and is ordered by itself (ours)."""

_ROWS = text("""
    -- rows with the end of the last annual and of the last statement of any kind before them
    SELECT r.id, r.contract, c.number, lower(r.period) AS start, upper(r.period) AS end, r.regular_due, r.annual_due,
           lower(c.valid) AS since, upper(c.valid) AS until,
           (SELECT max(upper(p.period)) FROM payment_calendar p
             WHERE p.contract = r.contract AND p.period << r.period AND p.annual_due) AS last_annual,
           (SELECT max(upper(p.period)) FROM payment_calendar p
             WHERE p.contract = r.contract AND p.period << r.period AND (p.annual_due OR p.regular_due))
           AS last_statement
      FROM payment_calendar r JOIN contract c ON c.id = r.contract
     WHERE r.id = ANY (CAST(:rows AS bigint[]))
     ORDER BY lower(r.period), r.id
""")
_BASES = text("""
    -- living bases of the row's contract that end within the row; the last instant of a gas day is on the next date
    SELECT b.statement_type, b.state, count(*) AS bases, sum(b.amount) AS amount
      FROM payment_calendar r
      JOIN billing_basis b ON b.contract = r.contract AND b.state <> 'cancelled'
       AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ r.period
     WHERE r.id = :row
     GROUP BY b.statement_type, b.state
     ORDER BY b.statement_type, b.state
""")


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """A row as far as it decides a statement; ends are exclusive, the last statements those of earlier rows."""

    id: int
    contract: int
    number: str
    start: date
    end: date
    regular_due: bool
    annual_due: bool
    since: date | None = None
    until: date | None = None
    last_annual: date | None = None
    last_statement: date | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The statement that a row orders of its contract, over [first, end)."""

    contract: int
    statement: str
    first: date
    end: date


def statement_due(row: CalendarRow) -> Due | None:
    """What the row's events order: the annual statement goes before the regular one; None where neither is due.

    It reaches back to the last statement of its kind (the annual one over the preliminary ones between), else to the
    contract's beginning, and never beyond 12 months.
    """
    if not (row.annual_due or row.regular_due):
        return None
    last = row.last_annual if row.annual_due else row.last_statement
    reach = months_later(row.end, -MOST_MONTHS)
    first = max(day for day in (last, row.since, reach) if day is not None)
    end = row.end if row.until is None else min(row.end, row.until)
    return Due(row.contract, "annual" if row.annual_due else "regular", first, end)


def require_rows(connection: Connection, rows: Sequence[int]) -> list[CalendarRow]:
    """These rows in the order of time; NotFound naming one that there is not."""
    found = [CalendarRow(**row._mapping) for row in connection.execute(_ROWS, {"rows": int_array(rows)})]
    missing = set(rows) - {row.id for row in found}
    if missing:
        raise NotFound("calendar_row_not_found", f"There is no row {min(missing)} of a payment calendar.")
    return found


def row_sums(connection: Connection, row: int) -> dict[str, Any]:
    """What stands in a row by group of statements (regular, accrual, annual) and by state: numbers and sums."""
    head = require_rows(connection, [row])[0]
    due = statement_due(head)
    lines = connection.execute(_BASES, {"row": row}).all()
    groups = {}
    for group, kinds in GROUPS.items():
        mine = [line for line in lines if line.statement_type in kinds]
        groups[group] = {
            "bases": sum(line.bases for line in mine),
            "amount": format(sum((line.amount for line in mine), Decimal("0.00")), "f"),
            "not_invoiced": sum(line.bases for line in mine if line.state != "invoiced"),
            "types": {str(kind): _sum(mine, kind) for kind in sorted({line.statement_type for line in mine})},
        }
    return {
        "id": head.id,
        "contract": head.number,
        "start": head.start,
        "end": head.end,
        "due": None if due is None else {"statement": due.statement, "first": due.first, "end": due.end},
        "groups": groups,
    }


def _sum(lines: Sequence[Row[Any]], kind: int) -> str:
    return format(sum((line.amount for line in lines if line.statement_type == kind), Decimal("0.00")), "f")
