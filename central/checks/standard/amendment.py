"""Check 19: items within a valid amendment (Kontrola zadání položky smlouvy do platného dodatku)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Chosen, Frame, Numbers, group, match
from central.checks.framework import Asked, Definition, Findings, Kind, Parameter, Subject, Text, Value, findings
from central.checks.verdict import GROUPS, TAKING_BACK, Result
from central.platform.arrays import int_array

UNAMENDED, SIGNED, BELONGS, OTHER, EARLY = range(5)
METERS: Final = ("bez měřidla / without a meter", "s měřidlem / with a meter")
_EVER: Final = 2**22
"""Days before and after 1970-01-01 within which everything lies: ten thousand years."""

AMENDMENTS = """
    SELECT a.contract, a.number, a.effective - DATE '1970-01-01' AS effective
      FROM contract_amendment a WHERE a.contract = ANY (%(contracts)s::bigint[])
"""
ITEMS = """
    -- items of amended contracts that hold in the days looked at: those of the points asked for, and of the rest those
    -- that nothing is billed under
    SELECT i.id AS contract_item, i.contract, i.supply_point, a.number, a.effective - DATE '1970-01-01' AS effective,
           greatest(lower(i.valid) - DATE '1970-01-01', -%(ever)s::integer) AS first,
           least(upper(i.valid) - DATE '1970-01-01', %(ever)s::integer) AS end_
      FROM contract_item i
      LEFT JOIN contract_amendment a ON a.id = i.amendment
     WHERE i.contract = ANY (%(contracts)s::bigint[])
       AND i.valid && daterange(DATE '1970-01-01' + %(low)s::integer, DATE '1970-01-01' + %(high)s::integer)
       AND (i.supply_point = ANY (%(points)s::bigint[])
            OR NOT EXISTS (SELECT FROM billing_basis b WHERE b.contract_item = i.id AND b.state <> 'cancelled'
                              AND b.valid && tstzrange(DATE '1970-01-01' + %(low)s::integer,
                                                       DATE '1970-01-01' + %(high)s::integer)))
"""
ROWS = """
    SELECT r.id AS calendar_row, r.contract, lower(r.period) - DATE '1970-01-01' AS first,
           upper(r.period) - DATE '1970-01-01' AS end_
      FROM payment_calendar r WHERE r.id = ANY (%(rows)s::bigint[])
