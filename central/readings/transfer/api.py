"""Routes of imports: sources, mappings, bindings, files; and the one-step import of other head-ends."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import RowMapping

from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings.transfer import files, sources
from central.readings.transfer.export_api import router as export_router
from central.readings.transfer.files import MOST_OCTETS, FileResult, too_large
from central.readings.transfer.mapping import Mapping
from central.readings.transfer.readers import shipped_mappings

router = APIRouter()
router.include_router(export_router)

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Importer = Annotated[Person, Depends(require("import", "operate"))]
"""Another head-end needs no more than `import`."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
OCTETS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class SourceIn(_Body):
    """A source with the first version of its mapping; `shipped` names a mapping that comes with the system."""

    code: Text
    name: Text
    mapping: Mapping | None = None
    shipped: str | None = None


class MappingIn(_Body):
    """A new version of a mapping and why."""

    mapping: Mapping
    reason: Text


class SourceOut(BaseModel):
    """A source as it stands: `waiting` files are previewed and not imported (perhaps because they are faulty)."""

    code: str
    name: str
    mapping_version: int
    format: str
    series: int
    last_success: datetime | None
    last_success_file: int | None
    last_received: datetime | None
    imported: int
    waiting: int


class MappingOut(BaseModel):
    """One version of a mapping."""

    version: int
    body: dict[str, Any]
    made_at: datetime
    made_by: str
    reason: str


class Binding(_Body):
    """Which register a series of the source's files is."""

    key: Text
    meter: Text
    register_: Annotated[Text, Field(alias="register")]


class BindingsIn(_Body):
    """Series to be bound; those that are bound and not named stay."""

    bindings: Annotated[list[Binding], Field(max_length=5_000)]


class BindingOut(Binding):
    """A series and its register."""

    evidence_channel: int
    unit: str
    exponent: int
    kind: str


class FileOut(BaseModel):
    """A file. `summary`: values (new, same as present, in conflict), series with periods, problems by line, unknown
    series with the registers that they ask for."""

    id: int
    source: str
    name: str
    sha256: str
    mapping_version: int
    state: str
    received_at: datetime
    received_by: str
    imported_at: datetime | None
    imported_by: str | None
    revoked_at: datetime | None
    revoked_by: str | None
    reason: str | None
    repeated: bool = False
    summary: dict[str, Any]


class ImportIn(_Body):
    """`good_lines`: leave out faulty lines and unknown series instead of refusing the file."""

    good_lines: bool = False


class RegistersIn(_Body):
    """The series whose proposed registers are to be made; default all that the file's preview names."""

    keys: Annotated[list[str], Field(max_length=5_000)] | None = None


class RevokeIn(_Body):
    """Why a file is taken back."""

    reason: Text


async def file_body(request: Request) -> bytes:
    """The request's body within the limit."""
    parts, size = [], 0
    stream: AsyncIterator[bytes] = request.stream()
    async for part in stream:
        size += len(part)
        if size > MOST_OCTETS:
            raise too_large()
        parts.append(part)
    return b"".join(parts)


Content = Annotated[bytes, Depends(file_body)]
FileName = Annotated[str, Query(max_length=200, description="the file's name, for people")]


@router.post("/import-sources", status_code=201, summary="Create an import source")
def create_source(body: SourceIn, connection: Db, person: Operator, clock: Now) -> SourceOut:
    """Its code is taken among the concentrators."""
    shipped = shipped_mappings()
    if (body.mapping is None) == (body.shipped is None) or (body.shipped is not None and body.shipped not in shipped):
        raise Refused(
            "mapping", f"Give either `mapping` or `shipped`, which is one of {', '.join(sorted(shipped))}.", 422
        )
    mapping = body.mapping if body.mapping is not None else shipped[str(body.shipped)]
    return SourceOut(**sources.create_source(connection, body.code, body.name, mapping, person, clock.now()))


@router.get("/import-sources", summary="Import sources and their last success")
def find_sources(connection: Db, _: Reader) -> list[SourceOut]:
    """All of them by code."""
    return [SourceOut(**row) for row in sources.find_sources(connection)]


@router.get("/import-sources/{code}", summary="An import source")
def get_source(code: str, connection: Db, _: Reader) -> SourceOut:
    """With its last success."""
    return SourceOut(**sources.require_source(connection, code))


@router.get("/import-mappings", summary="Mappings that come with the system")
def find_shipped(_: Reader) -> dict[str, dict[str, Any]]:
    """By name."""
    return {name: mapping.model_dump(mode="json") for name, mapping in shipped_mappings().items()}


@router.post("/import-sources/{code}/mappings", status_code=201, summary="Revise how a source's files are read")
def revise_mapping(code: str, body: MappingIn, connection: Db, person: Operator, clock: Now) -> SourceOut:
    """A new version; earlier ones stay."""
    return SourceOut(**sources.revise_mapping(connection, code, body.mapping, body.reason, person, clock.now()))


@router.get("/import-sources/{code}/mappings", summary="Versions of a source's mapping")
def find_mappings(code: str, connection: Db, _: Reader) -> list[MappingOut]:
    """Oldest first."""
    return [MappingOut(**row) for row in sources.find_mappings(connection, code)]


@router.put("/import-sources/{code}/bindings", summary="Bind series to registers")
def set_bindings(code: str, body: BindingsIn, connection: Db, person: Operator, clock: Now) -> list[BindingOut]:
    """A register of a real meter, or one of the source's own."""
    wanted = {each.key: (each.meter, each.register_) for each in body.bindings}
    sources.bind(connection, code, wanted, person, clock.now())
    return _bindings(connection, code)


