"""What statements deduct: received advances of their contract and period, each haléř of them exactly once.

An annual or final statement takes all that came (what is more than the bill is the customer's overpayment), a regular
one no more than it bills; what is left stays for the next. Whoever issues a document asks for `plan_for`, prints it,
and stores it by `deduct` in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, insert, text, update

from central.invoicing.advances.amounts import part_of
from central.invoicing.advances.tables import advance, advance_deduction
from central.invoicing.payments import receivables
from central.platform import audit
from central.platform.identity import Person

ZERO = Decimal("0.00")
_NOTHING: Mapping[int, tuple[Decimal, Decimal]] = MappingProxyType({})

LEFT = text("""
    -- received advances of contracts that begin before a day and are not used up, the oldest first; locked, so that two
    -- statements never take the same
    SELECT d.id, d.advance, a.number AS advance_number, a.contract, doc.number AS document, d.received_on,
           d.vat_percent, d.amount, d.vat, d.deducted
      FROM advance_deposit d
      JOIN advance a ON a.id = d.advance
      LEFT JOIN advance_document doc ON doc.id = d.document
     WHERE a.contract = ANY (:contracts) AND a.seller = :seller AND a.payer = :payer AND lower(a.period) < :until
       AND d.released_on IS NULL AND (d.deducted < d.amount OR d.id = ANY (:given_back))
     ORDER BY lower(a.period), d.received_on, d.id
       FOR UPDATE OF d
""")

STANDING_VAT = text("""
    -- asked once the deposits are locked, so that it is of the same moment as what is deducted of them
    SELECT deposit, sum(vat) AS vat FROM advance_deduction
     WHERE deposit = ANY (:deposits) AND undone_at IS NULL GROUP BY deposit
""")

TAKE = text("""
    -- the sums go up by what is taken; the database refuses more than came
    UPDATE advance_deposit d SET deducted = d.deducted + taken.amount
      FROM unnest(CAST(:deposits AS bigint[]), CAST(:amounts AS numeric[])) AS taken (deposit, amount)
     WHERE d.id = taken.deposit
""")

UNDONE = text("""
    UPDATE advance_deduction SET undone_at = :now WHERE invoice = :invoice AND undone_at IS NULL
    RETURNING deposit, amount
""")

RESTORED = text("""
    -- advances that a cancelled statement had deducted are paid again; what it closed of them stays closed
    UPDATE advance SET state = 'paid'
     WHERE state = 'deducted' AND id IN (SELECT advance FROM advance_deposit WHERE id = ANY (:deposits))
""")

OF_PERIOD = text("""
    -- advances of a settled time that are still asked for, with their open items
    SELECT a.id, a.number, a.state, r.id AS receivable,
           EXISTS (SELECT FROM advance_deposit d WHERE d.advance = a.id AND d.released_on IS NULL) AS came
      FROM advance a LEFT JOIN receivable r ON r.advance = a.id
     WHERE a.contract = ANY (:contracts) AND a.seller = :seller AND a.payer = :payer AND lower(a.period) < :until
       AND a.state IN ('prescribed', 'sent', 'paid')
     ORDER BY a.id FOR UPDATE OF a
