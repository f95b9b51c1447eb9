"""Take bases back: delete an uninvoiced one, cancel an invoiced one by another, settle preliminary ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, select, text, update

from central.platform import audit
from central.platform.arrays import int_array
from central.platform.errors import NotFound, Refused
from central.platform.hooks import HOOKS
from central.platform.identity import Person, name_of
from central.settlement.freeing import free_time, hold_again
from central.settlement.statements import (
    BILLED_PRELIMINARILY,
    CANCELS,
    GROUPS,
    StatementType,
    cancelling_type,
    is_cancelling,
)
from central.settlement.tables import billing_basis, settlement_run
from central.settlement.turns import take_turn

BASES_CANCELLED = "bases.cancelled"
"""Topic: bases do not hold any more: deleted, thrown away with their run, replaced by an update, taken back by others.

The event: `bases` (ids), `opposites` (ids of the lines that take back what was invoiced, else empty), `run` (of the
update or correction, else None), `why`, `by` (a name), `at`.
"""

_NAMED = """
    SELECT b.id, b.state, b.statement_type, b.original, b.name, b.service, sp.ean,
           (SELECT min(o.id) FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled') AS follower,
           (SELECT min(o.id) FROM billing_basis o
             WHERE o.original = b.id AND o.state <> 'cancelled' AND o.statement_type = ANY (:cancelling)) AS canceller
      FROM billing_basis b JOIN supply_point sp ON sp.id = b.supply_point
"""
_LOCKED = text(f"{_NAMED} WHERE b.id = ANY (:bases) ORDER BY b.id FOR UPDATE OF b")

_OPPOSITES = text("""
    -- the same lines with the opposite sign: nothing is computed again, so both add up to nothing to the haléř
    INSERT INTO billing_basis (
           run, input, supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name,
           quantity, unit, unit_price, price_unit, amount, vat_percent, valid, statement_type, measurements, why,
           state, fingerprint, original, reason, made_at, made_by)
    SELECT CAST(:run AS bigint), b.input, b.supply_point, b.contract_item, b.contract, b.customer, b.payer, b.seller,
           b.service, b.rate, b.component, b.name, -b.quantity, b.unit, b.unit_price, b.price_unit, -b.amount,
           b.vat_percent, b.valid, pair.opposite, b.measurements,
           b.why || jsonb_build_object('text', :why || ' ' || coalesce(b.why ->> 'text', ''), 'original', b.id),
           CAST(:state AS text), 'opposite of ' || b.id, b.id, CAST(:reason AS text), :at, :by
      FROM billing_basis b
      JOIN unnest(CAST(:types AS integer[]), CAST(:opposites AS integer[])) AS pair (type, opposite)
        ON pair.type = b.statement_type
     WHERE b.id = ANY (:bases)
     ORDER BY b.id
    RETURNING id
""")

_PRELIMINARY = text("""
    -- what was billed preliminarily within the time that a run settled of a contract's point, or that stands settled,
    -- invoiced or to be invoiced, and no negative settlement has taken back
    WITH settled AS (
        SELECT ci.contract, si.supply_point, tstzrange(min(lower(si.valid)), max(upper(si.valid))) AS valid
          FROM settlement_input si JOIN contract_item ci ON ci.id = si.contract_item
         WHERE si.statement_type = :final
           AND (si.run = CAST(:run AS bigint) OR si.approved AND si.id = ANY (CAST(:standing AS bigint[])))
         GROUP BY ci.contract, si.supply_point
    )
    SELECT b.id
      FROM settled s
      JOIN billing_basis b ON b.contract = s.contract AND b.supply_point = s.supply_point AND b.valid <@ s.valid
     WHERE b.statement_type = ANY (:types) AND b.state IN ('approved', 'invoiced')
       AND NOT EXISTS (
           SELECT FROM billing_basis o
            WHERE o.original = b.id AND o.statement_type = :negative AND o.state <> 'cancelled'
              AND NOT EXISTS (SELECT FROM billing_basis c
                               WHERE c.original = o.id AND c.statement_type = :undone AND c.state <> 'cancelled'))
     ORDER BY b.id
""")
_ACCRUALS = text("""
    -- living accruals of a run that nothing has cancelled
    SELECT b.id FROM billing_basis b
     WHERE b.run = :run AND b.statement_type = ANY (:types) AND b.state IN ('approved', 'invoiced')
       AND NOT EXISTS (SELECT FROM billing_basis c
                        WHERE c.original = b.id AND c.statement_type = :storno AND c.state <> 'cancelled')
     ORDER BY b.id
""")
_OPEN_AGAIN = text("UPDATE settlement_input SET approved = false WHERE run = :run AND approved")


def tell_cancelled(
    connection: Connection,
    bases: Sequence[int],
    why: str,
    person: Person | str,
    at: datetime,
    *,
    run: int | None = None,
    opposites: Sequence[int] = (),
) -> None:
    """Publish that bases do not hold any more; nothing is told of none."""
    if bases:
        event = {
            "bases": sorted(bases),
            "opposites": sorted(opposites),
            "run": run,
            "why": why,
            "by": name_of(person),
            "at": at,
        }
        HOOKS.publish(connection, BASES_CANCELLED, event)


def delete_basis(
    connection: Connection, basis: int, why: str, person: Person | str, at: datetime, run: int | None = None
) -> None:
    """Delete (Zrušit) a basis that is not invoiced: it stays as cancelled, with who, when and why.

    The last line of a bill frees its days (`freeing.py`), unless it gives way to a corrective `run`; the original of a
    cancelling one bills its days again. Raises NotFound, and Refused where it is invoiced, cancelled already, the
    original of a living basis, or takes back what is settled anew by now.
    """
    take_turn(connection)
    row = _locked(connection, [basis])[0]
    if row.state == "cancelled":
        raise Refused("basis_cancelled", f"Basis {basis} ({row.name}, {row.ean}) is cancelled already.")
    if row.state == "invoiced":
        raise Refused(
            "basis_invoiced",
            f"Basis {basis} ({row.name}, {row.ean}) is invoiced; it is not deleted but taken back by a cancelling "
            "basis: POST /v1/bases/cancel.",
        )
    if row.follower is not None:
        raise Refused(
            "basis_followed", f"Basis {basis} is the original of basis {row.follower}; delete that one first."
        )
    if is_cancelling(row.statement_type) and row.original is not None:
        hold_again(connection, row, row.original)
    connection.execute(
        update(billing_basis)
        .where(billing_basis.c.id == basis)
        .values(state="cancelled", cancelled_at=at, cancelled_by=name_of(person), cancelled_why=why)
    )
    if run is None:
        free_time(connection, [basis])
    audit.record(
        connection, person, "basis.delete", f"billing_basis/{basis}", {}, at,
        before={"state": row.state}, after={"state": "cancelled"}, why=why,
    )  # fmt: skip
    tell_cancelled(connection, [basis], why, person, at)


def cancel_bases(
    connection: Connection,
    bases: Sequence[int],
    reason: str,
    person: Person | str,
    at: datetime,
    run: int | None = None,
) -> list[int]:
    """Make the cancelling bases (types 7, 12, 13, 14, 16) of invoiced bases or of approved accruals; their ids.

    They stand under `run` where a corrective run is given, and may be invoiced at once; without one the days of which
    nothing is billed any more are free (`freeing.py`). Raises NotFound, and Refused where one is not invoiced,
    cancelled by another, or of a type that is not cancelled; then none is made.
    """
    take_turn(connection)
    rows = _locked(connection, bases)
    for row in rows:
        cancelling_type(row.statement_type)
        _require_cancellable(row)
    made = _insert_opposites(
        connection, [row.id for row in rows], CANCELS, f"Storno: {reason}", reason, person, at, run
    )
    if run is None:
        free_time(connection, [row.id for row in rows])
    audit.record(
        connection, person, "bases.cancel", "billing_basis", {"originals": [row.id for row in rows], "made": made}, at,
        why=reason,
    )  # fmt: skip
    tell_cancelled(connection, [row.id for row in rows], reason, person, at, run=run, opposites=made)
    return made


def find_preliminary(connection: Connection, run: int | None, standing: Sequence[int]) -> Sequence[int]:
    """What was billed preliminarily in the time of an annual run and of approved annual inputs, and is not taken back.

    What stands settled counts too: preliminary lines may be approved or corrected when the year has been settled.
    """
    found = connection.execute(
        _PRELIMINARY,
        {
            "run": run,
            "standing": int_array(standing),
            "types": [int(kind) for kind in BILLED_PRELIMINARILY],
            "final": int(StatementType.FINAL_SETTLEMENT),
            "negative": int(StatementType.NEGATIVE_SETTLEMENT),
            "undone": int(StatementType.CANCELS_NEGATIVE),
        },
    ).scalars()
    return found.all()


def settle_preliminary(
    connection: Connection, run: int, standing: Sequence[int], person: Person | str, at: datetime
) -> list[int]:
    """Make the negative settlement (5) under an annual run of everything that `find_preliminary` names.

    With it 5 + 6 + what was billed preliminarily is 6. The bases are new until the run is approved.
    """
    found = find_preliminary(connection, run, standing)
    types = dict.fromkeys(BILLED_PRELIMINARILY, StatementType.NEGATIVE_SETTLEMENT)
    why = "Odečet předběžného vyúčtování:"
    return _insert_opposites(connection, found, types, why, None, person, at, run, "new")


def cancel_accruals(connection: Connection, run: int, reason: str, person: Person | str, at: datetime) -> list[int]:
    """Cancel (16) all that an approved accrual run has accrued; its time may be accrued again. Returns the ids made.

    Raises Refused where the run is no approved accrual, or nothing of it is left to cancel.
    """
    row = connection.execute(select(settlement_run).where(settlement_run.c.id == run).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("run_not_found", f"There is no settlement run {run}; see GET /v1/settlement/runs.")
    if row.statement != "accrual" or row.state != "approved":
        raise Refused("run_no_accrual", f"Run {row.number} is a {row.state} {row.statement} run, no approved accrual.")
    types = [int(kind) for kind in GROUPS["accrual"] if not is_cancelling(kind)]
    asked = {"run": run, "types": types, "storno": int(StatementType.CANCELS_ACCRUAL)}
    bases = connection.execute(_ACCRUALS, asked).scalars().all()
    if not bases:
        raise Refused("nothing_to_cancel", f"Nothing of the accrual run {row.number} is left to cancel.")
    connection.execute(_OPEN_AGAIN, {"run": run})
    return cancel_bases(connection, bases, reason, person, at)


def _require_cancellable(row: Row[object]) -> None:
    accrual = row.statement_type in GROUPS["accrual"]
    if row.state != "invoiced" and not (accrual and row.state == "approved"):
        raise Refused(
            "basis_not_invoiced",
            f"Basis {row.id} ({row.name}, {row.ean}) is {row.state}, not invoiced; delete it instead: "
            f"POST /v1/bases/{row.id}/delete.",
        )
    if row.canceller is not None:
        raise Refused(
            "basis_cancelled", f"Basis {row.id} ({row.name}, {row.ean}) is cancelled by basis {row.canceller}."
        )


def _locked(connection: Connection, bases: Sequence[int]) -> Sequence[Row[object]]:
    wanted = sorted(set(bases))
    kinds = [int(kind) for kind in StatementType if is_cancelling(kind)]
    # locked by a statement of its own first: the followers are looked up only when nobody else can make one
    connection.execute(select(billing_basis.c.id).where(billing_basis.c.id.in_(wanted)).with_for_update())
    rows = connection.execute(_LOCKED, {"bases": wanted, "cancelling": kinds}).all()
    missing = set(wanted) - {row.id for row in rows}
    if missing:
        raise NotFound("basis_not_found", f"There is no billing basis {min(missing)}; see GET /v1/bases.")
    return rows


def _insert_opposites(
    connection: Connection,
    bases: Sequence[int],
    types: Mapping[StatementType, StatementType],
    why: str,
    reason: str | None,
    person: Person | str,
    at: datetime,
    run: int | None,
    state: str = "approved",
) -> list[int]:
    """Insert the opposite of each basis, of the type that `types` gives for its own; their ids. Lock them before."""
    if not bases:
        return []
    made = connection.execute(
        _OPPOSITES.bindparams(bindparam("run", type_=billing_basis.c.run.type)),
        {
            "bases": list(bases),
            "types": [int(kind) for kind in types],
            "opposites": [int(kind) for kind in types.values()],
            "why": why,
            "reason": reason,
            "state": state,
            "run": run,
            "at": at,
            "by": name_of(person),
        },
    )
    return sorted(made.scalars())
