"""Check 4: unit price against the distribution invoice in a message (Kontrola ceny vůči faktuře z distribuce).

Which service an item of a message is, stands with it (`received_invoice_item.rate`), by the list of the specification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks import units
from central.checks.frame import MICRO, MISSING, Frame, Numbers, group, match
from central.checks.framework import Asked, Definition, Findings, Kind, Parameter, Text, Value, findings
from central.checks.verdict import Result

EQUAL, ALL_EQUAL, DIFFERS, NO_MESSAGE, NO_UNIT = range(5)
RATES: Final = (5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 27, 1001, 1002, 1019, 1020, 1022, 1023)
MULTIPLIED: Final = 1019
"""Gas: price and effect of each record are multiplied, then the records of an invoice are added."""
_AS: Final = {1020: 1001}
"""Services that the messages have one price for."""
ALL, FOREIGN = "all", "foreign_operator"

ITEMS = """
    -- items of distribution invoices that came as messages and that no later one corrects
    SELECT i.id AS invoice, t.place, coalesce(t.supply_point, i.supply_point) AS supply_point, t.rate,
           micro(t.unit_price) AS price, micro(coalesce(t.effect, 1)) AS effect,
           array_position(%(units)s::text[], t.unit) - 1 AS unit,
           lower(t.period) - DATE '1970-01-01' AS first, upper(t.period) - DATE '1970-01-01' AS end_
      FROM received_invoice i
      JOIN received_invoice_item t ON t.invoice = i.id
     WHERE coalesce(t.supply_point, i.supply_point) = ANY (%(points)s::bigint[]) AND i.inbox IS NOT NULL
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


@dataclass(frozen=True)
class Invoiced:
    """Items of the received invoices, in the units that `items.words` names; points of our own networks."""

    items: Frame
    own: Numbers


