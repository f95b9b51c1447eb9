"""What check 8 compares with: lines of received invoices, stock items of bases, what is billed beside them.

Lines and bases meet under a *key*: the OTE invoice item type of the basis's stock item, of a line its code where some
stock item has it as its type; where there is none, the type that the items of the rate have, or the rate (below 0).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Frame, Numbers
from central.checks.framework import Asked
from central.checks.own_licences import own_items
from central.checks.received_items import RATES, days_of, read_items
from central.platform.arrays import int_array
from central.settlement.stock_items import OF_BASIS

WALKED: Final = (0, 3)
"""Services of bases: distribution, and what the superior distributor should bill (purchase)."""

ITEMS = """
    -- stock items; specific: only of a component or of one who invoices
    SELECT k.id, k.rate, array_position(%(codes)s::text[], k.code) - 1 AS card,
           array_position(%(types)s::text[], k.ote_item_type) - 1 AS type,
           (k.component IS NOT NULL OR k.owner IS NOT NULL)::integer AS specific
      FROM stock_item k
     WHERE k.rate = ANY (%(rates)s::integer[])
"""
SPECIFIC = f"""
    -- stock items of bases whose rate has several
    SELECT b.id, k.id AS item
      FROM billing_basis b JOIN LATERAL ({OF_BASIS}) k ON true
     WHERE b.id = ANY (%(bases)s::bigint[])
"""  # noqa: S608 - the lateral query is a constant of ours
BESIDE = f"""
    -- other bases of the points that hold and overlap the days of those being checked, invoiced or not
    SELECT b.supply_point, b.rate, array_position(ARRAY['distribution', 'supply', 'other', 'purchase'], b.service) - 1
               AS service, b.statement_type, (b.amount * 100)::bigint AS amount,
           (b.price_unit LIKE 'Kč%%')::integer AS crowns, k.id AS item,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_,
           CASE WHEN b.state = 'new' THEN b.run END AS draft
      FROM billing_basis b LEFT JOIN LATERAL ({OF_BASIS}) k ON true
     WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.state <> 'cancelled'
       AND b.service IN ('distribution', 'purchase') AND b.rate = ANY (%(rates)s::integer[])
       AND upper(b.valid) > %(first)s::timestamp AT TIME ZONE 'Europe/Prague'
       AND lower(b.valid) < %(end)s::timestamp AT TIME ZONE 'Europe/Prague'
       AND NOT b.id <@ %(bases)s::int8multirange
"""  # noqa: S608 - the lateral query is a constant of ours
RUNS = """
    SELECT DISTINCT b.run FROM billing_basis b WHERE b.id = ANY (%(bases)s::bigint[]) AND b.run IS NOT NULL
"""
CODES = "SELECT code FROM stock_item ORDER BY 1"
LINE_COLUMNS: Final = ("invoice", "place", "supply_point", "rate", "type", "net", "crowns", "first", "end_")
BASE_COLUMNS: Final = (
    "supply_point", "rate", "service", "statement_type", "amount", "crowns", "item", "first", "end_", "draft",
)  # fmt: skip


@dataclass(frozen=True)
class Received:
    """Lines of received invoices with their key; stock item (`item`, `card`: place in `codes`, `type`) and key of each
    basis, by ascending `id`; other bases that hold, with their key; contract items of our own licences."""

    lines: Frame
    cards: Frame
    codes: tuple[str, ...]
    beside: Frame
    own: Numbers


def read_received(asked: Asked, bases: Frame) -> Received:
    """All of it for the points of the bases, by a few queries."""
    walked = bases.take(np.isin(bases["rate"], RATES) & np.isin(bases["service"], WALKED))
    lines = read_items(asked, bases)
    codes, types = asked.words(CODES), lines.words["type"]
    given = {"rates": list(RATES), "types": list(types), "codes": list(codes)}
    items = asked.frame(ITEMS, ("id", "rate", "card", "type", "specific"), **given)
    first, end = days_of(bases)
    beside = asked.frame(BESIDE, BASE_COLUMNS, rates=list(RATES), bases=ranges(bases["id"]), first=first, end=end)
    return Received(
        with_key(lines.take(lines["counted"] == 1), items),
        _cards(asked, walked, items),
        codes,
        with_card(_held(asked, beside, walked["id"]), items),
        own_items(asked),
    )


def with_key(rows: Frame, items: Frame) -> Frame:
    """Lines, or bases, with the key that they meet under: their `type`, or that of their rate."""
    by_rate = key_of_rates(rows["rate"], items)
    return Frame({**rows.columns, "key": np.where(rows["type"] == MISSING, by_rate, rows["type"])}, rows.words)


def key_of_rates(rates: Numbers, items: Frame) -> Numbers:
    """The type of the general item of each rate, or the one that all its items have; without one the rate itself."""
    keys = -rates
    for rate in np.unique(rates).tolist():
        mine = items.take(items["rate"] == rate)
        general = mine["type"][mine["specific"] == 0]
        found = np.unique(general if len(general) else mine["type"])
        if len(found) == 1 and found[0] != MISSING:
            keys[rates == rate] = found[0]
    return keys


def with_card(bases: Frame, items: Frame) -> Frame:
    """Bases that have an `item` with its `card` and `type`, and their key."""
    known = items.take(np.argsort(items["id"]))
    there = bases["item"] != MISSING
    places = np.searchsorted(known["id"], bases["item"][there])
    card, kind = np.full((2, len(bases)), MISSING, dtype=np.int64)
    card[there], kind[there] = known["card"][places], known["type"][places]
    return with_key(Frame({**bases.columns, "card": card, "type": kind}, bases.words), items)


def _cards(asked: Asked, walked: Frame, items: Frame) -> Frame:
    """The stock item of each basis: by its rate alone where the rate has no more than a general one."""
    general = items.take(items["specific"] == 0)
    item = np.full(len(walked), MISSING, dtype=np.int64)
    for rate, number in zip(general["rate"].tolist(), general["id"].tolist(), strict=True):
        item[walked["rate"] == rate] = number
    several: NDArray[np.bool_] = np.isin(walked["rate"], items["rate"][items["specific"] == 1])
    if several.any():
        found = asked.frame(SPECIFIC, ("id", "item"), bases=int_array(walked["id"][several]))
        item[several] = MISSING
        order = np.argsort(walked["id"])
        item[order[np.searchsorted(walked["id"][order], found["id"])]] = found["item"]
    cards = Frame({"id": walked["id"], "rate": walked["rate"], "item": item})
    return with_card(cards.take(np.argsort(walked["id"])), items)


def _held(asked: Asked, beside: Frame, bases: Numbers) -> Frame:
    """Without what other drafts made: of bases that are not approved those of the runs being checked count."""
    draft = beside["draft"] != MISSING
    if not draft.any():
        return beside
    runs = asked.frame(RUNS, ("run",), bases=int_array(bases))["run"]
    return beside.take(~draft | np.isin(beside["draft"], runs))


def ranges(numbers: Numbers) -> str:
    """Whole numbers as a multirange literal: those of bases made together are few ranges and quick to look into."""
    ordered = np.unique(numbers)
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    first = ordered[np.concatenate(([0], breaks + 1))] if len(ordered) else ordered
    last = ordered[np.concatenate((breaks, [len(ordered) - 1]))] if len(ordered) else ordered
    return "{" + ",".join(f"[{low},{high}]" for low, high in zip(first.tolist(), last.tolist(), strict=True)) + "}"
