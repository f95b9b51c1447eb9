"""What check 8 compares with: lines of received invoices, stock items of bases, what is billed beside them.

Lines and bases meet under a *key*: the OTE invoice item type of the basis's stock item, of a line its code where some
stock item has it as its type, else the type that the items of its rate have. Where there is no type, the rate (below
0).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Frame, Numbers
from central.checks.framework import Asked
from central.checks.message_items import own_points
from central.platform.arrays import int_array
from central.settlement.stock_items import OF_BASIS

RATES: Final = (*range(5, 18), *range(19, 24), *range(25, 28), *range(1001, 1006), *range(1018, 1024), 1998, 1999)
"""Electricity and gas; 18 and 24 are not in the specification."""
WALKED: Final = (0, 3)
"""Services of bases: distribution, and what the superior distributor should bill (purchase)."""
_EPOCH: Final = date(1970, 1, 1)

LINES = """
    -- lines of invoices for the points within the days of the bases; what a later invoice corrects or cancels does not
    -- count, nor advances and what only tells the past
    SELECT i.id AS invoice, t.place, t.supply_point, t.rate, array_position(%(types)s::text[], t.code) - 1 AS type,
           (t.net * 100)::bigint AS net, (i.currency = 'CZK')::integer AS crowns,
           lower(t.period) - DATE '1970-01-01' AS first, upper(t.period) - DATE '1970-01-01' AS end_
      FROM received_invoice_item t
      JOIN received_invoice i ON i.id = t.invoice
     WHERE t.supply_point = ANY (%(points)s::bigint[])
       AND t.period && daterange(%(first)s::date, %(end)s::date)
       AND (t.rate = ANY (%(rates)s::integer[]) OR t.code = ANY (%(types)s::text[]))
       AND i.kind NOT IN ('advance', 'cancel', 'historic')
       AND NOT EXISTS (SELECT FROM received_invoice c WHERE c.issuer = i.issuer AND c.corrects = i.number)
"""
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
       AND b.valid && tstzrange(%(first)s::timestamp AT TIME ZONE 'Europe/Prague',
                                %(end)s::timestamp AT TIME ZONE 'Europe/Prague')
       AND b.id <> ALL (%(bases)s::bigint[])
"""  # noqa: S608 - likewise
RUNS = """
    SELECT DISTINCT b.run FROM billing_basis b WHERE b.id = ANY (%(bases)s::bigint[]) AND b.run IS NOT NULL
"""
CODES = "SELECT code FROM stock_item ORDER BY 1"
TYPES = f"""
    SELECT DISTINCT ote_item_type FROM stock_item
     WHERE ote_item_type IS NOT NULL AND rate = ANY (ARRAY{list(RATES)}) ORDER BY 1
"""  # noqa: S608 - numbers of ours
LINE_COLUMNS: Final = ("invoice", "place", "supply_point", "rate", "type", "net", "crowns", "first", "end_")
BASE_COLUMNS: Final = (
    "supply_point", "rate", "service", "statement_type", "amount", "crowns", "item", "first", "end_", "draft",
)  # fmt: skip


@dataclass(frozen=True)
class Received:
    """Lines of received invoices with their key; the stock item (`item`, `card`: place in `codes`) and key of each
    basis, by ascending `id`; other bases that hold, with their key; points of our own networks."""

    lines: Frame
    cards: Frame
    codes: tuple[str, ...]
    beside: Frame
    own: Numbers


def read_received(asked: Asked, bases: Frame) -> Received:
    """All of it for the points of the bases, by a few queries."""
    walked = bases.take(np.isin(bases["rate"], RATES) & np.isin(bases["service"], WALKED))
    types, codes = asked.words(TYPES), asked.words(CODES)
    given = {"rates": list(RATES), "types": list(types), "codes": list(codes)}
    items = asked.frame(ITEMS, ("id", "rate", "card", "type", "specific"), **given)
    if not len(walked):
        nothing = np.zeros(0, dtype=np.int64)
        empty = Frame(dict.fromkeys(("id", "item", "card", "key", *LINE_COLUMNS, *BASE_COLUMNS), nothing))
        return Received(empty, empty, codes, empty, nothing)
    days, mine = {"first": _day(walked["first"].min()), "end": _day(walked["end_"].max())}, int_array(walked["id"])
    lines = asked.frame(LINES, LINE_COLUMNS, **given, **days)
    beside = _held(asked, asked.frame(BESIDE, BASE_COLUMNS, rates=list(RATES), bases=mine, **days), mine)
    return Received(
        with_key(lines, items), _cards(asked, walked, items), codes, with_card(beside, items), own_points(asked)
    )


def with_key(lines: Frame, items: Frame) -> Frame:
    """Lines with the key that they meet bases under."""
    by_rate = key_of_rates(lines["rate"], items)
    return Frame({**lines.columns, "key": np.where(lines["type"] == MISSING, by_rate, lines["type"])}, lines.words)


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
    """Bases that have an `item` with its `card` and their key."""
    order = np.argsort(items["id"])
    known = items.take(order)
    there = bases["item"] != MISSING
    places = np.searchsorted(known["id"], bases["item"][there])
    card, key = np.full(len(bases), MISSING, dtype=np.int64), -bases["rate"]
    card[there] = known["card"][places]
    types = known["type"][places]
    key[there] = np.where(types == MISSING, key[there], types)
    return Frame({**bases.columns, "card": card, "key": key}, bases.words)


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


def _held(asked: Asked, beside: Frame, bases: str) -> Frame:
    """Without what other drafts made: of bases that are not approved those of the runs being checked count."""
    draft = beside["draft"] != MISSING
    if not draft.any():
        return beside
    runs = asked.frame(RUNS, ("run",), bases=bases)["run"]
    return beside.take(~draft | np.isin(beside["draft"], runs))


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=int(number))
