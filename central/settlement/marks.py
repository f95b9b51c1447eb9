"""How sure a line is: what it stands on that no source documents for the settled time, in words for the invoice.

Sentences are Czech, because they are printed; programs read the mark.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from central.settlement.prices import BillingRule, PriceBook, PriceValue

DOCUMENTED = "documented"
EXAMPLE = "example"
"""The mark of a line whose price belongs to another time: it stands in for a missing one."""
WEAKEST_LAST = (DOCUMENTED, "inferred", "assumed", EXAMPLE)

_UNIT_WORDS = {"CZK": "Kč", "month": "měs", "year": "rok", "day": "den", "m3": "m³", "1000 m3": "tis. m³"}


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that is not documented for the settled time: a mark and a Czech sentence."""

    mark: str
    text: str


def weakest(assumptions: Iterable[Assumption]) -> str:
    """The mark of what stands on all of them; documented where there is none."""
    return max((assumption.mark for assumption in assumptions), key=WEAKEST_LAST.index, default=DOCUMENTED)


def of_price(price: PriceValue, what: str) -> list[Assumption]:
    """What is not sure about a value; `what` begins the sentence ("Cena", "Spalné teplo")."""
    assumptions: list[Assumption] = []
    value = f"{what} {czech(price.value)} {czech_unit(price.unit)}"
    if price.mark == "inferred":
        text = f"{value} je převzatá hodnota (zdroj: {price.source}), pro zúčtované období neověřená."
        assumptions.append(Assumption(price.mark, text))
    elif price.mark != DOCUMENTED:
        assumptions.append(Assumption(price.mark, f"{value} je předpoklad, není doloženo veřejným zdrojem."))
    elif price.example:
        text = f"Ceny ze vzorového ceníku ({price.source}) jsou příkladem, pro zúčtované období neplatí."
        assumptions.append(Assumption(EXAMPLE, text))
    return assumptions


def of_rule(rule: BillingRule, book: PriceBook, price: PriceValue | None = None) -> list[Assumption]:
    """What is not sure about the rule itself: its formula, its rate code; nothing where its `price` says the same."""
    if rule.mark == DOCUMENTED:
        return []
    if price is not None and (price.mark, price.source) == (rule.mark, book.source_title(rule.source)):
        return []
    words = "odvozeno" if rule.mark == "inferred" else "předpokládáno"
    text = (
        f"{rule.name.cs}: pravidlo výpočtu nebo číslo sazby je {words} (zdroj: {book.source_title(rule.source)}), "
        "pro zúčtované období neověřeno."
    )
    return [Assumption(rule.mark, text)]


def czech(value: object) -> str:
    """A decimal in Czech spelling."""
    return str(value).replace(".", ",")


def czech_unit(unit: str) -> str:
    """A unit of a package as it is printed: CZK/MW/month -> Kč/MW/měs."""
    return "/".join(_UNIT_WORDS.get(part, part) for part in unit.split("/"))