class MessagePrice:
    """What we pay for a service is what we bill for it."""

    definition: ClassVar[Definition] = Definition(
        number=4,
        name=Text(
            "Kontrola jednotkové ceny podkladu vůči faktuře z distribuce (zpráva OTE)",
            "Unit price against the distribution invoice in an OTE message",
        ),
        rule=Text(
            "Jednotková cena podkladu proti přijatým zprávám CDSINVOICE a CDSGASPOF téhož místa a služby s "
            "překrývajícím "
            "se obdobím: shodná se zprávou informace, shodná se všemi OK, odlišná chyba, žádná zpráva varování. Služby "
            "mimo číselník se neposuzují. U plynu 1019 se cena a podíl každého záznamu vynásobí a záznamy sečtou.",
            "The basis's unit price against received messages CDSINVOICE and CDSGASPOF of the same point and service "
            "whose "
            "period overlaps: equal to one info, equal to all OK, different error, no message warning. Services "
            "outside the "
            "list are not judged. For gas 1019 price and share of each record are multiplied and the records added.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        parameters=(
            Parameter(
                "which",
                Text(
                    "Které podklady: všechny, nebo jen položky cizího provozovatele.",
                    "Which bases: all, or only items of another operator than our own licence.",
                ),
                ALL,
                (ALL, FOREIGN),
            ),
        ),
        messages=(
            Text(
                "Cena {price} {price_unit} souhlasí s přijatou fakturou {invoice}, řádek {line}: {theirs}.",
                "The price {price} {price_unit} equals that of the received invoice {invoice}, line {line}: {theirs}.",
            ),
            Text(
                "Cena {price} {price_unit} souhlasí se všemi přijatými zprávami (řádků: {many}).",
                "The price {price} {price_unit} equals that of all messages received (lines: {many}).",
            ),
            Text(
                "Cena {price} {price_unit} se liší od přijaté faktury {invoice}, řádek {line}: {theirs}.",
                "The price {price} {price_unit} differs from the received invoice {invoice}, line {line}: {theirs}.",
            ),
            Text(
                "Kontrola se nemohla provést: pro podklad není žádná přijatá zpráva s fakturou za distribuci.",
                "The check could not run: no message with a distribution invoice was received for the basis.",
            ),
            Text(
                "Kontrola se nemohla provést: cena {price} {price_unit} a přijatá faktura {invoice}, řádek {line}, "
                "nemají "
                "společnou jednotku.",
                "The check could not run: the price {price} {price_unit} and the received invoice {invoice}, line "
                "{line}, "
                "have no unit in common.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Invoiced:
        """Items of received invoices, shared with the other checks of invoices."""
        items: Frame = asked.once("items of distribution invoices in messages", read_items)
        return Invoiced(items, asked.frame(OWN, ("supply_point",))["supply_point"])

    def verdict(self, bases: Frame, read: Invoiced, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """An info or an error for each item compared; OK where all are equal; a warning where there is none."""
        judged = bases.take(np.isin(bases["rate"], RATES))
        if parameters["which"] == FOREIGN:
            judged = judged.take(~np.isin(judged["supply_point"], read.own))
        items = _records(read.items)
        places, others = match(
            [judged["supply_point"], _service(judged["rate"])], [items["supply_point"], _service(items["rate"])]
        )
        over = (judged["first"][places] < items["end_"][others]) & (items["first"][others] < judged["end_"][places])
        places, others = places[over], others[over]
        theirs = converted(judged, places, items, others)
        equal = theirs == judged["price"][places]
        lacks = (theirs == MISSING) | (judged["price"][places] == MISSING)
        messages = np.where(lacks, NO_UNIT, np.where(equal, EQUAL, DIFFERS))
        results = np.array([Result.INFO, Result.OK, Result.ERROR, Result.WARNING, Result.WARNING], dtype=np.int8)
        each = {
            **_price(judged, places),
            "theirs": Value(Kind.DECIMAL, theirs),
            "invoice": Value(Kind.LINK, items["invoice"][others], ("received_invoice",)),
            "line": Value(Kind.COUNT, items["place"][others]),
        }
        counted = np.bincount(places, minlength=len(judged))
        alike = np.bincount(places[messages == EQUAL], minlength=len(judged))
        whole = np.flatnonzero((counted > 0) & (alike == counted))
        all_equal = {**_price(judged, whole), "many": Value(Kind.COUNT, counted[whole])}
        return [
            findings(judged["id"][places], results[messages], messages, each),
            findings(judged["id"][whole], Result.OK, ALL_EQUAL, all_equal),
            findings(judged["id"][counted == 0], Result.WARNING, NO_MESSAGE),
        ]


def read_items(asked: Asked) -> Frame:
    """Items of distribution invoices that came as messages."""
    words = asked.words(UNITS)
    names = ("invoice", "place", "supply_point", "rate", "price", "effect", "unit", "first", "end_")
    frame = asked.frame(ITEMS, names, units=list(words))
    return Frame(frame.columns, {"unit": words})


def converted(bases: Frame, places: NDArray[np.intp], items: Frame, others: NDArray[np.intp]) -> Numbers:
    """The items' prices for the unit that each basis is priced for; MISSING where both have no measure in common."""
    prices = np.full(len(places), MISSING, dtype=np.int64)
    keys = [bases["unit"][places], bases["price_unit"][places], items["unit"][others]]
    numbers, first = group(keys)
    for number, place in enumerate(first.tolist()):
        ours = units.of_basis(bases.words["unit"][int(keys[0][place])], bases.words["price_unit"][int(keys[1][place])])
        theirs = None if keys[2][place] == MISSING else units.of_message(items.words["unit"][int(keys[2][place])])
        if ours is None or theirs is None or ours[0] != theirs[0]:
            continue
        rows = numbers == number
        given = items["price"][others[rows]]
        scaled = given * ours[1]
        exact = (given != MISSING) & (scaled % theirs[1] == 0)
        prices[rows] = np.where(exact, scaled // theirs[1], MISSING)
    return prices


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
