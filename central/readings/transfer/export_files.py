"""Exported tables as files: CSV piece by piece, XLSX and Parquet row group by row group, with bounded memory."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from central.readings.transfer.exports import Dress, check_rows
from shared.metering_day import PRAGUE

FileFormat = Literal["csv", "xlsx", "parquet"]
MEDIA: Final[dict[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
XLSX_ROWS: Final = 1_048_575
"""What a sheet holds below its header."""
_DELIMITERS: Final[dict[str, str]] = {"iso": ",", "cs": ";"}
_MARK: Final = b"\xef\xbb\xbf"


def csv_pieces(empty: Any, tables: Iterable[Any], dress: Dress) -> Iterator[bytes]:
    """A CSV file in pieces; Czech ones begin with the mark by which spreadsheets know UTF-8."""
    if dress == "cs":
        yield _MARK
    yield _csv(empty, dress, header=True)
    for table in tables:
        yield _csv(table, dress, header=False)


def _csv(table: Any, dress: Dress, *, header: bool) -> bytes:
    target = io.BytesIO()
    options = pa.csv.WriteOptions(include_header=header, delimiter=_DELIMITERS.get(dress, ","), quoting_style="needed")
    pa.csv.write_csv(table, target, options)
    return target.getvalue()


def write_file(path: Path, empty: Any, tables: Iterable[Any], file_format: FileFormat, dress: Dress) -> None:
    """Write the whole file; `empty` gives the columns."""
    if file_format == "csv":
        with path.open("wb") as target:
            target.writelines(csv_pieces(empty, tables, dress))
    elif file_format == "parquet":
        with pa.parquet.ParquetWriter(path, empty.schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
    else:
        _write_xlsx(path, empty, tables)


def _write_xlsx(path: Path, empty: Any, tables: Iterable[Any]) -> None:
    from openpyxl import Workbook  # half a second that only workbooks need

    book = Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.append(empty.schema.names)
    rows = 0
    for table in tables:
        rows += table.num_rows
        check_rows(rows, XLSX_ROWS, "a sheet")
        columns = [_cells(column) for column in table.columns]
        for row in zip(*columns, strict=True):
            sheet.append(row)
    book.save(path)


def _cells(column: Any) -> list[Any]:
    """Instants in local time without an offset (cells have none), everything else as it is."""
    if pa.types.is_timestamp(column.type):
        return [None if each is None else each.astimezone(PRAGUE).replace(tzinfo=None) for each in column.to_pylist()]
    return list(column.to_pylist())
