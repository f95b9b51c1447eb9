"""Items of received invoices, read once for all checks that compare with them, and which bases those checks take."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from central.checks import units
from central.checks.frame import Frame, Numbers
from central.checks.framework import Asked, Parameter, Text
from central.checks.rounding import rounding

RATES: Final = (*range(5, 18), *range(19, 24), *range(25, 28), *range(1001, 1006), *range(1018, 1024), 1998, 1999)
"""Of distribution, electricity and gas (check 8); 18 and 24 are not in the specification."""
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
ELECTRIC: Final = ("127", "240")
"""Codes of the messages with invoices for distribution of electricity (CDSINVOICE)."""
_EPOCH: Final = date(1970, 1, 1)

ITEMS = """
    -- items for the points within days. Priced: with a price, of a message that no later one corrects, no line that
    -- takes another back. Counted: the amount is for distribution and holds: no advance, not only told about the past,
    -- not cancelled. A correction with lines that take back counts beside what it corrects, another one in its place.
    SELECT i.id AS invoice, t.place, t.supply_point, t.rate, array_position(%(types)s::text[], t.code) - 1 AS type,
           micro(t.unit_price) AS price, CASE WHEN t.effect IS NULL THEN 1000000 ELSE micro(t.effect) END AS effect,
           array_position(%(units)s::text[], upper(t.unit)) - 1 AS unit,
           lower(t.period) - DATE '1970-01-01' AS first, upper(t.period) - DATE '1970-01-01' AS end_,
           (m.message_code = ANY (%(electric)s::text[]))::integer AS electric,
           array_position(%(issuers)s::text[], i.issuer) - 1 AS issuer,
           (t.net * 100)::bigint AS net, (i.currency = 'CZK')::integer AS crowns,
           (m.id IS NOT NULL AND t.rate IS NOT NULL AND t.unit_price IS NOT NULL AND c.replaces IS NULL
            AND coalesce(t.quantity, 0) >= 0)::integer AS priced,
           ((t.rate = ANY (%(rates)s::integer[]) OR t.code = ANY (%(types)s::text[]))
            AND i.kind NOT IN ('advance', 'cancel', 'historic') AND c.replaces IS NOT TRUE)::integer AS counted
      FROM received_invoice_item t
      JOIN received_invoice i ON i.id = t.invoice
      LEFT JOIN market_inbox m ON m.id = i.inbox
      LEFT JOIN (SELECT l.issuer, l.corrects,
                        bool_or(l.kind = 'cancel' OR NOT EXISTS (SELECT FROM received_invoice_item n
                                                                  WHERE n.invoice = l.id AND n.net < 0)) AS replaces
                   FROM received_invoice l WHERE l.corrects IS NOT NULL GROUP BY l.issuer, l.corrects) c
        ON c.issuer = i.issuer AND c.corrects = i.number
     WHERE t.supply_point = ANY (%(points)s::bigint[])
       AND upper(t.period) > %(first)s::date AND lower(t.period) < %(end)s::date
       AND (t.rate IS NOT NULL OR t.code = ANY (%(types)s::text[]))
"""
TYPES = f"""
    -- OTE invoice item types of the stock items of distribution
    SELECT DISTINCT ote_item_type FROM stock_item
     WHERE ote_item_type IS NOT NULL AND rate = ANY (ARRAY{list(RATES)}) ORDER BY 1
"""  # noqa: S608 - numbers of ours
_NAMES: Final = (
    "invoice", "place", "supply_point", "rate", "type", "price", "effect", "unit", "first", "end_", "electric",
    "issuer", "net", "crowns", "priced", "counted",
)  # fmt: skip


def read_items(asked: Asked, bases: Frame) -> Frame:
    """Items of the points within the days of the bases; `unit`, `issuer` and `type` are places in its words."""
    first, end = days_of(bases)

    def read(one: Asked) -> Frame:
        types = one.words(TYPES)
        issuers = [each.issuer for each in rounding().issuers]
        given = {"units": list(units.OF_MESSAGES), "electric": list(ELECTRIC), "rates": list(RATES)}
        frame = one.frame(ITEMS, _NAMES, **given, types=list(types), issuers=issuers, first=first, end=end)
        return Frame(frame.columns, {"unit": units.OF_MESSAGES, "issuer": tuple(issuers), "type": types})

    items: Frame = asked.once(f"items of received invoices from {first} to {end}", read)
    return items


def chosen(bases: Frame, rates: Sequence[int], own: Numbers, parameters: Mapping[str, Any]) -> Frame:
    """The bases with a rate of these that the parameter `which` wants; `own` are items of our own licences."""
    judged = bases.take(np.isin(bases["rate"], rates))
    return judged.take(~np.isin(judged["contract_item"], own)) if parameters["which"] == FOREIGN else judged


def days_of(bases: Frame) -> tuple[date, date]:
    """The first day of the bases, and that after their last; of none an empty time."""
    if not len(bases):
        return _EPOCH, _EPOCH
    return _EPOCH + timedelta(days=int(bases["first"].min())), _EPOCH + timedelta(days=int(bases["end_"].max()))
