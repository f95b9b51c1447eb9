"""Tables from outside as CSV, as a sheet of a workbook, or on an HTML page: rows by the names of their columns.

The header is the first row that names all columns that are needed, wherever it stands; what stands above it is a title.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Final, Literal

import msgspec
from lxml import etree

from central.platform.errors import BadInput
from central.platform.rows_of_files import cell_text, rows_of, workbook_rows
from central.workflow.external.adapter import STORABLE, UnreadableError
from central.workflow.external.written import refuse_page, text_of

MOST_ROWS: Final = 500_000
_LONGEST_TITLE: Final = 50
"""Rows among which the header must be."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=STORABLE)]
Theirs = Annotated[str, msgspec.Meta(max_length=100, pattern=STORABLE)]
"""A name as a table writes it; empty where the whole table is of one thing."""


class TableForm(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a table lies in its file; `sheet` of a workbook (none: the first one)."""

    format: Literal["csv", "xlsx", "html"] = "csv"
    delimiter: Literal[";", ",", "\t", "|"] = ";"
    sheet: Name | None = None


class _Csv(msgspec.Struct, frozen=True):
    """The text, made UTF-8, as the common reader of rows wants it told."""

    delimiter: str
    format: str = "csv"
    encoding: str = "utf-8"
    decimal_sign: str = "."
    sheet: str | None = None


def read_table(octets: bytes, form: TableForm, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows below the header by the needed names (`columns`: our name to theirs), each with its place in the file.

    Rows without any needed cell are left out; UnreadableError where the header is missing or a row ends too soon.
    """
    try:
        yield from _below_header(_rows(octets, form), {ours: _plain(theirs) for ours, theirs in columns.items()})
    except BadInput as error:
        raise UnreadableError(f"The table cannot be read: {error.message}") from None


def _below_header(
    rows: Iterator[tuple[int, Sequence[str]]], columns: Mapping[str, str]
) -> Iterator[tuple[int, dict[str, str]]]:
    places: dict[str, int] | None = None
    missing: list[str] = list(columns.values())
    for number, row in rows:
        if number > MOST_ROWS:
            raise UnreadableError(f"The table has more than {MOST_ROWS} rows.")
        if places is None:
            names = [_plain(cell) for cell in row]
            found = [name for name in columns.values() if name not in names]
            missing = min(missing, found, key=len)
            if not found:
                places = {ours: names.index(theirs) for ours, theirs in columns.items()}
                twice = [name for name in columns.values() if names.count(name) > 1]
                if twice:
                    raise UnreadableError(f"The table names the column {twice[0]!r} twice.")
            elif number > _LONGEST_TITLE:
                break
            continue
        cells = {ours: row[place].strip() if place < len(row) else None for ours, place in places.items()}
        if not any(cells.values()):
            continue
        short = next((ours for ours, cell in cells.items() if cell is None), None)
        if short is not None:
            raise UnreadableError(f"Row {number} of the table ends before the column {columns[short]!r}.")
        yield number, {ours: cell or "" for ours, cell in cells.items()}
    if places is None:
        raise UnreadableError(f"The table has no header with the columns {', '.join(missing)}.")


def _rows(octets: bytes, form: TableForm) -> Iterator[tuple[int, Sequence[str]]]:
    if form.format == "xlsx":
        if not octets.startswith(b"PK"):
            refuse_page(octets[:200].decode("utf-8", "replace"))
        return workbook_rows(octets, form.sheet, partial(cell_text, decimal_sign="."))
    text = text_of(octets)
    if form.format == "html":
        return _html_rows(text)
    refuse_page(text)
    return rows_of(text.encode(), _Csv(form.delimiter))


def _html_rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows of all tables of a page, one after the other; entities and the network are off."""
    parser = etree.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, encoding="utf-8")
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableError(f"The page cannot be read: {error}.") from None
    rows = [] if root is None else root.findall(".//tr")
    for number, row in enumerate(rows, start=1):
        yield number, ["".join(each.itertext()).strip() for each in row if each.tag in ("td", "th")]


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
