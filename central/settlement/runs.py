"""Settlement runs in the database: find one, approve it, throw it away."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text, update
from sqlalchemy.exc import IntegrityError

from central.platform import audit
from central.platform.arrays import int_array
from central.platform.errors import NotFound, Refused
from central.platform.hooks import HOOKS
from central.platform.identity import Person, name_of
from central.settlement.beside_pins import refuse_changed_beside
from central.settlement.billed_states import lock_billed_states
from central.settlement.cancelling import tell_cancelled
from central.settlement.late import close_pinned_days
from central.settlement.statements import CANCELS
from central.settlement.tables import billing_basis, settlement_input, settlement_run
from central.settlement.turns import take_turn

_CANCELLING = int_array(sorted({int(kind) for kind in CANCELS.values()}))

_HOLDS_LINES = text("""
    -- lines that only take others back have nothing that would be settled instead
    SELECT FROM billing_basis WHERE run = :run AND state <> 'cancelled' LIMIT 1
""")
_BILLED_TWICE = text("""
    -- lines of the run beside invoiced ones of the same thing and time, whose input an update has replaced
    SELECT DISTINCT sp.ean, n.name
      FROM settlement_input mine
      JOIN settlement_input old ON old.supply_point = mine.supply_point AND old.contract_item = mine.contract_item
                               AND old.statement_type = mine.statement_type AND old.valid && mine.valid
                               AND old.replaced_by IS NOT NULL
      JOIN billing_basis b ON b.input = old.id AND b.state = 'invoiced' AND b.original IS NULL
                          AND NOT EXISTS (SELECT FROM billing_basis c
                                           WHERE c.original = b.id AND c.state <> 'cancelled'
                                             AND c.statement_type = ANY (CAST(:cancelling AS integer[])))
      JOIN billing_basis n ON n.input = mine.id AND n.original IS NULL AND n.state = 'new' AND n.service = b.service
                          AND n.component = b.component AND n.valid && b.valid
      JOIN supply_point sp ON sp.id = mine.supply_point
     WHERE mine.run = :run
     ORDER BY sp.ean, n.name LIMIT 5
""")

FINAL_APPROVED = "settlement.final"
"""Topic: an extraordinary final settlement was approved (who leaves, until when: the run's period and scope)."""


def require_run(connection: Connection, run: int, *, lock: bool = False) -> Row[Any]:
    """The run's row, or NotFound; `lock` holds it until the transaction ends."""
    statement = select(settlement_run).where(settlement_run.c.id == run)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound("run_not_found", f"There is no settlement run {run}; see GET /v1/settlement/runs.")
    return row


def approve_run(connection: Connection, run: int, person: Person | str, at: datetime) -> int:
    """Approve a draft: its inputs are pinned and its bases may be invoiced. Returns the number of bases.

    Raises Refused where the run is approved already, has nothing settled, where another approved run holds one of its
    points for the same time, where one of its lines is invoiced already, or where something else of a month of its
    points is settled than when it was made.
    """
    take_turn(connection)
    row = require_run(connection, run, lock=True)
    _require_draft(row)
    _refuse_settled_already(connection, run, row.number)
    if row.statement != "corrective":
        _refuse_billed_twice(connection, run, row.number)
        refuse_changed_beside(connection, run, row.number)
    try:
        pinned = connection.execute(
            update(settlement_input)
            .where(settlement_input.c.run == run, settlement_input.c.replaced_by.is_(None))
            .values(approved=True)
        ).rowcount
    except IntegrityError as error:
        raise Refused(
            "point_settled_already",
            f"Run {row.number} cannot be approved: another run with some of its points was approved just now. "
            "Make a new run; it takes only the points that remain.",
        ) from error
    if not pinned and connection.execute(_HOLDS_LINES, {"run": run}).first() is None:
        raise Refused("run_empty", f"Run {row.number} settled no supply point; there is nothing to approve.")
    close_pinned_days(connection, run, row.period.lower, row.period.upper, at)
    connection.execute(
        update(settlement_run)
        .where(settlement_run.c.id == run)
        .values(state="approved", approved_at=at, approved_by=name_of(person))
    )
    bases = connection.execute(
        update(billing_basis).where(billing_basis.c.run == run, billing_basis.c.state == "new").values(state="approved")
    ).rowcount
    lock_billed_states(connection, run, row.number, at)
    audit.record(connection, person, "settlement.approve", f"settlement_run/{run}", {"bases": bases}, at)
    if row.statement == "final":
        HOOKS.publish(connection, FINAL_APPROVED, {"run": run, "period": row.period, "scope": row.scope, "at": at})
    return int(bases)


def discard_run(connection: Connection, run: int, why: str, person: Person | str, at: datetime) -> int:
    """Throw a draft away: its bases are cancelled, the run stays as discarded. Returns the number of bases.

    What an update replaced does not come back: its points are open, settle them anew. Refused where the run is approved
    or discarded.
    """
    row = require_run(connection, run, lock=True)
    _require_draft(row)
    cancelled = connection.execute(
        update(billing_basis)
        .where(billing_basis.c.run == run, billing_basis.c.state == "new")
        .values(state="cancelled", cancelled_at=at, cancelled_by=name_of(person), cancelled_why=why)
        .returning(billing_basis.c.id)
    )
    bases = sorted(cancelled.scalars())
    connection.execute(update(settlement_run).where(settlement_run.c.id == run).values(state="discarded"))
    audit.record(
        connection, person, "settlement.discard", f"settlement_run/{run}", {"bases": len(bases)}, at,
        before={"state": "draft"}, after={"state": "discarded"}, why=why,
    )  # fmt: skip
    tell_cancelled(connection, bases, why, person, at, run=run)
    return len(bases)


def _require_draft(row: Row[Any]) -> None:
    if row.state == "approved":
        raise Refused(
            "run_not_draft", f"Run {row.number} was approved by {row.approved_by} at {row.approved_at.isoformat()}."
        )
    if row.state == "discarded":
        raise Refused("run_not_draft", f"Run {row.number} was thrown away; settle its points anew.")


def _refuse_settled_already(connection: Connection, run: int, number: str) -> None:
    taken = connection.execute(
        text("""
            SELECT sp.ean, other.number
              FROM settlement_input mine
              JOIN settlement_input theirs
                ON theirs.contract_item = mine.contract_item AND theirs.statement_type = mine.statement_type
               AND theirs.valid && mine.valid AND theirs.approved AND theirs.run <> mine.run
              JOIN settlement_run other ON other.id = theirs.run
              JOIN supply_point sp ON sp.id = mine.supply_point
             WHERE mine.run = :run AND mine.replaced_by IS NULL
             ORDER BY sp.ean LIMIT 5
        """),
        {"run": run},
    ).all()
    if taken:
        named = ", ".join(f"{row.ean} (run {row.number})" for row in taken)
        raise Refused(
            "point_settled_already",
            f"Run {number} cannot be approved: these points are settled for the month in an approved run: {named}. "
            "Make a new run; it takes only the points that remain.",
        )


def _refuse_billed_twice(connection: Connection, run: int, number: str) -> None:
    """A point that is invoiced in part is completed by an update, which leaves out what is billed; a run does not."""
    billed = connection.execute(_BILLED_TWICE, {"run": run, "cancelling": _CANCELLING}).all()
    if billed:
        named = ", ".join(f"{row.name} of {row.ean}" for row in billed)
        raise Refused(
            "billed_already",
            f"Run {number} cannot be approved: these lines are invoiced for the time already: {named}. Throw the run "
            "away and update the bases instead: POST /v1/bases/update.",
        )
