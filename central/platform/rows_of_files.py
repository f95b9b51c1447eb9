"""Rows of CSV files and of sheets of workbooks as texts, in bounded pieces.

A workbook is a zip of XML: what it would unpack to is measured before anything reads it, declarations that could define
entities are refused, and a sheet is read row by row.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, Protocol

from central.platform.errors import BadInput

MOST_UNPACKED: Final = 400_000_000
"""Octets that the parts of a workbook may have together."""
MOST_PARTS: Final = 2_000
MOST_COLUMNS: Final = 5_000
_PIECE: Final = 1 << 20
_HALF_SECOND: Final = timedelta(milliseconds=500)


class TableForm(Protocol):
    """How a table lies in its file."""

    @property
    def format(self) -> str:
        """`csv` or `xlsx`."""

    @property
    def encoding(self) -> str:
        """Of a CSV file."""

    @property
    def delimiter(self) -> str:
        """Of a CSV file."""

    @property
    def decimal_sign(self) -> str:
        """What numbers of cells are written with as texts."""

    @property
    def sheet(self) -> str | None:
        """Of a workbook; None: the first."""


Row = tuple[int, Sequence[str]]
"""The line (of a sheet: the row) on which a row begins, and its fields. A plain tuple: there may be millions."""


def rows_of(content: bytes, mapping: TableForm) -> Iterator[Row]:
    """All rows of the file, the header too; BadInput where it is not such a file."""
    if mapping.format == "csv":
        return _csv_rows(content, mapping)
    return workbook_rows(content, mapping.sheet, partial(cell_text, decimal_sign=mapping.decimal_sign))


def _csv_rows(content: bytes, mapping: TableForm) -> Iterator[Row]:
    encoding = "utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            "encoding",
            f"Line {line}: the octet 0x{content[error.start]:02x} is not {mapping.encoding}; "
            "send the file in the encoding of the mapping, or correct the mapping.",
        ) from None
    if "\0" in text:
        raise BadInput("csv", "The file has octets 0, which no text has; is it another kind of file or encoding?")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInput("csv", f"Line {line}: the row cannot be told apart into fields: {error}.") from None
        if len(fields) > MOST_COLUMNS:
            raise BadInput("columns", f"Line {line} has {len(fields)} columns; at most {MOST_COLUMNS} are taken.")
        yield line, fields


def workbook_rows(content: bytes, sheet: str | None, shown: Callable[[object], str]) -> Iterator[Row]:
    """The rows of a sheet (None: the first one with cells) of an XLSX workbook, each cell as `shown` writes it.

    BadInput where it is no workbook, unpacks to too much, or has no such sheet.
    """
    from openpyxl import load_workbook  # half a second that only workbooks need

    _check_workbook(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # openpyxl raises whatever its parts do
        raise BadInput("xlsx", f"The file is not a workbook that can be read: {error}.") from None
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise BadInput("sheet", f"The workbook has no sheet {sheet!r}; it has {', '.join(book.sheetnames[:20])}.")
        sheets = [each for each in book.worksheets if sheet in (None, each.title)]
        if not sheets:
            raise BadInput("sheet", "The workbook has no sheet with cells.")
        yield from _sheet_rows(sheets[0], shown)
    finally:
        book.close()


def _sheet_rows(sheet: Any, shown: Callable[[object], str]) -> Iterator[Row]:
    sheet.reset_dimensions()  # what the file says of its size is not to be believed
    rows = sheet.iter_rows(values_only=True)
    line = 0
    while True:
        line += 1
        try:
            cells = next(rows, None)
        except BadInput:
            raise
        except Exception as error:  # as above; the sheet is parsed on the way
            raise BadInput("xlsx", f"Row {line} of the sheet cannot be read: {error}.") from None
        if cells is None:
            return
        if len(cells) > MOST_COLUMNS:
            raise BadInput("columns", f"Row {line} has {len(cells)} columns; at most {MOST_COLUMNS} are taken.")
        yield line, [shown(cell) for cell in cells]


def cell_text(cell: object, decimal_sign: str) -> str:
    """A cell as text: numbers as the spreadsheet shows them (15 digits), stamps in ISO form."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell)
        case float():
            plain = abs(cell) < 1e15 and (cell == 0 or abs(cell) >= 1e-4)
            return (f"{cell:.15g}" if plain else f"{cell:.9f}").replace(".", decimal_sign)
        case datetime():
            # Days as floating numbers: 00:15 may come as 00:14:59.999997.
            return (cell + _HALF_SECOND).replace(microsecond=0).isoformat()
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def _check_workbook(content: bytes) -> None:
    """Refuse what unpacks to too much and what declares entities."""
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            listed = parts.infolist()
            if len(listed) > MOST_PARTS:
                raise BadInput("xlsx_size", f"The workbook has {len(listed)} parts; at most {MOST_PARTS} are taken.")
            if sum(part.file_size for part in listed) > MOST_UNPACKED:
                raise _too_large()
            for part in listed:
                with parts.open(part) as opened:
                    total = _check_part(part.filename, opened, total)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        zlib.error,
    ) as e:
        raise BadInput("xlsx", f"The file is not a workbook (XLSX): {e}.") from None


def _check_part(name: str, opened: Any, total: int) -> int:
    tail = b""
    first = True
    while piece := opened.read(_PIECE):
        total += len(piece)
        if total > MOST_UNPACKED:
            raise _too_large()
        if name.endswith((".xml", ".rels")):
            if first and b"\0" in piece[:200]:
                raise BadInput("xlsx", f"The part {name} of the workbook is not in UTF-8; save it again.")
            if b"<!DOCTYPE" in tail + piece or b"<!ENTITY" in tail + piece:
                raise BadInput("xlsx", f"The part {name} of the workbook declares a document type; save it again.")
            tail = piece[-16:]
        first = False
    return total


def _too_large() -> BadInput:
    return BadInput(
        "xlsx_size", f"The workbook unpacks to more than {MOST_UNPACKED // 1_000_000} MB; send it in parts."
    )