@router.get("/import-sources/{code}/bindings", summary="Series of a source and their registers")
def find_bindings(code: str, connection: Db, _: Reader) -> list[BindingOut]:
    """By key."""
    sources.require_source(connection, code)
    return _bindings(connection, code)


@router.delete("/import-sources/{code}/bindings", status_code=204, summary="Let a series be unknown again")
def remove_binding(code: str, key: Text, connection: Db, person: Operator, clock: Now) -> None:
    """What was imported stays."""
    sources.unbind(connection, code, key, person, clock.now())


@router.post(
    "/import-sources/{code}/files", status_code=201, summary="Preview a file of readings", openapi_extra=OCTETS
)
def preview_file(
    content: Content, code: str, connection: Db, person: Operator, clock: Now, name: FileName = "file"
) -> FileOut:
    """What it would bring; nothing is imported. `repeated`: the same octets are imported already."""
    return _out(files.preview_file(connection, code, name, content, person, clock.now()))


@router.get("/import-files", summary="Files of readings")
def find_files(
    connection: Db,
    _: Reader,
    source: str | None = None,
    state: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[FileOut]:
    """Newest first, without series, problems and unknown series."""
    left_out = ("series", "problems", "unknown")
    found = []
    for row in files.find_files(connection, source=source, state=state, limit=limit):
        summary = {name: value for name, value in row["summary"].items() if name not in left_out}
        found.append(_row_out({**row, "summary": summary}))
    return found


@router.get("/import-files/{identifier}", summary="A file of readings")
def get_file(identifier: int, connection: Db, _: Reader) -> FileOut:
    """With its preview."""
    return _row_out(files.require_file(connection, identifier))


@router.get("/import-files/{identifier}/content", summary="The octets of a file as they came")
def get_content(identifier: int, connection: Db, _: Reader) -> Response:
    """Evidence is kept as it was received."""
    file = files.require_file(connection, identifier)
    content = files.content_of(connection, bytes(file["sha256"]))
    return Response(content, media_type="application/octet-stream")


@router.post("/import-files/{identifier}/registers", summary="Make the registers that a file's unknown series ask for")
def create_registers(
    identifier: int, body: RegistersIn, connection: Db, person: Operator, clock: Now
) -> list[BindingOut]:
    """Meters and registers of the source's own, bound to the series; mapped to channels by `/v1/mappings`."""
    file = files.require_file(connection, identifier)
    proposals = files.propose_registers(connection, file)
    wanted = [each for each in proposals if body.keys is None or each["key"] in body.keys]
    sources.create_registers(connection, file["source"], wanted, person, clock.now())
    return _bindings(connection, file["source"])


@router.post("/import-files/{identifier}/import", summary="Import a previewed file", response_model=FileOut)
def import_file(identifier: int, body: ImportIn, connection: Db, person: Operator, clock: Now) -> Any:
    """With the present mapping and registers. One fault: nothing is imported (422), unless good lines are asked for."""
    return _answer(files.import_previewed(connection, identifier, body.good_lines, person, clock.now()), 200)


@router.post("/import-files/{identifier}/revoke", summary="Take an imported file back")
def revoke_file(identifier: int, body: RevokeIn, connection: Db, person: Operator, clock: Now) -> FileOut:
    """Its evidence stays and counts for nothing; days get new versions."""
    return _row_out(files.revoke_file(connection, identifier, body.reason, person, clock.now()))


@router.post(
    "/imports/{source}",
    status_code=201,
    summary="Import a file in one step (other head-ends)",
    openapi_extra=OCTETS,
    response_model=FileOut,
)
def import_content(
    content: Content,
    source: str,
    connection: Db,
    person: Importer,
    clock: Now,
    name: FileName = "file",
    idempotency_key: Annotated[Text | None, Header()] = None,
) -> Any:
    """Repeat-safe: the same octets are answered with the same file (201 the first time, 200 later)."""
    result = files.import_content_of(connection, source, name, content, person, clock.now(), key=idempotency_key)
    return _answer(result, 201)


def _answer(result: FileResult, done: int) -> JSONResponse:
    """The file; of a faulty one its faults, under 422: it is recorded all the same, so this is no exception."""
    shown = _out(result).model_dump(mode="json")
    if result.result == "faulty":
        code = result.file["summary"].get("refusal", {}).get("code", "faulty_file")
        message = f"Nothing of {result.file['name']} was imported. {result.fault}"
        return JSONResponse({"code": code, "message": message, "file": shown}, 422)
    return JSONResponse(shown, 200 if result.result == "repeated" else done)


def _out(result: FileResult) -> FileOut:
    return _row_out(result.file, result.result == "repeated")


def _row_out(row: RowMapping | dict[str, Any], repeated: bool = False) -> FileOut:
    return FileOut(**{**row, "sha256": bytes(row["sha256"]).hex(), "repeated": repeated})


def _bindings(connection: Db, code: str) -> list[BindingOut]:
    return [
        BindingOut(
            key=key,
            meter=each.meter,
            register_=each.name,
            evidence_channel=each.id,
            unit=each.unit,
            exponent=each.exponent,
            kind=each.kind.value,
        )
        for key, each in sources.bound_registers(connection, code).items()
    ]
