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
    text_en: str

    def document(self) -> dict[str, str]:
        """As the inputs of a line tell it."""
        return {"mark": self.mark, "text": self.text, "text_en": self.text_en}


def weakest(assumptions: Iterable[Assumption]) -> str:
    """The mark of what stands on all of them; documented where there is none."""
    return max((assumption.mark for assumption in assumptions), key=WEAKEST_LAST.index, default=DOCUMENTED)


def of_price(price: PriceValue, what: str, what_en: str) -> list[Assumption]:
    """What is not sure about a value; `what` begins the sentence ("Cena", "Spalné teplo")."""
    assumptions: list[Assumption] = []
    value, value_en = f"{what} {czech(price.value)} {czech_unit(price.unit)}", f"{what_en} {price.value} {price.unit}"
    if price.mark == "inferred":
        text = f"{value} je převzatá hodnota (zdroj: {price.source}), pro zúčtované období neověřená."
        text_en = f"{value_en} is taken over (source: {price.source}), not verified for the settled time."
        assumptions.append(Assumption(price.mark, text, text_en))
    elif price.mark != DOCUMENTED:
        text = f"{value} je předpoklad, není doloženo veřejným zdrojem."
        assumptions.append(Assumption(price.mark, text, f"{value_en} is assumed, no public source documents it."))
    elif price.example:
        text = f"Ceny ze vzorového ceníku ({price.source}) jsou příkladem, pro zúčtované období neplatí."
        text_en = f"The prices of the sample list ({price.source}) are an example, not valid for the settled time."
        assumptions.append(Assumption(EXAMPLE, text, text_en))
    return assumptions


def of_rule(rule: BillingRule, book: PriceBook, price: PriceValue | None = None) -> list[Assumption]:
    """What is not sure about the rule itself: its formula, its rate code; nothing where its `price` says the same."""
    if rule.mark == DOCUMENTED:
        return []
    source = book.source_title(rule.source)
    if price is not None and (price.mark, price.source) == (rule.mark, source):
        return []
    words = "odvozeno" if rule.mark == "inferred" else "předpokládáno"
    text = (
        f"{rule.name.cs}: pravidlo výpočtu nebo číslo sazby je {words} (zdroj: {source}), "
        "pro zúčtované období neověřeno."
    )
    text_en = (
        f"{rule.name.en}: the rule or its rate code is {rule.mark} (source: {source}), "
        "not verified for the settled time."
    )
    return [Assumption(rule.mark, text, text_en)]


def mark_word(mark: str) -> str:
    """A mark in Czech."""
    words = {DOCUMENTED: "doloženo", "inferred": "odvozeno", "assumed": "předpoklad", EXAMPLE: "příklad"}
    return words.get(mark, mark)


def czech(value: object) -> str:
    """A decimal in Czech spelling."""
    return str(value).replace(".", ",")


def czech_unit(unit: str) -> str:
    """A unit of a package as it is printed: CZK/MW/month -> Kč/MW/měs."""
    return "/".join(_UNIT_WORDS.get(part, part) for part in unit.split("/"))
