"""The editable form of a package: a folder with `package.json` and one CSV file for each table of values.

`package.json` is the package without checksum and signature, where every entry of `tables` names its `file` instead of
holding `rows`. A CSV file is UTF-8 with a header: the table's keys, then `value`; separated by commas, or by semicolons
and then with decimal commas, as spreadsheets write them in Czech.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from central.tariffs.load import PackageInvalidError, bare, parse_object
from central.tariffs.package import Package

HEAD = "package.json"
VALUE = "value"


def read_source(folder: Path) -> dict[str, Any]:
    """The unsealed content that a folder describes. Raises PackageInvalidError with the file and line."""
    head = folder / HEAD
    if not head.is_file():
        raise PackageInvalidError(f"There is no {HEAD} in {folder}; `rozvodna package unpack` makes a folder to start.")
    content = parse_object(head.read_bytes(), str(head))
    tables = content.get("tables", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise PackageInvalidError(f"tables in {head} must be a list of objects, each with component, keys and file.")
    content["tables"] = [_with_rows(table, folder) for table in tables]
    return bare(content)


def write_source(package: Package, folder: Path) -> None:
    """Write a package as a folder to edit; the folder must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PackageInvalidError(f"{folder} is there and not an empty folder; name a new one.")
    (folder / "tables").mkdir(parents=True)
    content = bare(package.content)
    names: set[str] = set()
    tables = []
    for table in content["tables"]:
        name = _file_name(str(table["component"]), names)
        _write_rows(folder / name, [*table["keys"], VALUE], table["rows"])
        tables.append({**{key: value for key, value in table.items() if key != "rows"}, "file": name})
    text = json.dumps({**content, "tables": tables}, indent=1, ensure_ascii=False) + "\n"
    (folder / HEAD).write_text(text, encoding="utf-8")


def spelled(content: Mapping[str, Any]) -> str:
    """The package as text: indented, with one row of values on a line, so that a change of one price is one line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+((?:\"[^\"\\]*\"(?:,\s+)?)+)\s+\]", lambda match: _one_line(match.group(1)), text) + "\n"


def _one_line(items: str) -> str:
    return "[" + re.sub(r",\s+", ", ", items.strip()) + "]"


def _with_rows(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    named = table.get("file")
    if named is None:
        return dict(table)
    component = table.get("component")
    path = (folder / str(named)).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise PackageInvalidError(f"Table {component} names the file {named}, which is not in {folder}.")
    rows = _read_rows(path, [*map(str, table.get("keys", [])), VALUE])
    return {**{key: value for key, value in table.items() if key != "file"}, "rows": rows}


def _read_rows(path: Path, header: list[str]) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PackageInvalidError(f"{path} is not UTF-8; save it as CSV UTF-8.") from None
    first = text.partition("\n")[0]
    semicolons = ";" in first
    rows = []
    lines = csv.reader(io.StringIO(text), delimiter=";" if semicolons else ",")
    for number, row in enumerate(lines, start=1):
        cells = [cell.strip() for cell in row]
        if number == 1:
            if cells != header:
                raise PackageInvalidError(f"{path} begins with {first.strip()!r}; the header {header} is expected.")
        elif any(cells):
            if len(cells) != len(header):
                raise PackageInvalidError(f"{path}, line {number}, has {len(cells)} cells; {len(header)} are expected.")
            value = cells[-1].replace("\u00a0", "").replace(" ", "")
            rows.append([*cells[:-1], value.replace(",", ".") if semicolons else value])
    return rows


def _write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _file_name(component: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9_-]", "_", component.lower()) or "table"
    name, number = f"tables/{stem}.csv", 2
    while name in taken:
        name, number = f"tables/{stem}-{number}.csv", number + 1
    taken.add(name)
    return name
