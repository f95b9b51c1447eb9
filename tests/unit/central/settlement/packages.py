"""The shipped packages, and changed ones, for tests of pricing."""

import copy
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.model import Line, Part, Priced, Quantities, TariffPoint
from central.tariffs.load import checksum_of, load_content, load_file, shipped_files
from central.tariffs.package import Package

Change = Callable[[dict[str, Any]], None]

PATHS = {path.stem: path for path in shipped_files()}
ELECTRICITY = load_file(PATHS["cz-electricity-2026"], FORMULA_SHAPES)
GAS = load_file(PATHS["cz-gas-2017-example"], FORMULA_SHAPES)


def changed(change: Change, stem: str = "cz-electricity-2026") -> Package:
    """A shipped package with a change, valid as a file."""
    content = json.loads(PATHS[stem].read_text(encoding="utf-8"))
    change(content)
    content["signature"] = None
    content["checksum"] = checksum_of(content)
    return load_content(content, "changed", FORMULA_SHAPES)


def rule(component: str, code: int | None, formula: str, **fields: Any) -> dict[str, Any]:
    """A rule of a package file; its parameters and levels among `fields`."""
    return {
        "component": component,
        "code": code,
        "name": {"cs": component, "en": component},
        "formula": formula,
        "parameters": {},
        "source": "product",
        "mark": "assumed",
        **copy.deepcopy(fields),
    }


def table(component: str, unit: str, keys: list[str], *rows: list[str], **fields: Any) -> dict[str, Any]:
    """A table of values of a package file."""
    return {
        "component": component,
        "unit": unit,
        "keys": keys,
        "source": "product",
        "mark": "assumed",
        "rows": list(rows),
        **fields,
    }


def name_bands(content: dict[str, Any], *names: str) -> None:
    """List names that tables may use as bands beside those of breakers and consumption."""
    content.setdefault("breaker_bands", [])
    content["breaker_bands"] += [{"name": name, "phases": 3, "over": "0", "up_to": "1"} for name in names]


def quantities(**values: str) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}


def part(
    first: str,
    end: str,
    point: TariffPoint,
    given: Quantities,
    book: Package = ELECTRICITY,
    *,
    item: int = 1,
    payer: int = 1,
) -> Part:
    return Part(date.fromisoformat(first), date.fromisoformat(end), item, point, {}, given, book, payer)


def of_component(priced: Priced, component: str) -> list[Line]:
    return [line for line in priced.lines if line.component == component]


def told(line: Line) -> tuple[str, str, str]:
    return str(line.quantity), str(line.unit_price), str(line.amount)
