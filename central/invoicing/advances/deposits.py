"""Received advances: what was allocated to them, the tax document of each payment, and its credit note on release.

A tax document is made for the customer and payment (daňový doklad k přijaté platbě): all that one payment brings to a
payer's advances at once stands on one document with a VAT from inside by rate. The tax point is the day of receipt.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update

from central.invoicing.advances.amounts import CENT, part_of, vat_inside
from central.invoicing.advances.states import advanced
from central.invoicing.advances.tables import advance, advance_deposit, advance_document
from central.invoicing.advances.vat import VatRates
from central.invoicing.numbering import NumberSeries
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from shared.metering_day import PRAGUE

TAX_DOCUMENT, CREDIT_NOTE = 5, 6
SERIES = {TAX_DOCUMENT: "advance_tax", CREDIT_NOTE: "advance_credit"}
"""The kind whose number series a document takes, by ISDOC document type."""
ZERO = Decimal("0.00")

ADVANCES = text("""
    -- advances that something came for, with a commodity of their points
    SELECT a.id, a.number, a.contract, a.seller, a.payer, a.amount, a.currency, a.state,
           (SELECT min(sp.commodity) FROM advance_part ap JOIN supply_point sp ON sp.id = ap.supply_point
             WHERE ap.advance = a.id) AS commodity
      FROM advance a WHERE a.id = ANY (:advances) ORDER BY a.id FOR UPDATE OF a
""")


@dataclass(frozen=True, slots=True)
class Allocated:
    """A part of a payment that belongs to an advance: `allocation` is its id, unique over all payments."""

    allocation: int
    advance: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One rate of a tax document: the received sum, the VAT inside it and the rest."""

    percent: Decimal
    gross: Decimal

    @property
    def vat(self) -> Decimal:
        return vat_inside(self.gross, self.percent)

    @property
    def net(self) -> Decimal:
        return self.gross - self.vat


def tax_rows(received: Iterable[tuple[Decimal, Decimal]]) -> list[TaxRow]:
    """(percent, received) summed by rate: the VAT is taken once, of the sum of a rate."""
    sums: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for percent, gross in received:
        sums[percent] += gross
    return [TaxRow(percent, gross) for percent, gross in sorted(sums.items())]


def vat_of_each(received: Sequence[tuple[Decimal, Decimal]]) -> list[Decimal]:
    """The VAT of each (percent, received): those of one rate sum to the VAT of the document's row exactly."""
    totals = {row.percent: row for row in tax_rows(received)}
    running: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    vats: list[Decimal] = []
    for percent, gross in received:
        row, before = totals[percent], running[percent]
        running[percent] += gross
        vats.append(part_of(row.vat, running[percent], row.gross) - part_of(row.vat, before, row.gross))
    return vats


def take_deposits(
    connection: Connection,
    payment: int,
    received_on: date,
    allocated: Sequence[Allocated],
    person: Person,
    now: datetime,
) -> list[str]:
    """Write down what a payment brought to advances, and make its tax document, one a payer. Their numbers.

    Where the seller has no VAT number, or the rate is 0, no tax document is made: the deposit is deducted untaxed.
    """
    rows = {
        row.id: row for row in connection.execute(ADVANCES, {"advances": [each.advance for each in allocated]}).all()
    }
    rates = VatRates(connection)
    by_sides: dict[tuple[int, int, str], list[Allocated]] = defaultdict(list)
    for each in allocated:
        row = rows[each.advance]
        by_sides[row.seller, row.payer, row.currency].append(each)
    numbers: list[str] = []
    for (seller, payer, currency), group in sorted(by_sides.items()):
        received = [(rates.on(rows[each.advance].commodity, received_on), each.amount) for each in group]
        document = None
        vats = [ZERO] * len(group)
        if _pays_vat(connection, seller):
            sides = {"seller": seller, "payer": payer, "payment": payment, "currency": currency}
            document, number = _issue(connection, TAX_DOCUMENT, sides, tax_rows(received), received_on, person, now)
            vats = vat_of_each(received)
            numbers.append(number)
        connection.execute(
            insert(advance_deposit),
            [
                {
                    "advance": each.advance,
                    "payment": payment,
                    "allocation": each.allocation,
                    "received_on": received_on,
                    "amount": each.amount,
                    "vat_percent": percent,
                    "vat": vat,
                    "document": document,
                }
                for each, (percent, _), vat in zip(group, received, vats, strict=True)
            ],
        )
    _follow(connection, list(rows.values()))
    return numbers


