"""What differs between two packages, in words and for programs. Pure.

Packages of overlapping validity are compared day by day where both are valid; others (one year and the next) by the
last values of the earlier and the values of the later one.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import msgspec

from central.tariffs.model import Rule
from central.tariffs.package import Package, Price

Span = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: a sentence, and what of the law it is.

    `kind` is "price", "rule", or the section of the file. `keys` are those of a price (operator, level, rate, band).
    `levels` and `registers` limit a rule. `valid`: the days on which it matters (half-open). `money`: whether bills
    come out otherwise by it.
    """

    kind: str
    text: str
    valid: Span
    component: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None
    money: bool = True


def differences(old: Package, new: Package) -> list[Difference]:
    """Everything that differs: the head, prices by component and keys, rules, and the other sections."""
    days = common_days(old, new)
    return [*_head(old, new), *_prices(old, new, days), *_rules(old, new, days), *_sections(old, new, days)]


def common_days(old: Package, new: Package) -> Span:
    """The days on which the two are compared: those of both, or the later one's where they have none in common."""
    first, end = max(old.valid[0], new.valid[0]), min(old.valid[1], new.valid[1])
    return (first, end) if first < end else new.valid


def _head(old: Package, new: Package) -> Iterator[Difference]:
    for what, before, after in (
        ("name", old.name, new.name),
        ("version", old.version, new.version),
        ("scope", old.file.scope, new.file.scope),
        ("title", old.file.title.cs, new.file.title.cs),
        ("validity", _span(old.valid), _span(new.valid)),
        ("binding", _yes(old.binding), _yes(new.binding)),
        ("example", _yes(old.file.example), _yes(new.file.example)),
    ):
        if before != after:
            text = f"The {what} was {before}, is {after}."
            yield Difference("package", text, new.valid, before=before, after=after, money=False)


def _prices(old: Package, new: Package, days: Span) -> Iterator[Difference]:
    shared = old.valid[0] < days[1] and days[0] < old.valid[1]
    last_of_old = old.valid[1] - timedelta(days=1)
    for key in sorted({*old.index, *new.index}):
        component, count = key[0], (len(key) - 1) // 2
        keys = dict(zip(key[1 : 1 + count], key[1 + count :], strict=True))
        ours, theirs = old.index.get(key, ()), new.index.get(key, ())
        borders = {*days}
        for first, end, _ in (*(ours if shared else ()), *theirs):
            borders |= {day for day in (first, end) if days[0] < day < days[1]}
        ordered = sorted(borders)
        for first, end in itertools.pairwise(ordered):
            before, after = _at(ours, first if shared else last_of_old), _at(theirs, first)
            found = _price(component, keys, before, after, (first, end))
            if found is not None:
                yield found


def _price(
    component: str, keys: Mapping[str, str], before: Price | None, after: Price | None, valid: Span
) -> Difference | None:
    named = f"{component} for {', '.join(f'{key} {value}' for key, value in keys.items())}" if keys else component
    days = f"from {valid[0]} to {valid[1]}"

    def told(price: Price) -> str:
        return f"{price.value} {price.unit}"

    if before is None and after is None:
        return None
    text, money = "", True
    if before is None and after is not None:
        text = f"{named}: new, {told(after)} ({after.source}, {after.mark}), {days}."
    elif after is None and before is not None:
        text = f"{named}: was {told(before)}, has no value {days}."
    elif before is not None and after is not None:
        if (before.value, before.unit) != (after.value, after.unit):
            text = f"{named}: {told(before)} becomes {told(after)} ({after.source}, {after.mark}), {days}."
        elif (before.source, before.mark) != (after.source, after.mark):
            money = False
            text = f"{named}: {told(after)} stays; was {before.source}, {before.mark}, is {after.source}, {after.mark}."
    if not text:
        return None
    values = [None if price is None else str(price.value) for price in (before, after)]
    return Difference("price", text, valid, component, keys, before=values[0], after=values[1], money=money)


def _at(spans: Sequence[tuple[date, date, Price]], day: date) -> Price | None:
    return next((price for first, end, price in spans if first <= day < end), None)


