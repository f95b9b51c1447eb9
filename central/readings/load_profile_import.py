"""Import series of load-profile classes: from rows of an interface, a CSV file or a workbook, all or nothing."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, text

from central.platform import audit
from central.platform.errors import BadInput
from central.platform.identity import Person
from central.platform.rows_of_files import cell_text, workbook_rows
from central.readings.estimation.pending import try_all_again
from central.readings.load_profile_tables import load_profile_class_value, load_profile_import
from central.readings.load_profiles import lengths_of
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

LARGEST_CSV = 20_000_000
"""Characters of a file: a year of quarter-hours of twenty classes has about eight million."""
LEAST_WEIGHT, MOST_WEIGHT = 1e-12, 1e9
"""A quarter-hour of a year that sums to 1 weighs about 3e-5, one of a consumption in Wh some millions."""
_WEIGHT = f"0, or {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}"
_SHOWN = 20
_ALONE = text("LOCK TABLE load_profile_import IN SHARE ROW EXCLUSIVE MODE")
# The next import after one that has a day of it: what it no longer counts for.
_NEWER = text("""
    SELECT min(newer.import_id) FROM load_profile_class_value mine
    JOIN load_profile_class_value newer ON (newer.commodity, newer.class, newer.kind, newer.zone, newer.day)
                                         = (mine.commodity, mine.class, mine.kind, mine.zone, mine.day)
    WHERE mine.import_id = :id AND newer.import_id > :id
