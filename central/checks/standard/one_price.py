"""Check 3: invoicing interval within one value of the rate (fakturační interval neleží v platnosti dvou hodnot)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from central.checks.frame import MISSING, Frame, Numbers, match
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.own_values import is_own_service, own_component, read_lists, read_service_prices
from central.checks.rate_values import Regulated, combination_of, read_regulated, values_by_rate
from central.checks.verdict import Result

ONE, SEVERAL, NONE, PARTLY = range(4)
RESULTS: Final = np.array([Result.OK, Result.ERROR, Result.ERROR, Result.ERROR], dtype=np.int8)
REGULATED, LISTED, SERVICE = range(3)
"""Where the values of a rate stand: in packages, in an own price list, in the catalogue of own services."""
_KEY: Final = ("kind", "key", "part")
_OPEN: Final = 1_000_000
"""Days from here on are no end."""


@dataclass(frozen=True)
class Values:
    """For each basis where its values stand (columns of `_KEY`), and the values by the same keys with their days."""

    of_bases: Frame
    values: Frame


class OnePrice:
    """An interval over two values of a rate would be priced by one of them only."""

    definition: ClassVar[Definition] = Definition(
        number=3,
        name=Text(
            "Kontrola, zda fakturační interval neleží v období platnosti dvou hodnot sazeb",
            "Invoicing interval within one value of its rate",
        ),
        rule=Text(
            "Fakturační interval proti platnosti hodnot sazby v účinných balíčcích, ve vlastním ceníku položky a v "
            "katalogu služeb: leží v platnosti právě jedné hodnoty: OK; zasahuje do dvou a více: chyba; do žádné, nebo "
            "hodnota neplatí po celý interval: chyba. Ručně založený podklad, jehož sazba v žádném ceníku není, se "
            "neposuzuje (jeho cena je volná).",
            "Invoicing interval against the validity of the rate's values in the packages in force, the item's own "
            "price list and the catalogue of services: inside the validity of exactly one value: OK; touches two or "
            "more: error; touches none, or the value does not hold over the whole interval: error. A basis made by "
            "hand whose rate no price list has is not judged (its price is free).",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "Interval od {first} do {last} leží v platnosti jedné hodnoty sazby {rate} (od {since} do {until}).",
                "The interval from {first} to {last} is inside the validity of one value of rate {rate} (from {since} "
                "to {until}).",
            ),
            Text(
                "Interval od {first} do {last} zasahuje do {many} hodnot sazby {rate}; první z nich platí do {until}. "
                "Rozdělte podklad.",
                "The interval from {first} to {last} touches {many} values of rate {rate}; the first of them is valid "
                "to {until}. Split the basis.",
            ),
            Text(
                "Interval od {first} do {last} neleží v platnosti žádné hodnoty sazby {rate}. Doplňte ceník, nebo "
                "opravte položku smlouvy.",
                "The interval from {first} to {last} touches no value of rate {rate}. Complete the price list, or "
                "correct the contract item.",
            ),
            Text(
                "Hodnota sazby {rate} (od {since} do {until}) platí jen {days} z {all} dnů intervalu od {first} do "
                "{last}.",
                "The value of rate {rate} (from {since} to {until}) is valid on only {days} of {all} days of the "
                "interval from {first} to {last}.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Values:
        """The values of every rate that the bases have, by what their items pay by."""
        regulated: Regulated = asked.once("what items pay by", read_regulated)
        lists: Frame = asked.once("own price lists of items", read_lists)
        combination = combination_of(bases, regulated.items)
        keys = keys_of(bases, combination, own_component(bases, combination, regulated))
        services = read_service_prices(asked)
        frames = (
            _regulated(keys, regulated),
            _keyed(LISTED, lists["contract_item"], lists["component"], lists),
            _keyed(SERVICE, np.zeros(len(services), dtype=np.int64), services["rate"], services),
        )
        names = (*_KEY, "first", "end_")
        return Values(keys, Frame({name: np.concatenate([each[name] for each in frames]) for name in names}))

    def verdict(self, bases: Frame, read: Values, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One finding about each basis."""
        values = read.values
        places, others = match([read.of_bases[name] for name in _KEY], [values[name] for name in _KEY])
        first = np.maximum(bases["first"][places], values["first"][others])
        end = np.minimum(bases["end_"][places], values["end_"][others])
        places, others, length = (each[end > first] for each in (places, others, end - first))
        many = np.bincount(places, minlength=len(bases))
        covered = np.zeros(len(bases), dtype=np.int64)
        np.add.at(covered, places, length)
        since, until = _earliest(len(bases), places, values["first"][others], values["end_"][others])
        whole = bases["end_"] - bases["first"]
        messages = np.select([many > 1, many == 0, covered < whole], [SEVERAL, NONE, PARTLY], ONE)
        judged = np.flatnonzero((many > 0) | (bases["input"] != MISSING))
        shown = {
            "rate": Value(Kind.COUNT, bases["rate"]),
            "first": Value(Kind.DAY, bases["first"]),
            "last": Value(Kind.DAY, bases["end_"] - 1),
            "since": Value(Kind.DAY, since),
            "until": Value(Kind.DAY, until),
            "many": Value(Kind.COUNT, many),
            "days": Value(Kind.COUNT, covered),
            "all": Value(Kind.COUNT, whole),
        }
        told = {name: value.take(judged) for name, value in shown.items()}
        return [findings(bases["id"][judged], RESULTS[messages[judged]], messages[judged], told)]


def keys_of(bases: Frame, combination: Numbers, component: Numbers) -> Frame:
    """Where the values of each basis's rate stand."""
    listed, service = component != MISSING, is_own_service(bases)
    kind = np.where(listed, LISTED, np.where(service, SERVICE, REGULATED))
    key = np.where(listed, bases["contract_item"], np.where(service, 0, combination))
    return Frame({"kind": kind, "key": key, "part": np.where(listed, component, bases["rate"])})


def _regulated(keys: Frame, regulated: Regulated) -> Frame:
    """The values of the packages for the combinations and rates that there are."""
    asked = keys.take(keys["kind"] == REGULATED)
    values = values_by_rate(regulated, asked["key"], asked["part"])
    return _keyed(REGULATED, values["combination"], values["rate"], values)


def _keyed(kind: int, key: Numbers, part: Numbers, held: Frame) -> Frame:
    kinds = np.full(len(key), kind, dtype=np.int64)
    return Frame({"kind": kinds, "key": key, "part": part, "first": held["first"], "end_": held["end_"]})


def _earliest(many: int, places: Numbers, first: Numbers, end: Numbers) -> tuple[Numbers, Numbers]:
    """First and last day of the value that begins first of those that each basis touches; MISSING: none, or no end."""
    since, until = (np.full(many, MISSING, dtype=np.int64) for _ in range(2))
    order = np.lexsort((first, places))
    lone = order[np.concatenate((np.ones(min(len(order), 1), dtype=np.bool_), np.diff(places[order]) != 0))]
    since[places[lone]] = np.where(first[lone] < -_OPEN, MISSING, first[lone])
    until[places[lone]] = np.where(end[lone] > _OPEN, MISSING, end[lone] - 1)
    return since, until
