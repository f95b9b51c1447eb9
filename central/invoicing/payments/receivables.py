"""Open items (otevřené položky): every document that is to be paid, and every advance that is asked for, is one.

Documents and advances open them when they are issued, in the same transaction; what is paid, set off or no longer asked
for is counted on the row itself, and the database refuses more than the amount.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update

from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.settling_tables import CORRECTION
from central.invoicing.payments.tables import receivable, receivable_closing
from central.platform import audit
from central.platform.errors import NotFound
from central.platform.identity import Person
from central.platform.plans import plans_kept
from central.registry.tables import contract
from shared.metering_day import PRAGUE

ZERO = Decimal("0.00")

FOLLOWED = text("""
    -- the pairs, and of each the documents that its original is about in turn, the nearest first
    WITH RECURSIVE pair AS (
        SELECT given.correction, given.original, 1 AS step
          FROM unnest(CAST(:corrections AS bigint[]), CAST(:originals AS bigint[])) AS given (correction, original)
        UNION ALL
        SELECT p.correction, i.original, p.step + 1 FROM pair p JOIN invoice i ON i.id = p.original
         WHERE i.original IS NOT NULL
    )
    SELECT correction, original FROM pair ORDER BY step, correction, original
""")

SETTLE_CORRECTED = text("""
    -- of each pair the credit against the debt, as far as both are open
    INSERT INTO allocation (credit, receivable, amount, rule, made_on, made_at, made_by)
    SELECT credit.id, debt.id, least(-credit.rest, debt.rest), :rule, :made_on, :made_at, :made_by
      FROM unnest(CAST(:corrections AS bigint[]), CAST(:originals AS bigint[])) AS pair (correction, original)
      JOIN receivable credit ON credit.invoice IN (pair.correction, pair.original) AND credit.amount < 0
      JOIN receivable debt ON debt.invoice IN (pair.correction, pair.original) AND debt.amount > 0
     WHERE credit.is_open AND debt.is_open
       AND (credit.seller, credit.payer, credit.currency) = (debt.seller, debt.payer, debt.currency)
    RETURNING credit, receivable, amount
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReceivable:
    """What is asked for: by `seller` of `payer` (ids of parties), under the document's or advance's `number`.

    `amount` is negative exactly for the kind "credit" (a credit note: the seller owes it). `account` is the contract
    account; where it is None, the contract's own is taken. Exactly one of `invoice` (any document: its id) and
    `advance` (the advance's id) where it stands for one; fees and penalties stand for themselves.
    """

    kind: str
    number: str
    seller: int
    payer: int
    variable_symbol: str
    issued_on: date
    due: date
    amount: Decimal
    contract: int | None = None
    account: int | None = None
    invoice: int | None = None
    advance: int | None = None
    specific_symbol: str | None = None
    currency: str = "CZK"


def open_receivable(connection: Connection, new: NewReceivable) -> int:
    """The id of the new open item; one whose amount is 0 is born settled."""
    return open_receivables(connection, [new])[0]


def open_receivables(connection: Connection, new: Sequence[NewReceivable]) -> list[int]:
    """The ids of the new open items, in the order given; in one statement, for thousands at once."""
    if not new:
        return []
    needed = {each.contract for each in new if each.account is None and each.contract is not None}
    accounts: dict[int, int | None] = {
        row.id: row.account
        for row in connection.execute(select(contract.c.id, contract.c.account).where(contract.c.id.in_(needed)))
    }
    rows = [asdict(each) for each in new]
    for row in rows:
        if row["account"] is None:
            row["account"] = accounts.get(row["contract"])
    inserted = insert(receivable).returning(receivable.c.id, sort_by_parameter_order=True)
    with plans_kept(connection):
        return list(connection.execute(inserted, rows).scalars())


