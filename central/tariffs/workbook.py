"""A workbook of a price decision (cenový výměr, XLSX) as the builder's raw prices, and a package with them in it.

How the sheets lie is a mapping, data with a mark: a sheet of low voltage has a header that names the operators, then
for each rate a heading with its code and rows of a label and a price for each operator; a sheet above low voltage is
a table with columns for operator, level and prices. Nothing is installed: what comes out is compared and shown. Pure.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from central.platform.errors import BadInput
from central.platform.rows_of_files import cell_text, workbook_rows
from central.tariffs.build import high_tables, low_tables, rate_of
from central.tariffs.load import PackageInvalidError, bare, checksum_of, load_content
from central.tariffs.package import Package

LARGEST: Final = 20_000_000
"""Octets of a workbook; price decisions have some hundred thousand."""
MOST_ROWS: Final = 20_000
MOST_LABEL: Final = 300
_RATE: Final = re.compile(r"([CD][0-9]{2}d)(?:[ _]?(VO)\b)?\s*[-–:]?\s*(.*)", re.DOTALL)
_PRICE: Final = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,6})?")
_LEVELS: Final = ("VVN", "VN")
_GAPS: Final = str.maketrans("", "", " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}")

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern="^[^\\x00]+$")]
Words = Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=20)]
"""A cell is meant where it contains one of the words, whatever their case."""


class LowSheet(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The sheet of low voltage, and by which words its labels are told apart."""

    sheet: Word
    registers: dict[Literal["JT", "VT", "NT"], Words]
    breaker: Words
    other: Words


