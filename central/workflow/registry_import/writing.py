"""Records as a file that the same mapping reads again."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from central.workflow.registry_import.fields import FIELDS, write_value
from central.workflow.registry_import.mapping import RegistryMapping

Values = Mapping[str, Any]
"""A record by field; what is not there is empty."""


def write_records(records: Iterable[Values], mapping: RegistryMapping) -> bytes:
    """The file, with a column for each that the mapping has."""
    header = [rule.column for rule in mapping.columns.values()]
    rows = _rows(records, mapping)
    if mapping.format == "xlsx":
        return _workbook(header, rows, mapping)
    target = io.StringIO()
    writer = csv.writer(target, delimiter=mapping.delimiter, lineterminator="\r\n")
    writer.writerows([[]] * (mapping.header_row - 1))
    writer.writerow(header)
    writer.writerows(rows)
    # Spreadsheets know UTF-8 by its mark.
    return target.getvalue().encode("utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding, "replace")


def _rows(records: Iterable[Values], mapping: RegistryMapping) -> Iterator[list[str]]:
    fields = []
    for name, rule in mapping.columns.items():
        back: dict[str, str] = {}
        for code, value in rule.codes.items():
            back.setdefault(value, code)
        fields.append((name, FIELDS[name], back))
    for record in records:
        texts = ((write_value(field, record.get(name), mapping.writing), back) for name, field, back in fields)
        yield [back.get(text, text) for text, back in texts]


def _workbook(header: list[str], rows: Iterator[list[str]], mapping: RegistryMapping) -> bytes:
    """All cells are texts: identifiers keep their zeros and all their digits, and nothing is taken for a formula."""
    from openpyxl import Workbook  # half a second that only workbooks need
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet(mapping.sheet or mapping.content)

    def cell(text: str) -> Any:
        made = WriteOnlyCell(sheet, text)
        made.data_type = "s"
        return made

    for _ in range(mapping.header_row - 1):
        sheet.append([])
    sheet.append([cell(name) for name in header])
    for row in rows:
        sheet.append([cell(text) if text else None for text in row])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
