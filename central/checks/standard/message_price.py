"""Check 4: unit price against the distribution invoice in a message (Kontrola ceny vůči faktuře z distribuce)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from central.checks.frame import MISSING, Frame, Numbers
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value
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

RATES: Final = (5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 27, 1001, 1002, 1019, 1020, 1022, 1023)


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
        parameters=(WHICH,),
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
        """Items of received invoices, shared with the other checks of prices."""
        return read_invoiced(asked, bases)

    def verdict(self, bases: Frame, read: Invoiced, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """An info or an error for each item compared; OK where all are equal; a warning where there is none."""
        pairs = pair(chosen(bases, RATES, read.own, parameters), read.items)
        theirs, ours = converted(pairs), pairs.bases["price"][pairs.places]
        lacks = (theirs == MISSING) | (ours == MISSING)
        messages = np.where(lacks, NO_UNIT, np.where(theirs == ours, EQUAL, DIFFERS))
        return price_findings(pairs, messages, {"theirs": Value(Kind.DECIMAL, theirs)})


def converted(pairs: Pairs) -> Numbers:
    """The items' prices for the unit that each basis is priced for; MISSING where both have no measure in common."""
    ours, theirs = measures(pairs)
    given = pairs.items["price"][pairs.others]
    whole = (theirs > 0) & convertible(given)
    scaled = np.where(whole, given, 0) * ours
    exact = whole & (scaled % np.maximum(theirs, 1) == 0)
    return np.where(exact, scaled // np.maximum(theirs, 1), MISSING)
