"""Compare two runs: what changed by point and component, and why. Pure; `compared.py` reads what is compared."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from central.settlement.model import half_up

HALER = Decimal("0.01")
MOST_DAYS = 31
"""Days of newer profiles that a cause names one by one."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """A line as a run held it."""

    ean: str
    service: str
    component: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    vat_percent: Decimal


@dataclass(frozen=True, slots=True)
class RunInput:
    """What a run used for a point: registry facts, package, profile versions, states, as it pinned them."""

    package: str
    facts: Mapping[str, Any]
    profiles: Sequence[Mapping[str, Any]]
    readings: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a point's lines differ: profile, state, sharing, registry, package or rule, and what exactly."""

    kind: str
    text: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One component of a point in both runs; a side on which it does not exist has no figures."""

    ean: str
    service: str
    component: str
    name: str
    unit: str
    first: "Figures | None"
    second: "Figures | None"

    @property
    def difference(self) -> Decimal:
        """Amount of the second run less that of the first."""
        return (self.second.amount if self.second else Decimal("0.00")) - (
            self.first.amount if self.first else Decimal("0.00")
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of a component's lines; `unit_prices` are all that occur, so that a split of lines alone is no change.

    `vat_bases`: the amount under each rate of VAT, in percent.
    """

    quantity: Decimal
    unit_prices: tuple[Decimal, ...]
    amount: Decimal
    vat_bases: tuple[tuple[Decimal, Decimal], ...]


def changes(first: Iterable[RunLine], second: Iterable[RunLine]) -> list[Change]:
    """Components whose quantity, prices, amount or rates of VAT differ, by EAN, service and component."""
    named: dict[tuple[str, str, str], RunLine] = {}
    sides = []
    for lines in (first, second):
        grouped: dict[tuple[str, str, str], list[RunLine]] = defaultdict(list)
        for line in lines:
            key = (line.ean, line.service, line.component)
            named.setdefault(key, line)
            grouped[key].append(line)
        sides.append({key: _figures(group) for key, group in grouped.items()})
    before, after = sides
    return [
        Change(*key, named[key].name, named[key].unit, before.get(key), after.get(key))
        for key in sorted(named)
        if before.get(key) != after.get(key)
    ]


def _figures(lines: Sequence[RunLine]) -> Figures:
    return Figures(
        quantity=sum((line.quantity for line in lines), Decimal(0)),
        unit_prices=tuple(sorted({line.unit_price for line in lines})),
        amount=sum((line.amount for line in lines), Decimal("0.00")),
        vat_bases=tuple(sorted(_by_rate((line.vat_percent, line.amount) for line in lines).items())),
    )


