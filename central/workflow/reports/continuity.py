"""Continuity of supply (nepřetržitost distribuce): how often and how long customers were without supply. Pure.

Decree 540/2005 as amended by 41/2010: only long-term interruptions count, those longer than 3 minutes (section 2 b);
they are planned or not (section 2 c). Its three indicators of distribution, by calendar year (names documented in the
regulator's yearly reports, formulas inferred from annex 2 of the rules of distribution networks, PPDS):

* SAIFI, mean number of interruptions of a customer: sum of customers hit / customers
* SAIDI, mean time that a customer was without supply, minutes: sum of (customers hit x minutes) / customers
* CAIDI, mean time of one interruption, minutes: SAIDI / SAIFI = sum of (customers hit x minutes) / customers hit

Assumed: a level's indicators count the customers supplied from it; an interruption belongs to the period in which it
began, with its whole time; customers are those of the period's first day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from central.workflow.reports.cells import Found, Key

SYSTEM: Final = "system"
LEVELS: Final = ("VVN", "VN", "NN")


@dataclass(frozen=True, slots=True)
class Interruption:
    """An outage as it hit the customers of one voltage level; `seconds` is None while it goes on."""

    outage: int
    planned: bool
    level: str
    customers: int
    seconds: Decimal | None


def indicators(
    interruptions: Iterable[Interruption], customers: Mapping[str, int], longer_than_minutes: Decimal
) -> dict[Key, Found]:
    """By source key (customers; interruptions, saifi, saidi, caidi of planned, unplanned, all) and level or system.

    Without customers there is no indicator, and without an interruption no CAIDI: they are not known, not zero.
    """
    long = [each for each in interruptions if each.seconds is None or each.seconds > longer_than_minutes * 60]
    found: dict[Key, Found] = {}
    for column in (SYSTEM, *LEVELS):
        levels = LEVELS if column == SYSTEM else (column,)
        number = sum(customers.get(level, 0) for level in levels)
        found["customers", column] = Found(Decimal(number), "consumption points connected on the first day")
        for category, planned in (("planned", (True,)), ("unplanned", (False,)), ("all", (True, False))):
            hits = [each for each in long if each.level in levels and each.planned in planned]
            for name, each in _of(hits, number).items():
                found[f"{category}.{name}", column] = each
    return found


def _of(hits: Sequence[Interruption], customers: int) -> dict[str, Found]:
    outages = sorted({each.outage for each in hits})
    details = {"outages": outages[:100], "customers": customers}
    hit = sum(each.customers for each in hits)
    text = f"{len(outages)} interruptions, {hit} customers hit, {customers} customers"
    found = {"interruptions": Found(Decimal(len(outages)), text, details)}
    if customers == 0:
        none = Found(None, "the network has no customer of this level on the first day", details)
        return {**found, "saifi": none, "saidi": none, "caidi": none}
    found["saifi"] = Found(_decimal(Fraction(hit, customers)), text, details)
    going_on = sorted({each.outage for each in hits if each.seconds is None})
    if going_on:
        none = Found(None, f"the outage {going_on[0]} goes on: end it and fill again", details)
        return {**found, "saidi": none, "caidi": none}
    minutes = sum(
        (each.customers * Fraction(each.seconds) / 60 for each in hits if each.seconds is not None), Fraction()
    )
    found["saidi"] = Found(_decimal(minutes / customers), text, details)
    none = Found(None, "there was no interruption, so it has no mean time", details)
    found["caidi"] = Found(_decimal(minutes / hit), text, details) if hit else none
    return found


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)
