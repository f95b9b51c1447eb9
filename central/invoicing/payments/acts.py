"""What a person does with payments by hand: allocate, release, assign to a payer, split, set outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, text, update

from central.invoicing.payments.events import publish_made, publish_released
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.settling_tables import allocation
from central.invoicing.payments.spreading import Due, spread
from central.invoicing.payments.tables import payment, receivable
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.registry.tables import contract_account, party
from shared.metering_day import PRAGUE

ZERO: Final = Decimal("0.00")

STATES: Final[Mapping[str, frozenset[str]]] = {
    "allocate": frozenset({"parked", "booked"}),
    "assign": frozenset({"parked", "booked"}),
    "split": frozenset({"parked", "booked"}),
    "outside": frozenset({"parked", "booked"}),
    "back": frozenset({"outside"}),
}
"""In which states of a payment an act may be; split and outside also need that nothing of it is allocated."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a split payment: whose it is (party by code, contract account by number, or who owes under a symbol),
    and how much."""

    amount: Decimal
    variable_symbol: str | None = None
    account: str | None = None
    payer: str | None = None


def require_payment(connection: Connection, identifier: int, *, lock: bool = False) -> Row[Any]:
    """The payment's row, or NotFound."""
    query = select(payment).where(payment.c.id == identifier)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("payment_not_found", f"There is no payment {identifier}; see GET /v1/payments.")
    return row


def allocate(
    connection: Connection, identifier: int, wanted: Sequence[tuple[int, Decimal | None]], person: Person, now: datetime
) -> list[int]:
    """Allocate a payment to items (id, amount; None: as far as both go); the ids of the allocations.

    All items are of one payer, whose payment it then is; for several payers split it first.
    """
    row = _taken(connection, identifier, "allocate")
    if row.amount < 0:
        raise Refused("outgoing", f"Payment {identifier} went out ({row.amount}); only money that came pays items.")
    items = _items(connection, [item for item, _ in wanted])
    payers = {each.payer for each in items.values()} | ({row.payer} if row.allocated else set())
    if len(payers) != 1:
        raise Refused(
            "several_payers", f"The items are of {len(payers)} payers; split payment {identifier} into one part each."
        )
    _require_kin(row, items.values())
    left = row.rest
    rows: list[dict[str, Any]] = []
    for item, asked in wanted:
        amount = min(left, items[item].rest) if asked is None else asked
        if amount > left or amount > items[item].rest or amount <= 0:
            raise Refused(
                "too_much",
                f"{amount} of payment {identifier} cannot go to item {items[item].number}: the payment has {left} left "
                f"and the item {items[item].rest}.",
            )
        left -= amount
        rows.append(_allocation(identifier, item, amount, "by hand", person, now))
    first = next(iter(items.values()))
    connection.execute(
        update(payment)
        .where(payment.c.id == identifier)
        .values(
            state="booked",
            parked=None,
            payer=first.payer,
            account=first.account if row.payer != first.payer or row.account is None else row.account,
        )
    )
    return _write(connection, rows, "payment.allocate", f"payment/{identifier}", person, now)


