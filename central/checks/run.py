"""Run the active checks over billing bases: one set-based pass, never a query for each basis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from sqlalchemy import Connection, insert, text

from central.checks.framework import BasisColumns, Check, Text, Verdicts
from central.checks.settings import get_definitions
from central.checks.standard import STANDARD
from central.checks.tables import check_message, check_result, check_run
from central.checks.verdict import GROUPS, Result
from central.platform import audit
from central.platform.identity import Person

log = structlog.get_logger()

INVOICING = "invoicing"
GUARDED = {"regular": ("regular", "accrual"), "annual": ("annual",)}
"""Groups of bases that the invoicing of a statement takes (accrual with the regular one is ours)."""

BASES = text("""
    -- bases not invoiced yet; one with a cancelled error is not checked again
    SELECT b.id, b.supply_point, b.rate, b.statement_type, b.quantity, b.unit, b.unit_price, b.price_unit
      FROM billing_basis b
      LEFT JOIN basis_verdict v ON v.basis = b.id
     WHERE b.state IN ('new', 'approved')
       AND (CAST(:run AS bigint) IS NULL OR b.run = :run)
       AND (CAST(:bases AS bigint[]) IS NULL OR b.id = ANY (:bases))
       AND b.statement_type = ANY (:types)
       AND v.cancelled_at IS NULL
     ORDER BY b.id
""")

VERDICTS = text("""
    -- what each checked basis shows now: its worst result of this run (several texts, the worst first)
    INSERT INTO basis_verdict AS v (basis, run, result, text_cs, text_en)
    SELECT r.basis, :run, max(r.result),
           string_agg(r.text_cs, ' ' ORDER BY r.result DESC, r.check_number),
           string_agg(r.text_en, ' ' ORDER BY r.result DESC, r.check_number)
      FROM check_result r
     WHERE r.run = :run
     GROUP BY r.basis
     ORDER BY r.basis -- two runs at once lock in the same order
    ON CONFLICT (basis) DO UPDATE
       SET run = excluded.run, result = excluded.result, text_cs = excluded.text_cs, text_en = excluded.text_en
     WHERE v.cancelled_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which bases to check: of one settlement run, or these, and of which groups (regular, accrual, annual)."""

    run: int | None = None
    bases: Sequence[int] | None = None
    groups: Sequence[str] = ("regular", "accrual", "annual")


@dataclass(frozen=True, slots=True)
class CheckRunMade:
    """A finished run: how many bases it took, and how many results of each kind it gave."""

    id: int
    bases: int
    results: dict[str, int]


def run_checks(
    connection: Connection,
    scope: Scope,
    kind: str,
    person: Person | str,
    at: datetime,
    checks: Sequence[Check] = STANDARD,
) -> CheckRunMade:
    """Run every active check over the bases of `scope` and store results, log and verdicts.

    `kind`: automatic, manual or invoicing (then only the checks set for the statement that is invoiced). A check that
    fails inside gives a warning that says so and stops nobody.
    """
    columns = _read(connection, scope)
    settings = {row.number: row for row in get_definitions(connection)}
    rows: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for check in checks:
        number = check.definition.number
        setting = settings.get(number)
        if setting is None or not setting.active:
            continue
        types = set(_types(setting.groups))
        if kind == INVOICING:
            types &= set(_types([group for statement in setting.statements for group in GUARDED[statement]]))
        chosen = columns.take(np.isin(columns.statement_type, sorted(types)))
        if not len(chosen):
            nothing = Text("Není žádný podklad ke kontrole.", "There is no basis to check.")
            messages.append(_message(number, Result.INFO, nothing))
            continue
        rows += _rows(number, chosen, _verdict(check, chosen), setting.output)
    made = _store(connection, scope, kind, len(columns), rows, messages, person, at)
    audit.record(
        connection, person, "check.run", f"check_run/{made.id}", {"bases": made.bases, "results": made.results}, at
    )
    return made


def _verdict(check: Check, bases: BasisColumns) -> Verdicts:
    try:
        verdicts = check.verdict(bases)
        if len(verdicts.results) != len(bases) or len(verdicts.texts) != len(bases):
            raise ValueError(f"{len(verdicts.results)} results for {len(bases)} bases")
    except Exception as error:
        # whatever goes wrong inside one check must neither stop the others nor pass for OK
        log.exception("check failed", check=check.definition.number)
        failed = Text(
            f"Kontrola {check.definition.number} se nemohla provést: {error}.",
            f"Check {check.definition.number} could not run: {error}.",
        )
        return Verdicts(np.full(len(bases), Result.WARNING, dtype=np.int8), [failed] * len(bases))
    return verdicts


def _read(connection: Connection, scope: Scope) -> BasisColumns:
    rows = connection.execute(
        BASES,
        {
            "run": scope.run,
            "bases": None if scope.bases is None else list(scope.bases),
            "types": _types(scope.groups),
        },
    ).all()
    return BasisColumns(
        id=np.array([row.id for row in rows], dtype=np.int64),
        supply_point=np.array([row.supply_point for row in rows], dtype=np.int64),
        rate=np.array([row.rate for row in rows], dtype=np.int32),
        statement_type=np.array([row.statement_type for row in rows], dtype=np.int16),
        quantity=np.array([row.quantity for row in rows], dtype=np.object_),
        unit=[row.unit for row in rows],
        unit_price=np.array([row.unit_price for row in rows], dtype=np.object_),
        price_unit=[row.price_unit for row in rows],
    )


def _types(groups: Sequence[str]) -> list[int]:
    return sorted({statement for group in groups for statement in GROUPS[group]})


def _rows(number: int, bases: BasisColumns, verdicts: Verdicts, output: str) -> list[dict[str, Any]]:
    return [
        {
            "check_number": number,
            "basis": int(bases.id[place]),
            "result": int(verdicts.results[place]),
            "text_cs": verdicts.texts[place].cs,
            "text_en": verdicts.texts[place].en,
            "logged": output == "all" or verdicts.result(place) >= Result.ERROR,
        }
        for place in range(len(bases))
        if verdicts.result(place) is not Result.NONE
    ]


def _message(number: int, result: Result, message: Text) -> dict[str, Any]:
    return {"check_number": number, "result": int(result), "text_cs": message.cs, "text_en": message.en}


def _store(
    connection: Connection,
    scope: Scope,
    kind: str,
    bases: int,
    rows: list[dict[str, Any]],
    messages: list[dict[str, Any]],
    person: Person | str,
    at: datetime,
) -> CheckRunMade:
    counted = np.bincount([row["result"] for row in rows], minlength=len(Result)) if rows else [0] * len(Result)
    results = {result.key: int(counted[result]) for result in Result if result is not Result.NONE}
    run = connection.execute(
        insert(check_run)
        .values(
            kind=kind,
            scope={
                "run": scope.run,
                "bases": None if scope.bases is None else len(scope.bases),
                "groups": [*scope.groups],
            },
            made_at=at,
            made_by=person.name if isinstance(person, Person) else person,
            bases=bases,
            results=results,
        )
        .returning(check_run.c.id)
    ).scalar_one()
    if rows:
        connection.execute(insert(check_result), [{"run": run, **row} for row in rows])
        connection.execute(VERDICTS, {"run": run})
    if messages:
        connection.execute(insert(check_message), [{"run": run, **message} for message in messages])
    return CheckRunMade(id=run, bases=bases, results=results)
