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

from sqlalchemy import Connection, Row, insert, select, text, update

from central.invoicing.advances.amounts import part_of, vat_inside
from central.invoicing.advances.faces import keep_faces
from central.invoicing.advances.states import advanced
from central.invoicing.advances.tables import advance, advance_deposit, advance_document
from central.invoicing.advances.vat import VatRates
from central.invoicing.numbering import NumberSeries
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from central.registry.tables import party
from shared.metering_day import PRAGUE

TAX_DOCUMENT, CREDIT_NOTE = 5, 6
SERIES = {TAX_DOCUMENT: "advance_tax", CREDIT_NOTE: "advance_credit"}
"""Kind of the number series, by ISDOC document type."""
ZERO = Decimal("0.00")

ADVANCES = text("""
    -- advances that something came for, with a commodity of their points
    SELECT a.id, a.number, a.contract, a.seller, a.payer, a.amount, a.vat_percent, a.currency, a.state,
           (SELECT min(sp.commodity) FROM advance_part ap JOIN supply_point sp ON sp.id = ap.supply_point
             WHERE ap.advance = a.id) AS commodity
      FROM advance a WHERE a.id = ANY (:advances) ORDER BY a.id FOR UPDATE OF a
""")

PAID = text("""
    -- advances that are sent and for which all came
    UPDATE advance a SET state = 'paid'
     WHERE a.id = ANY (:advances) AND a.state = 'sent' AND a.amount <= (
           SELECT sum(d.amount) FROM advance_deposit d WHERE d.advance = a.id AND d.released_on IS NULL)
""")


@dataclass(frozen=True, slots=True)
class Allocated:
    """A part of a payment that belongs to an advance: `allocation` is its id, unique over all payments.

    `payment` is None where a credit note was set off against the advance; `received_on` then is the day of that.
    """

    allocation: int
    advance: int
    payment: int | None
    received_on: date
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


def take_deposits(connection: Connection, allocated: Sequence[Allocated], person: Person, now: datetime) -> list[str]:
    """Write down what payments brought to advances, and make the tax documents, one a payment and payer. Their numbers.

    Where the seller has no VAT number no tax document is made: the deposit is deducted untaxed. Thousands of payments
    are written in a few statements.
    """
    rows = _advances(connection, [each.advance for each in allocated])
    rates, taxed = VatRates(connection), _tax_payers(connection, {row.seller for row in rows.values()})
    groups: dict[tuple[Any, ...], list[Allocated]] = defaultdict(list)
    for each in allocated:
        row = rows[each.advance]
        # A set-off has no payment: each is a receipt of its own.
        payment = (0, each.payment) if each.payment is not None else (each.allocation, 0)
        groups[row.seller, row.payer, row.currency, each.received_on, payment].append(each)
    documents: list[_NewDocument] = []
    deposits: list[dict[str, Any]] = []
    for (seller, payer, currency, received_on, _), group in groups.items():
        received = [(_percent(rates, rows[each.advance], received_on), each.amount) for each in group]
        vats, place = [ZERO] * len(group), None
        if seller in taxed:
            vats, place = vat_of_each(received), len(documents)
            sides = {"seller": seller, "payer": payer, "payment": group[0].payment, "currency": currency}
            amounts = [(row.percent, row.gross, row.vat) for row in tax_rows(received)]
            documents.append(_NewDocument(sides, amounts, received_on))
        deposits += [
            {
                "advance": each.advance,
                "payment": each.payment,
                "allocation": each.allocation,
                "received_on": received_on,
                "amount": each.amount,
                "vat_percent": percent,
                "vat": vat,
                "document": place,
            }
            for each, (percent, _), vat in zip(group, received, vats, strict=True)
        ]
    issued = _write(connection, TAX_DOCUMENT, documents, person, now)
    for deposit in deposits:
        if deposit["document"] is not None:
            deposit["document"] = issued[deposit["document"]][0]
    if deposits:
        connection.execute(insert(advance_deposit), deposits)
    keep_faces(connection, "document", [identifier for identifier, _ in issued])
    _follow(connection, [row.id for row in rows.values() if row.state == "sent"])
    return [number for _, number in issued]


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
    advances = _advances(connection, [each.advance for each in deposits])
    for each in deposits:
        if each.deducted:
            raise Refused(
                "deposit_deducted",
                f"Of the {each.amount} Kč received on {each.received_on} for advance {advances[each.advance].number} a "
                f"statement has deducted {each.deducted} Kč; cancel that statement before the payment is released.",
            )
    by_document: dict[int, list[Row[Any]]] = defaultdict(list)
    for each in deposits:
        if each.document is not None:
            by_document[each.document].append(each)
    notes = [_credit(connection, original, group, reason, now) for original, group in by_document.items()]
    issued = _write(connection, CREDIT_NOTE, notes, person, now)
    by_original = {original: note for original, (note, _) in zip(by_document, issued, strict=True)}
    today = now.astimezone(PRAGUE).date()
    for each in deposits:
        note = None if each.document is None else by_original[each.document]
        connection.execute(
            update(advance_deposit).where(advance_deposit.c.id == each.id).values(released_on=today, credit_note=note)
        )
    keep_faces(connection, "document", [identifier for identifier, _ in issued])
    for row in advances.values():
        state = advanced(row.state, "release", row.number)
        connection.execute(update(advance).where(advance.c.id == row.id).values(state=state))
    return [number for _, number in issued]


