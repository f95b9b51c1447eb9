"""Billing bases as columns, by chunks of supply points: what every check looks at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, select

from central.checks.frame import Frame, Numbers, read_frame
from central.checks.framework import SERVICES
from central.checks.verdict import GROUPS
from central.platform.arrays import int_array
from central.settlement.tables import billing_basis

CHUNK: Final = 100_000
"""Bases that are in memory at once; those of one point stay together."""

COLUMNS: Final = (
    "id", "supply_point", "contract_item", "contract", "payer", "rate", "statement_type", "quantity", "unit", "price",
    "price_unit", "amount", "first", "end_", "calendar_row", "service", "commodity", "input", "original", "state",
)  # fmt: skip
"""quantity and price in millionths, amount in haléře, [first, end_) in days; units are places in the words."""
_WORDS: Final = ("unit", "price_unit")
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
           micro(b.quantity) AS quantity, hashtextextended(b.unit, 0) AS unit,
           micro(b.unit_price) AS price, hashtextextended(b.price_unit, 0) AS price_unit,
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
    known: dict[str, dict[int, str]] = {name: {} for name in _WORDS}
    vocabularies = {"services": list(SERVICES), "states": list(STATES)}
    for first, last in _spans(sizes["supply_point"], sizes["bases"]):
        part = f"{where} AND b.supply_point BETWEEN %(low)s AND %(high)s"
        query = f"{_SELECTED} WHERE {part} ORDER BY b.supply_point, b.id"
        limits = {"low": first, "high": last}
        yield _with_words(
            connection, read_frame(connection, query, COLUMNS, {**parameters, **vocabularies, **limits}), known
        )


def _with_words(connection: Connection, frame: Frame, known: dict[str, dict[int, str]]) -> Frame:
    """Places in a vocabulary instead of digests of words; a word is asked for once, by a basis that has it."""
    columns, words = dict(frame.columns), {}
    for name in _WORDS:
        digests, examples, places = np.unique(frame[name], return_index=True, return_inverse=True)
        new = [place for place, digest in enumerate(digests.tolist()) if digest not in known[name]]
        if new:
            bases = {int(frame["id"][examples[place]]): int(digests[place]) for place in new}
            column = billing_basis.c[name]
            for row in connection.execute(select(billing_basis.c.id, column).where(billing_basis.c.id.in_(bases))):
                known[name][bases[row[0]]] = row[1]
        words[name] = tuple(known[name][digest] for digest in digests.tolist())
        columns[name] = places.astype(np.int64)
    return Frame(columns, words)


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
