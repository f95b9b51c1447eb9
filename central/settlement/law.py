"""The rules and prices of one package as pricing uses them: each looked up once, and stated once for all lines.

A package never changes under its checksum, so what was resolved for one point serves every other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from central.settlement.marks import Assumption, czech, czech_unit, mark_word, of_price, of_rule, weakest
from central.settlement.model import CannotPriceError, TariffPoint, described
from central.settlement.prices import BillingRule, BreakerPayment, PriceBook, PriceValue

MONTHS_STEP = Decimal("0.000001")
"""Step of a part of a month where the package names none: its amount stays exact to the haléř up to 10,000 Kč."""
MEGAWATT_MONTHS_STEP = Decimal("0.000000001")
"""Step of MW over a part of a month where the package names none: a MW costs hundreds of thousands a month."""
LAWS_KEPT = 32

_DEFAULT_STEPS = {"months": MONTHS_STEP, "power_mw_months": MEGAWATT_MONTHS_STEP}


@dataclass(frozen=True, slots=True)
class Stated:
    """What every line of a rule at one price says: its assumptions, its inputs, and the end of its explanation."""

    assumptions: tuple[Assumption, ...]
    inputs: Mapping[str, Any]
    price_text: str
    source_text: str


class Law:
    """One package, resolved: rules by level and rate, prices by what they are found by. Get one with `law_of`."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self._rules: dict[tuple[str | None, str | None], tuple[BillingRule, ...]] = {}
        self._prices: dict[tuple[Any, ...], PriceValue | None] = {}
        self._breakers: dict[tuple[Any, ...], BreakerPayment | None] = {}
        self._stated: dict[tuple[Any, ...], Stated] = {}
        self._steps: dict[str, Decimal] = {}
        self._stepped: dict[tuple[Any, ...], PriceValue] = {}
        self._bands: dict[tuple[str, Decimal], str | None] = {}

    def rules(self, point: TariffPoint) -> tuple[BillingRule, ...]:
        """The rules for a point's level and rate; raises CannotPriceError for an unknown rate."""
        key = (point.level, point.rate if point.level == "NN" else None)
        found = self._rules.get(key)
        if found is None:
            found = tuple(self.book.rules(point.level, self.registers(point)))
            self._rules[key] = found
        return found

    def registers(self, point: TariffPoint) -> Sequence[str]:
        """The registers of the point's rate; none above low voltage. Raises CannotPriceError for an unknown rate."""
        if point.level != "NN":
            return ()
        registers = self.book.rate_registers(point.rate or "")
        if registers is None:
            raise CannotPriceError(
                "rate", f"Sazba {point.rate or '(nezadána)'} není v balíčku {self.book.name} {self.book.version}."
            )
        return registers

    def step(self, kind: str) -> Decimal:
        """The step of half-up rounding; parts of months have one of the product where the package names none."""
        step = self._steps.get(kind)
        if step is None:
            try:
                step = self.book.rounding_step(kind)
            except KeyError:
                step = _DEFAULT_STEPS[kind]
            self._steps[kind] = step
        return step

    def find(
        self, component: str, day: date, point: TariffPoint, band: str | None = None, level: str | None = None
    ) -> PriceValue | None:
        """The value of a component on a day for a point; `level` stands in for the point's own."""
        level = level or point.level
        key = (component, day, point.operator, level, point.rate, band)
        try:
            return self._prices[key]
        except KeyError:
            found = self.book.find_price(
                component, day, operator=point.operator, level=level, rate=point.rate, band=band
            )
            self._prices[key] = found
            return found

    def require(
        self,
        rule: BillingRule,
        component: str,
        day: date,
        point: TariffPoint,
        band: str | None = None,
        level: str | None = None,
    ) -> PriceValue:
        """Like `find`; an absent value leaves the point out."""
        price = self.find(component, day, point, band, level)
        if price is None:
            keys = ", ".join(key for key in (point.operator, level or point.level, point.rate, band) if key)
            raise CannotPriceError(
                rule.component,
                f"Balíček {self.book.name} {self.book.version} nemá cenu {component} pro {keys} dne {day.isoformat()}.",
                day,
            )
        return price

    def find_step(self, component: str, day: date, quantity: Decimal) -> PriceValue | None:
        """The value of the step that a quantity has reached; None below the first one or without steps."""
        found = self.book.find_step(component, day, quantity)
        # one object a step, so that what is stated of it is stated once
        return None if found is None else self._stepped.setdefault((component, found.source, found.value), found)

    def breaker(self, point: TariffPoint, phases: int, amperes: Decimal, day: date) -> BreakerPayment | None:
        """The monthly payment of a breaker under the point's rate; None where no band fits."""
        key = (point.rate, point.operator, phases, amperes, day)
        try:
            return self._breakers[key]
        except KeyError:
            found = self.book.breaker_price(point.rate or "", point.operator, phases, amperes, day)
            self._breakers[key] = found
            return found

    def consumption_band(self, operator: str, annual_mwh: Decimal) -> str | None:
        """The gas band of an annual consumption; None where the operator has none."""
        key = (operator, annual_mwh)
        if key not in self._bands:
            self._bands[key] = self.book.consumption_band(operator, annual_mwh)
        return self._bands[key]

    def stated(
        self,
        rule: BillingRule,
        price: PriceValue,
        multiplier: Decimal | None,
        rounded: str | None,
        also: tuple[Assumption, ...],
    ) -> Stated:
        """What each line of a rule at a price says, made once."""
        key = (id(rule), id(price), multiplier, rounded, also)
        found = self._stated.get(key)
        if found is None:
            found = _state(self.book, rule, price, multiplier, rounded, also)
            self._stated[key] = found
        return found


def law_of(book: PriceBook) -> Law:
    """The resolved law of a package; kept by checksum, at most `LAWS_KEPT` of them."""
    law = _LAWS.get(book.checksum)
    if law is None:
        if len(_LAWS) >= LAWS_KEPT:
            _LAWS.clear()
        law = _LAWS[book.checksum] = Law(book)
    return law


_LAWS: dict[str, Law] = {}


def _state(
    book: PriceBook,
    rule: BillingRule,
    price: PriceValue,
    multiplier: Decimal | None,
    rounded: str | None,
    also: tuple[Assumption, ...],
) -> Stated:
    assumptions = (*of_price(price, "Cena", "The price"), *also, *of_rule(rule, book, price))
    mark = weakest(assumptions)
    price_text = f"{czech(price.value)} {czech_unit(price.unit)}"
    if multiplier is not None:
        price_text = f"{czech(multiplier)} × {price_text}"
    inputs: dict[str, Any] = {
        "formula": rule.formula,
        "parameters": dict(rule.parameters),
        "rule": {
            "name_en": rule.name.en,
            "source": book.source_title(rule.source),
            "mark": rule.mark,
            "package": f"{book.name} {book.version}",
        },
        "price": described(price),
        "mark": mark,
        "assumptions": [entry.document() for entry in assumptions],
        "rounding": {
            kind: {"step": str(book.rounding_step(kind)), "mark": book.rounding_mark(kind)}
            for kind in (rounded, "amount")
            if kind is not None
        },
    }
    if multiplier is not None:
        inputs["multiplier"] = str(multiplier)
    return Stated(assumptions, inputs, price_text, f"{price.source}, {mark_word(mark)}")
