"""Prices of distribution invoices that came as messages, and bases compared with them: what checks 4 and 26 share.

Which service an item of a message is, stands with it (`received_invoice_item.rate`), by the list of the specification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from central.checks import units
from central.checks.frame import MICRO, MISSING, Frame, Numbers, group, match
from central.checks.framework import Asked, Findings, Kind, Parameter, Text, Value, findings
from central.checks.rounding import rounding
from central.checks.verdict import Result

EQUAL, ALL_EQUAL, DIFFERS, NO_MESSAGE, NO_UNIT = range(5)
"""What the first five messages of a check of prices say."""
MULTIPLIED: Final = 1019
"""Gas: price and effect of each record are multiplied, then the records of an invoice are added."""
_AS: Final = {1020: 1001}
"""Services that the messages have one price for."""
ALL, FOREIGN = "all", "foreign_operator"
WHICH: Final = Parameter(
    "which",
    Text(
        "Které podklady: všechny, nebo jen položky cizího provozovatele.",
        "Which bases: all, or only items of another operator than our own licence.",
    ),
    ALL,
    (ALL, FOREIGN),
)
"""Parameter of the checks that compare with what others invoice."""
LARGEST: Final = 2**63 // 10_000
"""Millionths; larger prices cannot be converted between units in whole numbers."""

ITEMS = """
    -- items of distribution invoices that came as messages and that no later one corrects
    SELECT i.id AS invoice, t.place, t.supply_point, t.rate,
           micro(t.unit_price) AS price, micro(coalesce(t.effect, 1)) AS effect,
           array_position(%(units)s::text[], t.unit) - 1 AS unit,
           lower(t.period) - DATE '1970-01-01' AS first, upper(t.period) - DATE '1970-01-01' AS end_,
           (m.message_code = ANY (%(electric)s::text[]))::integer AS electric,
           array_position(%(issuers)s::text[], i.issuer) - 1 AS issuer
      FROM received_invoice i
      JOIN received_invoice_item t ON t.invoice = i.id
      JOIN market_inbox m ON m.id = i.inbox
     WHERE t.supply_point = ANY (%(points)s::bigint[])
       AND t.rate IS NOT NULL AND t.unit_price IS NOT NULL
       AND NOT EXISTS (SELECT FROM received_invoice c WHERE c.issuer = i.issuer AND c.corrects = i.number)
"""
OWN = """
    -- points of the networks of our own licensees
    SELECT p.id AS supply_point FROM supply_point p
     WHERE p.id = ANY (%(points)s::bigint[]) AND EXISTS (SELECT FROM network_area a WHERE a.licensee = p.operator)
"""
UNITS = """
    SELECT DISTINCT unit FROM received_invoice_item WHERE unit IS NOT NULL ORDER BY 1
"""
ELECTRIC: Final = ("127", "240")
"""Codes of the messages with invoices for distribution of electricity; of 240 only the number is known."""
_NAMES: Final = (
    "invoice", "place", "supply_point", "rate", "price", "effect", "unit", "first", "end_", "electric", "issuer",
)  # fmt: skip


@dataclass(frozen=True)
class Invoiced:
    """Items of the received invoices, in the units that `items.words` names; points of our own networks."""

    items: Frame
    own: Numbers


@dataclass(frozen=True)
class Pairs:
    """Bases and items of one service whose days overlap: places in `bases` and in `items`, sorted by the first."""

    bases: Frame
    items: Frame
    places: NDArray[np.intp]
    others: NDArray[np.intp]


def read_invoiced(asked: Asked) -> Invoiced:
    """Items of distribution invoices that came as messages, read once for the checks that ask."""
    return Invoiced(asked.once("items of distribution invoices in messages", _read_items), own_points(asked))


def own_points(asked: Asked) -> Numbers:
    """Those of the points that lie in networks of our own licensees."""
    points: Numbers = asked.once(
        "points of own networks", lambda one: one.frame(OWN, ("supply_point",))["supply_point"]
    )
    return points


def chosen(bases: Frame, rates: Sequence[int], own: Numbers, parameters: Mapping[str, Any]) -> Frame:
    """The bases with a rate of these that the parameter `which` wants."""
    judged = bases.take(np.isin(bases["rate"], rates))
    return judged.take(~np.isin(judged["supply_point"], own)) if parameters["which"] == FOREIGN else judged


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


def _read_items(asked: Asked) -> Frame:
    words = asked.words(UNITS)
    issuers = [each.issuer for each in rounding().issuers]
    frame = asked.frame(ITEMS, _NAMES, units=list(words), electric=list(ELECTRIC), issuers=issuers)
    return Frame(frame.columns, {"unit": words, "issuer": tuple(issuers)})


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
    price = np.array([each // MICRO if each % MICRO == 0 else MISSING for each in sums], dtype=np.int64)
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
