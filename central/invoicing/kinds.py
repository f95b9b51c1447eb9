"""Kinds of documents as data: the ISDOC type of each, the prefix of its number series, and its tax point."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from central.invoicing.tables import KINDS
from central.settlement.statements import CANCELS, CORRECTS, GROUPS

Kind = Literal[
    "regular", "annual", "collective", "corrective", "cancelling", "advance", "advance_tax", "advance_credit"
]
TaxPoint = Literal["last_metering_day", "issue", "given", "none"]
"""The last metering day read, the day of issue, the day of the payment that is given, or none (no tax document)."""

NEVER_INVOICED = frozenset(map(int, GROUPS["accrual"]))
"""Statement types of accruals: for the books, never for a customer."""
CANCELLING = frozenset(map(int, CANCELS.values())) - NEVER_INVOICED
CORRECTIVE = frozenset(map(int, CORRECTS.values()))
ANNUAL = frozenset(map(int, GROUPS["annual"])) - CANCELLING - CORRECTIVE
SETTLING_ANEW = CORRECTIVE & frozenset(map(int, GROUPS["annual"]))
"""Statement types by the kinds of documents that they lead to; the others are regular.

What settles a year anew for a payer who was not billed it before is an annual statement, too."""

FILE = Path(__file__).parent / "kinds.json"


class KindRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kinds.json says about one kind; `document_type_negative` is taken where the total is below zero."""

    document_type: int
    prefix: str
    tax_point: TaxPoint
    tax_point_mark: Literal["documented", "inferred", "assumed"]
    document_type_negative: int | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    kinds: dict[str, KindRules]


@dataclass(frozen=True, slots=True)
class TaxDays:
    """The days among which a kind's tax point is chosen: `end` of the consumption (exclusive), `given` from outside."""

    issue: date
    end: date | None = None
    given: date | None = None


@cache
def _file() -> _File:
    return msgspec.json.decode(FILE.read_bytes(), type=_File)


@cache
def kinds() -> dict[str, KindRules]:
    """The rules of every kind."""
    read = _file().kinds
    if not set(KINDS) < set(read) or len({rules.prefix for rules in read.values()}) != len(read):
        raise ValueError(f"{FILE.name} must hold at least the kinds {', '.join(KINDS)}, each with a prefix of its own.")
    return read


def document_type(kind: str, gross: Decimal) -> int:
    """The ISDOC DocumentType: 1 invoice, 2 credit note, 3 debit note, 4 advance, 5 its tax document, 6 its credit."""
    rules = kinds()[kind]
    return rules.document_type_negative if gross < 0 and rules.document_type_negative else rules.document_type


def tax_date(kind: str, days: TaxDays) -> date | None:
    """The tax point (datum uskutečnění zdanitelného plnění); None for what is no tax document."""
    match kinds()[kind].tax_point:
        case "none":
            return None
        case "issue":
            return days.issue
        case "given":
            return days.given or days.issue
        case "last_metering_day":
            return days.issue if days.end is None else days.end - timedelta(days=1)
