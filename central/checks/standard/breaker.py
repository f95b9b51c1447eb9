"""Check 7: breaker and distribution rate of the contract item against DUF (Kontrola nastavení jističe a sazby)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Frame, Numbers, match
from central.checks.framework import ELECTRICITY, Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.message_items import Pairs
from central.checks.own_licences import own_items
from central.checks.own_values import own_component, read_lists
from central.checks.rate_values import PER_MONTH, PER_MWH, Regulated, combination_of, read_regulated, values_by_rate
from central.checks.received_items import FOREIGN, WHICH
from central.checks.standard.message_price import converted
from central.checks.tariff_changes import (
    changes_of,
    compare,
    facts_of,
    keep_changes,
    read_standing,
    said_of,
    telling,
)
from central.checks.verdict import Result
from central.settlement.service_tables import PRICED

NO_RECORD, DIFFERS, AGREES, PRICE_DIFFERS, PRICE_AGREES, NO_VALUE, NO_UNIT = range(7)
RESULTS: Final = np.array(
    [Result.INFO, Result.ERROR, Result.OK, Result.ERROR, Result.OK, Result.WARNING, Result.WARNING], dtype=np.int8
)
DISTRIBUTION: Final = (12, 13, 14)
"""Rates (sazby) walked of every item."""
SUPPLY: Final = (1, 2, 3)
"""Rates walked besides of an item with an own price list (Ceník NN)."""

PRICE_LISTS = """
    -- items with an own price list, from when until when (days)
    SELECT l.contract_item, coalesce(lower(l.valid) - DATE '1970-01-01', -2147483648) AS first,
           coalesce(upper(l.valid) - DATE '1970-01-01', 2147483648) AS end_
      FROM item_price_list l JOIN contract_item i ON i.id = l.contract_item
     WHERE i.supply_point = ANY (%(points)s::bigint[])