def close_by(connection: Connection, receivables: Sequence[int], reason: str, person: Person, now: datetime) -> Decimal:
    """What is not yet paid of these items is no longer asked for, because of `reason` (a withdrawn advance, an advance
    deducted by the annual statement, a waived fee). What is paid stays paid. The sum that was closed.

    A cancelled document is not closed: its credit note is an item of its own and settles it (`settle_corrected`).
    Acts on payments wait until the transaction ends, so that none allocates what is closed here.
    """
    lock_payments(connection)
    rests = {
        row.id: row.rest
        for row in connection.execute(
            select(receivable.c.id, receivable.c.rest)
            .where(receivable.c.id.in_(receivables), receivable.c.is_open)
            .order_by(receivable.c.id)
            .with_for_update()
        )
    }
    if not rests:
        return ZERO
    connection.execute(
        update(receivable)
        .where(receivable.c.id.in_(rests))
        .values(closed=func.abs(receivable.c.amount) - receivable.c.allocated)
    )
    closed_on = now.astimezone(PRAGUE).date()
    connection.execute(
        insert(receivable_closing),
        [
            {"receivable": item, "amount": abs(rest), "closed_on": closed_on, "closed_at": now,
             "closed_by": person.name, "reason": reason}
            for item, rest in rests.items()
        ],
    )  # fmt: skip
    audit.record_each(
        connection,
        person,
        "receivable.close",
        {f"receivable/{item}": {"closed": f"{rest:f}"} for item, rest in rests.items()},
        now,
        why=reason,
    )
    return sum(rests.values(), ZERO)


def settle_corrected(
    connection: Connection, corrections: Sequence[tuple[int, int]], person: Person, now: datetime
) -> int:
    """A document about another one (pairs of ids: correction, original) settles what both leave open; how many did.

    A credit note takes off what is not paid of its original, because the debt itself is smaller: nobody is reminded of
    what was taken back, and no more of it is refunded than was paid. A debit note takes up a credit in the same way.
    What corrects a correction settles that one first, then what that one is about, up to the first document.
    """
    if not corrections:
        return 0
    lock_payments(connection)
    said = {"rule": CORRECTION, "made_on": now.astimezone(PRAGUE).date(), "made_at": now, "made_by": person.name}
    followed = [(row.correction, row.original) for row in connection.execute(FOLLOWED, _sides(corrections))]
    made = [
        row for pairs in in_turn(followed) for row in connection.execute(SETTLE_CORRECTED, _sides(pairs) | said).all()
    ]
    audit.record_each(
        connection,
        person,
        "receivable.correct",
        {f"receivable/{row.receivable}": {"by": row.credit, "amount": f"{row.amount:f}"} for row in made},
        now,
    )
    return len(made)


def in_turn(pairs: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The pairs as turns, in the order given: none has a document twice, so each turn weighs what the last one left."""
    turns: list[list[tuple[int, int]]] = []
    free: dict[int, int] = {}
    for pair in pairs:
        turn = max(free.get(document, 0) for document in pair)
        turns.extend([] for _ in range(turn + 1 - len(turns)))
        turns[turn].append(pair)
        free |= dict.fromkeys(pair, turn + 1)
    return turns


def _sides(pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        "corrections": [correction for correction, _ in pairs],
        "originals": [original for _, original in pairs],
    }


def find(
    connection: Connection, *, invoice: int | None = None, advance: int | None = None, number: str | None = None
) -> Row[Any] | None:
    """The open item of a document, of an advance, or by its printed number (the newest); None where none."""
    query = select(receivable).order_by(receivable.c.id.desc()).limit(1)
    named = ((receivable.c.invoice, invoice), (receivable.c.advance, advance), (receivable.c.number, number))
    for column, value in named:
        if value is not None:
            query = query.where(column == value)
    return connection.execute(query).first()


def require(connection: Connection, identifier: int, *, lock: bool = False) -> Row[Any]:
    """The open item's row, or NotFound."""
    query = select(receivable).where(receivable.c.id == identifier)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("receivable_not_found", f"There is no receivable {identifier}; see GET /v1/receivables.")
    return row
