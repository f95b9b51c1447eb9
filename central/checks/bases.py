"""Billing bases as columns, by chunks of supply points: what every check looks at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, select

from central.checks.frame import MISSING, Frame, Numbers, read_frame
from central.checks.framework import SERVICES
from central.checks.verdict import GROUPS
from central.platform.arrays import int_array
from central.settlement.tables import billing_basis

CHUNK: Final = 200_000
"""Bases that are in memory at once; those of one point stay together. Each chunk costs a quarter of a second beside its
bases."""

COLUMNS: Final = (
    "id", "supply_point", "contract_item", "contract", "payer", "rate", "statement_type", "quantity", "unit", "price",
    "price_unit", "amount", "first", "end_", "calendar_row", "service", "commodity", "input", "original", "state",
)  # fmt: skip
"""quantity and price in millionths, amount in haléře, [first, end_) in days; units are places in the words."""
_WORDS: Final = ("unit", "price_unit")
STATES: Final = ("new", "approved", "invoiced", "cancelled")

_SELECTED: Final = """
    SELECT b.id, b.supply_point, b.contract_item, b.contract, b.payer, b.rate, b.statement_type,
           micro(b.quantity) AS quantity, hashtextextended(b.unit, 0) AS unit,
           micro(b.unit_price) AS price, hashtextextended(b.price_unit, 0) AS price_unit,
           (b.amount * 100)::bigint AS amount,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_,
           array_position(%(services)s::text[], b.service) - 1 AS service,
           (p.commodity = 'gas')::integer AS commodity, b.input, b.original,
           array_position(%(states)s::text[], b.state) - 1 AS state
      FROM billing_basis b
      JOIN supply_point p ON p.id = b.supply_point
     WHERE b.state IN ('new', 'approved') AND b.statement_type = ANY (%(types)s::integer[])
       AND b.supply_point BETWEEN %(low)s AND %(high)s
       AND (%(run)s::bigint IS NULL OR b.run = %(run)s::bigint)
       AND (%(bases)s::bigint[] IS NULL OR b.id = ANY (%(bases)s::bigint[]))
       AND (%(since)s::integer IS NULL
            OR upper(b.valid) >= (DATE '1970-01-01' + %(since)s::integer)::timestamp AT TIME ZONE 'Europe/Prague')
       AND (%(until)s::integer IS NULL
            OR upper(b.valid) < (DATE '1970-01-01' + %(until)s::integer)::timestamp AT TIME ZONE 'Europe/Prague')
     ORDER BY b.supply_point, b.id
"""
_CANCELLED: Final = """
    -- asked for apart: beside the bases, the planner cannot know how many verdicts this very run has written meanwhile
    SELECT v.basis FROM basis_verdict v
     WHERE v.cancelled_at IS NOT NULL AND v.basis BETWEEN %(first)s AND %(last)s
"""
_NAMES: Final = tuple(name for name in COLUMNS if name != "calendar_row")
_CALENDAR: Final = """
    SELECT r.id AS calendar_row, r.contract, lower(r.period) - DATE '1970-01-01' AS first,
           upper(r.period) - DATE '1970-01-01' AS end_
      FROM payment_calendar r
     WHERE r.contract = ANY (%(contracts)s::bigint[])
       AND r.period && daterange(DATE '1970-01-01' + %(first)s::integer, DATE '1970-01-01' + %(last)s::integer, '[]')
     ORDER BY r.contract, r.period
"""
_ROWS: Final = """
    -- the rows of the payment calendar that were asked for
    SELECT r.id AS calendar_row, r.contract, lower(r.period) - DATE '1970-01-01' AS first,
           upper(r.period) - DATE '1970-01-01' AS end_
      FROM payment_calendar r
     WHERE (%(rows)s::bigint[] IS NULL OR r.id = ANY (%(rows)s::bigint[]))
       AND (%(month)s::date IS NULL
            OR r.period && daterange(%(month)s::date, (%(month)s::date + interval '1 month')::date))
"""
_POINTS_OF_CONTRACTS: Final = """
    SELECT DISTINCT supply_point FROM contract_item WHERE contract = ANY (%(contracts)s::bigint[]) ORDER BY 1
"""
_POINTS_OF_BASES: Final = """
    SELECT DISTINCT supply_point FROM billing_basis
     WHERE (%(run)s::bigint IS NULL OR run = %(run)s::bigint)
       AND (%(bases)s::bigint[] IS NULL OR id = ANY (%(bases)s::bigint[]))
     ORDER BY 1
