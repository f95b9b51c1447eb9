"""What stands of documents that others correct, cancel or settle: their VAT so far, and lines not taken back yet.

Documents are a family at a rate of VAT where one takes lines of the other back and has that rate: an original and all
that corrects it, one after another, and an annual statement with the preliminary documents whose lines it takes back.
Together they must say the VAT of what stands at last, so each one is taxed by the difference to that and not by itself:
rounding would leave haléře behind.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select, text

from central.invoicing.document import VatRow, vat_rows
from central.invoicing.kinds import CANCELLING
from central.invoicing.selection import Order
from central.invoicing.tables import invoice

RELATED = text("""
    -- these documents and all that take lines of one another back, over any number of steps
    WITH RECURSIVE related AS (
        SELECT CAST(given.id AS bigint) AS id FROM unnest(CAST(:documents AS bigint[])) AS given (id)
        UNION
        SELECT next.id FROM related r CROSS JOIN LATERAL (
               SELECT i.original AS id FROM invoice i WHERE i.id = r.id AND i.original IS NOT NULL
                UNION ALL
               SELECT i.id FROM invoice i WHERE i.original = r.id
                UNION ALL
               SELECT s.settled FROM invoice_settled s WHERE s.invoice = r.id
                UNION ALL
               SELECT s.invoice FROM invoice_settled s WHERE s.settled = r.id) next
    )
    SELECT id FROM related ORDER BY id
""")

VAT = text("""
    -- what documents say of VAT, and of which ones they take lines back
    SELECT i.id, i.original, i.vat_rows,
           ARRAY(SELECT i.original WHERE i.original IS NOT NULL
                  UNION ALL
                 SELECT s.settled FROM invoice_settled s WHERE s.invoice = i.id) AS takes_back
      FROM invoice i WHERE i.id = ANY (:documents) ORDER BY i.id
""")

BILLED = text("""
    -- bases that documents bill, and those of them that no invoiced one has taken back yet; what itself takes back does
    -- not stand
    SELECT l.invoice, count(*) AS lines, array_agg(l.basis) FILTER (WHERE NOT EXISTS (
               SELECT FROM billing_basis o
                WHERE o.original = l.basis AND o.state = 'invoiced' AND o.statement_type = ANY (:cancelling))) AS bases
      FROM invoice_line l
      JOIN billing_basis b ON b.id = l.basis AND b.statement_type <> ALL (:cancelling)
     WHERE l.invoice = ANY (:originals)
     GROUP BY l.invoice
""")


@dataclass(frozen=True, slots=True)
class Billed:
    """Of a document: the one that it is about, how many lines bill something, which of their bases still stand."""

    original: int | None
    lines: int
    standing: frozenset[int]


@dataclass(frozen=True, slots=True)
class Standing:
    """The documents that the orders of an act are about, and all that these and theirs are about, by id.

    `taken_back` are those of which the act leaves no line, nor one of what corrects them; `acts` says what is done to
    which ones (`states.py`). `before` holds what an order's VAT is the difference to, by the place of the order.
    """

    originals: Mapping[int, Row[Any]] = field(default_factory=dict)
    taken_back: Collection[int] = frozenset()
    acts: Mapping[int, str] = field(default_factory=dict)
    before: Mapping[int, Sequence[VatRow]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What an issued document says of VAT, and of which documents it takes lines back."""

    document: int
    rows: Sequence[VatRow]
    takes_back: Collection[int] = ()


def read_standing(connection: Connection, orders: Sequence[Order]) -> Standing:
    """What stands before the orders of an act; documents and their families stay locked until its end."""
    about = sorted({document for order in orders for document in order.about})
    if not about:
        return Standing()
    related = _locked(connection, about)
    read = connection.execute(VAT, {"documents": related}).all()
    said = [
        Said(row.id, [VatRow(*(Decimal(each[name]) for name in ("percent", "base", "vat"))) for each in row.vat_rows],
             row.takes_back)
        for row in read
    ]  # fmt: skip
    named = {order.original for order in orders if order.original is not None}
    if not named:
        return Standing(before=vat_before(orders, said))
    parents = {row.id: row.original for row in read}
    billed = read_billed(connection, parents)
    rows = {row.id: row for row in connection.execute(select(invoice).where(invoice.c.id.in_(billed)))}
    gone, restored = after(orders, billed)
    acts = {
        **{each: "restore" for each in restored if rows[each].state == "corrected"},
        **dict.fromkeys(named, "correct"),
        **{each: "cancel" for each in gone if each in named or rows[each].state != "cancelled"},
    }
    return Standing(
        originals=rows,
        taken_back=frozenset(each for each, act in acts.items() if act == "cancel"),
        acts=acts,
        before=vat_before(orders, said),
    )


def read_billed(connection: Connection, parents: Mapping[int, int | None]) -> dict[int, Billed]:
    """What documents bill and what of it stands, by document; `parents` are those with what each is about."""
    asked = {"originals": list(parents), "cancelling": sorted(CANCELLING)}
    rows = {row.invoice: row for row in connection.execute(BILLED, asked)}
    return {
        document: Billed(
            original,
            rows[document].lines if document in rows else 0,
            frozenset((rows[document].bases if document in rows else None) or ()),
        )
        for document, original in parents.items()
    }


