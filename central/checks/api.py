"""Routes of the checks: settings, runs, results, cancelling an error."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from central.checks import results as found
from central.checks import settings as setting
from central.checks.run import Scope, run_checks
from central.checks.standard import STANDARD
from central.checks.verdict import COLOURS, CZECH, Result
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1/checks", tags=["checks"])

Reader = Annotated[Person, Depends(require("read"))]
Settler = Annotated[Person, Depends(require("settle"))]
Admin = Annotated[Person, Depends(require("admin"))]


class RunOrder(BaseModel, extra="forbid"):
    """Which bases to check: of a settlement run, or these, of these groups."""

    run: int | None = None
    bases: list[int] | None = None
    groups: list[Literal["regular", "accrual", "annual"]] = Field(default=["regular", "accrual", "annual"])


class SettingsOrder(BaseModel, extra="forbid"):
    """The settings of one check."""

    active: bool
    groups: list[str]
    statements: list[str]
    output: Literal["all", "errors"]


class PreventOrder(BaseModel, extra="forbid"):
    """Zabránit fakturaci při chybě kontroly."""

    value: setting.PreventInvoicing


@router.get("/definitions")
def list_definitions(connection: Db, person: Reader) -> list[dict[str, Any]]:
    """Every check with its settings and, of the standard ones, its rule."""
    rules = {check.definition.number: check.definition.rule for check in STANDARD}
    return [
        {
            "number": row.number,
            "kind": row.kind,
            "name": {"cs": row.name_cs, "en": row.name_en},
            "group": row.check_group,
            "rule": None if row.number not in rules else {"cs": rules[row.number].cs, "en": rules[row.number].en},
            "active": row.active,
            "groups": row.groups,
            "statements": row.statements,
            "output": row.output,
        }
        for row in setting.get_definitions(connection)
    ]


@router.put("/definitions/{number}", status_code=204)
def revise_definition(number: int, order: SettingsOrder, connection: Db, clock: Now, person: Admin) -> None:
    """Set a check: active, groups of bases, statements, output variant."""
    settings = setting.CheckSettings(order.active, order.groups, order.statements, order.output)
    setting.revise_settings(connection, number, settings, person, clock.now())


@router.get("/settings/prevent-invoicing")
def get_prevent_invoicing(connection: Db, person: Reader) -> dict[str, str]:
    """What a live error does to invoicing."""
    return {"value": setting.prevent_invoicing(connection).value}


@router.put("/settings/prevent-invoicing", status_code=204)
def put_prevent_invoicing(order: PreventOrder, connection: Db, clock: Now, person: Admin) -> None:
    """Set what a live error does to invoicing: do_not, leave_out, forbid."""
    setting.set_prevent_invoicing(connection, order.value, person, clock.now())


@router.post("/runs", status_code=201)
def make_run(order: RunOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Run the active checks by hand over bases that are not invoiced yet."""
    scope = Scope(run=order.run, bases=order.bases, groups=order.groups)
    made = run_checks(connection, scope, "manual", person, clock.now())
    return {"id": made.id, "bases": made.bases, "results": made.results}


@router.get("/runs/{run}/log")
def get_log(run: int, connection: Db, person: Reader) -> list[dict[str, Any]]:
    """The process log of a run (procesní okno)."""
    return [
        {
            "check": row.check_number,
            "basis": row.basis,
            "result": Result(row.result).key,
            "text": {"cs": row.text_cs, "en": row.text_en},
        }
        for row in found.process_log(connection, run)
    ]


@router.get("/results")
def list_results(
    connection: Db,
    person: Reader,
    run: int | None = None,
    result: Literal["info", "ok", "warning", "error_cancelled", "error"] | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[dict[str, Any]]:
    """Results of a check run (without one: the newest), with the verdict that the basis shows now."""
    kind = None if result is None else Result[result.upper()]
    return [
        {
            "run": row.run,
            "check": row.check_number,
            "basis": row.basis,
            "ean": row.ean,
            "rate": row.rate,
            "name": row.name,
            "result": Result(row.result).key,
            "result_cs": CZECH[Result(row.result)],
            "text": {"cs": row.text_cs, "en": row.text_en},
            "verdict": None if row.verdict is None else Result(row.verdict).key,
            "colour": None if row.verdict is None else COLOURS[Result(row.verdict)],
            "cancelled_by": row.cancelled_by,
            "cancelled_at": row.cancelled_at,
        }
        for row in found.find_results(connection, run, kind, limit)
    ]


@router.post("/bases/{basis}/cancel-error", status_code=204)
def cancel_error(basis: int, connection: Db, clock: Now, person: Settler) -> None:
    """Cancel the error of a basis (Zrušit chybu kontroly); who and when is kept."""
    found.cancel_error(connection, basis, person, clock.now())


@router.post("/bases/{basis}/restore-error", status_code=204)
def restore_error(basis: int, connection: Db, clock: Now, person: Settler) -> None:
    """Restore a cancelled error; the basis is checked again."""
    found.restore_error(connection, basis, person, clock.now())
