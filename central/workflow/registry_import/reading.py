"""Rows of a file into records: fields by name, and every fault with its line and column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from central.platform.errors import BadInput
from central.platform.rows_of_files import Row, rows_of
from central.registry.form import check_party
from central.workflow.registry_import.fields import FIELDS, read_value
from central.workflow.registry_import.mapping import KEYS, RegistryMapping

MOST_ROWS: Final = 250_000
MOST_PROBLEMS: Final = 500
"""So many are shown; the others are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault: where, what stands there and a sentence that says what was expected. Lines are those of the file."""

    line: int | None
    column: str | None
    value: str | None
    message: str


@dataclass(slots=True)
class Problems:
    """All faults of a file, the first ones in full."""

    named: list[Problem] = field(default_factory=list)
    count: int = 0
    lines: set[int] = field(default_factory=set)
    """Lines that have any."""

    def add(self, line: int | None, column: str | None, value: str | None, message: str) -> None:
        """Note a fault."""
        self.count += 1
        if line is not None:
            self.lines.add(line)
        if len(self.named) < MOST_PROBLEMS:
            self.named.append(Problem(line, column, None if value is None else value[:200], message))

    @property
    def sorted(self) -> list[Problem]:
        """Those shown, by line."""
        return sorted(self.named, key=lambda each: each.line or 0)


@dataclass(frozen=True, slots=True)
class Record:
    """A row: the values of all fields that the mapping has (None where the row has none), and its texts by column."""

    line: int
    values: Mapping[str, Any]
    texts: Mapping[str, str]


def read_records(content: bytes, mapping: RegistryMapping, problems: Problems) -> list[Record]:
    """The records of a file; those with faults are left out. BadInput where it is no such table."""
    header: Sequence[str] | None = None
    places: dict[str, int] = {}
    records: list[Record] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, fields in rows_of(content, mapping):
        if header is None:
            if line < mapping.header_row:
                continue
            header = [name.strip() for name in fields]
            places = _places(header, mapping)
            continue
        cells = [cell.strip() for cell in fields]
        if not any(cells):
            continue
        if len(records) + len(problems.lines) >= MOST_ROWS:
            raise BadInput("rows", f"The file has more than {MOST_ROWS} rows; send it in parts.", 413)
        _take((line, cells), header, places, mapping, problems, records, seen)
    if header is None:
        raise BadInput("header", f"The file has no row {mapping.header_row}, where its columns should be named.")
    return records


def _places(header: Sequence[str], mapping: RegistryMapping) -> dict[str, int]:
    places = {}
    for name, rule in mapping.columns.items():
        found = [place for place, column in enumerate(header) if column == rule.column]
        if len(found) > 1:
            raise BadInput("column", f"The file has {len(found)} columns {rule.column!r}; name each once.")
        if found:
            places[name] = found[0]
        elif FIELDS[name].needed:
            there = ", ".join(column for column in header[:40] if column) or "none"
            raise BadInput(
                "column",
                f"The file has no column {rule.column!r} ({name}); its columns are {there}. Correct the mapping or the "
                "file.",
            )
    return places


def _take(
    row: Row,
    header: Sequence[str],
    places: Mapping[str, int],
    mapping: RegistryMapping,
    problems: Problems,
    records: list[Record],
    seen: dict[tuple[str, ...], int],
) -> None:
    line, cells = row
    if any(cells[len(header) :]):
        extra = next(cell for cell in cells[len(header) :] if cell)
        problems.add(
            line, None, extra, f"Line {line} has {len(cells)} fields, expected {len(header)} as in the header."
        )
        return
    texts = {name: cells[place] if place < len(cells) else "" for name, place in places.items()}
    first = seen.setdefault(tuple(texts.values()), line)
    if first != line:
        problems.add(line, None, None, f"Line {line} repeats line {first} word for word; leave one of them out.")
        return
    before = problems.count
    values: dict[str, Any] = {}
    for name in (*mapping.columns, *mapping.constants):
        text = mapping.constants[name] if name in mapping.constants else texts.get(name, "")
        values[name] = _value(line, name, text, mapping, problems)
    _check_needed(line, values, texts, mapping, problems)
    if problems.count == before:
        _check_digits(line, values, texts, mapping, problems)
    if problems.count == before:
        records.append(Record(line, values, texts))


def _value(line: int, name: str, text: str, mapping: RegistryMapping, problems: Problems) -> Any:
    rule, field_ = mapping.columns.get(name), FIELDS[name]
    if not text:
        return None
    codes = rule.codes if rule is not None else {}
    if codes and text not in codes and text not in field_.choices:
        known = ", ".join(codes)
        problems.add(line, column_of(mapping, name), text, f"{text!r} is no {name}; expected one of {known}.")
        return None
    try:
        return read_value(field_, codes.get(text, text), mapping.writing)
    except ValueError as error:
        problems.add(line, column_of(mapping, name), text, f"{text!r} is no {name}; expected {error}.")
        return None


def _check_needed(
    line: int, values: dict[str, Any], texts: Mapping[str, str], mapping: RegistryMapping, problems: Problems
) -> None:
    """Fill in defaults; a thing of which anything is given must have all that it needs."""
    given = given_sections(values)
    for name, value in values.items():
        field_ = FIELDS[name]
        if value is None and field_.section in given:
            if field_.needed and not texts.get(name):
                what = f"expected the {field_.fact} of the {field_.section.replace('_', ' ')}"
                problems.add(line, column_of(mapping, name), "", f"Nothing is given; {what}.")
            values[name] = field_.default
    for name, field_ in FIELDS.items():
        if field_.needed and field_.section in given and name not in values:
            key = KEYS.get(field_.section, "contract.number")
            problems.add(
                line, column_of(mapping, key), texts.get(key),
                f"The mapping has no column for {name}, which a new {field_.section.replace('_', ' ')} needs.",
            )  # fmt: skip


def given_sections(values: Mapping[str, Any]) -> set[str]:
    """The things that a row brings: more of them is given than the key, which may only name what is there."""
    keys = set(KEYS.values())
    return {FIELDS[name].section for name, value in values.items() if value is not None and name not in keys} | {
        section
        for section in ("board", "measuring_point")
        if values.get(f"{section}.name") is not None
    }  # fmt: skip


_IDENTIFIERS: Final = ("ico", "ean13", "eic", "iban")


def _check_digits(
    line: int, values: Mapping[str, Any], texts: Mapping[str, str], mapping: RegistryMapping, problems: Problems
) -> None:
    """Every identifier of a party by itself, so that all wrong ones are named."""
    base = {"name": values.get("party.name"), "country": values.get("party.country")}
    for fact in _IDENTIFIERS:
        name = f"party.{fact}"
        if values.get(name) is None:
            continue
        try:
            check_party({**base, fact: values[name]})
        except BadInput as error:
            problems.add(line, column_of(mapping, name), texts.get(name), error.message)


def column_of(mapping: RegistryMapping, name: str) -> str | None:
    """The column of a field, None where it has none."""
    rule = mapping.columns.get(name)
    return rule.column if rule is not None else None
