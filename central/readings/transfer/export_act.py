"""An export from the database to a file, for the command line and the routes."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from central.readings.transfer.export_files import XLSX_ROWS, FileFormat, write_file
from central.readings.transfer.exports import (
    ChannelFacts,
    Dress,
    Wanted,
    check_rows,
    empty_table,
    find_exported,
    most_rows,
    profile_tables,
    state_tables,
)


def export(
    engine: Engine,
    what: Literal["profiles", "states"],
    path: Path,
    *,
    first: date,
    end: date,
    channels: Sequence[int] | None = None,
    file_format: FileFormat = "csv",
    style: Literal["iso", "cs"] = "iso",
    all_versions: bool = False,
) -> int:
    """Write the file; returns the number of rows. All of it shows one state of the database."""
    kind: Literal["interval", "state"] = "interval" if what == "profiles" else "state"
    wanted = Wanted(first, end, channels, None, all_versions)
    dress, cells = dress_of(file_format, style), file_format == "xlsx"
    rows = 0

    def counted(tables: Iterator[Any]) -> Iterator[Any]:
        nonlocal rows
        for table in tables:
            rows += table.num_rows
            yield table

    with snapshot(engine) as connection:
        found = find_exported(connection, wanted, kind)
        if file_format == "xlsx":
            check_rows(most_rows(found, wanted), XLSX_ROWS, "a sheet")
        tables = counted(tables_of(connection, found, wanted, kind, dress, cells))
        write_file(path, empty_table(kind, dress, cells), tables, file_format, dress)
    return rows


def tables_of(
    connection: Connection,
    channels: list[ChannelFacts],
    wanted: Wanted,
    kind: Literal["interval", "state"],
    dress: Dress,
    cells: bool,
) -> Iterator[Any]:
    """The tables of an export of either kind."""
    make = profile_tables if kind == "interval" else state_tables
    return make(connection, channels, wanted, dress, cells)


def dress_of(file_format: FileFormat, style: Literal["iso", "cs"]) -> Dress:
    """Parquet is for programs."""
    return "plain" if file_format == "parquet" else style


def snapshot(engine: Engine) -> Connection:
    """A connection that sees one state of the database throughout."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")