"""


@dataclass(frozen=True)
class Compared:
    """What the bases walked are compared with.

    `bases` are those walked, `items` what their items say and `keys` where their prices stand, row by row; `said` is
    what the billing data received say, `values` the prices by `key` and `part`, `own` the contract items
    of our own licences.
    """

    bases: Frame
    items: Frame
    keys: Frame
    said: Frame
    values: Frame
    own: Numbers
    rates: tuple[str, ...]
    """Vocabulary of distribution rates."""

    def wanted(self, parameters: Mapping[str, Any]) -> tuple[Frame, Frame, Frame]:
        """Bases, items and keys that the parameter `which` wants."""
        wanted = np.ones(len(self.bases), dtype=np.bool_)
        if parameters["which"] == FOREIGN:
            wanted = ~np.isin(self.bases["contract_item"], self.own)
        return self.bases.take(wanted), self.items.take(wanted), self.keys.take(wanted)


class BreakerAndRate:
    """A breaker or rate that the distributor knows otherwise is billed wrongly, and so is a price of another one."""

    definition: ClassVar[Definition] = Definition(
        number=7,
        name=Text(
            "Kontrola nastavení jističe (velikost + kategorie) a distribuční sazby na položce smlouvy vs. DUF ve "
            "fakturačním intervalu",
            "Breaker (size and category) and distribution rate of the contract item against DUF",
        ),
        rule=Text(
            "Sazby 12, 13, 14, u položky s vlastním ceníkem (Ceník NN) i 1, 2, 3. Dílčí: jistič (proud, počet fází) a "
            "distribuční sazba položky proti přijatým DUF v intervalu: není záznam informace, liší se chyba, shoda OK; "
            "co DUF neuvádí, se neporovnává. Výsledná (jen po shodě): cena spočtená z položky smlouvy proti ceně "
            "podkladu: liší se chyba, shoda OK. Kontrolují se i ostatní nevyfakturované podklady řádků kalendáře; na "
            "položce se obnoví atribut Změna jističe nebo distribuční sazby.",
            "Rates 12, 13, 14, of an item with an own price list 1, 2, 3 too. Partial: breaker (current, number of "
            "phases) and distribution rate of the item against the DUF received in the interval: no record info, "
            "different error, equal OK; what DUF does not say is not compared. Final (only after equal): the price "
            "computed from the contract item against the basis's: different error, equal OK. The other bases of the "
            "calendar rows not yet invoiced are checked, too; the item's attribute Change of breaker or distribution "
            "rate is refreshed.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        commodities=(ELECTRICITY,),
        parameters=(WHICH,),
        whole_rows=True,
        messages=(
            Text(
                "V přijatých DUF není pro místo v intervalu od {first} do {last} žádný záznam o jističi ani sazbě.",
                "The DUF received have no record of breaker or rate of the point in the interval from {first} to "
                "{last}.",
            ),
            Text(
                "Položka smlouvy má jistič {phases}x{amperes} A a sazbu {rate}; podle DUF (zpráva {message}) platí od "
                "{since} jistič {their_phases}x{their_amperes} A a sazba {their_rate}. Opravte položku, nebo údaj "
                "reklamujte.",
                "The contract item has the breaker {phases}x{amperes} A and the rate {rate}; by DUF (message "
                "{message}) breaker {their_phases}x{their_amperes} A and rate {their_rate} hold from {since}. "
                "Correct the item, or dispute what was sent.",
            ),
            Text(
                "Jistič {phases}x{amperes} A a sazba {rate} souhlasí s DUF (zpráva {message}, od {since}).",
                "The breaker {phases}x{amperes} A and the rate {rate} agree with DUF (message {message}, from "
                "{since}).",
            ),
            Text(
                "Cena {price} {price_unit} neodpovídá položce smlouvy: pro jistič {phases}x{amperes} A a sazbu {rate} "
                "je od {since} {computed}.",
                "The price {price} {price_unit} does not agree with the contract item: for breaker "
                "{phases}x{amperes} A and rate {rate} it is {computed} from {since}.",
            ),
            Text(
                "Cena {price} {price_unit} odpovídá položce smlouvy (jistič {phases}x{amperes} A, sazba {rate}).",
                "The price {price} {price_unit} agrees with the contract item (breaker {phases}x{amperes} A, rate "
                "{rate}).",
            ),
            Text(
                "Výsledná kontrola se nemohla provést: ceník nemá pro jistič {phases}x{amperes} A a sazbu {rate} v "
                "intervalu hodnotu.",
                "The final check could not run: the price list has no value for breaker {phases}x{amperes} A and rate "
                "{rate} in the interval.",
            ),
            Text(
                "Výsledná kontrola se nemohla provést: cena {price} {price_unit} a cena z ceníku nemají společnou "
                "jednotku.",
                "The final check could not run: the price {price} {price_unit} and that of the price list have no unit "
                "in common.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Compared:
        """What was received of the points of the bases walked, what their items say, and the prices of that."""
        regulated: Regulated = asked.once("what items pay by", read_regulated)
        lists: Frame = asked.once("own price lists of items", read_lists)
        walked = bases.take(is_walked(bases, asked.frame(PRICE_LISTS, ("contract_item", "first", "end_"))))
        combination = combination_of(walked, regulated.items)
        standing = read_standing(asked.connection, walked)
        named = [each.rate for tariffs in standing.values() for each in tariffs]
        named += [pays.rate for pays in regulated.combinations.values()]
        rates = tuple(sorted({rate for rate in named if rate is not None}))
        return Compared(
            walked,
            facts_of(combination, regulated, rates),
            keys_of(walked, combination, own_component(walked, combination, regulated)),
            said_of(standing, rates),
            priced(values_by_rate(regulated, combination, walked["rate"]), lists),
            own_items(asked),
            rates,
        )

    def verdict(self, bases: Frame, read: Compared, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One finding of the partial step about each basis walked; where it is OK, one of the final step."""
        judged, items, keys = read.wanted(parameters)
        places, others, differs = compare(judged, items, read.said)
        lone = telling(places, others, differs, read.said)
        about, record = places[lone], others[lone]
        messages = np.where(differs[lone], DIFFERS, AGREES)
        since = np.maximum(read.said["first"][record], judged["first"][about])
        told = _of_item(items, about, read.rates) | _of_record(read, record) | {"since": Value(Kind.DAY, since)}
        silent = np.ones(len(judged), dtype=np.bool_)
        silent[places] = False
        interval = {
            "first": Value(Kind.DAY, judged["first"][silent]),
            "last": Value(Kind.DAY, judged["end_"][silent] - 1),
        }
        good = about[~differs[lone]]
        return [
            findings(judged["id"][silent], Result.INFO, NO_RECORD, interval),
            findings(judged["id"][about], RESULTS[messages], messages, told),
            *_final(judged.take(good), items.take(good), keys.take(good), read),
        ]

    def refresh(self, asked: Asked, bases: Frame, read: Compared, parameters: Mapping[str, Any]) -> None:
        """The attribute of the items that were walked (Změna jističe nebo distribuční sazby)."""
        walked, items, _ = read.wanted(parameters)
        keep_changes(asked.connection, changes_of(walked, items, read.said), read.rates, asked.today)