""")


@dataclass(frozen=True, slots=True)
class Deposit:
    """A received advance with what is left of it; `document` is its tax document's number (None: untaxed).

    `vat` is the VAT in all of `amount`, `deducted` what earlier statements took, `deducted_vat` the VAT of that.
    """

    id: int
    advance: int
    advance_number: str
    contract: int
    document: str | None
    received_on: date
    vat_percent: Decimal
    amount: Decimal
    vat: Decimal
    deducted: Decimal
    deducted_vat: Decimal


@dataclass(frozen=True, slots=True)
class DeductedAdvance:
    """What a statement deducts of one received advance, as it stands on the document.

    `number` is that of the tax document, or of the advance where the deposit is untaxed (`taxed` False: VAT 0);
    `advance_number` is the variable symbol too.
    """

    deposit: int
    number: str
    advance_number: str
    contract: int
    received_on: date
    taxed: bool
    vat_percent: Decimal
    gross: Decimal
    vat: Decimal

    @property
    def net(self) -> Decimal:
        return self.gross - self.vat


def plan(deposits: Sequence[Deposit], limit: Decimal | None) -> list[DeductedAdvance]:
    """What is deducted of these deposits in their order: all of it, or no more than `limit` together.

    The VAT of a part is what the rounded running part lacks after the deductions that stand, so that all parts of a
    deposit together have its VAT exactly, whichever were undone. No part, nor what is left, has more VAT than money.
    """
    planned: list[DeductedAdvance] = []
    rest = limit
    for deposit in deposits:
        left = deposit.amount - deposit.deducted
        taken = left if rest is None else min(left, max(rest, ZERO))
        if taken <= 0:
            continue
        rest = None if rest is None else rest - taken
        vat_left = deposit.vat - deposit.deducted_vat
        fair = part_of(deposit.vat, deposit.deducted + taken, deposit.amount) - deposit.deducted_vat
        vat = max(ZERO, vat_left - (left - taken), min(fair, vat_left, taken))
        planned.append(
            DeductedAdvance(
                deposit=deposit.id,
                number=deposit.document or deposit.advance_number,
                advance_number=deposit.advance_number,
                contract=deposit.contract,
                received_on=deposit.received_on,
                taxed=deposit.document is not None,
                vat_percent=deposit.vat_percent,
                gross=taken,
                vat=vat,
            )
        )
    return planned


def plan_for(
    connection: Connection,
    contracts: Sequence[int],
    seller: int,
    payer: int,
    until: date,
    limit: Decimal | None,
    taken: Mapping[int, tuple[Decimal, Decimal]] = _NOTHING,
) -> list[DeductedAdvance]:
    """What a statement of these contracts up to `until` (exclusive) deducts of what the payer paid in advance.

    `limit` None (annual and final statements): all that came; else no more than that sum, which is what a regular
    statement bills. `taken` is what other documents of the same act are to take, gross and VAT by deposit; less than
    0 where they give back what a cancelled one took. The deposits stay locked until the transaction ends.
    """
    given_back = [deposit for deposit, (gross, _) in taken.items() if gross < 0]
    sides = {"contracts": list(contracts), "seller": seller, "payer": payer, "until": until, "given_back": given_back}
    rows = connection.execute(LEFT, sides).mappings().all()
    standing = {
        row.deposit: row.vat for row in connection.execute(STANDING_VAT, {"deposits": [row["id"] for row in rows]})
    }
    left: list[Deposit] = []
    for row in rows:
        deposit = Deposit(**row, deducted_vat=standing.get(row["id"], ZERO))
        gross, vat = taken.get(deposit.id, (ZERO, ZERO))
        left.append(replace(deposit, deducted=deposit.deducted + gross, deducted_vat=deposit.deducted_vat + vat))
    return plan([each for each in left if each.deducted < each.amount], limit)


def deduct(
    connection: Connection, invoice: int, planned: Sequence[DeductedAdvance], person: Person, now: datetime
) -> Decimal:
    """Store what an issued document deducts; the sum. The database refuses more than came."""
    if not planned:
        return ZERO
    connection.execute(
        TAKE, {"deposits": [each.deposit for each in planned], "amounts": [each.gross for each in planned]}
    )
    connection.execute(
        insert(advance_deduction),
        [
            {"deposit": each.deposit, "invoice": invoice, "amount": each.gross, "vat": each.vat, "made_at": now}
            for each in planned
        ],
    )
    total = sum((each.gross for each in planned), ZERO)
    details = {"deposits": len(planned), "gross": f"{total:f}"}
    audit.record(connection, person, "advance.deduct", f"invoice/{invoice}", details, now)
    return total


def undo_deductions(connection: Connection, invoice: int, reason: str, person: Person, now: datetime) -> Decimal:
    """A cancelled document deducts nothing any more: its deposits are free for the one that takes its place."""
    rows = connection.execute(UNDONE, {"invoice": invoice, "now": now}).all()
    if not rows:
        return ZERO
    connection.execute(TAKE, {"deposits": [row.deposit for row in rows], "amounts": [-row.amount for row in rows]})
    connection.execute(RESTORED, {"deposits": [row.deposit for row in rows]})
    total: Decimal = sum((row.amount for row in rows), ZERO)
    details = {"deposits": len(rows), "gross": f"{total:f}"}
    audit.record(connection, person, "advance.undo", f"invoice/{invoice}", details, now, why=reason)
    return total


def settle_period(
    connection: Connection,
    contracts: Sequence[int],
    seller: int,
    payer: int,
    until: date,
    reason: str,
    person: Person,
    now: datetime,
) -> int:
    """After an annual or final statement: advances of the settled time are no longer asked for. How many changed.

    What did not come is closed (the statement bills it), what was not sent is withdrawn.
    """
    rows = connection.execute(
        OF_PERIOD, {"contracts": list(contracts), "seller": seller, "payer": payer, "until": until}
    ).all()
    ids: dict[str, list[int]] = {"deducted": [], "cancelled": []}
    for row in rows:
        ids["deducted" if row.came else "cancelled"].append(row.id)
    for state, found in ids.items():
        connection.execute(update(advance).where(advance.c.id.in_(found)).values(state=state))
    items: list[Any] = [row.receivable for row in rows if row.receivable is not None]
    receivables.close_by(connection, items, reason, person, now)
    return len(rows)