"""
METERED = """
    -- the days on which meters are attached to points
    SELECT c.supply_point,
           greatest((lower(m.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01', -%(ever)s::integer)
               AS first,
           least((upper(m.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01', %(ever)s::integer) AS end_
      FROM channel c JOIN channel_mapping m ON m.channel = c.id
     WHERE c.supply_point = ANY (%(metered)s::bigint[])
"""


@dataclass(frozen=True)
class Amended:
    """Amendments of contracts, items of amended contracts with the amendment that each names, calendar rows of amended
    contracts, and the days with a meter."""

    amendments: Frame
    items: Frame
    rows: Frame
    metered: Frame


class Amendment:
    """What is billed under a contract belongs to the amendment that is in force."""

    definition: ClassVar[Definition] = Definition(
        number=19,
        name=Text(
            "Kontrola zadání položky smlouvy do platného dodatku",
            "Contract items within a valid amendment",
        ),
        rule=Text(
            "Položky smlouvy platné v období řádku platebního kalendáře patří k platnému dodatku: OK; položka k němu "
            "nepatří a je na ní měřidlo: chyba; nepatří a měřidlo na ní není: varování. Platný je dodatek s poslední "
            "účinností; k dodatku patří položka, která za něj začala a uvádí ho, a starší položky platí dál.",
            "The contract items valid in the period of the calendar row belong to the valid amendment: OK; an item "
            "does not and has a meter: error; it does not and has none: warning. Valid is the amendment that took "
            "effect last; an item that begins under an amendment belongs to it by naming it, and earlier items go on.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text("Smlouva nemá dodatky.", "The contract has no amendments."),
            Text(
                "Položka smlouvy od {first} patří ke smlouvě, jak byla uzavřena.",
                "The contract item from {first} belongs to the contract as it was signed.",
            ),
            Text(
                "Položka smlouvy od {first} patří k dodatku č. {number} účinnému od {effective}.",
                "The contract item from {first} belongs to amendment {number}, effective from {effective}.",
            ),
            Text(
                "Položka smlouvy od {first} ({meter}) nepatří k dodatku č. {number} účinnému od {effective}: uvádí "
                "dodatek č. {own}. Zadejte jí platný dodatek.",
                "The contract item from {first} ({meter}) does not belong to amendment {number}, effective from "
                "{effective}: it names amendment {own}. Enter the valid amendment.",
            ),
            Text(
                "Položka smlouvy od {first} ({meter}) uvádí dodatek č. {own}, který je účinný až od {own_effective}. "
                "Opravte dodatek, nebo začátek položky.",
                "The contract item from {first} ({meter}) names amendment {own}, which takes effect only on "
                "{own_effective}. Correct the amendment or the beginning of the item.",
            ),
        ),
        parameters=(
            Parameter(
                "items",
                Text(
                    "které položky k dodatku patří: begun (které za něj začaly), all (všechny platné v jeho období)",
                    "which items belong to an amendment: begun (those that began under it), all (all valid in its "
                    "period)",
                ),
                "begun",
                ("begun", "all"),
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Amended:
        """Amendments; where there are any, items, calendar rows and meters."""
        given: dict[str, Any] = {"contracts": int_array(np.unique(bases["contract"])), "ever": _EVER}
        amendments = asked.frame(AMENDMENTS, ("contract", "number", "effective"), **given)
        of_amended = np.isin(bases["contract"], amendments["contract"])
        rows = np.unique(bases["calendar_row"][of_amended])
        periods = asked.frame(
            ROWS, ("calendar_row", "contract", "first", "end_"), rows=int_array(rows[rows != MISSING])
        )
        low = np.concatenate((bases["first"][of_amended], periods["first"]))
        high = np.concatenate((bases["end_"][of_amended], periods["end_"]))
        given |= {
            "contracts": int_array(np.unique(amendments["contract"])),
            "low": int(low.min()) if len(low) else 0,
            "high": int(high.max()) if len(high) else 1,
        }
        names = ("contract_item", "contract", "supply_point", "number", "effective", "first", "end_")
        items = asked.frame(ITEMS, names, **given)
        points = int_array(np.unique(items["supply_point"]))
        metered = asked.frame(METERED, ("supply_point", "first", "end_"), metered=points, ever=_EVER)
        return Amended(amendments, items, periods, metered)

    def verdict(self, bases: Frame, read: Amended, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """A result for each basis by its item; an item that nothing is billed under stands on the calendar row."""
        judged = bases.take(~np.isin(bases["statement_type"], TAKING_BACK))
        begin, end = _periods(judged, read.rows)
        numbers, first = group([judged["contract_item"], begin, end])
        held = _Held(read, parameters["items"])
        places = _places(judged["contract_item"][first], read.items["contract_item"])
        results, messages, values = held.judge(places, begin[first], end[first])
        found = [
            findings(
                judged["id"], results[numbers], messages[numbers],
                {name: value.take(numbers) for name, value in values.items()},
            )
        ]  # fmt: skip
        return [*found, *_without_basis(judged, read, held)]


class _Held:
    """Which amendment is in force when, and what that says of items."""

    def __init__(self, read: Amended, how: str) -> None:
        self._items, self._metered, self._how = read.items, read.metered, how
        keys = _on(read.amendments["contract"], read.amendments["effective"])
        order = np.lexsort((read.amendments["number"], keys))
        self._keys, self._amendments = keys[order], read.amendments.take(order)

    def judge(
        self, places: NDArray[np.intp], begin: Numbers, end: Numbers
    ) -> tuple[NDArray[np.int8], NDArray[np.int16], dict[str, Value]]:
        """Result, message and values of items (by place; below 0: of a contract without amendments) in periods."""
        known = places >= 0
        names = ("contract", "supply_point", "number", "effective", "first", "end_")
        items = {name: _taken(self._items[name], places) for name in names}
        day = items["first"] if self._how == "begun" else end - 1
        number, effective = self._in_force(items["contract"], day)
        # of an amendment that takes effect inside the period, what ended before it belongs to the one before
        ended = items["end_"] <= effective
        if self._how == "all" and ended.any():
            until = np.where(ended, items["end_"] - 1, end - 1)
            number, effective = self._in_force(items["contract"], until)
        right = items["effective"] == effective
        early = ~right & (items["effective"] != MISSING) & (items["effective"] > items["first"])
        messages = np.select(
            [~known, right & (effective == MISSING), right, early], [UNAMENDED, SIGNED, BELONGS, EARLY], default=OTHER
        )
        metered = self._has_meter(items, begin, end)
        wrong = np.where(metered, Result.ERROR, Result.WARNING)
        results = np.where(np.isin(messages, (OTHER, EARLY)), wrong, Result.OK).astype(np.int8)
        first = items["first"]
        values = {
            "first": Value(Kind.DAY, np.where(first <= -_EVER, MISSING, first)),
            "number": Value(Kind.COUNT, number),
            "effective": Value(Kind.DAY, effective),
            "own": Value(Kind.COUNT, items["number"]),
            "own_effective": Value(Kind.DAY, items["effective"]),
            "meter": Value(Kind.WORD, metered.astype(np.int64), METERS),
            "contract_item": Value(Kind.LINK, _taken(self._items["contract_item"], places), ("contract_item",)),
        }
        return results, messages.astype(np.int16), values

    def _in_force(self, contract: Numbers, day: Numbers) -> tuple[Numbers, Numbers]:
        """Number and first day of the amendment in force; MISSING: none yet."""
        last = np.searchsorted(self._keys, _on(contract, day), "right") - 1
        last = np.where(_taken(self._amendments["contract"], last) == contract, last, -1)
        return _taken(self._amendments["number"], last), _taken(self._amendments["effective"], last)

    def _has_meter(self, items: Mapping[str, Numbers], begin: Numbers, end: Numbers) -> Chosen:
        places, others = match([items["supply_point"]], [self._metered["supply_point"]])
        low, high = np.maximum(items["first"], begin), np.minimum(items["end_"], end)
        overlap = (self._metered["first"][others] < high[places]) & (self._metered["end_"][others] > low[places])
        found = np.zeros(len(begin), dtype=np.bool_)
        found[places[overlap]] = True
        return found


def _without_basis(judged: Frame, read: Amended, held: _Held) -> list[Findings]:
    """Items that do not belong and have no basis, on the rows of their contract, for each group that the row has."""
    found = []
    for name, kinds in GROUPS.items():
        mine = np.isin(judged["statement_type"], sorted(kinds))
        rows = read.rows.take(np.isin(read.rows["calendar_row"], judged["calendar_row"][mine]))
        places, items = match([rows["contract"]], [read.items["contract"]])
        low = np.maximum(rows["first"][places], read.items["first"][items])
        inside = low < np.minimum(rows["end_"][places], read.items["end_"][items])
        billed = np.isin(read.items["contract_item"][items], judged["contract_item"])
        places, items = places[inside & ~billed], items[inside & ~billed]
        results, messages, values = held.judge(items, rows["first"][places], rows["end_"][places])
        values["supply_point"] = Value(Kind.LINK, read.items["supply_point"][items], ("supply_point",))
        wrong = np.flatnonzero(results != Result.OK)
        found.append(
            findings(
                rows["calendar_row"][places][wrong], results[wrong], messages[wrong],
                {key: value.take(wrong) for key, value in values.items()}, about=Subject.CALENDAR_ROW, group=name,
            )
        )  # fmt: skip
    return found


def _periods(judged: Frame, rows: Frame) -> tuple[Numbers, Numbers]:
    """The period of each basis's calendar row, or its own where it has none."""
    places = _places(judged["calendar_row"], rows["calendar_row"])
    has = places >= 0
    return (
        np.where(has, _taken(rows["first"], places), judged["first"]),
        np.where(has, _taken(rows["end_"], places), judged["end_"]),
    )


def _places(keys: Numbers, others: Numbers) -> NDArray[np.intp]:
    """Where each key stands among others that stand once; -1: nowhere."""
    order = np.argsort(others)
    at = np.minimum(np.searchsorted(others[order], keys), max(len(others) - 1, 0))
    if not len(others):
        return np.full(len(keys), -1, dtype=np.intp)
    return np.where(others[order][at] == keys, order[at], -1)


def _taken(column: Numbers, places: NDArray[np.intp]) -> Numbers:
    """The values at places; MISSING below 0."""
    return np.append(column, MISSING)[places]


def _on(contract: Numbers, day: Numbers) -> Numbers:
    """One number for a contract and a day, ascending in both; nothing known has the least."""
    bounded = np.clip(np.where(day == MISSING, -_EVER, day), -_EVER, _EVER - 1) + _EVER
    return np.where(contract == MISSING, -1, contract * (2 * _EVER) + bounded)