def is_walked(bases: Frame, lists: Frame) -> NDArray[np.bool_]:
    """Bases of the rates that the check walks; those of supply where the item has an own price list in the interval."""
    walked = np.isin(bases["rate"], DISTRIBUTION)
    places, others = match([bases["contract_item"]], [lists["contract_item"]])
    over = (lists["first"][others] < bases["end_"][places]) & (bases["first"][places] < lists["end_"][others])
    listed = np.zeros(len(bases), dtype=np.bool_)
    listed[places[over]] = True
    chosen_rates: NDArray[np.bool_] = walked | (listed & np.isin(bases["rate"], SUPPLY))
    return chosen_rates


def keys_of(bases: Frame, combination: Numbers, component: Numbers) -> Frame:
    """Where the price of each basis's rate stands: by what the item pays by, or in its own price list."""
    listed = component != MISSING
    return Frame(
        {
            "listed": listed.astype(np.int64),
            "key": np.where(listed, bases["contract_item"], combination),
            "part": np.where(listed, component, bases["rate"]),
        }
    )


def priced(regulated: Frame, lists: Frame) -> Frame:
    """Prices of packages and of own price lists under the same names, with units as messages spell them."""
    units = (*regulated.words["unit"], PER_MONTH, PER_MWH)
    fixed = lists["component"] == PRICED.index("fixed")
    columns = {
        "listed": (np.zeros(len(regulated), dtype=np.int64), np.ones(len(lists), dtype=np.int64)),
        "key": (regulated["combination"], lists["contract_item"]),
        "part": (regulated["rate"], lists["component"]),
        "unit": (regulated["unit"], np.where(fixed, len(units) - 2, len(units) - 1)),
        **{name: (regulated[name], lists[name]) for name in ("first", "end_", "price")},
    }
    spelled = tuple(unit.removeprefix("CZK/") for unit in units)
    return Frame({name: np.concatenate(pair) for name, pair in columns.items()}, {"unit": spelled})


def _final(bases: Frame, items: Frame, keys: Frame, read: Compared) -> list[Findings]:
    """The price of each basis against that of its item by every value that holds within its days."""
    values = read.values
    names = ("listed", "key", "part")
    places, others = match([keys[name] for name in names], [values[name] for name in names])
    over = (values["first"][others] < bases["end_"][places]) & (bases["first"][places] < values["end_"][others])
    places, others = places[over], others[over]
    computed, ours = converted(Pairs(bases, values, places, others)), bases["price"][places]
    lacks = (computed == MISSING) | (ours == MISSING)
    messages = np.where(lacks, NO_UNIT, np.where(computed == ours, PRICE_AGREES, PRICE_DIFFERS))
    # of several values the one that differs is told: the worst comes first
    order = np.lexsort((values["first"][others], -RESULTS[messages].astype(np.int64), places))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = np.diff(places[order]) != 0
    lone = order[begins]
    about = places[lone]
    told = {
        **_of_item(items, about, read.rates),
        "price": Value(Kind.DECIMAL, bases["price"][about]),
        "price_unit": Value(Kind.WORD, bases["price_unit"][about], bases.words["price_unit"]),
        "computed": Value(Kind.DECIMAL, computed[lone]),
        "since": Value(Kind.DAY, values["first"][others[lone]]),
    }
    without = np.setdiff1d(np.arange(len(bases)), about)
    return [
        findings(bases["id"][about], RESULTS[messages[lone]], messages[lone], told),
        findings(bases["id"][without], Result.WARNING, NO_VALUE, _of_item(items, without, read.rates)),
    ]


def _of_item(items: Frame, places: NDArray[np.intp], rates: tuple[str, ...]) -> dict[str, Value]:
    return {
        "rate": Value(Kind.WORD, items["rate"][places], rates),
        "phases": Value(Kind.COUNT, items["phases"][places]),
        "amperes": Value(Kind.DECIMAL, items["amperes"][places]),
    }


def _of_record(read: Compared, places: NDArray[np.intp]) -> dict[str, Value]:
    said = read.said
    return {
        "message": Value(Kind.LINK, said["message"][places], ("market_inbox",)),
        "their_rate": Value(Kind.WORD, said["rate"][places], read.rates),
        "their_phases": Value(Kind.COUNT, said["phases"][places]),
        "their_amperes": Value(Kind.DECIMAL, said["amperes"][places]),
    }
