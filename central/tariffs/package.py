"""A loaded legislative package and the look-ups of its prices and rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from central.readings.load_profile_rates import RateClass
from central.tariffs.bands import breaker_band, consumption_band
from central.tariffs.model import Deadline, Mark, PackageFile, Rule, ValueTable

KEYS = ("operator", "level", "rate", "band", "area")


class PriceMissingError(LookupError):
    """A package has no value for what was asked; the sentence names component, keys, day and package."""


@dataclass(frozen=True, slots=True)
class Price:
    """One value of a package: a price in Kč without VAT, or another dated value such as a calorific value.

    `source` is the price decision's title, `keys` what the value was found by.
    """

    component: str
    value: Decimal
    unit: str
    source: str
    mark: str
    keys: Mapping[str, str]
    example: bool


@dataclass(frozen=True, slots=True)
class BreakerPrice:
    """The monthly payment for a breaker: `monthly` in Kč, from the price of its band (or of one ampere of it)."""

    band: str
    monthly: Decimal
    per_ampere: bool
    price: Price


@dataclass(frozen=True)
class Package:
    """A validated package with an index of its values. Make one with `central.tariffs.load`."""

    file: PackageFile
    checksum: str
    content: Mapping[str, Any] = field(repr=False)
    index: Mapping[tuple[str, ...], Sequence[tuple[date, date, Price]]] = field(repr=False)
    key_sets: Mapping[str, Sequence[Sequence[str]]] = field(repr=False)

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def version(self) -> str:
        return self.file.version

    @property
    def commodity(self) -> str:
        return self.file.commodity

    @property
    def example(self) -> bool:
        """Whether its values belong to another time, or do not bind yet: what is priced by them says so."""
        return self.file.example or not self.file.binding

    @property
    def binding(self) -> bool:
        return self.file.binding

    @property
    def vat_percent(self) -> Decimal:
        return Decimal(self.file.vat.percent)

    @property
    def valid(self) -> tuple[date, date]:
        """First day, and the first day after the last."""
        return date.fromisoformat(self.file.valid[0]), date.fromisoformat(self.file.valid[1])

    @property
    def borders(self) -> frozenset[date]:
        """The days at which a period is cut: a value or rule begins or ends to hold, and the package itself.

        Above low voltage every month is a part of its own: there, a rule that changes with the month needs no cut.
        """
        file = self.file
        held = [table.valid for table in file.tables] + [steps.valid for steps in file.steps]
        days = {date.fromisoformat(day) for valid in held if valid is not None for day in valid}
        for rule in file.rules:
            for day in map(date.fromisoformat, rule.valid or ()):
                if day.day != 1 or not rule.levels or "NN" in rule.levels:
                    days.add(day)
        return frozenset({*self.valid, *days})

    def rounding_step(self, kind: str) -> Decimal:
        """The step of half-up rounding for `kind` ("amount", "energy_mwh", "power_mw", ...)."""
        return Decimal(self.file.rounding[kind].step)

    def rounding_mark(self, kind: str) -> str:
        """How sure the step of rounding for `kind` is."""
        return self.file.rounding[kind].mark.value

    def rules(self, level: str | None, registers: Sequence[str] = ()) -> list[Rule]:
        """The rules for a voltage level (gas: None), without those for distribution rates with other registers."""
        return [
            rule
            for rule in self.file.rules
            if (level in rule.levels if rule.levels else level is None)
            and (not rule.registers or list(registers) == rule.registers)
        ]

    def takes_only_higher(self, group: str) -> bool:
        """Whether of the rules of `group` only the highest payment is billed."""
        return any(entry.name == group and entry.take == "higher" for entry in self.file.groups)

    def group_mark(self, group: str) -> str:
        """How sure it is what is billed of the rules of `group`; KeyError for an unknown group."""
        for entry in self.file.groups:
            if entry.name == group:
                return entry.mark.value
        raise KeyError(group)

    def rate_registers(self, rate: str) -> Sequence[str] | None:
        """The registers of a distribution rate (["JT"] or ["VT", "NT"]); None for an unknown rate."""
        known = self.file.rates.get(rate)
        return None if known is None else known.registers

    def load_profile_class(self, rate: str) -> str | None:
        """The load-profile class (třída TDD) of a distribution rate; None where the package does not say."""
        found = self.find_price("load_profile_class", self.valid[0], rate=rate)
        return None if found is None else str(int(found.value))

    def rate_classes(self) -> list[RateClass]:
        """The load-profile classes of all distribution rates that the package names."""
        return [
            RateClass(keys[2], str(int(price.value)), (first, end), price.source, price.mark)
            for keys, prices in self.index.items()
            if keys[:2] == ("load_profile_class", "rate")
            for first, end, price in prices
        ]

    def source_title(self, key: str) -> str:
        """The title of a decision, act or other source by its key in the package."""
        return self.file.sources[key].title

    def find_price(
        self,
        component: str,
        day: date,
        *,
        operator: str | None = None,
        level: str | None = None,
        rate: str | None = None,
        band: str | None = None,
        area: str | None = None,
    ) -> Price | None:
        """The value of `component` on `day`; keys the component's table does not have are ignored. None: no value."""
        asked = {"operator": operator, "level": level, "rate": rate, "band": band, "area": area}
        for keys in self.key_sets.get(component, ()):
            wanted = [asked[key] for key in keys]
            if any(value is None for value in wanted):
                continue
            for first, end, price in self.index.get((component, *keys, *(str(value) for value in wanted)), ()):
                if first <= day < end:
                    return price
        return None

    def require_price(self, component: str, day: date, **keys: str | None) -> Price:
        """Like `find_price`, but a missing value raises `PriceMissingError`."""
        price = self.find_price(component, day, **keys)
        if price is None:
            named = ", ".join(f"{key} {value}" for key, value in keys.items() if value is not None) or "no key"
            raise PriceMissingError(
                f"Package {self.name} {self.version} has no value of {component} for {named} on {day.isoformat()}; "
                "install a package that has it or correct the contract item."
            )
        return price

    def find_step(self, component: str, day: date, quantity: Decimal) -> Price | None:
        """The value of a component that goes by steps of a quantity, for example the surcharge by tg phi.

        None: it has no steps on that day, or the quantity is below the first one.
        """
        for steps in self.file.steps:
            first, end = (date.fromisoformat(text) for text in (steps.valid or self.file.valid))
            if steps.component != component or not first <= day < end:
                continue
            reached = [row for row in steps.rows if Decimal(row[0]) <= quantity]
            if reached:
                since, value = reached[-1]
                return Price(
                    component=component,
                    value=Decimal(value),
                    unit=steps.unit,
                    source=self.source_title(steps.source),
                    mark=steps.mark.value,
                    keys={steps.of: since},
                    example=self.example,
                )
        return None

    def find_deadline(self, name: str) -> Deadline | None:
        """The deadline of that name; None where the package has none."""
        return next((deadline for deadline in self.file.deadlines if deadline.name == name), None)

    def breaker_price(self, rate: str, operator: str, phases: int, amperes: Decimal, day: date) -> BreakerPrice | None:
        """The monthly payment of a breaker under a distribution rate; None where no band fits.

        A price per ampere multiplies the whole rated current (documented bands, inferred choice).
        """
        priced = [
            (band, price)
            for band in self.file.breaker_bands
            if (price := self.find_price("breaker", day, operator=operator, rate=rate, band=band.name)) is not None
        ]
        chosen = breaker_band((band for band, _ in priced), phases, amperes)
        for band, price in priced:
            if band is chosen:
                monthly = price.value * amperes if band.per_ampere else price.value
                return BreakerPrice(band=band.name, monthly=monthly, per_ampere=band.per_ampere, price=price)
        return None

    def consumption_band(self, operator: str, annual_mwh: Decimal) -> str | None:
        """The name of the gas band of an annual consumption in MWh; None where the operator has none."""
        band = consumption_band(self.file.consumption_bands.get(operator, []), annual_mwh)
        return None if band is None else band.name


def index_tables(file: PackageFile) -> dict[tuple[str, ...], list[tuple[date, date, Price]]]:
    """Index the values of a package by (component, key names, key values); each with its validity."""
    index: dict[tuple[str, ...], list[tuple[date, date, Price]]] = {}
    for table in file.tables:
        first, end = (date.fromisoformat(text) for text in (table.valid or file.valid))
        for row in table.rows:
            price = _price(file, table, row)
            index.setdefault((table.component, *table.keys, *row[:-1]), []).append((first, end, price))
    return index


def key_sets(file: PackageFile) -> dict[str, list[list[str]]]:
    """For each component the key names that its tables are looked up by, in the order of the package."""
    sets: dict[str, list[list[str]]] = {}
    for table in file.tables:
        known = sets.setdefault(table.component, [])
        if table.keys not in known:
            known.append(table.keys)
    return sets


def _price(file: PackageFile, table: ValueTable, row: Sequence[str]) -> Price:
    return Price(
        component=table.component,
        value=Decimal(row[-1]),
        unit=table.unit,
        source=file.sources[table.source].title,
        mark=Mark(table.mark).value,
        keys=dict(zip(table.keys, row[:-1], strict=True)),
        example=file.example or not file.binding,
    )