def _by_rate(amounts: Iterable[tuple[Decimal, Decimal]]) -> dict[Decimal, Decimal]:
    bases: dict[Decimal, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for percent, amount in amounts:
        bases[percent] += amount
    return dict(bases)


def vat_of(figures: Iterable[Figures]) -> Decimal:
    """VAT of some components together: the amounts under each rate summed first, as a document recapitulates them."""
    bases = _by_rate(pair for each in figures for pair in each.vat_bases)
    return sum((half_up(base * percent / 100, HALER) for percent, base in bases.items()), Decimal("0.00"))


def causes(first: Sequence[RunInput], second: Sequence[RunInput]) -> list[Cause]:
    """Why the lines of a point may differ: what its inputs pinned differently; with nothing of that, the rule."""
    found = [
        *_profiles(first, second),
        *_states(first, second),
        *_sharing(first, second),
        *_registry(first, second),
        *_package(first, second),
    ]
    return found or [
        Cause("rule", "Vstupy jsou stejné; liší se pravidlo, jeho cena, nebo ruční zásah do podkladů.", {}),
    ]


def _profiles(first: Sequence[RunInput], second: Sequence[RunInput]) -> Iterator[Cause]:
    before, after = _versions(first), _versions(second)
    newer: dict[tuple[int, str], list[date]] = defaultdict(list)
    for channel, direction, day in sorted(before.keys() | after.keys()):
        place = (channel, direction, day)
        if before.get(place) != after.get(place):
            newer[channel, direction].append(day)
    for (channel, direction), days in newer.items():
        listed = [
            {
                "day": day.isoformat(),
                "first": before.get((channel, direction, day)),
                "second": after.get((channel, direction, day)),
            }
            for day in days
        ]
        yield Cause(
            "profile",
            f"Kanál {direction}: jiná verze profilu ve dnech {_named(days)}.",
            {"channel": channel, "direction": direction, "count": len(listed), "days": listed[:MOST_DAYS]},
        )


def _named(days: Sequence[date]) -> str:
    head = ", ".join(day.isoformat() for day in days[:3])
    return head if len(days) <= 3 else f"{head} a dalších {len(days) - 3}"


def _versions(inputs: Sequence[RunInput]) -> dict[tuple[int, str, date], int]:
    return {
        (
            int(profile["channel"]),
            str(profile["direction"]),
            date.fromisoformat(profile["first"]) + timedelta(days=n),
        ): v
        for each in inputs
        for profile in each.profiles
        for n, v in enumerate(profile["versions"])
    }


def _states(first: Sequence[RunInput], second: Sequence[RunInput]) -> Iterator[Cause]:
    before, after = _read(first), _read(second)
    for direction in sorted(before.keys() | after.keys()):
        if before.get(direction) != after.get(direction):
            yield Cause(
                "state",
                f"Registr {direction}: jiné stavy.",
                {"direction": direction, "first": before.get(direction, []), "second": after.get(direction, [])},
            )


def _read(inputs: Sequence[RunInput]) -> dict[str, list[Any]]:
    read: dict[str, list[Any]] = defaultdict(list)
    for each in inputs:
        for source in each.readings:
            read[str(source.get("direction"))].append(source.get("periods"))
    return read


def _sharing(first: Sequence[RunInput], second: Sequence[RunInput]) -> Iterator[Cause]:
    before, after = (
        {
            (str(each["group"]), date.fromisoformat(day)): told
            for given in side
            for each in given.facts.get("sharing", ())
            for day, told in each["days"].items()
        }
        for side in (first, second)
    )
    changed: dict[str, list[date]] = defaultdict(list)
    for group, day in sorted(before.keys() | after.keys()):
        if before.get((group, day)) != after.get((group, day)):
            changed[group].append(day)
    for group, days in changed.items():
        listed = [
            {"day": day.isoformat(), "first": before.get((group, day)), "second": after.get((group, day))}
            for day in days[:MOST_DAYS]
        ]
        yield Cause(
            "sharing",
            f"Skupina sdílení {group}: jiné rozdělení ve dnech {_named(days)}.",
            {"group": group, "count": len(days), "days": listed},
        )


def _registry(first: Sequence[RunInput], second: Sequence[RunInput]) -> Iterator[Cause]:
    before, after = (
        _flat([{name: fact for name, fact in each.facts.items() if name != "sharing"} for each in side])
        for side in (first, second)
    )
    changed = {
        path: {"first": before.get(path), "second": after.get(path)}
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }
    if changed:
        yield Cause("registry", f"Jiné údaje evidence: {', '.join(list(changed)[:5])}.", {"facts": changed})


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of a document by its path, such as item.rate."""
    parts: Iterable[tuple[Any, Any]]
    match value:
        case Mapping():
            parts = value.items()
        case list() | tuple():
            parts = enumerate(value) if len(value) != 1 else [("", value[0])]
        case _:
            return {path: value}
    return {
        leaf: found
        for name, part in parts
        for leaf, found in _flat(part, f"{path}.{name}".strip(".") if name != "" else path).items()
    }


def _package(first: Sequence[RunInput], second: Sequence[RunInput]) -> Iterator[Cause]:
    before, after = ([*dict.fromkeys(each.package for each in side)] for side in (first, second))
    if sorted(before) != sorted(after):
        yield Cause(
            "package",
            f"Jiný legislativní balíček: {', '.join(before)} → {', '.join(after)}.",
            {"first": before, "second": after},
        )