def release_deposits(
    connection: Connection, allocations: Sequence[int], reason: str, person: Person, now: datetime
) -> list[str]:
    """Take back what was allocated: a credit note for each tax document with what it takes off. Their numbers.

    Refused where a statement has deducted it: the statement is cancelled or corrected first.
    """
    deposits = connection.execute(
        select(advance_deposit)
        .where(advance_deposit.c.allocation.in_(allocations), advance_deposit.c.released_on.is_(None))
        .order_by(advance_deposit.c.id)
        .with_for_update()
    ).all()
    advances = {
        row.id: row for row in connection.execute(ADVANCES, {"advances": [each.advance for each in deposits]}).all()
    }
    for each in deposits:
        if each.deducted:
            raise Refused(
                "deposit_deducted",
                f"Of the {each.amount} Kč received on {each.received_on} for advance {advances[each.advance].number} a "
                f"statement has deducted {each.deducted} Kč; cancel that statement before the payment is released.",
            )
    today = now.astimezone(PRAGUE).date()
    numbers: list[str] = []
    by_document: dict[int | None, list[Row[Any]]] = defaultdict(list)
    for each in deposits:
        by_document[each.document].append(each)
    for original, group in by_document.items():
        note = None
        if original is not None:
            note, number = _credit(connection, original, group, reason, person, now)
            numbers.append(number)
        connection.execute(
            update(advance_deposit)
            .where(advance_deposit.c.id.in_([each.id for each in group]))
            .values(released_on=today, credit_note=note)
        )
    for row in advances.values():
        state = advanced(row.state, "release", row.number)
        connection.execute(update(advance).where(advance.c.id == row.id).values(state=state))
    return numbers


def _credit(
    connection: Connection, original: int, group: Sequence[Row[Any]], reason: str, person: Person, now: datetime
) -> tuple[int, str]:
    row = connection.execute(select(advance_document).where(advance_document.c.id == original)).one()
    sides = {
        "seller": row.seller,
        "payer": row.payer,
        "payment": row.payment,
        "currency": row.currency,
        "original": original,
        "reason": reason,
    }
    sums: dict[Decimal, tuple[Decimal, Decimal]] = defaultdict(lambda: (ZERO, ZERO))
    for each in group:
        gross, vat = sums[each.vat_percent]
        sums[each.vat_percent] = (gross + each.amount, vat + each.vat)
    rows = [(percent, -gross, -vat) for percent, (gross, vat) in sorted(sums.items())]
    return _write(connection, CREDIT_NOTE, sides, rows, now.astimezone(PRAGUE).date(), person, now)


def _issue(
    connection: Connection,
    kind: int,
    sides: Mapping[str, Any],
    rows: Sequence[TaxRow],
    tax_date: date,
    person: Person,
    now: datetime,
) -> tuple[int, str]:
    return _write(connection, kind, sides, [(row.percent, row.gross, row.vat) for row in rows], tax_date, person, now)


def _write(
    connection: Connection,
    kind: int,
    sides: Mapping[str, Any],
    rows: Sequence[tuple[Decimal, Decimal, Decimal]],
    tax_date: date,
    person: Person,
    now: datetime,
) -> tuple[int, str]:
    """Store a document of (percent, gross, VAT) rows under the next number of its kind; its id and number."""
    issue_date = now.astimezone(PRAGUE).date()
    number = NumberSeries(connection, SERIES[kind], issue_date).take(1)[0]
    gross = sum((row[1] for row in rows), ZERO)
    vat = sum((row[2] for row in rows), ZERO)
    identifier: int = connection.execute(
        insert(advance_document)
        .values(
            **sides,
            number=number,
            document_type=kind,
            issue_date=issue_date,
            tax_date=tax_date,
            vat_rows=[
                {
                    "percent": f"{percent:f}",
                    "base": f"{(part - tax).quantize(CENT):f}",
                    "vat": f"{tax:f}",
                }
                for percent, part, tax in rows
            ],
            net=gross - vat,
            vat=vat,
            gross=gross,
            issued_at=now,
            issued_by=person.name,
        )
        .returning(advance_document.c.id)
    ).scalar_one()
    act = "advance.tax" if kind == TAX_DOCUMENT else "advance.credit"
    details = {"number": number, "payment": sides["payment"], "gross": f"{gross:f}", "vat": f"{vat:f}"}
    audit.record(connection, person, act, f"advance_document/{identifier}", details, now, why=sides.get("reason"))
    return identifier, number


def _follow(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    """Advances for which all came are paid."""
    ids = [row.id for row in rows]
    query = (
        select(advance_deposit.c.advance, func.sum(advance_deposit.c.amount).label("came"))
        .where(advance_deposit.c.advance.in_(ids), advance_deposit.c.released_on.is_(None))
        .group_by(advance_deposit.c.advance)
    )
    came = {row.advance: row.came for row in connection.execute(query)}
    for row in rows:
        if row.state == "sent" and came.get(row.id, ZERO) >= row.amount:
            state = advanced(row.state, "pay", row.number)
            connection.execute(update(advance).where(advance.c.id == row.id).values(state=state))


def _pays_vat(connection: Connection, seller: int) -> bool:
    return bool(connection.execute(text("SELECT dic IS NOT NULL FROM party WHERE id = :id"), {"id": seller}).scalar())
