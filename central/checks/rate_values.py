"""Which values of a price list a rate (sazba) has, from when until when: read anew, not as the basis was priced.

What contract items pay by is a handful of combinations (price list, level, rate, breaker), each looked up once for all
bases of all its items.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Final

import numpy as np

from central.checks.frame import MICRO, MISSING, Frame, Numbers, group, match
from central.checks.framework import Asked
from central.platform.arrays import int_array
from central.readings.rows import driver
from central.settlement.supply import TAXES
from central.tariffs.install import packages_in_force
from central.tariffs.model import Rule
from central.tariffs.package import Package

EPOCH: Final = date(1970, 1, 1).toordinal()
_EVER: Final = (date(1993, 1, 1), date(2200, 1, 1))
_TAXES: Final = {named.code: named.component for named in TAXES.values()}
_INSTEAD: Final = ("base", "reserved_price", "capacity_price")
"""Parameters of rules whose formula takes another component's price instead of its own."""
_BESIDES: Final = ("measured_price", "networks_price", "electricity_price", "cap")
PER_MONTH: Final = "CZK/month"
PER_MWH: Final = "CZK/MWh"
_WHERE_ANY: Final = "cap"
"""A parameter whose price is taken only where there is one: a price of 0 needs no cap."""

ITEMS: Final = """
    -- a digest of what each item pays by, at the level that its point has (end_ NULL: now) or had in a span of days
    SELECT i.id AS contract_item, coalesce(lower(p.valid) - DATE '1970-01-01', -2147483648) AS first,
           upper(p.valid) - DATE '1970-01-01' AS end_,
           hashtextextended((p.commodity, i.prices, p.voltage_level, i.rate, i.breaker_phases, i.breaker_amps,
                             CASE WHEN p.commodity = 'gas' THEN i.annual_mwh END, i.unmetered_flat, i.unmetered_w
                            )::text, 0) AS combination
      FROM contract_item i JOIN supply_point_valid p ON p.id = i.supply_point
     WHERE i.supply_point = ANY (%(points)s::bigint[])
"""
COMBINATIONS: Final = """
    -- the same as what it was made of, once each
    SELECT DISTINCT
           hashtextextended((p.commodity, i.prices, p.voltage_level, i.rate, i.breaker_phases, i.breaker_amps,
                             CASE WHEN p.commodity = 'gas' THEN i.annual_mwh END, i.unmetered_flat, i.unmetered_w
                            )::text, 0) AS combination,
           p.commodity, i.prices, p.voltage_level, i.rate, i.breaker_phases, i.breaker_amps,
           CASE WHEN p.commodity = 'gas' THEN i.annual_mwh END, i.unmetered_flat, i.unmetered_w
      FROM contract_item i JOIN supply_point_valid p ON p.id = i.supply_point
     WHERE i.supply_point = ANY (%(points)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class PaysBy:
    """What decides the regulated prices of a contract item; `prices` names the price list (regional distributor)."""

    commodity: str
    prices: str
    level: str | None = None
    rate: str | None = None
    phases: int | None = None
    amperes: Decimal | None = None
    annual_mwh: Decimal | None = None
    unmetered_flat: bool = False
    unmetered_w: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RateValue:
    """One value of a rate on the days [first, end).

    `price` is what one unit costs an item by it, in `unit` (CZK/MWh, CZK/month ...); None where the rate is made of
    several values.
    """

    first: date
    end: date
    price: Decimal | None
    unit: str


@dataclass(frozen=True)
class Regulated:
    """Contract items with what they pay by, and the packages that are in force."""

    items: Frame
    """contract_item, [first, end_) (MISSING: now), combination."""
    combinations: Mapping[int, PaysBy]
    packages: Sequence[Package]


def read_regulated(asked: Asked) -> Regulated:
    """What the items of the points pay by; the packages are checked as they are read. For `Asked.once`."""
    items = asked.frame(ITEMS, ("contract_item", "first", "end_", "combination"))
    with driver(asked.connection).cursor() as cursor:
        rows = cursor.execute(COMBINATIONS.encode(), {"points": int_array(asked.points)}).fetchall()
    return Regulated(items, {row[0]: PaysBy(*row[1:]) for row in rows}, packages_in_force(asked.connection, *_EVER))


def combination_of(bases: Frame, items: Frame) -> Numbers:
    """By what each basis's item paid on the last day of the basis; MISSING without an item."""
    found = np.full(len(bases), MISSING, dtype=np.int64)
    places, others = match([bases["contract_item"]], [items["contract_item"]])
    last = bases["end_"][places] - 1
    now = items["end_"][others] == MISSING
    before = ~now & (items["first"][others] <= last) & (last < items["end_"][others])
    for held in (now, before):
        found[places[held]] = items["combination"][others[held]]
    return found


def values_of_rate(packages: Iterable[Package], pays: PaysBy, code: int) -> list[RateValue]:
    """The values that the packages have for a rate of an item, by time; neighbours of one package that say the same,
    from the same decision, are one value."""
    found: list[RateValue] = []
    for package in packages:
        if package.commodity == pays.commodity and pays.prices in package.file.operators:
            found += _joined(_values(package, pays, code))
    return found


