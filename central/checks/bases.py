"""Billing bases as columns, by chunks of supply points: what every check looks at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from central.checks.frame import Frame, Numbers, read_frame
from central.checks.framework import SERVICES
from central.checks.verdict import GROUPS
from central.platform.arrays import int_array
from central.readings.rows import driver

CHUNK: Final = 100_000
"""Bases that are in memory at once; those of one point stay together."""

COLUMNS: Final = (
    "id", "supply_point", "contract_item", "contract", "payer", "rate", "statement_type", "quantity", "unit", "price",
    "price_unit", "amount", "first", "end_", "calendar_row", "service", "commodity", "input", "original", "state",
)  # fmt: skip
"""quantity and price in millionths, amount in haléře, [first, end_) in days; units are places in the words."""
STATES: Final = ("new", "approved", "invoiced", "cancelled")

_WHERE = """
          b.state IN ('new', 'approved')
      AND b.statement_type = ANY (%(types)s::integer[])
      AND (%(run)s::bigint IS NULL OR b.run = %(run)s::bigint)
      AND (%(bases)s::bigint[] IS NULL OR b.id = ANY (%(bases)s::bigint[]))
      AND (%(rows)s::bigint[] IS NULL OR r.id = ANY (%(rows)s::bigint[]))
      AND (%(start)s::date IS NULL
           OR r.period && daterange(%(start)s::date, (%(start)s::date + interval '1 month')::date))
"""
_FROM = """
     FROM billing_basis b
     LEFT JOIN payment_calendar r ON r.contract = b.contract
      AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ r.period
     LEFT JOIN basis_verdict v ON v.basis = b.id
"""
_SELECTED: Final = f"""
    SELECT b.id, b.supply_point, b.contract_item, b.contract, b.payer, b.rate, b.statement_type,
           micro(b.quantity) AS quantity, array_position(%(units)s::text[], b.unit) - 1 AS unit,
           micro(b.unit_price) AS price, array_position(%(price_units)s::text[], b.price_unit) - 1 AS price_unit,
           (b.amount * 100)::bigint AS amount,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_,
           r.id AS calendar_row, array_position(%(services)s::text[], b.service) - 1 AS service,
           (p.commodity = 'gas')::integer AS commodity, b.input, b.original,
           array_position(%(states)s::text[], b.state) - 1 AS state
    {_FROM}
     JOIN supply_point p ON p.id = b.supply_point
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which bases to check, of those not invoiced yet: of one settlement run, these, of these calendar rows, or of the
    calendar rows of a month; and of which groups (regular, accrual, annual)."""

    run: int | None = None
    bases: Sequence[int] | None = None
    groups: Sequence[str] = ("regular", "accrual", "annual")
    rows: Sequence[int] | None = None
    month: date | None = None
    cancelled: bool = False
    """Take those with a cancelled error, too: they are checked to be looked at, and keep what they show."""

    def document(self) -> dict[str, Any]:
        """What the run keeps of it."""
        return {
            "run": self.run,
            "bases": None if self.bases is None else len(self.bases),
            "rows": None if self.rows is None else len(self.rows),
            "month": None if self.month is None else self.month.isoformat(),
            "groups": [*self.groups],
        }


def types_of(groups: Sequence[str]) -> list[int]:
    """The statement types of groups of bases."""
    return sorted({statement for each in groups for statement in GROUPS[each]})


def read_chunks(connection: Connection, scope: Scope) -> Iterator[Frame]:
    """The bases of a scope by supply point and id, whole points at a time."""
    parameters = _parameters(scope)
    where = _WHERE if scope.cancelled else f"{_WHERE} AND v.cancelled_at IS NULL"
    sizes = read_frame(
        connection,
        f"SELECT b.supply_point, count(*) AS bases {_FROM} WHERE {where} GROUP BY b.supply_point ORDER BY 1",
        ("supply_point", "bases"),
        parameters,
    )
    words = _words(connection, where, parameters)
    known = {f"{name}s": list(each) for name, each in words.items()}
    known |= {"services": list(SERVICES), "states": list(STATES)}
    for first, last in _spans(sizes["supply_point"], sizes["bases"]):
        part = f"{where} AND b.supply_point BETWEEN %(low)s AND %(high)s"
        query = f"{_SELECTED} WHERE {part} ORDER BY b.supply_point, b.id"
        frame = read_frame(connection, query, COLUMNS, {**parameters, **known, "low": first, "high": last})
        yield Frame(frame.columns, words)


def _words(connection: Connection, where: str, parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The units of quantities and prices that the bases of a scope are in."""
    found: dict[str, tuple[str, ...]] = {}
    for name in ("unit", "price_unit"):
        query = f"SELECT DISTINCT b.{name} AS word {_FROM} WHERE {where} ORDER BY 1"
        with driver(connection).cursor() as cursor:
            found[name] = tuple(row[0] for row in cursor.execute(query, parameters).fetchall())
    return found


def _parameters(scope: Scope) -> dict[str, Any]:
    return {
        "types": types_of(scope.groups),
        "run": scope.run,
        "bases": None if scope.bases is None else int_array(scope.bases),
        "rows": None if scope.rows is None else int_array(scope.rows),
        "start": scope.month,
    }


def _spans(points: Numbers, bases: Numbers) -> Iterator[tuple[int, int]]:
    """First and last point of chunks that hold about CHUNK bases."""
    if not len(points):
        return
    number = (np.cumsum(bases) - 1) // CHUNK
    first = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
    last = np.concatenate((first[1:], [len(points)])) - 1
    yield from zip(points[first].tolist(), points[last].tolist(), strict=True)
