"""Check 26: unit price of electricity against messages 127 and 240, with the distributor's rounding.

The source names the check and tells of one false alarm: prices must be rounded as the distributor rounds them (the
fixed payment of PRE to three places). The rest is as in check 4 (inferred).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Frame, Numbers
from central.checks.framework import ELECTRICITY, Asked, Definition, Findings, Kind, Parameter, Text, Value
from central.checks.message_items import (
    DIFFERS,
    EQUAL,
    NO_UNIT,
    Invoiced,
    Pairs,
    convertible,
    measures,
    pair,
    price_findings,
    read_invoiced,
)
from central.checks.received_items import WHICH, chosen
from central.checks.rounding import rounding

RATES: Final = (5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 27)
EXACT: Final = "exact"
_FINEST: Final = 6
"""Decimal places of the numbers that checks compare."""


class RoundedPrice:
    """What a distributor invoices is our price as the distributor rounds it."""

    definition: ClassVar[Definition] = Definition(
        number=26,
        name=Text(
            "Kontrola jednotkové ceny podkladu elektřiny vůči faktuře z distribuce (zpráva 127/240)",
            "Unit price of electricity against the distribution invoice (messages 127, 240)",
        ),
        rule=Text(
            "Jednotková cena podkladu elektřiny, převedená na jednotku zprávy a zaokrouhlená jako u distributora, "
            "proti položkám přijatých zpráv 127 a 240 téhož místa a služby s překrývajícím se obdobím: shodná se "
            "zprávou informace, shodná se všemi OK, odlišná chyba, žádná zpráva varování. Zaokrouhlení "
            "distributorů je v datech produktu, ostatních v parametru.",
            "The unit price of a basis of electricity, in the unit of the message and rounded as the distributor "
            "does, against items of received messages 127 and 240 of the same point and service whose period "
            "overlaps: equal to one info, equal to all OK, different error, no message warning. How distributors "
            "round stands in data of the product, of others in the parameter.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        commodities=(ELECTRICITY,),
        parameters=(
            WHICH,
            Parameter(
                "rounding",
                Text(
                    "Na kolik míst zaokrouhluje ceny distributor, který není v datech: exact (přesně), nebo počet.",
                    "To how many places a distributor that is not in the data rounds prices: exact, or a number.",
                ),
                EXACT,
                (EXACT, "2", "3", "4", "5"),
            ),
        ),
        messages=(
            Text(
                "Cena {price} {price_unit}, v jednotce zprávy a zaokrouhlena {rounded}, souhlasí s přijatou fakturou "
                "{invoice}, řádek {line}: {theirs}.",
                "The price {price} {price_unit}, in the unit of the message and rounded {rounded}, equals that of the "
                "received invoice {invoice}, line {line}: {theirs}.",
            ),
            Text(
                "Cena {price} {price_unit} souhlasí se všemi přijatými zprávami (řádků: {many}).",
                "The price {price} {price_unit} equals that of all messages received (lines: {many}).",
            ),
            Text(
                "Cena {price} {price_unit}, v jednotce zprávy a zaokrouhlena {rounded}, se liší od přijaté faktury "
                "{invoice}, řádek {line}: {theirs}.",
                "The price {price} {price_unit}, in the unit of the message and rounded {rounded}, differs from the "
                "received invoice {invoice}, line {line}: {theirs}.",
            ),
            Text(
                "Kontrola se nemohla provést: pro podklad nepřišla zpráva 127 ani 240 s fakturou za distribuci.",
                "The check could not run: no message 127 or 240 with a distribution invoice was received for the "
                "basis.",
            ),
            Text(
                "Kontrola se nemohla provést: cena {price} {price_unit} a přijatá faktura {invoice}, řádek {line}, "
                "nemají společnou jednotku.",
                "The check could not run: the price {price} {price_unit} and the received invoice {invoice}, line "
                "{line}, have no unit in common.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Invoiced:
        """Items of received invoices, shared with the other checks of prices."""
        return read_invoiced(asked, bases)

    def verdict(self, bases: Frame, read: Invoiced, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """An info or an error for each item compared; OK where all are equal; a warning where there is none."""
        items = read.items.take(read.items["electric"] == 1)
        pairs = pair(chosen(bases, RATES, read.own, parameters), items)
        places = places_of(pairs, parameters["rounding"])
        rounded, equal, lacks = compared(pairs, places)
        messages = np.where(lacks, NO_UNIT, np.where(equal, EQUAL, DIFFERS))
        values = {
            "rounded": Value(Kind.DECIMAL, rounded),
            "theirs": Value(Kind.DECIMAL, pairs.items["price"][pairs.others]),
        }
        return price_findings(pairs, messages, values)


def places_of(pairs: Pairs, otherwise: str) -> Numbers:
    """Decimal places that the issuer of each item rounds the price to; MISSING: it is compared exactly."""
    rates, issuers = pairs.items["rate"][pairs.others], pairs.items["issuer"][pairs.others]
    found = np.full(len(rates), MISSING if otherwise == EXACT else int(otherwise), dtype=np.int64)
    listed = pairs.items.words["issuer"]
    for known in rounding().issuers:
        if known.issuer in listed:
            mine = issuers == listed.index(known.issuer)
            for rate, places in known.places.items():
                found[mine & (rates == int(rate))] = places
    return found


def compared(pairs: Pairs, places: Numbers) -> tuple[Numbers, NDArray[np.bool_], NDArray[np.bool_]]:
    """Our prices in the unit of the items, half up to so many places; which are theirs; which cannot be compared."""
    ours, theirs = measures(pairs)
    price, given = pairs.bases["price"][pairs.places], pairs.items["price"][pairs.others]
    lacks = (ours == 0) | ~convertible(price) | ~convertible(given)
    ours, scaled = np.maximum(ours, 1), np.where(lacks, 0, price) * theirs
    step = 10 ** (_FINEST - np.where(places == MISSING, _FINEST, places))
    half_up = np.sign(scaled) * ((2 * np.abs(scaled) + ours * step) // (2 * ours * step)) * step
    exact = np.where(lacks, 0, given) * ours == scaled
    return np.where(lacks, MISSING, half_up), np.where(places == MISSING, exact, half_up == given), lacks
