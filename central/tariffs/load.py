"""Read a package file: decode, check every reference and number, verify the checksum, index the values."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from central.platform.errors import BadInput
from central.readings.estimation.order import problems as estimation_problems
from central.tariffs.model import FORMAT, Mark, PackageFile, ValueTable
from central.tariffs.package import KEYS, Package, index_tables, key_sets

SHIPPED = Path(__file__).parent / "packages"

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_LEVELS = {"VVN", "VN", "NN"}


class PackageInvalidError(BadInput):
    """A package file that must not be used; the sentence says where and what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__("package_invalid", message)


def canonical(content: Any) -> bytes:
    """The one spelling of JSON content that digests are made of: sorted keys, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def checksum_of(content: dict[str, Any]) -> str:
    """SHA-256 over the canonical content without the checksum and the signature themselves, as "sha256:<hex>"."""
    bare = {key: value for key, value in content.items() if key not in ("checksum", "signature")}
    return "sha256:" + hashlib.sha256(canonical(bare)).hexdigest()


def load_file(path: Path, formulas: Collection[str] | None = None) -> Package:
    """Load a package from a file; `formulas` are the names of the formulas known to the code (None: not checked)."""
    return load_content(_parse(path.read_bytes(), path.name), path.name, formulas)


def load_content(content: dict[str, Any], where: str, formulas: Collection[str] | None = None) -> Package:
    """Load a package from its decoded JSON; `where` names it in errors. Raises PackageInvalidError."""
    try:
        file = msgspec.convert(content, PackageFile)
    except msgspec.ValidationError as error:
        raise PackageInvalidError(
            f"Package {where} does not have the shape of a legislative package: {error}."
        ) from error
    problems = list(_problems(file, formulas))
    if problems:
        raise PackageInvalidError(f"Package {where} is refused: " + " ".join(problems[:10]))
    computed = checksum_of(content)
    if file.checksum != computed:
        raise PackageInvalidError(
            f"Package {where} carries checksum {file.checksum or '(none)'}, its content has {computed}; "
            "it was changed after it was built. Fetch it again, or build it again from its sources."
        )
    return Package(file=file, checksum=computed, content=content, index=index_tables(file), key_sets=key_sets(file))


def shipped_files() -> list[Path]:
    """The packages that come with the product."""
    return sorted(SHIPPED.glob("*.json"))


def _parse(raw: bytes, where: str) -> dict[str, Any]:
    try:
        content = json.loads(raw, parse_float=_refuse_float)
    except (ValueError, UnicodeDecodeError) as error:
        raise PackageInvalidError(f"Package {where} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise PackageInvalidError(f"Package {where} must be one JSON object.")
    return content


def _refuse_float(text: str) -> float:
    raise ValueError(f"the number {text} is written as a JSON number; write it as a decimal string")


def _problems(file: PackageFile, formulas: Collection[str] | None) -> Iterator[str]:
    if file.format != FORMAT:
        yield f"Its format is {file.format}, this release reads {FORMAT}."
    if file.commodity not in ("electricity", "gas"):
        yield f"Its commodity is {file.commodity}; electricity or gas is expected."
    yield from _validity_problems("The package", file.valid)
    yield from _number_problems("VAT", file.vat.percent)
    for kind, rounding in file.rounding.items():
        yield from _number_problems(f"Rounding of {kind}", rounding.step)
    for what, source in _cited(file):
        if source not in file.sources:
            yield f"{what} cites the source {source}, which is not listed."
    for band in file.breaker_bands:
        for number in (band.over, band.up_to, band.single_phase_up_to):
            yield from _number_problems(f"Breaker band {band.name}", number)
    for operator, bands in file.consumption_bands.items():
        if operator not in file.operators:
            yield f"Consumption bands are given for the operator {operator}, which is not listed."
        for consumption in bands:
            for number in (consumption.over, consumption.up_to):
                yield from _number_problems(f"Consumption band {consumption.name}", number)
    yield from _rule_problems(file, formulas)
    yield from _estimation_problems(file)
    yield from _verification_problems(file)
    seen: dict[tuple[str, ...], list[tuple[date, date]]] = {}
    for table in file.tables:
        yield from _table_problems(file, table, seen)


def _cited(file: PackageFile) -> Iterator[tuple[str, str]]:
    yield "VAT", file.vat.source
    yield from ((f"Rounding of {kind}", rounding.source) for kind, rounding in file.rounding.items())
    yield from ((f"Rule {rule.component}", rule.source) for rule in file.rules)
    yield from ((f"Group {group.name}", group.source) for group in file.groups)
    yield from ((f"Table {table.component}", table.source) for table in file.tables)
    yield from (("An order of estimation", order.source) for order in file.estimation_orders)
    yield from ((f"Verification period {period.kind}", period.source) for period in file.verification_periods)


def _rule_problems(file: PackageFile, formulas: Collection[str] | None) -> Iterator[str]:
    groups = {group.name for group in file.groups}
    for group in file.groups:
        if group.take not in ("higher", "all"):
            yield f"Group {group.name} takes {group.take}; higher or all is expected."
    for rule in file.rules:
        if formulas is not None and rule.formula not in formulas:
            yield (
                f"Rule {rule.component} names the formula {rule.formula}, "
                f"this release knows {', '.join(sorted(formulas))}."
            )
        if rule.group is not None and rule.group not in groups:
            yield f"Rule {rule.component} belongs to the group {rule.group}, which is not listed."
        if unknown := set(rule.levels) - _LEVELS:
            yield f"Rule {rule.component} names the voltage level {', '.join(sorted(unknown))}."


def _estimation_problems(file: PackageFile) -> Iterator[str]:
    for place, order in enumerate(file.estimation_orders, start=1):
        what = f"Order of estimation {place}"
        if order.commodity != file.commodity:
            yield f"{what} is for {order.commodity}, the package for {file.commodity}."
        if order.mark not in set(Mark):
            yield f"{what} has the mark {order.mark}; expected {', '.join(Mark)}."
        if order.valid is not None:
            yield from _validity_problems(what, order.valid)
        yield from estimation_problems(order, what)


def _verification_problems(file: PackageFile) -> Iterator[str]:
    kinds = [period.kind for period in file.verification_periods]
    for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        yield f"The verification period of {kind} is given {kinds.count(kind)} times."
    for period in file.verification_periods:
        for years in (period.years, period.extension_years):
            if years is not None and not 1 <= years <= 100:
                yield f"The verification period of {period.kind} has {years} years; expected 1 to 100."


def _table_problems(
    file: PackageFile, table: ValueTable, seen: dict[tuple[str, ...], list[tuple[date, date]]]
) -> Iterator[str]:
    if unknown := set(table.keys) - set(KEYS):
        yield f"Table {table.component} has the key {', '.join(sorted(unknown))}; known keys are {', '.join(KEYS)}."
        return
    validity = list(_validity_problems(f"Table {table.component}", table.valid or file.valid))
    yield from validity
    known = {
        "operator": set(file.operators),
        "rate": set(file.rates),
        "level": _LEVELS,
        "band": {band.name for band in file.breaker_bands}
        | {band.name for bands in file.consumption_bands.values() for band in bands},
    }
    for row in table.rows:
        if len(row) != len(table.keys) + 1:
            yield f"Table {table.component}: the row {row} needs {len(table.keys)} keys and a value."
            continue
        for key, value in zip(table.keys, row, strict=False):
            if key in known and value not in known[key]:
                yield f"Table {table.component}: the {key} {value} is not listed in the package."
        yield from _number_problems(f"Table {table.component}, row {' '.join(row[:-1])}", row[-1])
        if not validity:
            yield from _overlaps(table, file, row, seen)


def _overlaps(
    table: ValueTable, file: PackageFile, row: list[str], seen: dict[tuple[str, ...], list[tuple[date, date]]]
) -> Iterator[str]:
    first, end = (date.fromisoformat(text) for text in (table.valid or file.valid))
    spans = seen.setdefault((table.component, *table.keys, *row[:-1]), [])
    if any(first < other_end and other_first < end for other_first, other_end in spans):
        yield f"Table {table.component} has two values for {' '.join(row[:-1]) or 'all'} valid at one time."
    spans.append((first, end))


def _validity_problems(what: str, valid: tuple[str, str]) -> Iterator[str]:
    try:
        first, end = (date.fromisoformat(text) for text in valid)
    except ValueError:
        yield f"{what} is valid from {valid[0]} to {valid[1]}; two dates YYYY-MM-DD are expected."
        return
    if first >= end:
        yield f"{what} is valid from {valid[0]} to {valid[1]}; the end must be later than the beginning."


def _number_problems(what: str, number: str | None) -> Iterator[str]:
    if number is not None and not _DECIMAL.fullmatch(number):
        yield f"{what} has the number {number}; a decimal such as 106.22 is expected."