class HighSheet(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The sheet above low voltage, and by which words its columns are found."""

    sheet: Word
    level: Words
    operator: Words
    prices: dict[Literal["rk_rocni", "rk_mesicni", "pouziti_siti", "jednoslozkova"], Words]


class WorkbookMapping(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a workbook lies; a sheet that is not named is not read. `operators`: words of their names by our code."""

    operators: Annotated[dict[Word, Words], msgspec.Meta(min_length=1, max_length=50)]
    mark: Literal["documented", "inferred", "assumed"] = "assumed"
    note: str = ""
    low: LowSheet | None = None
    high: HighSheet | None = None


@dataclass(frozen=True, slots=True)
class RawPrices:
    """The raw tables that `central.tariffs.build` takes: low by rate, high by operator and level; decimals as texts."""

    low: Mapping[str, Any] = field(default_factory=dict)
    high: Mapping[str, Any] = field(default_factory=dict)


@cache
def shipped_mapping() -> WorkbookMapping:
    """The mapping that comes with the product; marked assumed."""
    return msgspec.json.decode(Path(__file__).with_name("workbook.json").read_bytes(), type=WorkbookMapping)


def read_mapping(octets: bytes) -> WorkbookMapping:
    """A mapping of an operator; BadInput says where it has another shape."""
    try:
        return msgspec.json.decode(octets, type=WorkbookMapping)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("workbook_mapping", f"The mapping of the workbook cannot be read: {error}.") from None


def read_workbook(octets: bytes, mapping: WorkbookMapping) -> RawPrices:
    """The prices of a workbook. BadInput names sheet and row of what is not understood, is given twice or missing."""
    if len(octets) > LARGEST:
        raise BadInput("workbook_size", f"The workbook has {len(octets)} octets; at most {LARGEST} are taken.")
    low = {} if mapping.low is None else _low(octets, mapping.low, mapping.operators)
    high = {} if mapping.high is None else _high(octets, mapping.high, mapping.operators)
    return RawPrices(low, high)


def proposed(package: Package, prices: RawPrices) -> Package:
    """The package with the workbook's prices in the place of its own; unsigned, never installed from here.

    Components that the workbook does not have stay. BadInput where the outcome is no package.
    """
    content = copy.deepcopy(bare(package.content))
    try:
        low = low_tables(dict(prices.low)) if prices.low else []
    except ValueError as error:  # a band of breakers in other words
        raise BadInput("workbook", str(error)) from None
    tables = [*low, *(high_tables(dict(prices.high)) if prices.high else ())]
    for table in tables:
        if not table["rows"]:
            continue
        own = [each for each in content["tables"] if each["component"] == table["component"]]
        if len(own) > 1 or (own and list(own[0]["keys"]) != table["keys"]):
            raise BadInput(
                "workbook_package",
                f"{package.name} {package.version} has {table['component']} by {len(own)} tables, which a workbook "
                "cannot be compared with; compare the built package with `rozvodna package diff`.",
            )
        if own:
            own[0]["rows"] = table["rows"]
        else:
            content["tables"].append({**table, "source": next(iter(content["sources"])), "mark": "assumed"})
    rates = content.get("rates", {})
    content["rates"] = rates | {rate: rate_of(raw) for rate, raw in prices.low.items() if rate not in rates}
    content["version"] = f"{package.version}-workbook"
    content["signature"] = None
    content["checksum"] = checksum_of(content)
    try:
        return load_content(content, "of the workbook")
    except PackageInvalidError as error:
        raise BadInput("workbook_package", f"The workbook's prices do not make a package: {error.message}") from None


def _low(octets: bytes, form: LowSheet, operators: Mapping[str, Words]) -> dict[str, Any]:
    columns: dict[str, int] = {}
    found: dict[str, Any] = {}
    rate: dict[str, Any] | None = None
    for number, cells in _rows(octets, form.sheet):
        named = _operators(cells, operators)
        if len(named) > 1 or (named and not columns):
            columns = named
            continue
        label = next((cell for cell in cells if cell), "")
        heading = _RATE.match(label)
        if heading is not None:
            code = heading[1] + ("_VO" if heading[2] else "")
            if code in found:
                raise _wrong(form.sheet, number, f"the rate {code} stands there twice")
            name = heading[3].strip() or next((cell for cell in cells if cell and cell != label), "")
            rate = found[code] = {"name": name[:MOST_LABEL], "breaker": {}}
            continue
        prices = _prices(form.sheet, number, cells, columns)
        if not prices:
            continue
        if rate is None:
            raise _wrong(form.sheet, number, f"{label[:60]!r} has prices and stands below no rate")
        _put(rate, form, number, label[:MOST_LABEL], prices)
    if not columns or not found:
        raise BadInput("workbook", f"The sheet {form.sheet} has no header with operators, or no rate below it.")
    empty = next((code for code, raw in found.items() if len(raw) == 2 and not raw["breaker"]), None)
    if empty is not None:
        raise BadInput("workbook", f"The sheet {form.sheet} names the rate {empty} and gives no price of it.")
    return found


def _put(rate: dict[str, Any], form: LowSheet, number: int, label: str, prices: dict[str, str]) -> None:
    if _is(label, form.breaker):
        place, key = rate["breaker"], label
    elif _is(label, form.other):
        rate.setdefault("other", []).append([label, prices])
        return
    else:
        registers = [register for register, words in form.registers.items() if _is(label, words)]
        if len(registers) != 1:
            told = f"the words of {', '.join(registers)}" if registers else "no known words"
            raise _wrong(form.sheet, number, f"{label[:60]!r} has prices and {told}; correct the mapping")
        place, key = rate, registers[0]
    if key in place:
        raise _wrong(form.sheet, number, f"{label[:60]!r} is given twice for one rate")
    place[key] = prices


def _high(octets: bytes, form: HighSheet, operators: Mapping[str, Words]) -> dict[str, Any]:
    wanted: dict[str, Words] = {"level": form.level, "operator": form.operator, **dict[str, Words](form.prices.items())}
    columns: dict[str, int] | None = None
    operator: str | None = None
    found: dict[str, dict[str, list[str]]] = {}
    for number, cells in _rows(octets, form.sheet):
        if columns is None:
            places = {name: _place(cells, words) for name, words in wanted.items()}
            if all(place is not None for place in places.values()):
                columns = {name: place for name, place in places.items() if place is not None}
                if len(set(columns.values())) < len(columns):
                    raise _wrong(form.sheet, number, "two columns of the mapping are one; give other words")
            continue
        # a merged cell names the operator in its first row only
        written = _at(cells, columns["operator"])
        if written:
            operator = next((code for code, words in operators.items() if _is(written, words)), None)
        level = _at(cells, columns["level"]).upper()
        if level not in _LEVELS:
            continue
        if operator is None:
            raise _wrong(form.sheet, number, f"{written[:60]!r} is no operator of the mapping")
        values = _prices(form.sheet, number, cells, {name: columns[name] for name in form.prices})
        if missing := [name for name in form.prices if name not in values]:
            raise _wrong(form.sheet, number, f"{operator} at {level} has no price {missing[0]}")
        levels = found.setdefault(operator, {})
        if level in levels:
            raise _wrong(form.sheet, number, f"{operator} at {level} is given twice")
        levels[level] = [values[name] for name in form.prices]
    if columns is None or not found:
        raise BadInput("workbook", f"The sheet {form.sheet} has no header with {', '.join(wanted)}, or no prices.")
    return {"dso_fields": list(form.prices), "dso": found}


def _rows(octets: bytes, sheet: str) -> Iterator[tuple[int, list[str]]]:
    for number, cells in workbook_rows(octets, sheet, partial(cell_text, decimal_sign=".")):
        if number > MOST_ROWS:
            raise BadInput("workbook", f"The sheet {sheet} has more than {MOST_ROWS} rows.")
        yield number, [" ".join(cell.split()) for cell in cells]


def _operators(cells: Sequence[str], operators: Mapping[str, Words]) -> dict[str, int]:
    found = {code: _place(cells, words) for code, words in operators.items()}
    return {code: place for code, place in found.items() if place is not None}


def _prices(sheet: str, number: int, cells: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    """Prices by the names of columns; empty cells and dashes have none."""
    found: dict[str, str] = {}
    for name, place in columns.items():
        plain = _at(cells, place).translate(_GAPS)
        if plain in ("", "-", "–", "x", "X"):
            continue
        if not _PRICE.fullmatch(plain) or not plain.isascii():
            raise _wrong(sheet, number, f"{_at(cells, place)[:40]!r} is no price")
        found[name] = plain.replace(",", ".")
    return found


def _at(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _place(cells: Sequence[str], words: Words) -> int | None:
    return next((place for place, cell in enumerate(cells) if cell and _is(cell, words)), None)


def _is(text: str, words: Words) -> bool:
    folded = text.casefold()
    return any(word.casefold() in folded for word in words)


def _wrong(sheet: str, number: int, what: str) -> BadInput:
    return BadInput("workbook", f"Sheet {sheet}, row {number}: {what}.")
