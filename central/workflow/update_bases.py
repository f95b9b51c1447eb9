"""Update bases, accrue, settle a leaver: what needs a settlement, and compares or completes what stands already."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from central.checks.bases import Scope as CheckScope
from central.checks.run import run_checks
from central.platform.arrays import int_array
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.registry.capacity_rules import months_later
from central.settlement.calendar_rows import MOST_MONTHS, CalendarRow, statement_due
from central.settlement.cancelling import find_preliminary, settle_preliminary
from central.settlement.scope import Scope, points_in
from central.settlement.statements import CANCELS, StatementType, statement_type
from central.settlement.update import Updated, reconcile, release
from central.settlement.write import RunOrder, RunWriter
from central.tariffs.install import packages_in_force
from central.workflow.settle_month import Period, described, settle
from shared.clock import Clock

_ANNUALLY = text("""
    -- contracts that hold in the time of a statement, by how they are settled: those of a year are billed preliminarily
    SELECT DISTINCT c.id, c.statement_months = 12 AS annually
      FROM contract_valid c
      JOIN contract_item ci ON ci.contract = c.id AND ci.valid && daterange(:first, :end)
     WHERE c.held @> CAST(:last AS date)
       AND (CAST(:contracts AS bigint[]) IS NULL OR c.id = ANY (CAST(:contracts AS bigint[])))
       AND (CAST(:points AS bigint[]) IS NULL OR ci.supply_point = ANY (CAST(:points AS bigint[])))
     ORDER BY c.id
""")
_INVOICED_UNTIL = text("""
    -- since and until when a contract has each of its points, and until when that is invoiced: the last end of a living
    -- invoiced line that no other cancels
    SELECT c.id, c.number, upper(c.valid) AS contract_until, held.supply_point,
           greatest(lower(c.valid), held.since) AS since, least(upper(c.valid), held.until) AS until,
           (SELECT max((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date)
              FROM billing_basis b
             WHERE b.contract = c.id AND b.supply_point = held.supply_point
               AND b.state = 'invoiced' AND b.input IS NOT NULL AND b.statement_type = ANY (CAST(:types AS integer[]))
               AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                                  AND o.statement_type = ANY (CAST(:cancelling AS integer[])))) AS invoiced_until
      FROM contract c
      JOIN LATERAL (
           SELECT ci.supply_point, min(lower(ci.valid)) AS since,
                  CASE WHEN bool_or(upper_inf(ci.valid)) THEN NULL ELSE max(upper(ci.valid)) END AS until
             FROM contract_item ci
            WHERE ci.contract = c.id AND (contract_services(ci.kind) @> 1 OR ci.kind = 'supply')
            GROUP BY ci.supply_point) held ON true
     WHERE c.valid && daterange(NULL, :end)
       AND (CAST(:contracts AS bigint[]) IS NULL OR c.id = ANY (CAST(:contracts AS bigint[])))
     ORDER BY c.number, held.supply_point