def values_by_rate(regulated: Regulated, combination: Numbers, rates: Numbers) -> Frame:
    """The values of each combination and rate that there is among these columns: combination, rate, [first, end_),
    price in millionths (MISSING: of several values), unit."""
    there = combination != MISSING
    keys = [combination[there], rates[there]]
    found: list[tuple[int, int, RateValue]] = []
    if there.any():
        _, distinct = group(keys)
        for key, rate in zip(*(each[distinct].tolist() for each in keys), strict=True):
            values = values_of_rate(regulated.packages, regulated.combinations[key], rate)
            found += [(key, rate, value) for value in values]
    units = tuple(sorted({value.unit for _, _, value in found}))
    rows = [
        (key, rate, days(value.first), days(value.end), micro(value.price), units.index(value.unit))
        for key, rate, value in found
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    names = ("combination", "rate", "first", "end_", "price", "unit")
    return Frame(dict(zip(names, columns, strict=True)), {"unit": units})


def has_two_tariffs(packages: Iterable[Package], pays: PaysBy) -> bool:
    """Whether energy under the item's rate has a high and a low tariff."""
    if pays.level != "NN" or pays.rate is None:
        return False
    known = [package.rate_registers(pays.rate) for package in packages if package.commodity == pays.commodity]
    return any(registers is not None and len(registers) > 1 for registers in known)


def days(value: date) -> int:
    """A day as checks count them."""
    return value.toordinal() - EPOCH


def micro(price: Decimal | None) -> int:
    """Millionths; MISSING for what has no whole number of them."""
    scaled = None if price is None else price * MICRO
    return MISSING if scaled is None or scaled != scaled.to_integral() else int(scaled)


_Said = tuple[tuple[str, Decimal, str], ...]


def _values(package: Package, pays: PaysBy, code: int) -> Iterator[tuple[RateValue, _Said]]:
    registers = package.rate_registers(pays.rate or "") if pays.level == "NN" else ()
    if registers is None:
        return
    rules = [rule for rule in package.rules(pays.level, registers) if rule.code == code and _may(rule, pays)]
    for first, end in pairwise(_borders(package)):
        for rule in rules:
            if rule.valid is not None and not rule.valid[0] <= first.isoformat() < rule.valid[1]:
                continue
            said = _said(package, rule, pays, first)
            if said is not None:
                price, unit, values = said
                yield RateValue(first, end, price, unit), values
                break
        else:
            tax = package.find_price(_TAXES[code], first) if code in _TAXES else None
            if tax is not None:
                yield RateValue(first, end, tax.value, tax.unit), ((tax.component, tax.value, tax.source),)


def _borders(package: Package) -> list[date]:
    """The days on which a value or a rule may change."""
    file = package.file
    held = [each.valid for each in file.tables] + [each.valid for each in file.steps]
    held += [each.valid for each in file.rules]
    first, end = package.valid
    told = {date.fromisoformat(day) for valid in held if valid is not None for day in valid}
    return sorted({first, end, *(day for day in told if first < day < end)})


def _may(rule: Rule, pays: PaysBy) -> bool:
    """Whether what is known of the item lets the rule bill it; of other traits the basis says that its rule did."""

    def has(trait: str) -> bool | None:
        if trait.startswith("rate:"):
            return pays.rate == trait.removeprefix("rate:")
        return pays.unmetered_flat if trait == "unmetered_flat" else None

    only = [has(trait) for trait in rule.parameters.get("only_if", "").split("+") if trait]
    never = [has(trait) for trait in rule.parameters.get("not_if", "").split("+") if trait]
    return False not in only and True not in never


def _said(package: Package, rule: Rule, pays: PaysBy, day: date) -> tuple[Decimal | None, str, _Said] | None:
    """The price that the rule has for the item on a day, and the values it is made of; None where one lacks."""
    if rule.formula == "breaker_band":
        if pays.phases is None or pays.amperes is None or pays.rate is None:
            return None
        paid = package.breaker_price(pays.rate, pays.prices, pays.phases, pays.amperes, day)
        if paid is None:
            return None
        return paid.monthly, paid.price.unit, ((f"breaker {paid.band}", paid.price.value, paid.price.source),)
    found = []
    for component, band in _wanted(package, rule, pays):
        keys = {"operator": pays.prices, "level": pays.level, "rate": pays.rate, "band": band}
        price = package.find_price(component, day, **keys)
        if price is None and "base_if_none" in rule.parameters:
            price = package.find_price(rule.parameters["base_if_none"], day, **keys)
        if price is not None:
            found.append(price)
        elif component != rule.parameters.get(_WHERE_ANY):
            return None
    values = tuple((f"{price.component} {band}", price.value, price.source) for price in found)
    if len(found) > 1:
        return None, "", values
    if rule.formula == "per_started_unit_month":
        return _of_started_units(rule, pays, found[0].value), PER_MONTH, values
    return found[0].value, found[0].unit, values


def _wanted(package: Package, rule: Rule, pays: PaysBy) -> Iterator[tuple[str, str | None]]:
    """Components whose prices the rule's formula takes, each with its band."""
    band = None if pays.annual_mwh is None else package.consumption_band(pays.prices, pays.annual_mwh)
    given = rule.parameters
    instead = [given[name] for name in _INSTEAD if name in given]
    for component in (*(instead or [rule.component]), *(given[name] for name in _BESIDES if name in given)):
        for each in given["tariffs"].split("+") if "tariffs" in given else [band]:
            yield component, each


def _of_started_units(rule: Rule, pays: PaysBy, price: Decimal) -> Decimal | None:
    if pays.unmetered_w is None:
        return None
    return price * (pays.unmetered_w / Decimal(rule.parameters["unit"])).to_integral_value(ROUND_CEILING)


def _joined(values: Iterable[tuple[RateValue, _Said]]) -> list[RateValue]:
    found: list[RateValue] = []
    before: _Said | None = None
    for value, said in values:
        last = found[-1] if found else None
        if last is not None and said == before and last.end == value.first:
            found[-1] = RateValue(last.first, value.end, last.price, last.unit)
        else:
            found.append(value)
        before = said
    return found
