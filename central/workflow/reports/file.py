"""A report as a file: CSV (Czech or plain) and XLSX, a line a cell, not known left empty and zero written.

Where a filled value is from is told by the API.
"""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import pyarrow as pa

from central.readings.transfer.export_files import csv_pieces, write_file
from central.workflow.reports.keep import Report

FileFormat = Literal["csv", "xlsx"]
Dress = Literal["cs", "iso"]
_NAMES: Final[dict[Dress, tuple[str, ...]]] = {
    "iso": ("row", "name", "column", "column_name", "unit", "value", "filled", "typed_in", "by", "why"),
    "cs": (
        "řádek", "název", "sloupec", "název sloupce", "jednotka", "hodnota", "naplněno", "ručně", "zadal", "důvod",
    ),
}  # fmt: skip
_NUMBERS: Final = (5, 6)
"""Places of value and filled value."""


def write(report: Report, file_format: FileFormat, dress: Dress) -> bytes:
    """The file's bytes; in workbooks values are numbers, in CSV texts with all their decimal places."""
    names = _NAMES[dress]
    lines = _lines(report, dress)
    if file_format == "csv":
        columns = [pa.array([_text(line[place], dress) for line in lines], pa.string()) for place in range(len(names))]
        table = pa.table(dict(zip(names, columns, strict=True)))
        return b"".join(csv_pieces(table.slice(0, 0), [table], dress))
    columns = [_cells([line[place] for line in lines], number=place in _NUMBERS) for place in range(len(names))]
    table = pa.table(dict(zip(names, columns, strict=True)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "report.xlsx"
        write_file(path, table.slice(0, 0), [table], "xlsx", dress)
        return path.read_bytes()


def file_name(report: Report, file_format: FileFormat) -> str:
    """Such as lds_consumption-2026-03-12-v1.csv, with the report's number."""
    return f"{report.row['definition']}-{report.period}-{report.number}-v{report.row['version']}.{file_format}"


def _lines(report: Report, dress: Dress) -> list[tuple[Any, ...]]:
    lines = []
    for form in report.shipped.forms():
        cell = report.cells[form.row.code, form.column.code]
        names = (form.row.name_cs, form.column.name_cs) if dress == "cs" else (form.row.name_en, form.column.name_en)
        said = cell.override
        typed = None if said is None else {"cs": "ano", "iso": "yes"}[dress]
        lines.append(
            (
                form.row.code, names[0], form.column.code, names[1], form.unit, cell.value, cell.filled, typed,
                said.by if said else None, said.why if said else None,
            )
        )  # fmt: skip
    return lines


def _text(value: Any, dress: Dress) -> str | None:
    """A CSV field; a text that a spreadsheet would take for a formula is quoted by an apostrophe."""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.replace(".", ",") if dress == "cs" else text
    return _safe(value)


def _safe(value: str | None) -> str | None:
    return f"'{value}" if value and value[0] in "=+-@\t\r" else value


def _cells(values: list[Any], *, number: bool) -> Any:
    if number:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([_safe(value) for value in values], pa.string())
