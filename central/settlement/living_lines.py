"""The lines of invoiced periods that live, read set-wise: those that no other line cancels or takes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.settlement.compare import RunLine
from central.settlement.statements import CANCELS, StatementType

T = StatementType
FAMILIES: Mapping[int, tuple[int, int]] = {
    T.REGULAR: (T.REGULAR, T.CORRECTS_REGULAR),
    T.PRELIMINARY: (T.PRELIMINARY, T.CORRECTS_PRELIMINARY),
    T.FINAL_SETTLEMENT: (T.FINAL_SETTLEMENT, T.CORRECTS_SETTLEMENT),
}
"""By the type of the originals: the types of their living lines."""

_GROUPS = text("""
    -- periods with invoiced lines of runs, by the family of their statement type, with their points
    SELECT lower(r.period) AS first, upper(r.period) AS end, family.root,
           array_agg(DISTINCT b.supply_point ORDER BY b.supply_point) AS points
      FROM billing_basis b
      JOIN settlement_run r ON r.id = b.run
      JOIN unnest(CAST(:types AS integer[]), CAST(:roots AS integer[])) AS family (type, root)
        ON family.type = b.statement_type
     WHERE b.state = 'invoiced' AND b.service <> 'purchase' AND b.input IS NOT NULL
       AND r.period && daterange(:first, :end)
       AND (CAST(:points AS bigint[]) IS NULL OR b.supply_point = ANY (CAST(:points AS bigint[])))
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")
_LIVING = text("""
    SELECT b.id, sp.ean, b.supply_point, b.contract_item, b.payer, b.seller, b.customer, b.service,
           b.component, b.name, b.unit, b.quantity, b.unit_price, b.amount, b.vat_percent, b.state, b.input
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
      JOIN settlement_run r ON r.id = b.run AND r.period = daterange(:first, :end)
     WHERE b.supply_point = ANY (CAST(:points AS bigint[])) AND b.statement_type = ANY (CAST(:types AS integer[]))
       AND b.state IN ('approved', 'invoiced') AND b.service <> 'purchase' AND b.input IS NOT NULL
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (CAST(:cancelling AS integer[])))
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = :negative
                          AND NOT EXISTS (SELECT FROM billing_basis u WHERE u.original = o.id AND u.state <> 'cancelled'
                                             AND u.statement_type = :undone))
     ORDER BY b.id
""")

_TAKEN_BACK = text("""
    -- items that approved runs hold, of which all that was invoiced of the period is cancelled: by corrections, because
    -- what a person takes back whole is free
    SELECT line.contract_item
      FROM (SELECT b.contract_item, bool_or(b.state = 'invoiced') AS invoiced,
                   bool_or(NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                                          AND o.statement_type = ANY (CAST(:cancelling AS integer[])))) AS lives
              FROM billing_basis b
              JOIN settlement_run r ON r.id = b.run AND r.period = daterange(:first, :end)
             WHERE b.supply_point = ANY (CAST(:points AS bigint[]))
               AND b.statement_type = ANY (CAST(:types AS integer[])) AND b.state IN ('approved', 'invoiced')
               AND b.service <> 'purchase' AND b.input IS NOT NULL
             GROUP BY b.contract_item) line
     WHERE line.invoiced AND NOT line.lives
       AND EXISTS (SELECT FROM settlement_input i JOIN settlement_run r ON r.id = i.run
                    WHERE i.contract_item = line.contract_item AND i.approved
                      AND i.statement_type = ANY (CAST(:types AS integer[])) AND r.period = daterange(:first, :end))
""")

Sides = tuple[int, int, int]
"""Who pays a line, who bills it and who takes the service, as party ids."""


@dataclass(frozen=True, slots=True)
class Group:
    """Points whose lines of one period and statement are looked at together; `root` is the type of the originals."""

    first: date
    end: date
    root: int
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Living:
    """A living line: whose it is, between whom, what it says, whether it is invoiced, and the input it stands on."""

    id: int
    supply_point: int
    item: int
    sides: Sides
    line: RunLine
    invoiced: bool
    input: int


def find_groups(connection: Connection, first: date, end: date, points: Sequence[int] | None) -> list[Group]:
    """Invoiced periods that touch [first, end), of these points or of all."""
    families = [(kind, root) for root, kinds in FAMILIES.items() for kind in kinds]
    asked = {
        "types": [int(kind) for kind, _ in families],
        "roots": [int(root) for _, root in families],
        "first": first,
        "end": end,
        "points": None if points is None else list(points),
    }
    rows = connection.execute(_GROUPS, asked)
    return [Group(row.first, row.end, row.root, tuple(row.points)) for row in rows]


def read_living(connection: Connection, group: Group) -> list[Living]:
    """The living lines of a group's points and period; what was settled over other days has a group of its own."""
    asked = {**_asked(group), "negative": int(T.NEGATIVE_SETTLEMENT), "undone": int(T.CANCELS_NEGATIVE)}
    return [
        Living(
            row.id,
            row.supply_point,
            row.contract_item,
            (row.payer, row.seller, row.customer),
            RunLine(
                row.ean,
                row.service,
                row.component,
                row.name,
                row.unit,
                row.quantity,
                row.unit_price,
                row.amount,
                row.vat_percent,
            ),
            row.state == "invoiced",
            row.input,
        )
        for row in connection.execute(_LIVING, asked)
    ]


def read_taken_back(connection: Connection, group: Group) -> frozenset[int]:
    """Contract items whose days are held though corrections have taken back all that was invoiced of them."""
    return frozenset(connection.execute(_TAKEN_BACK, _asked(group)).scalars())


def _asked(group: Group) -> dict[str, Any]:
    return {
        "points": int_array(group.points),
        "types": [int(kind) for kind in FAMILIES[group.root]],
        "cancelling": [int(kind) for kind in CANCELS.values()],
        "first": group.first,
        "end": group.end,
    }
