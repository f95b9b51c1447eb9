"""Routes of the checks: settings, runs, results, what rows and objects show, cancelling errors."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central.checks import cancelling, compare
from central.checks import results as found
from central.checks import settings as setting
from central.checks.bases import Scope
from central.checks.customer.api import router as customer
from central.checks.customer.load import definitions
from central.checks.framework import Definition, Subject, Text
from central.checks.overviews import OBJECTS, ROWS, RUNS, VERDICTS
from central.checks.run import RECHECK, CheckRunMade, run_checks
from central.checks.standard import STANDARD
from central.checks.verdict import COLOURS, CZECH, Result
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.overview import Asked, Overview
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1/checks", tags=["checks"])
router.include_router(customer)

Reader = Annotated[Person, Depends(require("read"))]
Settler = Annotated[Person, Depends(require("settle"))]
Admin = Annotated[Person, Depends(require("admin"))]
Id = Annotated[int, Path(gt=0, lt=2**63)]
Ids = Annotated[list[Annotated[int, Field(gt=0, lt=2**63)]], Field(max_length=100_000)]
Group = Literal["regular", "accrual", "annual"]
Month = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1), description="the first day of a month")]
Shown = Literal["info", "ok", "warning", "error_cancelled", "error"]
BY_NUMBER = {check.definition.number: check.definition for check in STANDARD}


class RunOrder(BaseModel, extra="forbid"):
    """Which bases that are not invoiced to check: of a settlement run, these, of rows of the payment calendar, or of
    the rows of a month; and of which groups. Nothing given: all."""

    run: Annotated[int, Field(gt=0, lt=2**63)] | None = None
    bases: Ids | None = None
    rows: Ids | None = None
    month: Month | None = None
    groups: list[Group] = Field(default=["regular", "accrual", "annual"], min_length=1)

    def scope(self, *, cancelled: bool = False) -> Scope:
        if self.month is not None and self.month.day != 1:
            raise BadInput("month", f"A period of processing begins on the first day of a month, not on {self.month}.")
        return Scope(self.run, self.bases, self.groups, self.rows, self.month, cancelled)


class SettingsOrder(BaseModel, extra="forbid"):
    """The settings of one check."""

    active: bool
    groups: list[str]
    statements: list[str]
    output: Literal["all", "errors"]
    parameters: dict[str, Annotated[str, Field(max_length=40)]] = Field(default={})


class PreventOrder(BaseModel, extra="forbid"):
    """Zabránit fakturaci při chybě kontroly."""

    value: setting.PreventInvoicing


class CancelOrder(BaseModel, extra="forbid"):
    """The marked bases."""

    bases: Annotated[Ids, Field(min_length=1)]


@router.get("/definitions", summary="Checks with their settings and rules")
def list_definitions(connection: Db, person: Reader) -> list[dict[str, Any]]:
    """Every check with its settings, its rule and parameters (explain)."""
    known = _known(connection)
    return [
        {
            "number": row.number,
            "kind": row.kind,
            "name": {"cs": row.name_cs, "en": row.name_en},
            "group": row.check_group,
            "active": row.active,
            "groups": row.groups,
            "statements": row.statements,
            "output": row.output,
            **_explained(known.get(row.number), row.parameters),
        }
        for row in setting.get_definitions(connection)
    ]


@router.put("/definitions/{number}", status_code=204, summary="Set a check")
def revise_definition(
    number: Annotated[int, Path(gt=0, lt=2**31)], order: SettingsOrder, connection: Db, clock: Now, person: Admin
) -> None:
    """Active, groups of bases, statements, output variant, parameters."""
    settings = setting.CheckSettings(order.active, order.groups, order.statements, order.output, order.parameters)
    setting.revise_settings(connection, number, settings, person, clock.now(), _known(connection).get(number))


@router.get("/settings/prevent-invoicing", summary="What a live error does to invoicing")
def get_prevent_invoicing(connection: Db, person: Reader) -> dict[str, str]:
    """Zabránit fakturaci při chybě kontroly."""
    return {"value": setting.prevent_invoicing(connection).value}


@router.put("/settings/prevent-invoicing", status_code=204, summary="Set what a live error does to invoicing")
def put_prevent_invoicing(order: PreventOrder, connection: Db, clock: Now, person: Admin) -> None:
    """do_not, leave_out (the supply point in error), forbid (the whole invoicing)."""
    setting.set_prevent_invoicing(connection, order.value, person, clock.now())


@router.post("/runs", status_code=201, summary="Run the checks")
def make_run(order: RunOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """By hand, over bases that are not invoiced yet (ruční spuštění)."""
    return _made(run_checks(connection, order.scope(), "manual", person, clock.now()))


@router.post("/rechecks", status_code=201, summary="Look again at cancelled errors")
def recheck(order: RunOrder, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """Checks cancelled bases, too, and says what they are now; what they show stays as it is."""
    return _made(run_checks(connection, order.scope(cancelled=True), RECHECK, person, clock.now()))


@router.get("/runs", summary="Runs of the checks: filter, sort, page")
def list_runs(
    connection: Db, person: Reader, request: Request, response: Response,
    asked: Annotated[Asked, Depends(RUNS.asked())],
) -> list[dict[str, Any]]:  # fmt: skip
    """Every run is kept."""
    return _page(RUNS, connection, request, response, asked)


@router.get("/runs/{run}/log", summary="The process log of a run")
def get_log(
    run: Id, connection: Db, person: Reader, limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000
) -> list[dict[str, Any]]:
    """Procesní okno: what each check said, by its output variant."""
    return [
        {"check": check, "basis": basis, "result": result.key, "text": _text(said)}
        for check, basis, result, said in found.process_log(connection, run, limit)
    ]


@router.get("/runs/{run}/compare/{earlier}", summary="What differs from an earlier run")
def compare_with(
    run: Id, earlier: Id, connection: Db, person: Reader, limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000
) -> list[dict[str, Any]]:
    """Subjects whose result of a check differs; null: it had none in that run."""
    return [
        {
            "check": each.check,
            "about": each.about,
            "subject": each.subject,
            "before": None if each.before is None else each.before.key,
            "after": None if each.after is None else each.after.key,
        }
        for each in compare.compare_runs(connection, earlier, run, limit)
    ]


@router.get("/results", summary="Results of a run")
def list_results(
    connection: Db,
    person: Reader,
    run: Annotated[int, Query(gt=0, lt=2**63)] | None = None,
    result: Shown | None = None,
    check: Annotated[int, Query(gt=0, lt=2**31)] | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> list[dict[str, Any]]:
    """Of a run (without one: the newest), with the numbers that were compared, links to what they were compared with,
    and what the basis shows now."""
    kind = None if result is None else Result[result.upper()]
    told = found.find_results(connection, found.newest_run(connection, run), kind, check, offset, limit)
    bases = found.about_bases(connection, [each.finding.subject for each in told if each.about is Subject.BASIS])
    eans = _eans(connection, told)
    return [
        {**_told(each), **_basis(bases.get(each.finding.subject), each), **eans.get(place, {})}
        for place, each in enumerate(told)
    ]


@router.get("/periods/{month}/points", summary="What supply points were told over a processing period")
def list_points(
    month: Annotated[date, Path(description="the first day of a month")],
    connection: Db,
    person: Reader,
    result: Shown | None = None,
    check: Annotated[int, Query(gt=0, lt=2**31)] | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> list[dict[str, Any]]:
    """By the newest run over the month, whether there are bases or rows of the payment calendar or not."""
    kind = None if result is None else Result[result.upper()]
    run = found.run_of_month(connection, month)
    told = found.find_results(connection, run, kind, check, offset, limit, Subject.SUPPLY_POINT)
    eans = _eans(connection, told)
    return [{**_told(each), **eans[place]} for place, each in enumerate(told)]


@router.get("/points/{point}", summary="Everything that a supply point was told")
def show_point(point: Id, connection: Db, person: Reader) -> list[dict[str, Any]]:
    """The newest of every check that looks at points, the worst first."""
    told = found.newest_findings(connection, Subject.SUPPLY_POINT, [point]).get(point, [])
    eans = _eans(connection, told)
    return [{**_told(each), **eans[place]} for place, each in enumerate(told)]


@router.get("/bases", summary="What bases show: filter, sort, page")
def list_verdicts(
    connection: Db, person: Reader, request: Request, response: Response,
    asked: Annotated[Asked, Depends(VERDICTS.asked())],
) -> list[dict[str, Any]]:  # fmt: skip
    """Výsledek kontroly and Text výsledku kontroly of every checked basis, with its colour."""
    rows = _page(VERDICTS, connection, request, response, asked)
    texts = found.worst_texts(connection, [row["basis"] for row in rows])
    return [{**row, "text": _text(texts[row["basis"]]) if row["basis"] in texts else None} for row in rows]


@router.get("/bases/{basis}", summary="Everything that a basis was told")
def show_basis(basis: Id, connection: Db, person: Reader) -> list[dict[str, Any]]:
    """The newest result of every check that ran on it, the worst first."""
    return [_told(each) for each in found.newest_findings(connection, Subject.BASIS, [basis]).get(basis, [])]


@router.get("/rows", summary="What rows of the payment calendar show: filter, sort, page")
def list_rows(
    connection: Db, person: Reader, request: Request, response: Response,
    asked: Annotated[Asked, Depends(ROWS.asked())],
) -> list[dict[str, Any]]:  # fmt: skip
    """Three columns: the worst over regular, accrual and annual bases."""
    return _page(ROWS, connection, request, response, asked)


@router.get("/rows/{row}", summary="What a row was told without a basis, or with its bases")
def show_row(
    row: Id,
    connection: Db,
    person: Reader,
    with_bases: Annotated[bool, Query(alias="all", description="what its bases were told, too (vše)")] = False,
) -> list[dict[str, Any]]:
    """Bez vazby na podklad: the newest of every check."""
    told = found.newest_findings(connection, Subject.CALENDAR_ROW, [row]).get(row, [])
    if with_bases:
        bases = found.bases_of_row(connection, row)
        by_basis = found.newest_findings(connection, Subject.BASIS, bases)
        told = [*told, *(each for basis in bases for each in by_basis.get(basis, []))]
    return [_told(each) for each in told]


@router.get("/objects", summary="What objects show: filter, sort, page")
def list_objects(
    connection: Db, person: Reader, request: Request, response: Response,
    asked: Annotated[Asked, Depends(OBJECTS.asked())],
) -> list[dict[str, Any]]:  # fmt: skip
    """Výsledek kontroly běžných podkladů in the latest month that was set active for checks."""
    return _page(OBJECTS, connection, request, response, asked)


@router.post("/cancel-errors", summary="Cancel the errors of marked bases")
def cancel_marked(order: CancelOrder, connection: Db, clock: Now, person: Settler) -> dict[str, int]:
    """All or none; who and when is kept."""
    return {"cancelled": cancelling.cancel_errors(connection, order.bases, person, clock.now())}


@router.post("/rows/{row}/cancel-errors", summary="Cancel the errors of a calendar row")
def cancel_of_row(row: Id, group: Group, connection: Db, clock: Now, person: Settler) -> dict[str, int]:
    """Of its regular, accrual or annual bases, and what it shows without a basis."""
    return {"cancelled": cancelling.cancel_errors_of_row(connection, row, group, person, clock.now())}


@router.post("/rows/{row}/restore-errors", summary="Restore what a calendar row shows without a basis")
def restore_of_row(row: Id, group: Group, connection: Db, clock: Now, person: Settler) -> dict[str, int]:
    """The row is looked at again; errors of its bases are restored by the basis."""
    return {"restored": cancelling.restore_errors_of_row(connection, row, group, person, clock.now())}


@router.post("/bases/{basis}/cancel-error", status_code=204, summary="Cancel the error of a basis")
def cancel_error(basis: Id, connection: Db, clock: Now, person: Settler) -> None:
    """Zrušit chybu kontroly; who and when is kept. It is not checked again until the error is restored."""
    cancelling.cancel_errors(connection, [basis], person, clock.now())


@router.post("/bases/{basis}/restore-error", status_code=204, summary="Restore a cancelled error")
def restore_error(basis: Id, connection: Db, clock: Now, person: Settler) -> None:
    """The basis is checked again."""
    cancelling.restore_error(connection, basis, person, clock.now())


def _made(made: CheckRunMade) -> dict[str, Any]:
    parts = [{"check": number, **part} for number, part in made.parts.items()]
    return {"id": made.id, "bases": made.bases, "results": made.results, "checks": parts}


def _page(
    overview: Overview, connection: Db, request: Request, response: Response, asked: Asked
) -> list[dict[str, Any]]:
    page = overview.find(connection, asked)
    page.tell(request, response)
    return [
        {**row, **({"colour": COLOURS[Result[row["result"].upper()]]} if "result" in row else {})} for row in page.rows
    ]


def _known(connection: Connection) -> Mapping[int, Definition]:
    return {**BY_NUMBER, **definitions(connection)}


def _explained(definition: Definition | None, given: dict[str, str]) -> dict[str, Any]:
    if definition is None:
        return {"rule": None, "parameters": []}
    return {
        "rule": _text(definition.rule),
        "parameters": [
            {
                "name": each.name,
                "text": _text(each.text),
                "default": str(each.default),
                "value": given.get(each.name, str(each.default)),
                "choices": list(each.choices),
            }
            for each in definition.parameters
        ],
    }


def _told(told: found.Told) -> dict[str, Any]:
    finding = told.finding
    return {
        "run": told.run,
        "check": told.check,
        "about": told.about,
        "subject": finding.subject,
        "group": told.group,
        "result": finding.result.key,
        "result_cs": CZECH[finding.result],
        "text": _text(finding.text),
        "links": [{"name": name, "kind": kind, "id": number} for name, kind, number in finding.links],
    }


def _basis(row: Any, told: found.Told) -> dict[str, Any]:
    if told.about is not Subject.BASIS or row is None:
        return {}
    verdict = None if row.verdict is None else Result(row.verdict)
    return {
        "basis": row.id,
        "ean": row.ean,
        "rate": row.rate,
        "name": row.name,
        "verdict": None if verdict is None else verdict.key,
        "colour": None if verdict is None else COLOURS[verdict],
        "cancelled_by": row.cancelled_by,
        "cancelled_at": row.cancelled_at,
    }


def _eans(connection: Connection, told: Sequence[found.Told]) -> dict[int, dict[str, Any]]:
    """The EAN of findings about supply points, by their place."""
    about = {place: each.finding.subject for place, each in enumerate(told) if each.about is Subject.SUPPLY_POINT}
    codes = found.eans(connection, list(about.values()))
    return {place: {"ean": codes.get(point)} for place, point in about.items()}


def _text(said: Text) -> dict[str, str]:
    return {"cs": said.cs, "en": said.en}