""")


@dataclass(frozen=True, slots=True)
class ClassDay:
    """One class on one metering day, its values in order."""

    name: str
    day: date
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Head:
    """What the series of one import have in common."""

    commodity: Commodity
    kind: str
    zone: str
    source: str
    mark: str


def read_csv(content: str) -> list[ClassDay]:
    """A table with the columns day, place in the day (from 1), and one for each class, named in the first line.

    Separator `;` or `,`; with `;` decimals may have a comma. How many lines a day has says whether they are hours or
    quarter-hours. BadInput lists the bad lines by number; then nothing is taken.
    """
    if len(content) > LARGEST_CSV:
        raise BadInput(
            "load_profile_csv", f"The file has {len(content)} characters; at most {LARGEST_CSV} are read. Split it."
        )
    separator = ";" if ";" in content.partition("\n")[0] else ","
    lines = csv.reader(io.StringIO(content.removeprefix("\ufeff")), delimiter=separator)
    try:
        rows = list(lines)
    except csv.Error as error:
        raise BadInput("load_profile_csv", f"The file is not CSV: {error} in line {lines.line_num}.") from None
    return _class_days(rows, separator)


def read_workbook(content: bytes, sheet: str | None = None) -> list[ClassDay]:
    """The same table from a sheet of an XLSX workbook, by default its first one. BadInput lists the bad rows."""
    rows = [list(row) for _, row in workbook_rows(content, sheet, _cell)]
    width = max((place for place, cell in enumerate(rows[0], start=1) if cell.strip()), default=0) if rows else 0
    # A sheet is as wide as its widest row: empty cells beyond the named columns are none, missing ones are empty.
    fitted = [row[:width] + [cell for cell in row[width:] if cell.strip()] + [""] * (width - len(row)) for row in rows]
    return _class_days(fitted, ",")


def _cell(cell: object) -> str:
    """A weight may be far below what a register counts: all digits that a spreadsheet has."""
    return f"{cell:.15g}" if isinstance(cell, float) else cell_text(cell, ".")


def _class_days(rows: Sequence[Sequence[str]], separator: str) -> list[ClassDay]:
    head = [cell.strip() for cell in rows[0]] if rows else []
    names = head[2:]
    if not names or len(set(names)) < len(names) or "" in names:
        raise BadInput(
            "load_profile_csv",
            f"The first line is {separator.join(head)!r}; expected a day, a place in the day, and one class a column, "
            "each named once.",
        )
    table: dict[date, list[list[float]]] = {}
    errors: list[str] = []
    for number, row in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in row):
            try:
                day, place, values = _csv_line(row, len(head), separator)
                present = table.setdefault(day, [])
                if place != len(present) + 1:
                    raise ValueError(f"place {place} of {day} follows {len(present)}")
                present.append(values)
            except ValueError as error:
                errors.append(f"line {number}: {error}")
    if errors:
        more = f" and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
        raise BadInput(
            "load_profile_csv", f"Nothing is imported, {len(errors)} lines are bad: {'; '.join(errors[:_SHOWN])}{more}."
        )
    return [
        ClassDay(name, day, [values[column] for values in lines_of])
        for day, lines_of in table.items()
        for column, name in enumerate(names)
    ]


def _csv_line(row: Sequence[str], width: int, separator: str) -> tuple[date, int, list[float]]:
    if len(row) != width:
        raise ValueError(f"{len(row)} cells where {width} are expected")
    cells = [cell.strip() for cell in row]
    day = _day(cells[0])
    if not cells[1].isascii() or not cells[1].isdigit():
        raise ValueError(f"the place {cells[1]!r} is not a whole number")
    if separator == ";":
        cells = [cell.replace(",", ".") for cell in cells]
    return day, int(cells[1]), [_weight(cell) for cell in cells[2:]]


def _day(cell: str) -> date:
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(cell.removesuffix("T00:00:00"), form).date()  # noqa: DTZ007 - a date, not an instant
        except ValueError:
            continue
    raise ValueError(f"the day {cell!r} is neither 2026-01-31 nor 31.01.2026")


def _weight(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"the value {cell!r} is not a number") from None
    if not _is_weight(value):
        raise ValueError(f"the value {cell!r} is not a weight; {_WEIGHT} is expected")
    return value


def _is_weight(value: float) -> bool:
    return value == 0 or LEAST_WEIGHT <= value <= MOST_WEIGHT


def import_load_profiles(
    connection: Connection, head: Head, days: Sequence[ClassDay], person: Person, at: datetime
) -> Mapping[str, Any]:
    """Store series beside earlier ones of the same days; the newest import counts. The same content again changes
    nothing and gives the earlier import; after another one of the same days it is stored again and counts. BadInput
    names days with a wrong number of values, twice, or bad weights."""
    _check(head, days)
    ordered = sorted(days, key=lambda each: (each.name, each.day))
    connection.execute(_ALONE)
    digest = _digest(head, ordered, None)
    while (row := _find(connection, digest)) is not None:
        newer = connection.execute(_NEWER, {"id": row["id"]}).scalar()
        if newer is None:
            return {**_named(row), "repeated": True}
        digest = _digest(head, ordered, newer)
    stored = (
        connection.execute(
            insert(load_profile_import)
            .values(
                commodity=head.commodity.value,
                kind=head.kind,
                zone=head.zone,
                source=head.source,
                mark=head.mark,
                digest=digest,
                days=len(ordered),
                imported_at=at,
                imported_by=person.name,
            )
            .returning(load_profile_import)
        )
        .mappings()
        .one()
    )
    common = {
        "commodity": head.commodity.value,
        "kind": head.kind,
        "zone": head.zone,
        "import_id": stored["id"],
    }
    connection.execute(
        insert(load_profile_class_value),
        [{**common, "class": each.name, "day": each.day, "values": list(each.values)} for each in ordered],
    )
    details = {"commodity": head.commodity.value, "kind": head.kind, "source": head.source, "days": len(ordered)}
    try_all_again(connection)
    audit.record(connection, person, "load_profile.import", f"load_profile/{stored['id']}", details, at)
    return {**_named(stored), "repeated": False}


def find_imports(connection: Connection) -> list[dict[str, Any]]:
    """All imports, newest first."""
    rows = connection.execute(select(load_profile_import).order_by(load_profile_import.c.id.desc())).mappings()
    return [_named(row) for row in rows]


def _named(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in row.items() if key != "digest"}


def _check(head: Head, days: Iterable[ClassDay]) -> None:
    seen: set[tuple[str, date]] = set()
    for each in days:
        wanted = lengths_of(MeteringDay(head.commodity, each.day))
        if len(each.values) not in wanted:
            raise BadInput(
                "load_profile_length",
                f"Class {each.name} has {len(each.values)} values on {each.day}; the {head.commodity} day has "
                f"{' or '.join(str(length) for length in wanted)}. Correct the day.",
            )
        if (each.name, each.day) in seen:
            raise BadInput("load_profile_twice", f"Class {each.name} is given twice on {each.day}; give it once.")
        seen.add((each.name, each.day))
        wrong = next((value for value in each.values if not _is_weight(value)), None)
        if wrong is not None:
            raise BadInput(
                "load_profile_weight", f"Class {each.name} has the value {wrong} on {each.day}; {_WEIGHT} is expected."
            )
    if not seen:
        raise BadInput("load_profile_empty", "The import has no day; give at least one.")


def _find(connection: Connection, digest: bytes) -> RowMapping | None:
    query = select(load_profile_import).where(load_profile_import.c.digest == digest)
    return connection.execute(query).mappings().first()


def _digest(head: Head, ordered: Sequence[ClassDay], over: int | None) -> bytes:
    """Of the content, and of the import that it is to take the place of, where it is repeated after another one."""
    content = [head.commodity.value, head.kind, head.zone, head.source, head.mark]
    content += [] if over is None else [str(over)]
    rows = [(each.name, each.day.isoformat(), [float(value).hex() for value in each.values]) for each in ordered]
    return hashlib.sha256(msgspec.json.encode([content, rows])).digest()