def standing_bases(connection: Connection, documents: Sequence[int]) -> dict[int, frozenset[int]]:
    """By document: its bases that no invoiced one has taken back yet; documents without any are left out."""
    billed = read_billed(connection, dict.fromkeys(documents))
    return {document: each.standing for document, each in billed.items() if each.standing}


def _locked(connection: Connection, about: Sequence[int]) -> list[int]:
    """Documents with all that are related to them, locked before their VAT is read: another act on the family is seen
    whole or waits."""
    locked: set[int] = set()
    while True:
        related = list(connection.execute(RELATED, {"documents": list(about)}).scalars())
        new = [each for each in related if each not in locked]
        if not new:
            return related
        connection.execute(
            select(invoice.c.id).where(invoice.c.id.in_(new)).order_by(invoice.c.id).with_for_update()
        ).all()
        locked.update(new)


def after(orders: Sequence[Order], billed: Mapping[int, Billed]) -> tuple[frozenset[int], frozenset[int]]:
    """What becomes of the documents of an act's families: those of which nothing stands any more, and the restored.

    `billed` holds whole families. What stands of a document is what stands of it and of all that is about it; what an
    order puts in the place of a line stands, too. A document that only takes others back never stood.
    """
    about: dict[int, list[int]] = {}
    for document, each in billed.items():
        if each.original is not None:
            about.setdefault(each.original, []).append(document)
    taken = {basis.takes_back for order in orders if order.original is not None for basis in order.bases}
    replaced = {order.original for order in orders if order.original is not None and order.kind == "corrective"}
    named = {order.original for order in orders if order.original is not None}
    stands: dict[int, bool] = {}
    below: dict[int, bool] = {}
    for document in _deepest_first({_root(document, billed) for document in named}, about):
        below[document] = document in replaced or any(stands[each] for each in about.get(document, ()))
        stands[document] = below[document] or bool(billed[document].standing - taken)
    gone = frozenset(document for document, does in stands.items() if not does and billed[document].lines)
    restored = frozenset(
        document
        for document, does in below.items()
        if not does and about.get(document) and billed[document].lines == len(billed[document].standing - taken) > 0
    )
    return gone, restored


def giving_back(orders: Sequence[Order], standing: Standing) -> dict[int, int]:
    """By document that an act cancels: the place of the order that gives its deductions back.

    That is the one that cancels it, or where others had corrected all its lines, what cancels the last of these.
    """
    found: dict[int, int] = {}
    for place, order in enumerate(orders):
        document = order.original
        while order.kind == "cancelling" and document is not None and document in standing.originals:
            row = standing.originals[document]
            if document in standing.taken_back and row.payer == order.payer:
                found = {**found, document: place} if document == order.original else {document: place, **found}
            document = row.original
    return found


def family(document: int, about: Mapping[int, Sequence[int]]) -> list[int]:
    """A document and all that is about it, over any number of steps, the nearest first."""
    found = [document]
    for each in found:
        found += about.get(each, ())
    return found


def _root(document: int, billed: Mapping[int, Billed]) -> int:
    while (original := billed[document].original) is not None and original in billed:
        document = original
    return document


def _deepest_first(roots: Collection[int], about: Mapping[int, Sequence[int]]) -> list[int]:
    return [each for root in sorted(roots) for each in reversed(family(root, about))]


def vat_before(orders: Sequence[Order], said: Iterable[Said]) -> dict[int, list[VatRow]]:
    """The VAT rows that each order finds, by its place: of its families, and of the orders of them that go before.

    `said` holds whole families: every document that is related to one which the orders are about.
    """
    families = _Families()
    for each in said:
        for row in each.rows:
            families.add(families.joined(each.takes_back, row.percent, each.document), row)
    found: dict[int, list[VatRow]] = {}
    for place, order in enumerate(orders):
        if not order.about:
            continue
        sums: dict[Decimal, Decimal] = {}
        for basis in order.bases:
            sums[basis.vat_percent] = sums.get(basis.vat_percent, Decimal("0.00")) + basis.amount
        names = {percent: families.joined(order.about, percent) for percent in sums}
        found[place] = [row for name in names.values() for row in families.rows(name)]
        for row in vat_rows(sums, found[place]):
            families.add(names[row.percent], row)
    return found


class _Families:
    """Families of documents at each rate of VAT, which grow together."""

    def __init__(self) -> None:
        self._up: dict[tuple[int, Decimal], tuple[int, Decimal]] = {}
        self._rows: dict[tuple[int, Decimal], list[VatRow]] = {}

    def joined(self, documents: Collection[int], percent: Decimal, *more: int) -> tuple[int, Decimal]:
        """The one family that these documents now are at a rate."""
        first, *others = sorted({self._top((document, percent)) for document in (*documents, *more)})
        for other in others:
            self._up[other] = first
            self._rows.setdefault(first, []).extend(self._rows.pop(other, ()))
        return first

    def add(self, family: tuple[int, Decimal], row: VatRow) -> None:
        self._rows.setdefault(self._top(family), []).append(row)

    def rows(self, family: tuple[int, Decimal]) -> list[VatRow]:
        return list(self._rows.get(self._top(family), ()))

    def _top(self, member: tuple[int, Decimal]) -> tuple[int, Decimal]:
        while member in self._up:
            member = self._up[member]
        return member
