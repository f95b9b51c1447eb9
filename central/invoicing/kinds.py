"""Kinds of documents as data: the ISDOC type of each, the prefix of its number series, and its tax point by time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec

from central.invoicing.tables import KINDS
from central.settlement.statements import CANCELS, CORRECTS, GROUPS, StatementType

Kind = Literal[
    "regular", "annual", "collective", "corrective", "cancelling", "advance", "advance_tax", "advance_credit"
]
TaxPoint = Literal["consumption", "issue", "given", "none"]
"""By how the consumption is known, the day of issue, the day of the payment that is given, none (no tax document)."""
Known = Literal["read", "computed", "none"]
"""How the consumption of a point is known: read; computed or estimated, all or a part of it; none is billed."""

NEVER_INVOICED = frozenset(map(int, GROUPS["accrual"]))
"""Statement types of accruals: for the books, never for a customer."""
CANCELLING = frozenset(map(int, CANCELS.values())) - NEVER_INVOICED
TAKES_BACK = frozenset({int(StatementType.NEGATIVE_SETTLEMENT), int(StatementType.CORRECTS_NEGATIVE)})
CORRECTIVE = frozenset(map(int, CORRECTS.values()))
ANNUAL = frozenset(map(int, GROUPS["annual"])) - CANCELLING - CORRECTIVE
SETTLING_ANEW = CORRECTIVE & frozenset(map(int, GROUPS["annual"]))
"""Statement types by the kinds of documents that they lead to; the others are regular.

What settles a year anew for a payer who was not billed it before is an annual statement, too."""

FILE = Path(__file__).parent / "kinds.json"


Mark = Literal["documented", "inferred", "assumed"]


class KindRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kinds.json says about one kind; `document_type_negative` is taken where the total is below zero."""

    document_type: int
    prefix: str
    tax_point: str
    """The name of its tax points in the file, which hold one after another."""
    document_type_negative: int | None = None


class TaxPointRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the tax point of documents is that are issued `since` a day (None: ever), until another one follows.

    The mark is of the choice of that day; how sure the day of the consumption is, is said beside it.
    """

    day: TaxPoint
    mark: Mark
    source: str
    since: date | None = None


class ConsumptionDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which day of `Consumption` the tax point is."""

    day: Literal["reading", "knowing", "last_metering"]
    mark: Mark


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    consumption: dict[Known, ConsumptionDay]
    tax_points: dict[str, tuple[TaxPointRule, ...]]
    kinds: dict[str, KindRules]


@dataclass(frozen=True, slots=True)
class Consumption:
    """How the consumption of a point is known, the days of its reading and of knowing it, and its last metering day."""

    how: Known
    reading: date
    knowing: date
    last_metering: date


@dataclass(frozen=True, slots=True)
class TaxDays:
    """The days among which a kind's tax point is chosen: of issue, of its points' consumption, `given` from outside."""

    issue: date
    consumption: Sequence[Consumption] = ()
    given: date | None = None


@cache
def _file() -> _File:
    return msgspec.json.decode(FILE.read_bytes(), type=_File)


@cache
def kinds() -> dict[str, KindRules]:
    """The rules of every kind."""
    read = _file().kinds
    if missing := set(get_args(Known)) - set(_file().consumption):
        raise ValueError(f"{FILE.name} must say the tax point of consumption that is {', '.join(sorted(missing))}.")
    if not set(KINDS) < set(read) or len({rules.prefix for rules in read.values()}) != len(read):
        raise ValueError(f"{FILE.name} must hold at least the kinds {', '.join(KINDS)}, each with a prefix of its own.")
    for kind, rules in read.items():
        days = [rule.since for rule in _file().tax_points.get(rules.tax_point, ())]
        if days[:1] != [None] or None in days[1:] or sorted(filter(None, days)) != days[1:]:
            raise ValueError(
                f"{FILE.name} must say the tax point {rules.tax_point} of the kind {kind}: first one without a day, "
                "then others in the order of the days since which they hold."
            )
    return read


def tax_point_rule(kind: str, issued: date) -> TaxPointRule:
    """The rule of a kind's tax point on the day on which the document is issued."""
    rules = _file().tax_points[kinds()[kind].tax_point]
    return next(rule for rule in reversed(rules) if rule.since is None or rule.since <= issued)


def document_type(kind: str, gross: Decimal) -> int:
    """The ISDOC DocumentType: 1 invoice, 2 credit note, 3 debit note, 4 advance, 5 its tax document, 6 its credit."""
    rules = kinds()[kind]
    return rules.document_type_negative if gross < 0 and rules.document_type_negative else rules.document_type


def tax_date(kind: str, days: TaxDays) -> date | None:
    """The tax point (datum uskutečnění zdanitelného plnění); None for what is no tax document."""
    match tax_point_rule(kind, days.issue).day:
        case "none":
            return None
        case "issue":
            return days.issue
        case "given":
            return days.given or days.issue
        case "consumption":
            rules = _file().consumption
            found: list[date] = [getattr(each, rules[each.how].day) for each in days.consumption]
            return max(found, default=days.issue)
