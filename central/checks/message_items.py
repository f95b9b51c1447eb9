"""Prices of distribution invoices that came as messages, and bases compared with them: what checks 4 and 26 share.

Which service an item of a message is, stands with it (`received_invoice_item.rate`), by the list of the specification.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from central.checks import units
from central.checks.frame import MICRO, MISSING, Frame, Numbers, group, match
from central.checks.framework import Asked, Findings, Kind, Value, findings
from central.checks.own_licences import own_items
from central.checks.received_items import read_items
from central.checks.verdict import Result

EQUAL, ALL_EQUAL, DIFFERS, NO_MESSAGE, NO_UNIT = range(5)
"""What the first five messages of a check of prices say."""
MULTIPLIED: Final = 1019
"""Gas: price and effect of each record are multiplied, then the records of an invoice are added."""
_AS: Final = {1020: 1001}
"""Services that the messages have one price for."""
LARGEST: Final = 2**63 // 10_000
"""Millionths; larger prices cannot be converted between units in whole numbers."""


@dataclass(frozen=True)
class Invoiced:
    """Items of the received invoices, in the units that `items.words` names; contract items of our own licences."""

    items: Frame
    own: Numbers


@dataclass(frozen=True)
class Pairs:
    """Bases and items of one service whose days overlap: places in `bases` and in `items`, sorted by the first."""

    bases: Frame
    items: Frame
    places: NDArray[np.intp]
    others: NDArray[np.intp]


def read_invoiced(asked: Asked, bases: Frame) -> Invoiced:
    """Items of distribution invoices that came as messages and have a price."""
    items = read_items(asked, bases)
    return Invoiced(items.take(items["priced"] == 1), own_items(asked))


def pair(judged: Frame, items: Frame) -> Pairs:
    """Every basis with every item of its point and service whose days overlap."""
    records = _records(items)
    keys = [judged["supply_point"], _service(judged["rate"])]
    places, others = match(keys, [records["supply_point"], _service(records["rate"])])
    over = (judged["first"][places] < records["end_"][others]) & (records["first"][others] < judged["end_"][places])
    return Pairs(judged, records, places[over], others[over])


def price_findings(pairs: Pairs, messages: NDArray[Any], values: Mapping[str, Value]) -> list[Findings]:
    """An info or an error for each pair, by its message; OK where all of a basis are equal, a warning for a basis
    without any. `values` of the pairs are said beside the price, the invoice and its line."""
    bases, items, places, others = pairs.bases, pairs.items, pairs.places, pairs.others
    results = np.array([Result.INFO, Result.OK, Result.ERROR, Result.WARNING, Result.WARNING], dtype=np.int8)
    each = {
        **_price(bases, places),
        **values,
        "invoice": Value(Kind.LINK, items["invoice"][others], ("received_invoice",)),
        "line": Value(Kind.COUNT, items["place"][others]),
    }
    counted = np.bincount(places, minlength=len(bases))
    alike = np.bincount(places[messages == EQUAL], minlength=len(bases))
    whole = np.flatnonzero((counted > 0) & (alike == counted))
    all_equal = {**_price(bases, whole), "many": Value(Kind.COUNT, counted[whole])}
    return [
        findings(bases["id"][places], results[messages], messages, each),
        findings(bases["id"][whole], Result.OK, ALL_EQUAL, all_equal),
        findings(bases["id"][counted == 0], Result.WARNING, NO_MESSAGE),
    ]


def measures(pairs: Pairs) -> tuple[Numbers, Numbers]:
    """How many smallest units the prices of bases and items are for; 0 where both have no measure in common."""
    ours, theirs = np.zeros((2, len(pairs.places)), dtype=np.int64)
    keys = [
        pairs.bases["unit"][pairs.places], pairs.bases["price_unit"][pairs.places], pairs.items["unit"][pairs.others],
    ]  # fmt: skip
    numbers, first = group(keys)
    words = pairs.bases.words
    for number, place in enumerate(first.tolist()):
        one = units.of_basis(words["unit"][int(keys[0][place])], words["price_unit"][int(keys[1][place])])
        unit = int(keys[2][place])
        other = None if unit == MISSING else units.of_message(pairs.items.words["unit"][unit])
        if one is not None and other is not None and one[0] == other[0]:
            rows = numbers == number
            ours[rows], theirs[rows] = one[1], other[1]
    return ours, theirs


def convertible(prices: Numbers) -> NDArray[np.bool_]:
    """Prices that are there and can be multiplied by a unit in whole numbers."""
    small: NDArray[np.bool_] = (prices > -LARGEST) & (prices < LARGEST)
    return small


def _records(items: Frame) -> Frame:
    """The items; those of 1019 multiplied by their share, and added within an invoice."""
    lone = items.take(items["rate"] != MULTIPLIED)
    some = items.take((items["rate"] == MULTIPLIED) & (items["price"] != MISSING) & (items["effect"] != MISSING))
    if not len(some):
        return lone
    # in floating numbers the last place would differ: whole millionths are multiplied as Python's integers
    product = some["price"].astype(object) * some["effect"].astype(object)
    numbers, first = group([some["invoice"], some["supply_point"], some["unit"]])
    sums = np.zeros(len(first), dtype=object)
    np.add.at(sums, numbers, product)
    added = some.take(first)
    # half up to six places, which is all that a basis's price has
    rounded = [(2 * each + MICRO) // (2 * MICRO) for each in sums.tolist()]
    price = np.array([each if abs(each) < LARGEST else MISSING for each in rounded], dtype=np.int64)
    columns = {**added.columns, "price": price}
    np.minimum.at(first_days := added["first"].copy(), numbers, some["first"])
    np.maximum.at(ends := added["end_"].copy(), numbers, some["end_"])
    columns |= {"first": first_days, "end_": ends}
    return Frame({name: np.concatenate((lone[name], column)) for name, column in columns.items()}, items.words)


def _service(rates: Numbers) -> Numbers:
    """The rate that messages have a price of."""
    found = rates.copy()
    for rate, other in _AS.items():
        found[rates == rate] = other
    return found


def _price(bases: Frame, places: NDArray[np.intp]) -> dict[str, Value]:
    return {
        "price": Value(Kind.DECIMAL, bases["price"][places]),
        "price_unit": Value(Kind.WORD, bases["price_unit"][places], bases.words["price_unit"]),
    }
