"""Routes of exports: profiles and states as CSV, XLSX and Parquet."""

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, StreamingResponse
from sqlalchemy import Engine
from starlette.background import BackgroundTask

from central.platform.identity import Person, require
from central.platform.web import Db
from central.readings.transfer.export_act import dress_of, snapshot, tables_of
from central.readings.transfer.export_files import MEDIA, XLSX_ROWS, FileFormat, csv_pieces, write_file
from central.readings.transfer.exports import (
    ChannelFacts,
    Dress,
    Wanted,
    check_rows,
    empty_table,
    find_exported,
    most_rows,
)
from shared.quantities import Commodity

router = APIRouter(prefix="/exports")

Reader = Annotated[Person, Depends(require("read"))]
First = Annotated[date, Query(alias="from", description="first metering day")]
End = Annotated[date, Query(alias="to", description="the day after the last one")]
Channels = Annotated[list[int] | None, Query(description="channels; default all", max_length=5_000)]
Format = Annotated[FileFormat, Query(alias="format")]
Style = Annotated[Literal["iso", "cs"], Query(description="iso: ISO 8601, base unit; cs: Czech, kWh. Not of Parquet")]
MOST_ROWS: Final = 50_000_000
"""Of one request; the command line has no limit."""
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA.values()}}
}


@router.get("/profiles", summary="Profiles as a file", responses=_ANSWER, response_class=StreamingResponse)
def export_profiles(
    request: Request,
    connection: Db,
    _: Reader,
    first: First,
    end: End,
    channel: Channels = None,
    commodity: Commodity | None = None,
    file_format: Format = "csv",
    style: Style = "iso",
    versions: Literal["newest", "all"] = "newest",
) -> Any:
    """A row a value with quality and version. Days without a version yet are left out; a missing value is empty."""
    wanted = Wanted(first, end, channel, commodity, versions == "all")
    channels = find_exported(connection, wanted, "interval")
    _check(most_rows(channels, wanted), file_format)
    return _answer(request, channels, wanted, "interval", file_format, style)


@router.get("/states", summary="Register states as a file", responses=_ANSWER, response_class=StreamingResponse)
def export_states(
    request: Request,
    connection: Db,
    _: Reader,
    first: First,
    end: End,
    channel: Channels = None,
    commodity: Commodity | None = None,
    file_format: Format = "csv",
    style: Style = "iso",
) -> Any:
    """A row a state, delivered or entered, with its meter. What was revoked is left out."""
    wanted = Wanted(first, end, channel, commodity)
    channels = find_exported(connection, wanted, "state")
    return _answer(request, channels, wanted, "state", file_format, style)


def _check(rows: int, file_format: FileFormat) -> None:
    if file_format == "xlsx":
        check_rows(rows, XLSX_ROWS, "a sheet")
    check_rows(rows, MOST_ROWS, "one request")


def _answer(
    request: Request,
    channels: list[ChannelFacts],
    wanted: Wanted,
    kind: Literal["interval", "state"],
    file_format: FileFormat,
    style: Literal["iso", "cs"],
) -> Any:
    """CSV goes out while it is made; the other formats need a file first, for they are written back and forth."""
    engine: Engine = request.app.state.engine
    dress, cells = dress_of(file_format, style), file_format == "xlsx"
    name = f"{'profiles' if kind == 'interval' else 'states'}-{wanted.first}-{wanted.end}.{file_format}"
    empty = empty_table(kind, dress, cells)
    if file_format == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        pieces = _pieces(engine, channels, wanted, kind, dress)
        return StreamingResponse(pieces, media_type=MEDIA["csv"], headers=headers)
    with tempfile.NamedTemporaryFile(prefix="rozvodna-export-", delete=False) as made:
        path = Path(made.name)
    try:
        with snapshot(engine) as connection:
            tables = tables_of(connection, channels, wanted, kind, dress, cells)
            write_file(path, empty, tables, file_format, dress)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    remove = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type=MEDIA[file_format], filename=name, background=remove)


def _pieces(
    engine: Engine,
    channels: list[ChannelFacts],
    wanted: Wanted,
    kind: Literal["interval", "state"],
    dress: Dress,
) -> Iterator[bytes]:
    with snapshot(engine) as connection:
        yield from csv_pieces(
            empty_table(kind, dress), tables_of(connection, channels, wanted, kind, dress, False), dress
        )
