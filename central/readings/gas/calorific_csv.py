"""Calorific values from a CSV file: every line is looked at, and one bad line means that nothing is taken.

Columns by name: `area`, `day` (2026-03-28, 28.3.2026, or a month 2026-03 for its mean), `value` in kWh/m3. The
delimiter is a semicolon or a comma; with a semicolon the decimal sign may be a comma.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from central.readings.gas.calorific import GivenValue, Period, check_value

COLUMNS = ("area", "day", "value")
LONGEST_FILE = 2_000_000
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_CZECH_DAY = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with one line; lines count from 1, the header being the first."""

    line: int
    text: str


def parse(content: bytes) -> tuple[Sequence[GivenValue], Sequence[LineError]]:
    """The values of a file in UTF-8 and what is wrong with it; where anything is, the values must not be used."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return [], [LineError(1, "the file is not text in UTF-8")]
    if len(content) > LONGEST_FILE or not lines:
        return [], [LineError(1, f"the file must have a header and at most {LONGEST_FILE} octets")]
    delimiter = ";" if ";" in lines[0] else ","
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True))
    except csv.Error as error:
        return [], [LineError(1, f"the file is not a CSV: {error}")]
    header = [name.strip().lower() for name in rows[0]]
    if sorted(header) != sorted(COLUMNS):
        return [], [LineError(1, f"the header must name {', '.join(COLUMNS)}, each once; it names {', '.join(header)}")]
    values: list[GivenValue] = []
    errors: list[LineError] = []
    seen: dict[tuple[str, str, date], int] = {}
    for number, outcome in _rows(rows, header, delimiter):
        if isinstance(outcome, str):
            errors.append(LineError(number, outcome))
            continue
        earlier = seen.setdefault((outcome.area, outcome.period, outcome.first), number)
        if earlier != number:
            errors.append(LineError(number, f"{outcome.area} {outcome.first} stands on line {earlier} already"))
        values.append(outcome)
    if not values and not errors:
        errors.append(LineError(1, "the file has no values below its header"))
    return values, errors


def _rows(rows: list[list[str]], header: list[str], delimiter: str) -> Iterator[tuple[int, GivenValue | str]]:
    for number, row in enumerate(rows[1:], start=2):
        if not any(field.strip() for field in row):
            continue
        if len(row) != len(header):
            yield number, f"{len(header)} fields are expected, {len(row)} are there"
            continue
        fields = {name: field.strip() for name, field in zip(header, row, strict=True)}
        yield number, _value(fields, decimal_comma=delimiter == ";")


def _value(fields: dict[str, str], *, decimal_comma: bool) -> GivenValue | str:
    area = fields["area"]
    if not area or len(area) > 100 or "\0" in area:
        return "the area is missing, too long, or holds a character that no text has"
    read = _time(fields["day"])
    if read is None:
        return f"the day {fields['day']!r} is neither a date (2026-03-28, 28.3.2026) nor a month (2026-03)"
    given = fields["value"].replace(",", ".") if decimal_comma else fields["value"]
    if not _NUMBER.fullmatch(given):
        return f"the value {fields['value']!r} is not a number"
    value = Decimal(given)
    problem = check_value(value)
    return f"the value {problem}" if problem is not None else GivenValue(area, read[0], read[1], value)


def _time(written: str) -> tuple[Period, date] | None:
    try:
        if (found := _MONTH.fullmatch(written)) is not None:
            return "month", date(int(found[1]), int(found[2]), 1)
        if (found := _DAY.fullmatch(written)) is not None:
            return "day", date(int(found[1]), int(found[2]), int(found[3]))
        if (found := _CZECH_DAY.fullmatch(written)) is not None:
            return "day", date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError:
        return None
    return None
