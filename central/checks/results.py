"""Look at results, cancel an error, restore it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text, update

from central.checks.tables import basis_verdict, check_run
from central.checks.verdict import Result
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person

RESULTS = text("""
    -- results of one check run (the newest, if none is named) with the basis they speak about
    SELECT r.run, r.check_number, r.basis, r.result, r.text_cs, r.text_en, b.rate, b.name, sp.ean,
           v.result AS verdict, v.cancelled_by, v.cancelled_at
      FROM check_result r
      JOIN billing_basis b ON b.id = r.basis
      JOIN supply_point sp ON sp.id = b.supply_point
      LEFT JOIN basis_verdict v ON v.basis = r.basis
     WHERE r.run = coalesce(:run, (SELECT max(id) FROM check_run))
       AND (CAST(:result AS smallint) IS NULL OR r.result = :result)
     ORDER BY r.check_number, sp.ean, b.rate, r.basis
     LIMIT :limit
""")

LOG = text("""
    -- the process log of a run: its own messages first, then what the checks said by their output variants
    SELECT NULL::bigint AS basis, m.check_number, m.result, m.text_cs, m.text_en FROM check_message m WHERE m.run = :run
    UNION ALL
    SELECT r.basis, r.check_number, r.result, r.text_cs, r.text_en FROM check_result r WHERE r.run = :run AND r.logged
""")

IN_ERROR = text("""
    -- bases with a live error among those that are to be invoiced
    SELECT b.id, b.supply_point, sp.ean, b.rate, b.name, v.text_cs
      FROM billing_basis b
      JOIN basis_verdict v ON v.basis = b.id AND v.result = :error
      JOIN supply_point sp ON sp.id = b.supply_point
     WHERE b.id = ANY (:bases)
     ORDER BY sp.ean, b.rate
""")


def find_results(connection: Connection, run: int | None, result: Result | None, limit: int) -> Sequence[Row[Any]]:
    """Results of a check run (None: the newest), optionally of one kind only."""
    parameters = {"run": run, "result": None if result is None else int(result), "limit": limit}
    return connection.execute(RESULTS, parameters).all()


def process_log(connection: Connection, run: int) -> Sequence[Row[Any]]:
    """The messages of a run; NotFound where there is no such run."""
    if connection.execute(select(check_run.c.id).where(check_run.c.id == run)).scalar() is None:
        raise NotFound("check_run_not_found", f"There is no check run {run}.")
    return connection.execute(LOG, {"run": run}).all()


def bases_in_error(connection: Connection, bases: Sequence[int]) -> Sequence[Row[Any]]:
    """Those of the bases that have a live error."""
    return connection.execute(IN_ERROR, {"bases": list(bases), "error": int(Result.ERROR)}).all()


def cancel_error(connection: Connection, basis: int, person: Person, at: datetime) -> None:
    """Cancel the error of a basis (Zrušit chybu kontroly). It is not checked again until the error is restored."""
    verdict = _require(connection, basis)
    if verdict.result != Result.ERROR:
        raise Refused("no_error", f"Basis {basis} shows {Result(verdict.result).key}; only an error can be cancelled.")
    connection.execute(
        update(basis_verdict)
        .where(basis_verdict.c.basis == basis)
        .values(result=int(Result.ERROR_CANCELLED), cancelled_at=at, cancelled_by=person.name)
    )
    audit.record(connection, person, "check.cancel_error", f"billing_basis/{basis}", {"text": verdict.text_cs}, at)


def restore_error(connection: Connection, basis: int, person: Person, at: datetime) -> None:
    """Take back the cancelling: the error is live again and the basis is checked again."""
    verdict = _require(connection, basis)
    if verdict.result != Result.ERROR_CANCELLED:
        raise Refused("no_cancelled_error", f"Basis {basis} shows {Result(verdict.result).key}, not a cancelled error.")
    connection.execute(
        update(basis_verdict)
        .where(basis_verdict.c.basis == basis)
        .values(result=int(Result.ERROR), cancelled_at=None, cancelled_by=None)
    )
    audit.record(connection, person, "check.restore_error", f"billing_basis/{basis}", {}, at)


def _require(connection: Connection, basis: int) -> Row[Any]:
    row = connection.execute(
        select(basis_verdict).where(basis_verdict.c.basis == basis).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound("verdict_not_found", f"Billing basis {basis} does not exist or has not been checked.")
    return row
