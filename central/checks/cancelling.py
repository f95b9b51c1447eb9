"""Cancel errors of bases (Zrušit chybu kontroly), singly or in bulk, and restore them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text, update

from central.checks import shown
from central.checks.tables import basis_verdict
from central.checks.verdict import GROUPS, Result
from central.platform import audit
from central.platform.arrays import int_array
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person

_LOCKED = text("""
    SELECT v.basis, v.result, v.results FROM basis_verdict v
     WHERE v.basis = ANY (CAST(:bases AS bigint[]))
     ORDER BY v.basis FOR UPDATE
""")
_OF_ROW = text("""
    -- bases of a row's group with a live error
    SELECT v.basis
      FROM payment_calendar r
      JOIN billing_basis b ON b.contract = r.contract AND b.state <> 'cancelled' AND b.statement_type = ANY (:types)
       AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ r.period
      JOIN basis_verdict v ON v.basis = b.id AND v.result = :error
     WHERE r.id = :row
     ORDER BY v.basis
""")
_CANCEL_ROW = text("""
    UPDATE row_finding SET result = :cancelled, cancelled_at = :at, cancelled_by = :by
     WHERE calendar_row = :row AND statement_group = :group AND result = :error
""")
_RESTORE_ROW = text("""
    UPDATE row_finding SET result = :error, cancelled_at = NULL, cancelled_by = NULL
     WHERE calendar_row = :row AND statement_group = :group AND result = :cancelled
""")
_KNOWN_ROW = text("SELECT 1 FROM payment_calendar WHERE id = :row")


_RESULTS = {"error": int(Result.ERROR), "cancelled": int(Result.ERROR_CANCELLED)}


def cancel_errors(connection: Connection, bases: Sequence[int], person: Person, at: datetime) -> int:
    """Cancel the errors of bases, all or none; they are not checked again until restored. How many there were.

    NotFound names a basis that has not been checked; Refused one that shows no error.
    """
    wanted = sorted(set(bases))
    for basis, result, _ in _locked(connection, wanted):
        if result != Result.ERROR:
            raise Refused("no_error", f"Basis {basis} shows {Result(result).key}; only an error can be cancelled.")
    connection.execute(
        update(basis_verdict)
        .where(basis_verdict.c.basis.in_(wanted))
        .values(result=int(Result.ERROR_CANCELLED), cancelled_at=at, cancelled_by=person.name)
    )
    for basis in wanted:
        audit.record(connection, person, "check.cancel_error", f"billing_basis/{basis}", {}, at)
    shown.refresh(connection, wanted)
    return len(wanted)


def cancel_errors_of_row(connection: Connection, row: int, group: str, person: Person, at: datetime) -> int:
    """Cancel the errors of all bases of a group (regular, accrual, annual) of a row of the payment calendar, and those
    that it shows without a basis. How many there were."""
    _require_row(connection, row)
    values = {"row": row, "types": sorted(GROUPS[group]), "error": int(Result.ERROR)}
    bases = connection.execute(_OF_ROW, values).scalars().all()
    given = {"row": row, "group": group, "at": at, "by": person.name, **_RESULTS}
    without = connection.execute(_CANCEL_ROW, given).rowcount
    if not bases and not without:
        raise Refused("no_error", f"No {group} basis of calendar row {row} shows an error; there is nothing to cancel.")
    if without:
        audit.record(connection, person, "check.cancel_error", f"payment_calendar/{row}", {"group": group}, at)
        shown.refresh_rows(connection, [row])
    return without + (cancel_errors(connection, bases, person, at) if bases else 0)


def restore_errors_of_row(connection: Connection, row: int, group: str, person: Person, at: datetime) -> int:
    """Take back the cancelling of what a row shows of a group without a basis; the next run looks again."""
    _require_row(connection, row)
    restored = connection.execute(_RESTORE_ROW, {"row": row, "group": group, **_RESULTS}).rowcount
    if not restored:
        raise Refused("no_cancelled_error", f"Calendar row {row} has no cancelled {group} error without a basis.")
    audit.record(connection, person, "check.restore_error", f"payment_calendar/{row}", {"group": group}, at)
    shown.refresh_rows(connection, [row])
    return restored


def _require_row(connection: Connection, row: int) -> None:
    shown.take_turn(connection)
    if connection.execute(_KNOWN_ROW, {"row": row}).scalar() is None:
        raise NotFound("calendar_row_not_found", f"There is no row {row} of a payment calendar.")


def restore_error(connection: Connection, basis: int, person: Person, at: datetime) -> None:
    """Take back the cancelling: the error is live again, and the next run checks the basis."""
    ((_, result, results),) = _locked(connection, [basis])
    if result != Result.ERROR_CANCELLED:
        raise Refused("no_cancelled_error", f"Basis {basis} shows {Result(result).key}, not a cancelled error.")
    connection.execute(
        update(basis_verdict)
        .where(basis_verdict.c.basis == basis)
        .values(result=max(results, default=int(Result.NONE)), cancelled_at=None, cancelled_by=None)
    )
    audit.record(connection, person, "check.restore_error", f"billing_basis/{basis}", {}, at)
    shown.refresh(connection, [basis])


def _locked(connection: Connection, bases: Sequence[int]) -> list[tuple[int, int, bytes]]:
    shown.take_turn(connection)
    rows = connection.execute(_LOCKED, {"bases": int_array(bases)}).all()
    if missing := set(bases) - {row.basis for row in rows}:
        raise NotFound("verdict_not_found", f"Billing basis {min(missing)} does not exist or has not been checked.")
    return [(row.basis, row.result, bytes(row.results)) for row in rows]
