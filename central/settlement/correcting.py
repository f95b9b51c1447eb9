"""Correct what is invoiced: a corrective run against the lines that stand, changed lines only.

The truth is settled anew as a draft of statement "corrective" (types 8, 9, 10). A line that says what is invoiced goes
again; of what differs, the invoiced line gets a cancelling one and the new line names it as its original, both with the
reason. So the invoiced lines and the run's add up to the new truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, text

from central.platform import audit
from central.platform.arrays import int_array
from central.platform.errors import Refused
from central.platform.identity import Person
from central.settlement.cancelling import insert_opposites
from central.settlement.statements import CANCELS, CORRECTS, StatementType
from central.settlement.tables import settlement_omission, settlement_run

_UNDER_WAY = text("""
    -- corrections of these points that are not invoiced yet: a second one would count from what does not stand
    SELECT b.id, sp.ean FROM billing_basis b JOIN supply_point sp ON sp.id = b.supply_point
     WHERE b.supply_point = ANY (CAST(:points AS bigint[])) AND b.state IN ('new', 'approved')
       AND b.statement_type = ANY (CAST(:types AS integer[]))
       AND (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date < :end
       AND (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date > :first
     ORDER BY b.id LIMIT 1
""")
_OPEN = text("""
    -- earlier corrections of the time stand back for the one that is to be made
    UPDATE settlement_input SET approved = false
     WHERE supply_point = ANY (CAST(:points AS bigint[])) AND statement_type = :kind AND approved
       AND (lower(valid) AT TIME ZONE 'Europe/Prague')::date >= :first
       AND (upper(valid) AT TIME ZONE 'Europe/Prague')::date <= :end
    RETURNING id
""")
_LOCK = text("""
    SELECT b.id FROM billing_basis b
     WHERE b.supply_point = ANY (CAST(:points AS bigint[])) AND b.state = 'invoiced'
     ORDER BY b.id FOR UPDATE
""")
_NOT_INVOICED = text("""
    -- where nothing is invoiced there is nothing to correct: those lines are for an update
    DELETE FROM billing_basis n
     WHERE n.run = :run
       AND NOT EXISTS (SELECT FROM billing_basis b
                        WHERE b.supply_point = n.supply_point AND b.contract_item = n.contract_item
                          AND b.state = 'invoiced' AND b.input IS NOT NULL AND b.valid && n.valid
                          AND b.statement_type = ANY (CAST(:types AS integer[])))
""")
_COMPARE = (
    text("DROP TABLE IF EXISTS corrected_line"),
    text("""
        -- lines of the run and the living invoiced ones that they stand against, each with what it says
        CREATE TEMPORARY TABLE corrected_line ON COMMIT DROP AS
        SELECT b.id, b.run = CAST(:run AS bigint) AS new, b.input, b.supply_point, b.service, b.component, b.valid,
               jsonb_build_array(
                   b.supply_point, b.contract_item, b.contract, b.customer, b.payer, b.seller, b.service, b.component,
                   b.rate, b.vat_percent, b.valid, b.quantity, b.unit_price, b.amount) AS said
          FROM billing_basis b
         WHERE b.run = CAST(:run AS bigint)
            OR (b.state = 'invoiced' AND b.input IS NOT NULL AND b.statement_type = ANY (CAST(:types AS integer[]))
                AND EXISTS (SELECT FROM settlement_input si
                             WHERE si.run = CAST(:run AS bigint) AND si.supply_point = b.supply_point
                               AND b.valid <@ si.valid)
                AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                                   AND o.statement_type = ANY (CAST(:cancelling AS integer[]))))
    """),
    text("""
        -- what both say alike needs no correction
        WITH placed AS (SELECT id, new, said, row_number() OVER (PARTITION BY new, said ORDER BY id) AS place
                          FROM corrected_line),
             same AS (SELECT old.id AS old, new.id AS new FROM placed old
                        JOIN placed new ON new.said = old.said AND new.place = old.place AND new.new
                       WHERE NOT old.new),
             gone AS (DELETE FROM billing_basis b USING same WHERE b.id = same.new)
        DELETE FROM corrected_line c USING same WHERE c.id IN (same.old, same.new)
    """),
)
_ORIGINALS = text("""
    -- each corrective line names the invoiced one that it stands in the place of
    UPDATE billing_basis b SET original = (
           SELECT min(o.id) FROM corrected_line o
            WHERE NOT o.new AND o.supply_point = b.supply_point AND o.service = b.service
              AND o.component = b.component AND o.valid && b.valid)
      FROM corrected_line c WHERE c.id = b.id AND c.new
""")
_DROP_SAME = text("""
    DELETE FROM settlement_input si
     WHERE si.run = :run
       AND NOT EXISTS (SELECT FROM corrected_line c WHERE c.supply_point = si.supply_point AND c.valid && si.valid)
""")
_REPLACED = text("""
    UPDATE settlement_input o SET replaced_by = :run
     WHERE o.id = ANY (CAST(:opened AS bigint[]))
       AND EXISTS (SELECT FROM settlement_input n
                    WHERE n.run = :run AND n.contract_item = o.contract_item AND n.valid && o.valid)
""")
_CLOSE = text("""
    UPDATE settlement_input SET approved = true
     WHERE id = ANY (CAST(:opened AS bigint[])) AND replaced_by IS NULL
""")
_SUMS = text("""
    SELECT count(*) FILTER (WHERE statement_type = ANY (CAST(:cancelling AS integer[]))) AS cancelling,
           count(*) FILTER (WHERE NOT statement_type = ANY (CAST(:cancelling AS integer[]))) AS corrective,
           coalesce(sum(amount), 0) AS difference
      FROM billing_basis WHERE run = :run
""")
_CANCELLING = int_array(sorted({int(kind) for kind in CANCELS.values()}))


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction made: `run` is None where the truth is what was invoiced; `difference` is without VAT."""

    run: int | None
    cancelling: int
    corrective: int
    difference: Decimal


def open_for_correction(
    connection: Connection, points: Sequence[int], kind: StatementType, first: date, end: date
) -> list[int]:
    """Lock the invoiced lines of the points and let earlier corrections of the days stand back; their inputs.

    Refused where a correction of the days is under way: its lines are invoiced or deleted first.
    """
    originals = [original for original, corrective in CORRECTS.items() if corrective == kind]
    opposite = {int(CANCELS[original]) for original in originals}
    asked: dict[str, Any] = {"points": int_array(points), "first": first, "end": end, "kind": int(kind)}
    connection.execute(_LOCK, asked)
    waiting = connection.execute(_UNDER_WAY, {**asked, "types": int_array(sorted({int(kind), *opposite}))}).first()
    if waiting is not None:
        raise Refused(
            "correction_under_way",
            f"Supply point {waiting.ean} has a correction from {first} to {end} that is not invoiced (basis "
            f"{waiting.id}); invoice it, or throw its run away, before the next one.",
        )
    return list(connection.execute(_OPEN, asked).scalars())


def correct_by(
    connection: Connection,
    run: int,
    kind: StatementType,
    opened: Sequence[int],
    reason: str,
    person: Person | str,
    at: datetime,
) -> Corrected:
    """Make of the corrective draft `run` and what is invoiced the lines that lead from the one to the other.

    Points that the run left out keep what is invoiced; those without anything invoiced are not corrected. A run
    that corrects nothing goes.
    """
    types = int_array(sorted(int(original) for original, corrective in CORRECTS.items() if corrective == kind))
    connection.execute(_NOT_INVOICED, {"run": run, "types": types})
    for step in _COMPARE:
        connection.execute(step, {"run": run, "types": types, "cancelling": _CANCELLING} if step is _COMPARE[1] else {})
    old = connection.execute(text("SELECT id FROM corrected_line WHERE NOT new ORDER BY id")).scalars().all()
    connection.execute(_ORIGINALS)
    insert_opposites(connection, old, CANCELS, f"Storno: {reason}", reason, person, at, run, "new")
    connection.execute(_DROP_SAME, {"run": run})
    connection.execute(_REPLACED, {"run": run, "opened": int_array(opened)})
    connection.execute(_CLOSE, {"opened": int_array(opened)})
    sums = connection.execute(_SUMS, {"run": run, "cancelling": _CANCELLING}).one()
    changed = bool(sums.cancelling or sums.corrective)
    if not changed:
        connection.execute(delete(settlement_omission).where(settlement_omission.c.run == run))
        connection.execute(delete(settlement_run).where(settlement_run.c.id == run))
    details = {"cancelling": sums.cancelling, "corrective": sums.corrective, "difference": format(sums.difference, "f")}
    subject = f"settlement_run/{run}" if changed else "billing_basis"
    audit.record(connection, person, "bases.correct", subject, details, at, why=reason)
    return Corrected(run if changed else None, sums.cancelling, sums.corrective, sums.difference)