@dataclass(frozen=True, slots=True)
class _NewDocument:
    """A document to be: its sides, its rows as (percent, gross, VAT), and its tax point."""

    sides: Mapping[str, Any]
    rows: Sequence[tuple[Decimal, Decimal, Decimal]]
    tax_date: date


def _credit(
    connection: Connection, original: int, group: Sequence[Row[Any]], reason: str, now: datetime
) -> _NewDocument:
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
    return _NewDocument(sides, rows, now.astimezone(PRAGUE).date())


def _write(
    connection: Connection, kind: int, documents: Sequence[_NewDocument], person: Person, now: datetime
) -> list[tuple[int, str]]:
    """Store documents under the next numbers of their kind; the id and number of each, in the order given."""
    if not documents:
        return []
    issue_date = now.astimezone(PRAGUE).date()
    numbers = NumberSeries(connection, SERIES[kind], issue_date).take(len(documents))
    values = [
        {
            **each.sides,
            "number": number,
            "document_type": kind,
            "issue_date": issue_date,
            "tax_date": each.tax_date,
            "vat_rows": [
                {"percent": f"{percent:f}", "base": f"{gross - vat:f}", "vat": f"{vat:f}"}
                for percent, gross, vat in each.rows
            ],
            "net": sum((gross - vat for _, gross, vat in each.rows), ZERO),
            "vat": sum((vat for _, _, vat in each.rows), ZERO),
            "gross": sum((gross for _, gross, _ in each.rows), ZERO),
            "issued_at": now,
            "issued_by": person.name,
        }
        for number, each in zip(numbers, documents, strict=True)
    ]
    ids = connection.execute(
        insert(advance_document).returning(advance_document.c.id, sort_by_parameter_order=True), values
    ).scalars()
    issued = list(zip(ids, numbers, strict=True))
    audit.record_each(
        connection,
        person,
        "advance.tax" if kind == TAX_DOCUMENT else "advance.credit",
        {
            f"advance_document/{identifier}": {"number": row["number"], "gross": f"{row['gross']:f}"}
            for (identifier, _), row in zip(issued, values, strict=True)
        },
        now,
        why=documents[0].sides.get("reason"),
    )
    return issued


def _advances(connection: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    return {row.id: row for row in connection.execute(ADVANCES, {"advances": list(ids)})}


def _percent(rates: VatRates, row: Row[Any], day: date) -> Decimal:
    """VAT on the day of receipt; that of the prescription where no package says, so that money is always taken in."""
    found = rates.find(row.commodity, day)
    percent: Decimal = row.vat_percent if found is None else found
    return percent


def _follow(connection: Connection, ids: Sequence[int]) -> None:
    """Sent advances for which all came are paid."""
    connection.execute(PAID, {"advances": list(ids)})


def _tax_payers(connection: Connection, sellers: set[int]) -> set[int]:
    """Sellers that have a VAT number."""
    query = select(party.c.id).where(party.c.id.in_(sellers), party.c.dic.is_not(None))
    return set(connection.execute(query).scalars())