"""
_POINTS: Final = "SELECT id AS supply_point FROM supply_point ORDER BY 1"
_FIRST_POINTS: Final = 1_000
"""Supply points of the first chunk; how many bases they have decides how many there are in the next one."""


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
    """The bases of a scope by supply point and id, whole points at a time, about CHUNK bases at once."""
    rows = None if scope.rows is None and scope.month is None else _rows_of(connection, scope)
    points = _points_of(connection, scope, rows)
    parameters = {
        "types": types_of(scope.groups),
        "run": scope.run,
        "bases": None if scope.bases is None else int_array(scope.bases),
        # days on which one that ends in these rows may stop: the last hours of a day of gas lie on the next one
        "since": None if rows is None or not len(rows) else int(rows["first"].min()) + 1,
        "until": None if rows is None or not len(rows) else int(rows["end_"].max()) + 1,
        "services": list(SERVICES),
        "states": list(STATES),
    }
    known: dict[str, dict[int, str]] = {name: {} for name in _WORDS}
    at, step = 0, _FIRST_POINTS
    while at < len(points):
        part = points[at : at + step]
        limits = {"low": int(part[0]), "high": int(part[-1])}
        found = read_frame(connection, _SELECTED, _NAMES, {**parameters, **limits})
        at += step
        step = _next_step(step, len(found))
        if len(found) and not scope.cancelled:
            found = found.take(~np.isin(found["id"], _cancelled(connection, found["id"])))
        frame = _with_rows(connection, found, rows)
        if len(frame):
            yield _with_words(connection, frame, known)


def _next_step(step: int, bases: int) -> int:
    """Supply points of the next chunk: about CHUNK bases, by what the last ones had."""
    return max(1, min(step * CHUNK // max(bases, 1), step * 10))


def _cancelled(connection: Connection, bases: Numbers) -> Numbers:
    """Those with a cancelled error between the first and the last of these bases."""
    given = {"first": int(bases.min()), "last": int(bases.max())}
    return read_frame(connection, _CANCELLED, ("basis",), given)["basis"]


def _rows_of(connection: Connection, scope: Scope) -> Frame:
    given = {"rows": None if scope.rows is None else int_array(scope.rows), "month": scope.month}
    return read_frame(connection, _ROWS, ("calendar_row", "contract", "first", "end_"), given)


def _points_of(connection: Connection, scope: Scope, rows: Frame | None) -> Numbers:
    """The supply points that may have bases of the scope, ascending."""
    given: dict[str, Any] = {"run": scope.run, "bases": None if scope.bases is None else int_array(scope.bases)}
    if rows is not None:
        query, given = _POINTS_OF_CONTRACTS, {"contracts": int_array(np.unique(rows["contract"]))}
    else:
        query = _POINTS if scope.run is None and scope.bases is None else _POINTS_OF_BASES
    return read_frame(connection, query, ("supply_point",), given)["supply_point"]


def _with_rows(connection: Connection, bases: Frame, rows: Frame | None) -> Frame:
    """The bases with the row of the payment calendar in which they end (MISSING: there is none); where rows were asked
    for, those bases alone that end in one of them."""
    ends = bases["end_"] - 1
    if rows is None and len(bases):
        given = {
            "contracts": int_array(np.unique(bases["contract"])),
            "first": int(ends.min()),
            "last": int(ends.max()),
        }
        rows = read_frame(connection, _CALENDAR, ("calendar_row", "contract", "first", "end_"), given)
        return Frame({**bases.columns, "calendar_row": row_of(bases["contract"], ends, rows)})
    if rows is None:
        return bases
    found = Frame({**bases.columns, "calendar_row": row_of(bases["contract"], ends, rows)})
    return found.take(found["calendar_row"] != MISSING)


def row_of(contracts: Numbers, days: Numbers, rows: Frame) -> Numbers:
    """The row of each contract whose period [first, end_) holds the day; rows of one contract do not overlap."""
    if not len(rows):
        return np.full(len(contracts), MISSING, dtype=np.int64)
    order = np.lexsort((rows["first"], rows["contract"]))
    contract, first = rows["contract"][order], rows["first"][order]
    least = min(int(first.min()), int(days.min())) if len(days) else int(first.min())
    width = max(int(first.max()), int(days.max()) if len(days) else 0) - least + 1
    number = np.searchsorted(known := np.unique(contract), contracts).clip(max=len(known) - 1)
    keys = np.searchsorted(known, contract) * width + (first - least)
    places = np.searchsorted(keys, number * width + (days - least), "right") - 1
    chosen = order[places.clip(min=0)]
    holds = (
        (places >= 0) & (known[number] == contracts) & (rows["contract"][chosen] == contracts)
        & (rows["first"][chosen] <= days) & (days < rows["end_"][chosen])
    )  # fmt: skip
    return np.where(holds, rows["calendar_row"][chosen], MISSING)


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
