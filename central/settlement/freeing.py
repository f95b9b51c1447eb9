"""Time of which nothing is billed any more is free: it is updated, settled anew and invoiced like any other.

A bill lives while one of its lines does: neither deleted nor taken back by another one. When its last line goes by an
act of a person (the invoice cancelled, bases cancelled or deleted), the approved inputs give their days back, those of
its corrections too. A correction itself frees nothing: what it bills, or that it bills no more, is what holds.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from central.platform.arrays import int_array
from central.platform.errors import Refused
from central.settlement.statements import CANCELS, CORRECTS, StatementType

T = StatementType
ROOTS = {
    kind: root
    for root in (T.REGULAR, T.PRELIMINARY, T.ACCRUAL, T.FINAL_SETTLEMENT, T.PRELIMINARY_ACCRUAL)
    for kind in (root, CORRECTS.get(root, root))
}
"""By type of what is settled, or corrected: the type that is settled first."""

_FAMILY = "unnest(CAST(:types AS integer[]), CAST(:roots AS integer[]))"
_LIVES = """
    line.state <> 'cancelled'
    AND NOT EXISTS (SELECT FROM billing_basis c WHERE c.original = line.id AND c.state <> 'cancelled'
                       AND c.statement_type = ANY (CAST(:cancelling AS integer[])))
"""
_FREE_FAMILY = """
    -- approved inputs of the items and days of these bases, corrections among them, of which no line lives
    WITH family AS (SELECT * FROM {family} AS each (type, root)),
         touched AS (
        SELECT DISTINCT si.contract_item, family.root, si.valid
          FROM billing_basis b
          JOIN settlement_input si ON si.id = b.input
          JOIN family ON family.type = si.statement_type
         WHERE b.id = ANY (CAST(:bases AS bigint[]))
    )
    UPDATE settlement_input i SET approved = false
      FROM touched JOIN family ON family.root = touched.root
     WHERE i.contract_item = touched.contract_item AND i.valid && touched.valid AND i.statement_type = family.type
       AND i.approved
       AND NOT EXISTS (
            SELECT FROM billing_basis line JOIN family f ON f.type = line.statement_type AND f.root = touched.root
             WHERE line.contract_item = i.contract_item AND line.valid && i.valid AND line.input IS NOT NULL
               AND {lives})
    RETURNING i.id
"""
_FREE = text(_FREE_FAMILY.format(family=_FAMILY, lives=_LIVES))
_SETTLED_ANEW = """
    -- a living line that bills the item and time of a line in its stead, or another approved input of it
    WITH mine AS (
        SELECT b.contract_item, b.service, b.component, b.valid, b.input, si.approved, f.root
          FROM billing_basis b
          JOIN settlement_input si ON si.id = b.input
          JOIN {family} AS f (type, root) ON f.type = b.statement_type
         WHERE b.id = :basis
    )
    SELECT r.number
      FROM mine
      JOIN {family} AS f (type, root) ON f.root = mine.root
      JOIN settlement_input other ON other.contract_item = mine.contract_item AND other.statement_type = f.type
                                 AND other.valid && mine.valid AND other.id <> mine.input
      JOIN settlement_run r ON r.id = other.run
     WHERE other.approved AND NOT mine.approved
        OR EXISTS (SELECT FROM billing_basis line
                    WHERE line.input = other.id AND line.service = mine.service AND line.component = mine.component
                      AND line.valid && mine.valid AND line.statement_type = f.type AND {lives})
     ORDER BY other.id DESC LIMIT 1
"""
_ANEW = text(_SETTLED_ANEW.format(family=_FAMILY, lives=_LIVES))
_HOLD = text("""
    UPDATE settlement_input i SET approved = true
      FROM billing_basis b
     WHERE b.id = :basis AND i.id = b.input AND NOT i.approved AND i.replaced_by IS NULL
""")


def free_time(connection: Connection, bases: Sequence[int]) -> list[int]:
    """Give back the days of these bases of which nothing is billed any more; the inputs that hold them no longer."""
    asked = {**_family(), "bases": int_array(sorted(set(bases)))}
    return sorted(connection.execute(_FREE, asked).scalars())


def hold_again(connection: Connection, basis: Row[Any], original: int) -> None:
    """Before a cancelling basis goes: its original bills its days again.

    Raises Refused where another run has them by now: they would be billed twice.
    """
    taken = connection.execute(_ANEW, {**_family(), "basis": original}).first()
    if taken is not None:
        raise Refused(
            "time_settled_anew",
            f"Basis {basis.id} ({basis.name}, {basis.ean}) takes back what run {taken.number} has settled anew; "
            "deleted, it would let the time be billed twice. Throw that run away or delete its bases first.",
        )
    connection.execute(_HOLD, {"basis": original})


def _family() -> dict[str, Any]:
    return {
        "types": int_array(int(kind) for kind in ROOTS),
        "roots": int_array(int(root) for root in ROOTS.values()),
        "cancelling": int_array(sorted({int(kind) for kind in CANCELS.values()})),
    }
