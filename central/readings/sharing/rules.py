"""How many rounds EDC shares in, and how large a group may be: data by day, each with its mark."""

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

Mark = Literal["documented", "inferred", "assumed"]
Kind = Literal["grid", "house"]


class Rounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rounds of a group of at most `members` EANs (None: any number)."""

    members: int | None
    rounds: int
    mark: Mark
    source: str


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most EANs of a group: over the grid, or in one house behind one connection (HDS)."""

    kind: Kind
    members: int
    mark: Mark
    source: str


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds from a day on."""

    valid_from: date
    rounds: tuple[Rounds, ...]
    limits: tuple[Limit, ...]

    def rounds_of(self, members: int) -> int:
        """Rounds in which a group of so many EANs shares."""
        return next(rule.rounds for rule in self.rounds if rule.members is None or members <= rule.members)

    def limit_of(self, kind: str) -> Limit:
        """The most EANs of a group of that kind."""
        return next(limit for limit in self.limits if limit.kind == kind)


@lru_cache(maxsize=1)
def _all() -> tuple[Rules, ...]:
    content = Path(__file__).with_name("rules.json").read_bytes()
    return tuple(sorted(msgspec.json.decode(content, type=tuple[Rules, ...]), key=lambda rules: rules.valid_from))


def rules_on(day: date) -> Rules:
    """What holds on a day; of a day before the first rules the first."""
    held = [rules for rules in _all() if rules.valid_from <= day]
    return held[-1] if held else _all()[0]
