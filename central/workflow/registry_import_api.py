"""Routes of imports into the registry: mappings, check, import, what was imported, export."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import RowMapping

from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.workflow.registry_import import service
from central.workflow.registry_import.exporting import export_file
from central.workflow.registry_import.mapping import RegistryMapping
from central.workflow.registry_import.service import MOST_OCTETS, Report
from shared.metering_day import PRAGUE

router = APIRouter(tags=["registry"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00/]*$")]
FileName = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$", description="for the record")]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_MEDIA = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class MappingIn(BaseModel):
    """A mapping and why it is as it is."""

    model_config = ConfigDict(extra="forbid")

    mapping: RegistryMapping
    reason: Annotated[str, StringConstraints(min_length=3, max_length=1_000, pattern=r"^[^\x00]*$")]


class MappingOut(BaseModel):
    """A mapping as it is used; version 0 comes with the system."""

    name: str
    version: int
    mapping: RegistryMapping


class ProblemOut(BaseModel):
    """A fault of a file: line and column, what stands there, and a sentence with what was expected."""

    line: int | None
    column: str | None
    value: str | None
    message: str


class Counts(BaseModel):
    """How many things a file brings, and how many of it are there already."""

    inserted: int
    unchanged: int


class CheckOut(BaseModel):
    """What a file would do. All faults are counted; the first ones are shown."""

    rows: int
    counts: dict[str, Counts]
    problem_count: int
    problems: list[ProblemOut]


class ImportOut(BaseModel):
    """A file that was imported; `repeated`: it was before, and nothing changed."""

    id: int
    name: str
    sha256: str
    mapping: str
    mapping_version: int
    rows: int
    counts: dict[str, Counts]
    imported_at: datetime
    imported_by: str
    repeated: bool = False


async def _content(request: Request) -> bytes:
    """The body, refused as soon as it is too long."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_OCTETS:
            raise BadInput("too_large", f"The file has more than {MOST_OCTETS // 10**6} MB; send it in parts.", 413)
        pieces.append(piece)
    return b"".join(pieces)


Content = Annotated[bytes, Depends(_content)]


@router.get("/registry-mappings", summary="Mappings of files of customers, supply points and meters")
def find_mappings(connection: Db, _: Reader) -> list[MappingOut]:
    """Shipped ones first."""
    return [MappingOut(name=name, version=version, mapping=body) for name, version, body in _mappings(connection)]


def _mappings(connection: Db) -> Sequence[tuple[str, int, RegistryMapping]]:
    return service.find_mappings(connection)


@router.put("/registry-mappings/{name}", summary="Save a mapping")
def save_mapping(name: Name, body: MappingIn, connection: Db, person: Operator, clock: Now) -> MappingOut:
    """As the next version; earlier ones stay on record."""
    version = service.save_mapping(connection, name, body.mapping, body.reason, person, clock.now())
    return MappingOut(name=name, version=version, mapping=body.mapping)


@router.post(
    "/registry-imports/check", summary="Check a file of customers, supply points or meters", openapi_extra=_BODY
)
def check_file(content: Content, connection: Db, _: Operator, mapping: Name) -> CheckOut:
    """Everything is done as by the import and taken back: all faults, by line and column."""
    return _checked(service.check_file(connection, content, mapping))


@router.post(
    "/registry-imports",
    status_code=201,
    summary="Import customers, supply points or meters",
    openapi_extra=_BODY,
    response_model=ImportOut,
)
def import_file(
    content: Content, connection: Db, person: Operator, clock: Now, mapping: Name, name: FileName = "file"
) -> Any:
    """All or nothing: a faulty file changes nothing (422, with its faults). The same file again: 200, no change."""
    report = service.import_file(connection, content, name, mapping, person, clock.now())
    if report.imported is None:
        first = report.problems[0]
        where = f"line {first.line}: " if first.line else ""
        message = f"Nothing of {name} was imported. It has {report.problem_count} faults; {where}{first.message}"
        shown = _checked(report).model_dump(mode="json")
        return JSONResponse({"code": "faulty_file", "message": message, **shown}, 422)
    out = _out(report.imported, report.repeated).model_dump(mode="json")
    return JSONResponse(out, 200 if report.repeated else 201)


@router.get("/registry-imports", summary="Files that were imported into the registry")
def find_imports(connection: Db, _: Reader, limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> list[ImportOut]:
    """Newest first."""
    return [_out(row) for row in service.find_imports(connection, limit)]


@router.get("/registry-imports/{identifier}", summary="A file that was imported into the registry")
def get_import(identifier: int, connection: Db, _: Reader) -> ImportOut:
    """With what it brought."""
    return _out(service.require_import(connection, identifier))


@router.get("/registry-exports/{mapping}", summary="Customers, supply points or meters as a file")
def export(mapping: Name, connection: Db, _: Reader, clock: Now) -> Response:
    """In the form of a mapping, by which it can be imported again."""
    _version, body = service.newest_mapping(connection, mapping)
    now = clock.now()
    octets = export_file(connection, body, now, now.astimezone(PRAGUE).date())
    headers = {"Content-Disposition": f'attachment; filename="{body.content}.{body.format}"'}
    return Response(octets, media_type=_MEDIA[body.format], headers=headers)


def _checked(report: Report) -> CheckOut:
    return CheckOut(
        rows=report.rows,
        counts={name: Counts(**each) for name, each in report.counts.items()},
        problem_count=report.problem_count,
        problems=[
            ProblemOut(line=each.line, column=each.column, value=each.value, message=each.message)
            for each in report.problems
        ],
    )


def _out(row: RowMapping, repeated: bool = False) -> ImportOut:
    return ImportOut(**{**row, "sha256": bytes(row["sha256"]).hex(), "repeated": repeated})
