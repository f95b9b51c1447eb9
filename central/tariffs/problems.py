"""What makes a package unusable: every reference, number, validity and overlap, each in a sentence. Pure."""

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol, runtime_checkable

from central.readings.estimation.order import problems as estimation_problems
from central.tariffs.model import FORMATS, Mark, PackageFile, ValueTable
from central.tariffs.package import KEYS


@runtime_checkable
class FormulaShape(Protocol):
    """What the release knows of a formula: what is wrong with the parameters that a rule gives it."""

    def problems(self, parameters: Mapping[str, str]) -> Sequence[str]: ...


Formulas = Collection[str] | Mapping[str, FormulaShape]
"""The formulas of the release: their names, or by name what checks the parameters too."""

_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
_STEP = re.compile(r"1|0\.0{0,11}1")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LEVELS = {"VVN", "VN", "NN"}
_NARROWING = ("only_if", "not_if")
"""Parameters by which a rule is for some points of its level only."""


def problems_of(file: PackageFile, formulas: Formulas | None) -> Iterator[str]:
    """Everything that is wrong; `formulas` are those of the release (None: not checked)."""
    if file.format not in FORMATS:
        yield f"Its format is {file.format}, this release reads {', '.join(map(str, FORMATS))}."
    if file.commodity not in ("electricity", "gas"):
        yield f"Its commodity is {file.commodity}; electricity or gas is expected."
    yield from _validity_problems("The package", file.valid)
    vat = list(_number_problems("VAT", file.vat.percent))
    yield from vat
    if not vat and not 0 <= Decimal(file.vat.percent) <= 100:
        yield f"VAT is {file.vat.percent} percent; 0 to 100 is expected."
    for kind, rounding in file.rounding.items():
        if not _STEP.fullmatch(rounding.step):
            yield f"Rounding of {kind} has the step {rounding.step}; a power of ten such as 0.01 is expected."
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
    yield from _deadline_problems(file)
    yield from _step_problems(file)
    yield from _series_problems(file)
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
    yield from ((f"Deadline {deadline.name}", deadline.source) for deadline in file.deadlines)
    yield from ((f"Steps of {steps.component}", steps.source) for steps in file.steps)
    yield from ((f"Series {series.name}", series.source) for series in file.series)


def _rule_problems(file: PackageFile, formulas: Formulas | None) -> Iterator[str]:
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
        shape = formulas.get(rule.formula) if isinstance(formulas, Mapping) else None
        if isinstance(shape, FormulaShape):
            yield from (f"Rule {rule.component} {problem}." for problem in shape.problems(rule.parameters))
        if rule.group is not None and rule.group not in groups:
            yield f"Rule {rule.component} belongs to the group {rule.group}, which is not listed."
        if rule.valid is not None:
            yield from _validity_problems(f"Rule {rule.component}", rule.valid)
        if unknown := set(rule.levels) - _LEVELS:
            yield f"Rule {rule.component} names the voltage level {', '.join(sorted(unknown))}."
    yield from _billed_twice(file)


def _billed_twice(file: PackageFile) -> Iterator[str]:
    """Two rules of a component for the same points at one time, which would put it on a bill twice."""
    told: set[str] = set()
    for one, other in itertools.combinations(file.rules, 2):
        if one.component != other.component or one.component in told:
            continue
        same_levels = bool(set(one.levels) & set(other.levels)) or one.levels == other.levels
        same_registers = not one.registers or not other.registers or one.registers == other.registers
        same_points = all(one.parameters.get(name) == other.parameters.get(name) for name in _NARROWING)
        held, also_held = one.valid or file.valid, other.valid or file.valid
        # days are spelled YYYY-MM-DD, so that their order is that of their texts
        if same_levels and same_registers and same_points and held[0] < also_held[1] and also_held[0] < held[1]:
            told.add(one.component)
            yield (
                f"Rule {one.component} is given twice for the same points from {max(held[0], also_held[0])}; "
                "take one of them out, or end it before the other."
            )


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


def _deadline_problems(file: PackageFile) -> Iterator[str]:
    names = [deadline.name for deadline in file.deadlines]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"The deadline {name} is given {names.count(name)} times."
    for deadline in file.deadlines:
        if not -1000 <= deadline.count <= 1000:
            yield f"The deadline {deadline.name} has {deadline.count}; expected -1000 to 1000."


def _step_problems(file: PackageFile) -> Iterator[str]:
    seen: dict[str, list[tuple[date, date]]] = {}
    for steps in file.steps:
        what = f"Steps of {steps.component}"
        numbers = list(_each_number(what, (number for row in steps.rows for number in row)))
        validity = list(_validity_problems(what, steps.valid or file.valid))
        yield from (*numbers, *validity)
        if not steps.rows:
            yield f"{what} has no rows."
        lower = [] if numbers else [Decimal(row[0]) for row in steps.rows]
        if any(one >= other for one, other in itertools.pairwise(lower)):
            yield f"{what} must rise from row to row."
        if not validity:
            spans = seen.setdefault(steps.component, [])
            first, end = (date.fromisoformat(text) for text in (steps.valid or file.valid))
            if any(first < other_end and other < end for other, other_end in spans):
                yield f"{what} are given twice for one time."
            spans.append((first, end))


def _series_problems(file: PackageFile) -> Iterator[str]:
    for series in file.series:
        what = f"Series {series.name}"
        numbers = list(_each_number(what, series.months))
        yield from numbers
        if len(series.months) not in ((12,) if series.kind == "monthly_shares" else (0,)):
            yield f"{what} has {len(series.months)} months; twelve are expected of monthly shares, none of a reference."
        elif series.months and not numbers and sum(map(Decimal, series.months)) != 100:
            yield f"{what} adds up to {sum(map(Decimal, series.months))} percent; 100 is expected."


def _each_number(what: str, numbers: Iterable[str]) -> Iterator[str]:
    for number in numbers:
        yield from _number_problems(what, number)


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
        | {band.name for bands in file.consumption_bands.values() for band in bands}
        | set(file.named_bands),
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
        if not all(_DAY.fullmatch(text) for text in valid):
            raise ValueError
        first, end = (date.fromisoformat(text) for text in valid)
    except ValueError:
        yield f"{what} is valid from {valid[0]} to {valid[1]}; two dates YYYY-MM-DD are expected."
        return
    if first >= end:
        yield f"{what} is valid from {valid[0]} to {valid[1]}; the end must be later than the beginning."


def _number_problems(what: str, number: str | None) -> Iterator[str]:
    if number is not None and not _DECIMAL.fullmatch(number):
        yield f"{what} has the number {number}; a decimal such as 106.22 is expected."
