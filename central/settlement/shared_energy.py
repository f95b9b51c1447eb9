"""Shared energy (sdílená energie): told with every part, taken off where a package's rule says so. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from central.settlement.marks import czech
from central.settlement.model import Finding
from central.settlement.prices import BillingRule

if TYPE_CHECKING:
    from central.settlement.case import Case
    from central.settlement.facts import PointFacts, Span

SHARED: Final = "shared_energy_mwh"
LOWERED_BY: Final = "lowered_by"
"""The parameter of a rule that names by what its quantity is lowered."""
_UNITS_A_MWH: Final = 5
"""A MWh has 10^5 units of 0.01 kWh."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """What is billed of an energy, what its line says of it, and what does not fit."""

    quantity: Decimal
    text: str = ""
    findings: tuple[Finding, ...] = ()


def shared_of(facts: "PointFacts", span: "Span") -> tuple[Decimal, list[dict[str, Any]]] | None:
    """Shared energy of a part in MWh with the allocations behind it, by group; None where nothing was allocated."""
    days = [each for each in facts.record.shared.days if span.first <= each.day < span.end]
    if not days:
        return None
    sources = [
        {
            "kind": "sharing",
            "group": group,
            "supply_point": facts.supply_point,
            "from": facts.instant(span.first).isoformat(),
            "to": facts.instant(span.end).isoformat(),
            "allocations": {each.day.isoformat(): [each.version, each.source] for each in days if each.group == group},
        }
        for group in sorted({each.group for each in days})
    ]
    return Decimal(sum(each.units for each in days)).scaleb(-_UNITS_A_MWH), sources


def lowered_energy(rule: BillingRule, case: "Case", name: str) -> Lowered:
    """The energy that a rule bills; without `lowered_by` in the rule, or without sharing, all of it.

    It is never below zero: what was shared beyond what was taken is told. Raises CannotPriceError where it is missing.
    """
    quantity = case.required(rule, name)
    shared = case.quantity(rule.parameters[LOWERED_BY]) if LOWERED_BY in rule.parameters else None
    if not shared:
        return Lowered(quantity)
    text = "snížené o sdílenou energii"
    if shared <= quantity:
        return Lowered(quantity - shared, text)
    finding = Finding(
        rule.component,
        f"{rule.name.cs}: od {case.part.first} je sdílená energie {czech(shared)} MWh vyšší než odběr "
        f"{czech(quantity)} MWh; účtuje se 0 MWh.",
    )
    return Lowered(Decimal(0), text, (finding,))


def awaited(facts: "PointFacts") -> Iterator[Finding]:
    """Days on which the point shares and nothing is allocated to it yet: the bill does not know of them."""
    days = [day for day in facts.record.shared.awaited if any(span.first <= day < span.end for span in facts.spans)]
    if days:
        yield Finding(
            "sharing",
            f"Místo {facts.ean} sdílí elektřinu, od {days[0]} však není známo rozdělení (dnů: {len(days)}); "
            "sdílená energie těchto dnů se nezohlednila.",
        )
