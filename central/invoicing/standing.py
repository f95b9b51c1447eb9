"""What stands of documents that others correct or cancel: their VAT so far, and which lines nothing has taken back.

An original and all that corrects it, one after another, are a family. Its documents together must say the VAT of what
stands at last, so each one is taxed by the difference to that and not by itself: rounding would leave haléře behind.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select, text

from central.invoicing.document import VatRow, vat_rows
from central.invoicing.kinds import CANCELLING
from central.invoicing.selection import Order
from central.invoicing.tables import invoice

ROOTS = text("""
    -- the document that each one goes back to through its originals
    WITH RECURSIVE up AS (
        SELECT i.id AS of, i.id, i.original FROM invoice i WHERE i.id = ANY (:originals)
        UNION ALL
        SELECT up.of, i.id, i.original FROM up JOIN invoice i ON i.id = up.original
    )
    SELECT up.of, up.id AS root FROM up WHERE up.original IS NULL
""")

FAMILIES = text("""
    -- VAT rows of these documents and of all that goes back to them
    WITH RECURSIVE family AS (
        SELECT i.id AS root, i.id, i.vat_rows FROM invoice i WHERE i.id = ANY (:roots)
        UNION ALL
        SELECT family.root, i.id, i.vat_rows FROM family JOIN invoice i ON i.original = family.id
    )
    SELECT root, vat_rows FROM family ORDER BY id
""")

BILLED = text("""
    -- bases that documents bill and no invoiced one has taken back yet
    SELECT l.invoice, array_agg(l.basis) AS bases
      FROM invoice_line l
     WHERE l.invoice = ANY (:originals) AND l.basis IS NOT NULL
       AND NOT EXISTS (SELECT FROM billing_basis o
                        WHERE o.original = l.basis AND o.state = 'invoiced' AND o.statement_type = ANY (:cancelling))
     GROUP BY l.invoice
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """The documents that the orders of an act are about, by id.

    `taken_back` are those of which the act leaves no line; `before` holds what an order's VAT is the difference to, by
    the place of the order.
    """

    originals: Mapping[int, Row[Any]] = field(default_factory=dict)
    taken_back: Collection[int] = frozenset()
    before: Mapping[int, Sequence[VatRow]] = field(default_factory=dict)


def read_standing(connection: Connection, orders: Sequence[Order]) -> Standing:
    """What stands before the orders of an act; documents and what they go back to stay locked until its end."""
    ids = sorted({order.original for order in orders if order.original is not None})
    if not ids:
        return Standing()
    roots = {row.of: row.root for row in connection.execute(ROOTS, {"originals": ids})}
    # locked before their VAT is read: another correction of the family is seen whole or waits
    wanted = select(invoice).where(invoice.c.id.in_({*ids, *roots.values()})).order_by(invoice.c.id).with_for_update()
    locked = {row.id: row for row in connection.execute(wanted)}
    families: dict[int, list[VatRow]] = defaultdict(list)
    for row in connection.execute(FAMILIES, {"roots": sorted(set(roots.values()))}):
        families[row.root] += [
            VatRow(Decimal(each["percent"]), Decimal(each["base"]), Decimal(each["vat"])) for each in row.vat_rows
        ]
    billed = connection.execute(BILLED, {"originals": ids, "cancelling": sorted(CANCELLING)})
    remaining = {row.invoice: frozenset(row.bases) for row in billed}
    return Standing(
        originals={each: locked[each] for each in ids},
        taken_back=taken_back(orders, remaining),
        before=vat_before(orders, roots, families),
    )


def taken_back(orders: Sequence[Order], remaining: Mapping[int, Collection[int]]) -> frozenset[int]:
    """The documents of whose `remaining` bases an order leaves none, and puts none in their place."""
    return frozenset(
        order.original
        for order in orders
        if order.original is not None
        and order.kind == "cancelling"
        and {basis.takes_back for basis in order.bases} >= set(remaining.get(order.original, ()))
    )


def vat_before(
    orders: Sequence[Order], roots: Mapping[int, int], families: Mapping[int, Sequence[VatRow]]
) -> dict[int, list[VatRow]]:
    """The VAT rows that each order finds, by its place: of its family, and of the orders of it that go before."""
    found: dict[int, list[VatRow]] = {}
    grown = {root: list(rows) for root, rows in families.items()}
    for place, order in enumerate(orders):
        if order.original is None:
            continue
        family = grown.setdefault(roots[order.original], [])
        found[place] = list(family)
        sums: dict[Decimal, Decimal] = defaultdict(lambda: Decimal("0.00"))
        for basis in order.bases:
            sums[basis.vat_percent] += basis.amount
        family += vat_rows(sums, found[place])
    return found
