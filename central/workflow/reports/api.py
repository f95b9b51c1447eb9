"""Routes of reports: definitions, instances and their cells, files, the message's preview."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.overview import Asked, Kind, Overview
from central.platform.overview import Column as Shown
from central.platform.web import Db, Now
from central.readings.transfer.export_files import MEDIA
from central.registry.party_tables import network_area, party
from central.registry.validity import ends, starts
from central.registry.web import Event, history
from central.workflow.reports import file, keep, message
from central.workflow.reports.cells import Cell, Difference
from central.workflow.reports.definition import CellForm, Shipped, newest, require_newest
from central.workflow.reports.states import State
from central.workflow.reports.tables import report

router = APIRouter(prefix="/reports", tags=["workflow"])
"""To be included by the router of `central.workflow.api`, which begins with /v1."""

Reader = Annotated[Person, Depends(require("read"))]
Actor = Annotated[Person, Depends(require("operate", "market"))]
Number = Annotated[int, Path(gt=0, lt=2**63)]
Code = Annotated[str, Path(max_length=50, pattern=r"^[^\x00]+$")]
Text = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
Why = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Value = Annotated[Decimal, Field(max_digits=40, decimal_places=20, allow_inf_nan=False)]

REPORTS: Final = Overview(
    name="reports",
    source=report,
    joined=keep.JOINED,
    key=report.c.id,
    columns=(
        Shown("id", report.c.id, Kind.INTEGER),
        Shown("definition", report.c.definition),
        Shown("operator", party.c.code),
        Shown("area", network_area.c.code),
        Shown("first_day", starts(report.c.period), Kind.DATE),
        Shown("end_day", ends(report.c.period), Kind.DATE),
        Shown("version", report.c.version, Kind.INTEGER),
        Shown("state", report.c.state, Kind.CHOICE, tuple(str(state) for state in State)),
        Shown("made_at", report.c.made_at, Kind.INSTANT),
        Shown("made_by", report.c.made_by),
        Shown("filled_at", report.c.filled_at, Kind.INSTANT),
        Shown("closed_at", report.c.closed_at, Kind.INSTANT),
        Shown("sent_at", report.c.sent_at, Kind.INSTANT),
    ),
    default_sort=(("id", True),),
)
Wanted = Annotated[Asked, Depends(REPORTS.asked())]


class ReportIn(BaseModel, extra="forbid"):
    """A report to be made: operator and network area by code (no area: all points of the operator), month or year."""

    definition: Text
    operator: Text
    area: Text | None = None
    period: Annotated[str, Field(min_length=4, max_length=7, examples=["2026-03", "2025"])]


class WhyIn(BaseModel, extra="forbid"):
    """The reason of an act."""

    why: Why


class OverrideIn(WhyIn):
    """A value typed in: a number, or null where it is not known, which is not zero."""

    value: Value | None


class CellOut(BaseModel):
    """A cell: what the report says, what was filled and where from, what was typed in by whom and why."""

    row: str
    name: str
    column: str
    unit: str
    places: int
    required: bool
    mark: str
    value: Decimal | None
    filled: Decimal | None
    source: str
    details: dict[str, Any]
    typed_in: bool
    typed_by: str | None
    typed_at: datetime | None
    why: str | None


class ReportOut(BaseModel):
    """A report with its cells, in the order of the definition."""

    id: int
    definition: str
    definition_version: int
    definition_digest: str
    title: str
    operator: str
    area: str | None
    period: str
    version: int
    replaces: int | None
    state: str
    message: str | None
    made_at: datetime
    made_by: str
    filled_at: datetime | None
    filled_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    sent_at: datetime | None
    sent_by: str | None
    cells: list[CellOut]


class DifferenceOut(BaseModel):
    """A filled value that the fill changed; null was or is not known."""

    row: str
    column: str
    before: Decimal | None
    after: Decimal | None


class FilledOut(ReportOut):
    """A report after it was filled, with what is filled otherwise than before."""

    differences: list[DifferenceOut]


class DefinitionOut(BaseModel):
    """The newest version of a definition."""

    code: str
    version: int
    digest: str
    title_cs: str
    title_en: str
    recipient: str
    period: Literal["month", "year"]
    first_period: date
    message: str | None
    source: str
    mark: str
    assumptions: list[str]


class DefinitionDetailOut(DefinitionOut):
    """A definition with its rows and columns as shipped."""

    columns: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    settings: dict[str, Any]


@router.get("/definitions", summary="Definitions of reports")
def find_definitions(_: Reader) -> list[DefinitionOut]:
    """By code."""
    return [DefinitionOut(**_definition(each)) for each in newest()]


@router.get("/definitions/{code}", summary="A definition with rows and columns")
def get_definition(_: Reader, code: Code) -> DefinitionDetailOut:
    """404 with the codes that there are."""
    shipped = require_newest(code)
    body: dict[str, Any] = msgspec.to_builtins(shipped.definition)
    parts = {name: body[name] for name in ("columns", "rows", "settings")}
    return DefinitionDetailOut(**_definition(shipped), **parts)


@router.get("", summary="Reports")
def find_reports(db: Db, _: Reader, request: Request, response: Response, asked: Wanted) -> list[dict[str, Any]]:
    """The newest first."""
    page = REPORTS.find(db, asked)
    page.tell(request, response)
    return [dict(row) for row in page.rows]


@router.post("", status_code=201, summary="Make a report of a period that is over")
def make_report(order: ReportIn, db: Db, clock: Now, person: Actor) -> ReportOut:
    """Its cells are empty; one report of a network and period at a time."""
    made = keep.make(db, order.definition, order.operator, order.area, order.period, person, clock.now())
    return ReportOut(**_report(made))


@router.get("/{number}", summary="A report with its cells")
def get_report(db: Db, _: Reader, number: Number) -> ReportOut:
    """What was filled and what was typed in stand beside each other."""
    return ReportOut(**_report(keep.require(db, number)))


@router.post("/{number}/fill", summary="Fill a report, or fill it again")
def fill_report(db: Db, clock: Now, person: Actor, number: Number) -> FilledOut:
    """What was typed in stays; `differences` are the filled values that are others now."""
    filled, changed = keep.fill(db, number, person, clock.now())
    return FilledOut(**_report(filled), differences=[_difference(each) for each in changed])


@router.put("/{number}/cells/{row}/{column}", summary="Type in a value")
def override_cell(
    body: OverrideIn, db: Db, clock: Now, person: Actor, number: Number, row: Code, column: Code
) -> ReportOut:
    """Sums follow. Null says that the value is not known."""
    return ReportOut(**_report(keep.override(db, number, (row, column), body.value, body.why, person, clock.now())))


@router.post("/{number}/cells/{row}/{column}/cancel", summary="Cancel what was typed in")
def cancel_cell(body: WhyIn, db: Db, clock: Now, person: Actor, number: Number, row: Code, column: Code) -> ReportOut:
    """The cell says what was filled again."""
    return ReportOut(**_report(keep.cancel_override(db, number, (row, column), body.why, person, clock.now())))


@router.post("/{number}/close", summary="Close a report")
def close_report(db: Db, clock: Now, person: Actor, number: Number) -> ReportOut:
    """409 names the required cells that are empty. What a message tells is due from now on."""
    return ReportOut(**_report(keep.close(db, number, person, clock.now())))


@router.post("/{number}/reopen", status_code=201, summary="Reopen a closed report as a new version")
def reopen_report(body: WhyIn, db: Db, clock: Now, person: Actor, number: Number) -> ReportOut:
    """The new version has the same cells; the closed one stays as it is."""
    return ReportOut(**_report(keep.reopen(db, number, body.why, person, clock.now())))


@router.post("/{number}/send", summary="Say that a closed report was handed in as a file")
def send_report(body: WhyIn, db: Db, clock: Now, person: Actor, number: Number) -> ReportOut:
    """`why` says how it was handed in. What a message tells is sent by that."""
    return ReportOut(**_report(keep.send(db, number, body.why, person, clock.now())))


@router.post("/{number}/discard", summary="Discard a report that was never closed")
def discard_report(body: WhyIn, db: Db, clock: Now, person: Actor, number: Number) -> ReportOut:
    """Another one can be made in its place."""
    return ReportOut(**_report(keep.discard(db, number, body.why, person, clock.now())))


@router.get("/{number}/history", summary="What was done to a report")
def get_history(db: Db, _: Reader, number: Number) -> list[Event]:
    """Acts on it and on the versions whose place it took, the newest first: who, when, what, why."""
    return history(db, *(f"report/{each}" for each in keep.versions_of(db, number)))


@router.get("/{number}/file", summary="A report as CSV or XLSX", response_class=Response)
def get_file(
    db: Db,
    _: Reader,
    number: Number,
    file_format: Annotated[file.FileFormat, Query(alias="format")] = "csv",
    style: Annotated[file.Dress, Query(description="cs: Czech names, semicolons and decimal commas")] = "cs",
) -> Response:
    """What is not known is empty, zero is 0."""
    found = keep.require(db, number)
    headers = {"Content-Disposition": f'attachment; filename="{file.file_name(found, file_format)}"'}
    return Response(file.write(found, file_format, style), media_type=MEDIA[file_format], headers=headers)


@router.get("/{number}/message", summary="The message of a closed report", response_class=Response)
def get_message(db: Db, _: Reader, clock: Now, number: Number) -> Response:
    """As it would be written now, valid by its schema; the one that is sent stands in the outbox."""
    found = keep.require(db, number)
    code = found.shipped.definition.message
    if code is None:
        raise Refused("report_without_message", f"{found.name} is told by no message: take its file.")
    if found.row["closed_at"] is None:
        raise Refused("report_not_closed", f"{found.name} is {found.row['state']}: close it first.")
    xml = message.write(found.shipped, found.row, found.cells, code, clock.now())
    return Response(xml, media_type="application/xml")


def _definition(shipped: Shipped) -> dict[str, Any]:
    body = shipped.definition
    return {
        "code": body.code,
        "version": body.version,
        "digest": shipped.digest,
        "title_cs": body.title_cs,
        "title_en": body.title_en,
        "recipient": body.recipient,
        "period": body.period,
        "first_period": body.first_period,
        "message": body.message,
        "source": body.source.text,
        "mark": body.source.mark,
        "assumptions": body.assumptions,
    }


def _report(found: keep.Report) -> dict[str, Any]:
    row, definition = found.row, found.shipped.definition
    names = (
        "id", "definition", "definition_version", "definition_digest", "version", "replaces", "state", "made_at",
        "made_by", "filled_at", "filled_by", "closed_at", "closed_by", "sent_at", "sent_by",
    )  # fmt: skip
    return {
        **{name: row[name] for name in names},
        "title": definition.title_cs,
        "operator": row["operator_code"],
        "area": row["area_code"],
        "period": found.period,
        "message": definition.message,
        "cells": [_cell(form, found.cells[form.row.code, form.column.code]) for form in found.shipped.forms()],
    }


def _cell(form: CellForm, cell: Cell) -> CellOut:
    said = cell.override
    return CellOut(
        row=form.row.code,
        name=form.row.name_cs,
        column=form.column.code,
        unit=form.unit,
        places=form.places,
        required=form.row.required,
        mark=form.row.mark,
        value=cell.value,
        filled=cell.filled,
        source=cell.text,
        details=dict(cell.details),
        typed_in=said is not None,
        typed_by=said.by if said else None,
        typed_at=said.at if said else None,
        why=said.why if said else None,
    )


def _difference(each: Difference) -> DifferenceOut:
    return DifferenceOut(row=each.row, column=each.column, before=each.before, after=each.after)