def release(connection: Connection, identifier: int, reason: str, person: Person, now: datetime) -> None:
    """Undo an allocation to an item: both sides are open again, and matching leaves the payment to persons."""
    lock_payments(connection)
    row = connection.execute(select(allocation).where(allocation.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound("allocation_not_found", f"There is no allocation {identifier}; see GET /v1/payments/ID.")
    if row.released_at is not None:
        raise Refused("released", f"Allocation {identifier} was released by {row.released_by} on {row.released_on}.")
    if row.refund is not None:
        raise Refused("refund", f"Allocation {identifier} is of refund {row.refund}: cancel the refund instead.")
    release_each(connection, [identifier], reason, person, now)
    audit.record(
        connection, person, "allocation.release", f"allocation/{identifier}", {"amount": str(row.amount)}, now,
        why=reason,
    )  # fmt: skip


def release_each(
    connection: Connection, identifiers: Sequence[int], reason: str, person: Person, now: datetime
) -> None:
    """Release allocations together, tell the advances, and keep matching off their payments."""
    if not identifiers:
        return
    released = {
        "released_on": now.astimezone(PRAGUE).date(), "released_at": now, "released_by": person.name, "reason": reason,
    }  # fmt: skip
    undone = connection.execute(
        update(allocation).where(allocation.c.id.in_(identifiers)).values(**released).returning(allocation.c.payment)
    )
    payments = {row.payment for row in undone if row.payment is not None}
    connection.execute(update(payment).where(payment.c.id.in_(payments)).values(by_hand=True))
    publish_released(connection, identifiers, reason, person, now)


def assign(
    connection: Connection, identifier: int, code: str, account: str | None, reason: str, person: Person, now: datetime
) -> None:
    """Say whose payment it is; what of it no item takes is that party's credit. Matching goes on with it."""
    row = _taken(connection, identifier, "assign")
    if row.allocated:
        raise Refused("allocated", f"{row.allocated} of payment {identifier} is allocated; release that first.")
    if row.amount < 0:
        raise Refused("outgoing", f"Payment {identifier} went out ({row.amount}); it is nobody's credit.")
    whose = _party(connection, code)
    number = None if account is None else _account(connection, account, whose)
    values = {"payer": whose, "account": number, "state": "booked", "parked": None, "by_hand": False}
    connection.execute(update(payment).where(payment.c.id == identifier).values(**values))
    details = {"payer": code, "account": account}
    audit.record(connection, person, "payment.assign", f"payment/{identifier}", details, now, why=reason)


def set_outside(connection: Connection, identifier: int, reason: str, person: Person, now: datetime) -> None:
    """The payment is no matter of open items (a wage, a fee of the bank, a loan)."""
    row = _taken(connection, identifier, "outside")
    if row.allocated:
        raise Refused("allocated", f"{row.allocated} of payment {identifier} is allocated; release that first.")
    connection.execute(update(payment).where(payment.c.id == identifier).values(state="outside", parked=None))
    audit.record(connection, person, "payment.outside", f"payment/{identifier}", {}, now, why=reason)


def take_back(connection: Connection, identifier: int, reason: str, person: Person, now: datetime) -> None:
    """A payment that was set outside waits again."""
    _taken(connection, identifier, "back")
    values = {"state": "parked", "parked": "released", "by_hand": True, "payer": None, "account": None}
    connection.execute(update(payment).where(payment.c.id == identifier).values(**values))
    audit.record(connection, person, "payment.back", f"payment/{identifier}", {}, now, why=reason)


def split(
    connection: Connection, identifier: int, parts: Sequence[Part], reason: str, person: Person, now: datetime
) -> list[int]:
    """Split a payment among payers; its parts, which must sum to it, are payments of their own and are matched.

    One payment of an administrator for many: each part then settles its own payer's items, so that each gets its own
    tax document. The ids of the parts.
    """
    row = _taken(connection, identifier, "split")
    if row.allocated:
        raise Refused("allocated", f"{row.allocated} of payment {identifier} is allocated; release that first.")
    total = sum((part.amount for part in parts), ZERO)
    if row.amount < 0 or total != row.amount:
        raise Refused(
            "split_sum", f"The {len(parts)} parts make {total}; payment {identifier} is of {row.amount}. Correct them."
        )
    whose = _whose(connection, row, parts)
    copied = {
        name: getattr(row, name)
        for name in (
            "seller", "iban", "form", "booked_on", "value_on", "currency", "counter_account", "counter_name",
            "constant_symbol", "specific_symbol", "message", "reference", "content",
        )
    }  # fmt: skip
    connection.execute(
        update(payment).where(payment.c.id == identifier).values(state="split", parked=None, payer=None, account=None)
    )
    rows = [
        {
            **copied, "parent": identifier, "amount": part.amount, "payer": payer, "account": account,
            "variable_symbol": part.variable_symbol or row.variable_symbol, "state": "booked",
        }
        for part, (payer, account) in zip(parts, whose, strict=True)
    ]  # fmt: skip
    made = insert(payment).returning(payment.c.id, sort_by_parameter_order=True)
    ids = list(connection.execute(made, rows).scalars())
    details = {"parts": len(parts), "first": ids[0], "last": ids[-1]}
    audit.record(connection, person, "payment.split", f"payment/{identifier}", details, now, why=reason)
    return ids


def settle_due(
    connection: Connection, payer: int, seller: int, until: date, person: Person, now: datetime
) -> list[int]:
    """A payer's credits settle that payer's items that are due by `until`, over all contract accounts, on order."""
    lock_payments(connection)
    ours = (receivable.c.payer == payer, receivable.c.seller == seller, receivable.c.is_open, receivable.c.amount > 0)
    due: dict[str, list[Due]] = {}
    for row in connection.execute(select(receivable).where(*ours, receivable.c.due <= until)):
        due.setdefault(row.currency, []).append(Due(row.id, row.due, row.rest))
    money = connection.execute(
        select(payment)
        .where(payment.c.payer == payer, payment.c.seller == seller, payment.c.state == "booked", payment.c.rest > 0)
        .order_by(payment.c.booked_on, payment.c.id)
    ).all()
    rows: list[dict[str, Any]] = []
    for each in money:
        parts, _ = spread(each.rest, due.get(each.currency, []))
        taken = dict(parts)
        rows += [_allocation(each.id, item, part, "on order", person, now) for item, part in parts]
        due[each.currency] = [
            Due(item.id, item.due, item.rest - taken.get(item.id, ZERO))
            for item in due.get(each.currency, [])
            if item.rest > taken.get(item.id, ZERO)
        ]
    return _write(connection, rows, "payment.settle", f"party/{payer}", person, now) if rows else []


def _taken(connection: Connection, identifier: int, act: str) -> Row[Any]:
    lock_payments(connection)
    row = require_payment(connection, identifier, lock=True)
    if row.state not in STATES[act]:
        raise Refused(
            "payment_state",
            f"Payment {identifier} is {row.state}; {act} needs one that is {' or '.join(sorted(STATES[act]))}.",
        )
    return row


def _items(connection: Connection, identifiers: Sequence[int]) -> dict[int, Row[Any]]:
    if len(set(identifiers)) != len(identifiers):
        raise BadInput("repeated", "An item is named twice; name each one once.")
    rows = connection.execute(select(receivable).where(receivable.c.id.in_(identifiers)).with_for_update())
    found = {row.id: row for row in rows}
    missing = [item for item in identifiers if item not in found]
    if missing:
        raise NotFound("receivable_not_found", f"There is no receivable {missing[0]}; see GET /v1/receivables.")
    return {item: found[item] for item in identifiers}


def _require_kin(row: Row[Any], items: Any) -> None:
    for item in items:
        if item.amount < 0:
            raise Refused("credit", f"Item {item.number} is a credit of {item.amount}; it is set off or refunded.")
        if (item.seller, item.currency) != (row.seller, row.currency):
            raise Refused(
                "other_side",
                f"Item {item.number} is in {item.currency} and payment {row.id} in {row.currency}, or they are of "
                "different sellers; they cannot settle each other.",
            )


def _allocation(source: int, item: int, amount: Decimal, rule: str, person: Person, now: datetime) -> dict[str, Any]:
    return {
        "payment": source,
        "receivable": item,
        "amount": amount,
        "rule": rule,
        "made_on": now.astimezone(PRAGUE).date(),
        "made_at": now,
        "made_by": person.name,
    }


def _write(
    connection: Connection, rows: Sequence[dict[str, Any]], act: str, subject: str, person: Person, now: datetime
) -> list[int]:
    made = insert(allocation).returning(allocation.c.id, sort_by_parameter_order=True)
    ids = list(connection.execute(made, rows).scalars())
    details = {"items": {str(row["receivable"]): str(row["amount"]) for row in rows[:100]}, "allocations": len(rows)}
    audit.record(connection, person, act, subject, details, now)
    publish_made(connection, ids, person, now)
    return ids


def _party(connection: Connection, code: str) -> int:
    found = connection.execute(select(party.c.id).where(party.c.code == code)).scalar()
    if found is None:
        raise NotFound("party_not_found", f"There is no party {code}; see GET /v1/parties.")
    return int(found)


def _account(connection: Connection, number: str, payer: int) -> int:
    row = connection.execute(select(contract_account).where(contract_account.c.number == number)).one_or_none()
    if row is None:
        raise NotFound("contract_account_not_found", f"There is no contract account {number}.")
    if row.party != payer:
        raise Refused("other_party", f"The contract account {number} is of another party than the one that is named.")
    return int(row.id)


OWING = text("""
    SELECT w.symbol, array_agg(DISTINCT r.payer) AS payers,
           CASE WHEN count(DISTINCT r.account) = 1 AND bool_and(r.account IS NOT NULL) THEN min(r.account) END
               AS account
      FROM unnest(CAST(:symbols AS bigint[])) AS w (symbol)
      JOIN receivable r ON r.symbol = w.symbol AND r.seller = :seller AND r.currency = :currency
     GROUP BY w.symbol
""")


def _whose(connection: Connection, row: Row[Any], parts: Sequence[Part]) -> list[tuple[int, int | None]]:
    """Payer and contract account of each part, by what names it first: contract account, party, symbol."""
    numbers = {part.account for part in parts if part.account is not None}
    accounts = {
        each.number: each
        for each in connection.execute(select(contract_account).where(contract_account.c.number.in_(numbers)))
    }
    codes = {part.payer for part in parts if part.payer is not None}
    parties = {
        each.code: each.id
        for each in connection.execute(select(party.c.code, party.c.id).where(party.c.code.in_(codes)))
    }
    symbols = sorted({int(part.variable_symbol) for part in parts if part.variable_symbol is not None})
    sides = {"symbols": symbols, "seller": row.seller, "currency": row.currency}
    owing = {each.symbol: each for each in connection.execute(OWING, sides)}
    found: list[tuple[int, int | None]] = []
    for place, part in enumerate(parts, start=1):
        named = f"Part {place} of the split ({part.amount})"
        if part.account is not None:
            account = accounts.get(part.account)
            if account is None:
                raise NotFound("contract_account_not_found", f"{named}: there is no contract account {part.account}.")
            if part.payer is not None and parties.get(part.payer) != account.party:
                raise Refused("other_party", f"{named}: contract account {part.account} is not of party {part.payer}.")
            found.append((account.party, account.id))
        elif part.payer is not None:
            if part.payer not in parties:
                raise NotFound("party_not_found", f"{named}: there is no party {part.payer}; see GET /v1/parties.")
            found.append((parties[part.payer], None))
        elif part.variable_symbol is not None:
            owed = owing.get(int(part.variable_symbol))
            if owed is None or len(owed.payers) != 1:
                problem = "nobody owes" if owed is None else f"{len(owed.payers)} parties owe"
                raise Refused(
                    "unknown_symbol",
                    f"{named}: {problem} under the symbol {part.variable_symbol}; name the contract account or party.",
                )
            found.append((owed.payers[0], owed.account))
        else:
            raise BadInput("part", f"{named} names neither a symbol, a contract account nor a party.")
    return found
