"""Which ways of being billed a difference of packages touches. Pure; who is billed so stands in the registry."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from central.tariffs.diff import Difference, Span
from central.tariffs.package import Package

_TERMS = frozenset({"payment_term"})
"""Values of packages that no bill is made of."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What of a contract item decides its prices; many items have the same. `level` is None for gas."""

    commodity: str
    operator: str
    level: str | None = None
    rate: str | None = None
    breaker_phases: int | None = None
    breaker_amperes: Decimal | None = None
    annual_mwh: Decimal | None = None


class Effect:
    """Tells, for two packages and their differences, on which days a profile is billed otherwise."""

    def __init__(self, old: Package | None, new: Package, found: Sequence[Difference]) -> None:
        self.packages = [package for package in (old, new) if package is not None]
        self.new_only = old is None
        self.new = new
        self._found: dict[tuple[str | None, str | None], list[Difference]] = {}
        for each in found:
            if each.money and each.component not in _TERMS:
                self._found.setdefault((each.keys.get("operator"), each.keys.get("rate")), []).append(each)
        self._used = {package.name + package.version: _used(package) for package in self.packages}

    def days(self, profile: Profile) -> list[Span]:
        """Stretches of days, merged and in order, on which the profile is billed otherwise; [] for none."""
        if profile.commodity != self.new.commodity:
            return []
        if self.new_only:
            return [self.new.valid] if profile.operator in self.new.file.operators else []
        if not any(profile.operator in package.file.operators for package in self.packages):
            return []
        places = itertools.product({profile.operator, None}, {profile.rate, None})
        found = (each for place in places for each in self._found.get(place, ()))
        return merged(each.valid for each in found if self._touches(each, profile))

    def _touches(self, each: Difference, profile: Profile) -> bool:
        if each.kind == "rule":
            return self._ruled(each, profile)
        if each.kind != "price":
            return True
        level = profile.level
        if each.keys.get("level", level) != level:
            return False
        if level is not None and not any(each.component in used.get(level, ()) for used in self._used.values()):
            return False
        return "band" not in each.keys or self._in_band(each, profile)

    def _ruled(self, each: Difference, profile: Profile) -> bool:
        if each.levels and profile.level not in each.levels:
            return False
        if not each.registers:
            return True
        return any(
            list(package.rate_registers(profile.rate or "") or ()) == list(each.registers) for package in self.packages
        )

    def _in_band(self, each: Difference, profile: Profile) -> bool:
        band = each.keys["band"]
        if band in self.new.file.named_bands:
            return True
        return any(band == _band(package, profile, each.valid[0]) for package in self.packages)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The union of stretches of days."""
    union: list[Span] = []
    for first, end in sorted(spans):
        if union and first <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((first, end))
    return union


def _used(package: Package) -> dict[str, frozenset[str]]:
    """By voltage level the components that its rules bill, or take as base or cap."""
    priced = {table.component for table in package.file.tables} | {steps.component for steps in package.file.steps}
    used: dict[str, frozenset[str]] = {}
    for rule in package.file.rules:
        named = {part for value in rule.parameters.values() for part in value.split("+")} & priced
        for level in rule.levels:
            used[level] = used.get(level, frozenset()) | named | {rule.component}
    return used


def _band(package: Package, profile: Profile, day: date) -> str | None:
    day = min(max(day, package.valid[0]), package.valid[1])
    if profile.commodity == "gas":
        return None if profile.annual_mwh is None else package.consumption_band(profile.operator, profile.annual_mwh)
    if profile.breaker_phases is None or profile.breaker_amperes is None:
        return None
    price = package.breaker_price(
        profile.rate or "", profile.operator, profile.breaker_phases, profile.breaker_amperes, day
    )
    return None if price is None else price.band