""")


@dataclass(frozen=True, slots=True)
class UpdateDone:
    """One update: what was asked for, what became of the lines, the negative lines of an annual one, the checks."""

    statement: str
    period: Period
    updated: Updated
    negative: int
    checks: dict[str, int]


def update_bases(
    connection: Connection,
    period: Period,
    statement: str,
    scope: Scope,
    why: str,
    clock: Clock,
    person: Person | str,
    kind: int | None = None,
) -> UpdateDone:
    """Settle a scope anew and replace what is not invoiced where something changed; checks run over the draft at once.

    Raises what `settle` raises; where all is invoiced nothing is replaced and the points are told as left out. What was
    billed preliminarily in a year that stands settled, and is not taken back yet, gets its negative lines in any case.
    """
    wanted = statement_type(statement, settled_annually=False) if kind is None else StatementType(kind)
    points = sorted({*points_in(connection, scope, period.first, period.end), *(scope.points or ())})
    released = release(connection, points, wanted, period.first, period.end, scope.contracts)
    try:
        made = settle(connection, period, statement, scope, clock, person, wanted)
    except Refused as refused:
        if refused.code != "nothing_to_settle" or released.inputs or not released.left_out:
            raise
        updated = Updated(None, 0, 0, 0, 0, released.left_out)
    else:
        updated = reconcile(connection, made.id, released, why, person, clock.now())
    if updated.run is None:
        if wanted is not StatementType.FINAL_SETTLEMENT or not find_preliminary(connection, None, released.standing):
            return UpdateDone(statement, period, updated, 0, {})
        order = RunOrder(period.first, period.end, statement, wanted, scope.document())
        run = _run_of_opposites(connection, order, clock, person)
    else:
        run = updated.run
    negative = settle_preliminary(connection, run, released.standing, person, clock.now())
    checked = run_checks(connection, CheckScope(run=run), "automatic", person, clock.now())
    return UpdateDone(statement, period, replace(updated, run=run), len(negative), checked.results)


def _run_of_opposites(connection: Connection, order: RunOrder, clock: Clock, person: Person | str) -> int:
    """A draft that settles nothing: for lines that only take others back."""
    packages = [described(package) for package in packages_in_force(connection, order.first, order.end)]
    return RunWriter(connection, order, packages, person, clock.now()).finish().id


def update_rows(
    connection: Connection, rows: Sequence[CalendarRow], why: str, clock: Clock, person: Person | str
) -> tuple[list[UpdateDone], list[int]]:
    """Update what rows of the payment calendar order, one run for each statement and time; rows that order nothing."""
    groups: dict[tuple[str, date, date], list[int]] = defaultdict(list)
    idle = []
    for row in rows:
        due = statement_due(row)
        if due is None:
            idle.append(row.id)
        else:
            groups[due.statement, due.first, due.end].append(due.contract)
    return [
        update_bases(connection, Period(first, end), statement, Scope(contracts=tuple(contracts)), why, clock, person)
        for (statement, first, end), contracts in sorted(groups.items())
    ], idle


def accrue(
    connection: Connection, until: date, contracts: Sequence[int] | None, why: str, clock: Clock, person: Person | str
) -> list[UpdateDone]:
    """Accrual bases (4, of contracts settled annually 11) of what is delivered and not invoiced before `until`.

    It begins point by point where nothing is invoiced yet. Contracts invoiced until the same day go into one run; of
    one whose points are invoiced until different days, each of these has a run. Refused where nothing is left.
    """
    billed = [StatementType.REGULAR, StatementType.CORRECTS_REGULAR, StatementType.PRELIMINARY]
    billed += [StatementType.CORRECTS_PRELIMINARY, StatementType.FINAL_SETTLEMENT, StatementType.CORRECTS_SETTLEMENT]
    done = []
    for first, end, scope in _open_times(_invoiced_until(connection, until, contracts, billed), until):
        for annually, part in _by_settling(connection, scope, Period(first, end)):
            kind = statement_type("accrual", settled_annually=annually)
            done.append(update_bases(connection, Period(first, end), "accrual", part, why, clock, person, kind))
    if not done:
        raise Refused(
            "nothing_to_accrue", f"Everything delivered before {until} is invoiced; nothing is left to accrue."
        )
    return done


def settle_leaver(
    connection: Connection, contract: int, end: date, why: str, clock: Clock, person: Person | str
) -> UpdateDone:
    """The extraordinary final settlement of a contract that ends on `end`: from its last statement to that instant.

    A contract settled annually gets 6 for its time and 5 for what was billed preliminarily, another one a regular
    statement of the broken time. Advances are deducted by the invoice. Refused where the contract does not end there.
    """
    settled = [StatementType.REGULAR, StatementType.CORRECTS_REGULAR]
    settled += [StatementType.FINAL_SETTLEMENT, StatementType.CORRECTS_SETTLEMENT]
    rows = _invoiced_until(connection, end, [contract], settled)
    if not rows:
        raise NotFound(
            "contract_not_found", f"There is no contract {contract} for network services or supply before {end}."
        )
    row = rows[0]
    if row.contract_until != end:
        raise Refused(
            "contract_goes_on",
            f"Contract {row.number} ends on {row.contract_until or 'no day'}, not on {end}; close it on that "
            f"day first: POST /v1/contracts/{row.number}/close.",
        )
    times = _open_times(rows, end)
    if not times:
        billed = max(each.invoiced_until for each in rows if each.invoiced_until is not None)
        raise Refused("settled_already", f"Contract {row.number} is invoiced until {billed}; nothing is left.")
    first = times[0][0]
    period = Period(first, end)
    annually, scope = next(
        iter(_by_settling(connection, Scope(contracts=(contract,)), period)), (False, Scope(contracts=(contract,)))
    )
    kind = statement_type("final", settled_annually=annually)
    return update_bases(connection, period, "final", scope, why, clock, person, kind)


def _open_since(row: Row[Any], end: date) -> date:
    """The first day that is not invoiced, at most 12 months back."""
    known: Iterable[date | None] = (row.invoiced_until, row.since, months_later(end, -MOST_MONTHS))
    return max(day for day in known if day is not None)


def _open_times(rows: Sequence[Row[Any]], until: date) -> list[tuple[date, date, Scope]]:
    """What is not invoiced of contracts' points: days [first, end) with whose they are, in order."""
    by_contract: dict[int, dict[tuple[date, date], list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        first, end = _open_since(row, until), until if row.until is None else min(until, row.until)
        by_contract[row.id][first, max(first, end)].append(row.supply_point)
    whole: dict[tuple[date, date], list[int]] = defaultdict(list)
    found: list[tuple[date, date, Scope]] = []
    for contract, times in by_contract.items():
        for (first, end), points in times.items():
            if first < end and len(times) == 1:
                whole[first, end].append(contract)
            elif first < end:
                found.append((first, end, Scope(contracts=(contract,), points=tuple(points))))
    found += [(first, end, Scope(contracts=tuple(members))) for (first, end), members in whole.items()]
    return sorted(found, key=lambda each: (each[0], each[1], each[2].contracts or ()))


def _invoiced_until(
    connection: Connection, end: date, contracts: Sequence[int] | None, types: Sequence[StatementType]
) -> Sequence[Row[Any]]:
    return connection.execute(
        _INVOICED_UNTIL,
        {
            "end": end,
            "contracts": None if contracts is None else int_array(contracts),
            "types": int_array(int(kind) for kind in types),
            "cancelling": int_array(sorted({int(kind) for kind in CANCELS.values()})),
        },
    ).all()


def _by_settling(connection: Connection, scope: Scope, period: Period) -> list[tuple[bool, Scope]]:
    """The scope's contracts apart: those that are settled annually, and the others."""
    asked = {
        "first": period.first,
        "end": period.end,
        "last": period.end - timedelta(days=1),
        "contracts": None if scope.contracts is None else int_array(scope.contracts),
        "points": None if scope.points is None else int_array(scope.points),
    }
    found: dict[bool, list[int]] = defaultdict(list)
    for row in connection.execute(_ANNUALLY, asked):
        found[row.annually].append(row.id)
    return [(annually, replace(scope, contracts=tuple(ids))) for annually, ids in sorted(found.items())]
