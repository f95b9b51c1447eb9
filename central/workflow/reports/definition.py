"""Definitions of reports: rows, columns, where a value comes from, and whether nothing found is zero. Shipped data."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from central.platform.errors import NotFound

_FOLDER: Final = Path(__file__).with_name("definitions")
Mark = Literal["documented", "inferred", "assumed"]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where something of a definition is from."""

    text: str
    mark: Mark


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column: its unit and decimal places (rounded half up), where a row does not say others."""

    code: str
    name_cs: str
    name_en: str
    unit: str
    places: int


class Sum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row that is computed of others, column by column; not known where one of them is not."""

    plus: list[str]
    minus: list[str] = []


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row: filled by its key (`source`), computed (`sum`), always the same (`given`), or typed in (none of them).

    `nothing` says what a row is of which the source found nothing at all: zero, or not known. What was found and has
    values missing is never zero. `columns` are those that the row has (None: all). A value below zero is only taken
    where `signed`. A report is not closed while a `required` cell is empty.
    """

    code: str
    name_cs: str
    name_en: str
    mark: Mark
    source: str | None = None
    sum: Sum | None = None
    given: str | None = None
    nothing: Literal["zero", "unknown"] = "unknown"
    required: bool = True
    signed: bool = False
    unit: str | None = None
    places: int | None = None
    columns: list[str] | None = None
    section: str | None = None


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report's definition (definice výkazu).

    `fills` names the function that finds the values, `settings` are its parameters, `message` the code of the message
    that tells the report (None: it is given as a file). Periods from `first_period` on.
    """

    code: str
    version: int
    title_cs: str
    title_en: str
    recipient: str
    period: Literal["month", "year"]
    first_period: date
    fills: str
    source: Source
    columns: list[Column]
    rows: list[Row]
    settings: dict[str, Any] = {}
    assumptions: list[str] = []
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CellForm:
    """The form of a cell: unit, places, sign, and whether a report needs it."""

    row: Row
    column: Column

    @property
    def unit(self) -> str:
        return self.row.unit or self.column.unit

    @property
    def places(self) -> int:
        return self.column.places if self.row.places is None else self.row.places


@dataclass(frozen=True, slots=True)
class Shipped:
    """A definition with the SHA-256 of its file."""

    definition: Definition
    digest: str

    def forms(self) -> Iterator[CellForm]:
        """The cells, row by row."""
        for row in self.definition.rows:
            for column in self.definition.columns:
                if row.columns is None or column.code in row.columns:
                    yield CellForm(row, column)


@cache
def shipped() -> dict[tuple[str, int], Shipped]:
    """Every definition by code and version."""
    found = {}
    for path in sorted(_FOLDER.glob("*.json")):
        content = path.read_bytes()
        definition = msgspec.json.decode(content, type=Definition)
        check(definition)
        found[definition.code, definition.version] = Shipped(definition, hashlib.sha256(content).hexdigest())
    return found


def newest() -> list[Shipped]:
    """The newest version of each definition, by code."""
    by_code = {code: each for (code, _), each in sorted(shipped().items())}
    return list(by_code.values())


def require_newest(code: str) -> Shipped:
    """The newest version of a definition, or NotFound."""
    found = next((each for each in newest() if each.definition.code == code), None)
    if found is None:
        known = ", ".join(each.definition.code for each in newest())
        raise NotFound("definition_not_found", f"There is no definition of reports {code[:100]!r}; there are {known}.")
    return found


def require_version(code: str, version: int) -> Shipped:
    """The definition that a stored report was made by, or NotFound."""
    found = shipped().get((code, version))
    if found is None:
        raise NotFound(
            "definition_not_found", f"The definition {code} version {version} is not here: this product is older."
        )
    return found


def check(definition: Definition) -> None:
    """ValueError where rows or columns stand twice, or a sum names what is not before it or has a kind of its own."""
    columns = [column.code for column in definition.columns]
    seen: set[str] = set()
    if len(set(columns)) < len(columns):
        raise ValueError(f"{definition.code}: a column stands twice")
    for row in definition.rows:
        what = f"{definition.code}: the row {row.code}"
        if row.code in seen:
            raise ValueError(f"{what} stands twice")
        if sum(kind is not None for kind in (row.source, row.sum, row.given)) > 1:
            raise ValueError(f"{what} has more than one source")
        if not set(row.columns or ()) <= set(columns):
            raise ValueError(f"{what} has a column that is not there")
        if row.sum is not None and not {*row.sum.plus, *row.sum.minus} <= seen:
            raise ValueError(f"{what} sums rows that do not stand before it")
        seen.add(row.code)
