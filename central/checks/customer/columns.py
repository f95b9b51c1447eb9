"""The columns that customer checks may name: those of the basis, and those that it may be compared with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from central.checks.bases import STATES
from central.checks.customer.measures import IN_UNIT, MONEY, ON_DAY, PER_UNIT, PLAIN, SPAN, UNITS, Measure
from central.checks.frame import MICRO, MISSING, Frame
from central.checks.framework import COMMODITIES, SERVICES, Kind, Text, Value
from central.registry.point_tables import METERING_TYPES, VOLTAGE_LEVELS

APART: Final = MISSING + 1
"""What stands for a value that has no unit in common with the basis."""
_ONE: Final = Fraction(1)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what its whole numbers are (`measure` x `scale`), or the words that it has; how it is shown."""

    name: str
    meaning: Text
    kind: Kind
    measure: Measure = PLAIN
    scale: Fraction = Fraction(1)
    words: tuple[str, ...] = ()
    """Its only words; none: any."""
    source: str = "basis"
    """What is read for it; "basis": nothing."""

    def shown(self, frame: Frame) -> Value:
        """The column as a value of findings."""
        data = frame[self.name]
        words = frame.words.get(self.name, self.words)
        return Value(self.kind, np.where(data == APART, MISSING, data), words)


def _decimal(name: str, cs: str, en: str, measure: Measure, source: str = "basis", factor: Fraction = _ONE) -> Column:
    return Column(name, Text(cs, en), Kind.DECIMAL, measure, factor / MICRO, (), source)


def _in(name: str, cs: str, en: str, unit: str) -> Column:
    measure, factor = UNITS[unit]
    return _decimal(name, f"{cs} [{unit}]", f"{en} [{unit}]", measure, "item", factor)


def _money(name: str, cs: str, en: str, source: str = "basis") -> Column:
    return Column(name, Text(cs, en), Kind.MONEY, MONEY, Fraction(1, 100), (), source)


def _day(name: str, cs: str, en: str, source: str = "basis") -> Column:
    return Column(name, Text(cs, en), Kind.DAY, ON_DAY, Fraction(1), (), source)


def _count(name: str, cs: str, en: str, measure: Measure = PLAIN, source: str = "basis") -> Column:
    return Column(name, Text(cs, en), Kind.COUNT, measure, Fraction(1), (), source)


def _word(name: str, cs: str, en: str, words: tuple[str, ...], source: str = "basis") -> Column:
    return Column(name, Text(cs, en), Kind.WORD, words=words, source=source)


COLUMNS: Final[Mapping[str, Column]] = {
    column.name: column
    for column in (
        _count("rate", "číslo sazby", "number of the service"),
        _count("statement_type", "typ vyúčtování", "statement type"),
        _decimal("quantity", "množství v jednotce podkladu", "quantity in the unit of the basis", IN_UNIT),
        _word("unit", "jednotka množství", "unit of the quantity", ()),
        _decimal("price", "jednotková cena", "unit price", PER_UNIT),
        _money("amount", "částka bez DPH", "amount without VAT"),
        _day("first", "první den intervalu", "first day of the interval"),
        _day("last", "poslední den intervalu", "last day of the interval"),
        _count("days", "počet dnů intervalu", "days of the interval", SPAN),
        _word("service", "druh služby", "kind of service", SERVICES),
        _word("commodity", "komodita", "commodity", COMMODITIES),
        _word("state", "stav podkladu", "state of the basis", STATES),
        _decimal("previous_quantity", "množství předchozího podkladu", "quantity of the basis before", IN_UNIT,
                 "previous"),
        _decimal("previous_price", "cena předchozího podkladu", "unit price of the basis before", PER_UNIT, "previous"),
        _money("previous_amount", "částka předchozího podkladu", "amount of the basis before", "previous"),
        _day("previous_last", "poslední den předchozího podkladu", "last day of the basis before", "previous"),
        _count("previous_days", "počet dnů předchozího podkladu", "days of the basis before", SPAN, "previous"),
        _decimal("year_before_quantity", "množství za stejný měsíc před rokem", "quantity of that month a year before",
                 IN_UNIT, "previous"),
        _money("year_before_amount", "částka za stejný měsíc před rokem", "amount of that month a year before",
               "previous"),
        _money("received_amount", "částka přijaté faktury za distribuci", "amount of the received distribution invoice",
               "received"),
        _count("received_lines", "počet řádků přijaté faktury", "lines of the received invoice", PLAIN, "received"),
        _in("item_reserved_input", "rezervovaný příkon položky smlouvy", "reserved input of the contract item", "kW"),
        _in("item_reserved_output", "rezervovaný výkon položky smlouvy", "reserved output of the contract item", "kW"),
        _in("item_breaker", "jistič položky smlouvy", "breaker of the contract item", "A"),
        _in("item_yearly_energy", "roční odběr položky smlouvy", "yearly take-off of the contract item", "MWh"),
        _day("item_first", "začátek položky smlouvy", "first day of the contract item", "item"),
        _day("item_last", "konec položky smlouvy", "last day of the contract item", "item"),
        _word("point_voltage_level", "napěťová hladina místa", "voltage level of the point", VOLTAGE_LEVELS, "item"),
        _word("point_metering_type", "typ měření místa", "type of metering of the point", METERING_TYPES, "item"),
    )
}  # fmt: skip
"""All of them, by name."""


def of_bases(bases: Frame, names: Iterable[str]) -> Frame:
    """The named columns of the basis."""
    made = {"last": bases["end_"] - 1, "days": bases["end_"] - bases["first"]}
    chosen = [name for name in names if COLUMNS[name].source == "basis"]
    columns = {name: made[name] if name in made else bases[name] for name in chosen}
    return Frame(columns, {name: bases.words[name] for name in chosen if name in bases.words})


def compared(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the named columns that something must be read for."""
    return tuple(sorted(name for name in names if COLUMNS[name].source != "basis"))
