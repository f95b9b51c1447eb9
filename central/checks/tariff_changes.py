"""Breaker and rate of contract items against the billing data received (DUF), and the attribute of items for it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.checks.frame import MICRO, MISSING, Frame, Numbers, group, match
from central.checks.rate_values import EPOCH, Regulated, days, micro
from central.market.received_tariffs import ReceivedTariff, standing_tariffs
from central.platform.arrays import int_array

FACTS: Final = ("rate", "phases", "amperes")
"""What is compared: a place in the vocabulary of rates, a number, millionths."""
_SAID: Final = ("supply_point", "first", "end_", "message", *FACTS)

_CODES = text("SELECT ean, id FROM supply_point WHERE id = ANY (CAST(:points AS bigint[]))")
_KEEP = text("""
    -- the attribute Změna jističe nebo distribuční sazby of contract items, where it becomes another
    INSERT INTO item_tariff_change AS s
           (contract_item, tariff_change, tariff_change_since, received_rate, received_breaker_phases,
            received_breaker_amps, refreshed_on)
    SELECT n.item, CASE WHEN n.differs = 1 THEN 'differs' ELSE 'agrees' END, DATE '1970-01-01' + n.since::integer,
           (CAST(:rates AS text[]))[n.rate], n.phases, n.amperes::numeric / 1000000, :today
      FROM unnest(CAST(:items AS bigint[]), CAST(:differs AS bigint[]), CAST(:sinces AS bigint[]),
                  CAST(:rate_places AS bigint[]), CAST(:phases AS bigint[]), CAST(:amperes AS bigint[]))
           AS n (item, differs, since, rate, phases, amperes)
     ORDER BY n.item
    ON CONFLICT (contract_item) DO UPDATE
       SET tariff_change = excluded.tariff_change, tariff_change_since = excluded.tariff_change_since,
           received_rate = excluded.received_rate, received_breaker_phases = excluded.received_breaker_phases,
           received_breaker_amps = excluded.received_breaker_amps, refreshed_on = excluded.refreshed_on
     WHERE (s.tariff_change, s.tariff_change_since, s.received_rate, s.received_breaker_phases, s.received_breaker_amps)
           IS DISTINCT FROM (excluded.tariff_change, excluded.tariff_change_since, excluded.received_rate,
                             excluded.received_breaker_phases, excluded.received_breaker_amps)
""")


def read_standing(connection: Connection, bases: Frame) -> dict[int, list[ReceivedTariff]]:
    """What stands of the billing data received, by supply point, over the days that the bases cover."""
    if not len(bases):
        return {}
    points = int_array(np.unique(bases["supply_point"]))
    by_code: dict[str, int] = {row.ean: row.id for row in connection.execute(_CODES, {"points": points})}
    first, end = (date.fromordinal(EPOCH + int(day)) for day in (bases["first"].min(), bases["end_"].max()))
    found: dict[int, list[ReceivedTariff]] = {}
    for tariff in standing_tariffs(connection, by_code, first, end):
        found.setdefault(by_code[tariff.point], []).append(tariff)
    return found


def said_of(standing: Mapping[int, Sequence[ReceivedTariff]], rates: Sequence[str]) -> Frame:
    """The same as columns: point, days [first, end_), message, and `FACTS`; MISSING where nothing is said."""
    places = {rate: place for place, rate in enumerate(rates)}
    rows = [
        (
            point,
            days(each.first),
            days(each.stop),
            each.inbox,
            MISSING if each.rate is None else places[each.rate],
            MISSING if each.breaker_phases is None else each.breaker_phases,
            micro(each.breaker_amps),
        )
        for point, tariffs in standing.items()
        for each in tariffs
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, len(_SAID)).T
    return Frame(dict(zip(_SAID, columns, strict=True)))


def facts_of(combination: Numbers, regulated: Regulated, rates: Sequence[str]) -> Frame:
    """`FACTS` of the item of each basis, by what it pays by; MISSING where the item does not say."""
    places = {rate: place for place, rate in enumerate(rates)}
    rows = [
        (
            key,
            MISSING if pays.rate is None else places[pays.rate],
            MISSING if pays.phases is None else pays.phases,
            MISSING if pays.amperes is None else int(pays.amperes * MICRO),
        )
        for key, pays in regulated.combinations.items()
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 1 + len(FACTS)).T
    found = {name: np.full(len(combination), MISSING, dtype=np.int64) for name in FACTS}
    bases, others = match([combination], [columns[0]])
    for name, column in zip(FACTS, columns[1:], strict=True):
        found[name][bases] = column[others]
    return Frame(found)


def compare(bases: Frame, items: Frame, said: Frame) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Every basis with every record of its point that is within its days (places in both), and whether they differ.

    What a record does not say is not compared.
    """
    places, others = match([bases["supply_point"]], [said["supply_point"]])
    over = (said["first"][others] < bases["end_"][places]) & (bases["first"][places] < said["end_"][others])
    places, others = places[over], others[over]
    differs = np.zeros(len(places), dtype=np.bool_)
    for name in FACTS:
        theirs = said[name][others]
        differs |= (theirs != MISSING) & (theirs != items[name][places])
    return places, others, differs


def telling(places: NDArray[np.intp], others: NDArray[np.intp], differs: NDArray[np.bool_], said: Frame) -> Numbers:
    """Of each basis's pairs the one to tell: the earliest that differs, else the earliest."""
    order = np.lexsort((said["first"][others], ~differs, places))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = np.diff(places[order]) != 0
    return order[begins]


def changes_of(bases: Frame, items: Frame, said: Frame) -> Frame:
    """The attribute of each contract item that records speak of: whether one of them differs, since when, and what the
    latest of those that differ (else the latest) says."""
    places, others, differs = compare(bases, items, said)
    item = bases["contract_item"][places]
    numbers, _ = group([item]) if len(item) else (np.zeros(0, dtype=np.intp), None)
    order = np.lexsort((-said["first"][others], ~differs, numbers))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = np.diff(numbers[order]) != 0
    lone = order[begins]
    since = np.maximum(said["first"][others], bases["first"][places])
    # the first day of the earliest record that says the same of the item, within the days looked at
    earliest = np.full(len(lone), np.iinfo(np.int64).max, dtype=np.int64)
    alike = differs == differs[lone][numbers] if len(lone) else differs
    np.minimum.at(earliest, numbers[alike], since[alike])
    columns = {name: said[name][others[lone]] for name in FACTS}
    return Frame({"contract_item": item[lone], "differs": differs[lone].astype(np.int64), "since": earliest, **columns})


def keep_changes(connection: Connection, changes: Frame, rates: Sequence[str], today: date) -> None:
    """Store the attribute where it becomes another."""
    if not len(changes):
        return
    places = np.where(changes["rate"] == MISSING, MISSING, changes["rate"] + 1)
    connection.execute(
        _KEEP,
        {
            "items": int_array(changes["contract_item"]),
            "differs": int_array(changes["differs"]),
            "sinces": int_array(changes["since"]),
            "rate_places": _nullable(places),
            "phases": _nullable(changes["phases"]),
            "amperes": _nullable(changes["amperes"]),
            "rates": list(rates),
            "today": today,
        },
    )


def _nullable(column: Numbers) -> str:
    return int_array(column).replace(str(MISSING), "NULL")
