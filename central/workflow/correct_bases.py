"""Correct what is invoiced: settle the truth anew, and make the cancelling and corrective bases that lead to it."""

from sqlalchemy import Connection

from central.checks.run import Scope as CheckScope
from central.checks.run import run_checks
from central.platform.identity import Person
from central.settlement.correcting import Corrected, correct_by, open_for_correction
from central.settlement.scope import Scope, points_in
from central.settlement.statements import corrective_type, statement_type
from central.workflow.settle_month import Period, settle
from shared.clock import Clock


def correct_bases(
    connection: Connection,
    period: Period,
    statement: str,
    scope: Scope,
    reason: str,
    clock: Clock,
    person: Person | str,
) -> Corrected:
    """Correct the invoiced bases of a statement (regular, preliminary, annual) over a scope and a time.

    The result is a draft run of changed lines only; the active checks run over it at once. Raises what `settle` raises,
    and Refused where a correction is under way.
    """
    kind = corrective_type(statement_type(statement, settled_annually=False))
    points = points_in(connection, scope, period.first, period.end)
    opened = open_for_correction(connection, points, kind, period.first, period.end)
    made = settle(connection, period, "corrective", scope, clock, person, kind, reason)
    corrected = correct_by(connection, made.id, kind, opened, reason, person, clock.now())
    if corrected.run is not None:
        run_checks(connection, CheckScope(run=corrected.run), "automatic", person, clock.now())
    return corrected