def _rules(old: Package, new: Package, days: Span) -> Iterator[Difference]:
    ours, theirs = _by_place(old.file.rules), _by_place(new.file.rules)
    for place in [*ours, *(place for place in theirs if place not in ours)]:
        before, after = ours.get(place), theirs.get(place)
        rule = after or before
        if rule is None:
            continue
        where = ", ".join(rule.levels) or "all"
        named = f"Rule {rule.component} ({where})"
        changes = [] if before is None or after is None else list(_fields(before, after))
        money = any(name not in ("source", "mark", "note") for name, _, _ in changes)
        if before is None:
            text, money = f"{named}: new, formula {rule.formula} with {_parameters(rule.parameters)}.", True
        elif after is None:
            text, money = f"{named}: no longer billed.", True
        elif changes:
            text = f"{named}: " + "; ".join(f"{name} was {one}, is {other}" for name, one, other in changes) + "."
        else:
            continue
        yield Difference(
            "rule",
            text,
            days,
            rule.component,
            levels=tuple(rule.levels),
            registers=tuple(rule.registers),
            before=None if before is None else before.formula,
            after=None if after is None else after.formula,
            money=money,
        )


def _by_place(rules: Sequence[Rule]) -> dict[tuple[Any, ...], Rule]:
    """Rules by what they bill and where; several of one place are told apart by their order."""
    placed: dict[tuple[Any, ...], Rule] = {}
    for rule in rules:
        order = 0
        while (place := (rule.component, tuple(rule.levels), tuple(rule.registers), order)) in placed:
            order += 1
        placed[place] = rule
    return placed


def _fields(before: Rule, after: Rule) -> Iterator[tuple[str, str, str]]:
    for name in ("code", "formula", "group", "source", "mark", "note"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            yield name, str(one), str(other)
    if before.valid != after.valid:
        spans = [" to ".join(rule.valid or ("always",)) for rule in (before, after)]
        yield "validity", spans[0], spans[1]
    if before.name != after.name:
        yield "name", before.name.cs, after.name.cs
    for parameter in sorted({*before.parameters, *after.parameters}):
        pair = [rule.parameters.get(parameter, "(none)") for rule in (before, after)]
        if pair[0] != pair[1]:
            yield f"parameter {parameter}", pair[0], pair[1]


_SECTIONS: tuple[tuple[str, bool, Callable[[Package], Mapping[str, Any]]], ...] = (
    ("vat", True, lambda package: {"percent": package.file.vat.percent}),
    ("rounding", True, lambda package: {kind: each.step for kind, each in package.file.rounding.items()}),
    ("groups", True, lambda package: {each.name: each.take for each in package.file.groups}),
    ("rates", True, lambda package: {name: each.registers for name, each in package.file.rates.items()}),
    ("breaker_bands", True, lambda package: {each.name: _built(each) for each in package.file.breaker_bands}),
    ("consumption_bands", True, lambda package: _built(package.file.consumption_bands)),
    ("steps", True, lambda package: {_step_name(each): _built(each) for each in package.file.steps}),
    ("deadlines", False, lambda package: {each.name: _built(each) for each in package.file.deadlines}),
    ("series", False, lambda package: {f"{each.kind} {each.name}": _built(each) for each in package.file.series}),
    (
        "verification_periods",
        False,
        lambda package: {each.kind: _built(each) for each in package.file.verification_periods},
    ),
    ("estimation_orders", False, lambda package: _numbered(package.file.estimation_orders)),
    ("operators", False, lambda package: package.file.operators),
    ("named_bands", False, lambda package: _built(package.file.named_bands)),
    ("sources", False, lambda package: _built(package.file.sources)),
    ("notes", False, lambda package: _numbered(package.file.notes)),
)
"""Sections besides prices and rules: whether they change bills, and their entries by name."""


def _sections(old: Package, new: Package, days: Span) -> Iterator[Difference]:
    for section, money, entries in _SECTIONS:
        ours, theirs = entries(old), entries(new)
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            before, after = ours.get(name), theirs.get(name)
            if before == after:
                continue
            what = f"{section.replace('_', ' ').capitalize()}, {name}"
            if before is None:
                text = f"{what}: new, {_told(after)}."
            elif after is None:
                text = f"{what}: taken out, was {_told(before)}."
            else:
                text = f"{what}: was {_told(before)}, is {_told(after)}."
            yield Difference(section, text, days, before=_told(before), after=_told(after), money=money)


def _built(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _numbered(values: Sequence[Any]) -> dict[str, Any]:
    return {str(number): _built(value) for number, value in enumerate(values, start=1)}


def _step_name(steps: Any) -> str:
    return " ".join(filter(None, (steps.component, *(steps.valid or ()))))


def _told(value: Any) -> str:
    if isinstance(value, dict):
        parts = (f"{key} {_told(each)}" for key, each in value.items() if each not in (None, "", []))
        return ", ".join(parts)
    if isinstance(value, list):
        return " ".join(_told(each) for each in value)
    return str(value)


def _parameters(parameters: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items()) or "no parameters"


def _span(valid: Span) -> str:
    return f"{valid[0]} to {valid[1]}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
