"""Refunds (vratky): a credit goes back to the account it came from, by an order for the bank.

ordered --order--> sent --bank--> executed --bank--> returned (the credit is free again)
   '----cancel--> cancelled <--cancel--' (the credit is free again)
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, text, update

from central.invoicing.account import AccountError, parse_iban
from central.invoicing.payments.acts import require_payment
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.numbers import ORDER, REFUND, draw_numbers
from central.invoicing.payments.orders import Order, OrderItem, write_kpc, write_pain
from central.invoicing.payments.receivables import require as require_receivable
from central.invoicing.payments.refund_matching import free_refunds
from central.invoicing.payments.settling_tables import allocation, payment_order, refund
from central.invoicing.payments.tables import payment
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.registry.tables import party
from shared.metering_day import PRAGUE

ACTS: Final[Mapping[str, frozenset[str]]] = {
    "send": frozenset({"ordered"}),
    "cancel": frozenset({"ordered", "sent"}),
    "execute": frozenset({"ordered", "sent"}),
    "return": frozenset({"executed"}),
}

CAME_FROM = text("""
    -- the account of the party's newest payment to this seller, of the same contract account first
    SELECT p.counter_account FROM payment p
     WHERE p.payer = :payer AND p.seller = :seller AND p.amount > 0 AND p.counter_account ~ '^CZ[0-9]{22}$'
     ORDER BY (p.account IS NOT DISTINCT FROM CAST(:account AS bigint)) DESC, p.booked_on DESC, p.id DESC LIMIT 1
""")

STORED_ACCOUNT = text("""
    SELECT iban FROM (
        SELECT a.iban, 0 AS preferred FROM party_account a
         WHERE a.party = :payer AND a.purpose = 'refund' AND a.valid @> CAST(:today AS date)
        UNION ALL SELECT p.iban, 1 FROM party p WHERE p.id = :payer AND p.iban IS NOT NULL) known
     ORDER BY preferred LIMIT 1
""")


def order_refund(
    connection: Connection,
    sources: Sequence[tuple[str, int, Decimal | None]],
    iban: str | None,
    reason: str,
    person: Person,
    now: datetime,
) -> int:
    """Order a refund of credits of one payer: ("payment" or "credit", id, amount or None for all that is left).

    Without `iban` it goes to the account that the money came from; else to one that is stored of the party. The id.
    """
    lock_payments(connection)
    today = now.astimezone(PRAGUE).date()
    taken: list[tuple[str, Row[Any], Decimal]] = []
    for kind, identifier, asked in sources:
        row, rest = _source(connection, kind, identifier)
        amount = rest if asked is None else asked
        if not 0 < amount <= rest:
            raise Refused("too_much", f"{amount} cannot be refunded of {kind} {identifier}; {rest} of it is free.")
        taken.append((kind, row, amount))
    first = taken[0][1]
    if len({(kind, row.id) for kind, row, _ in taken}) != len(taken):
        raise BadInput("repeated", "A credit is named twice; name each one once.")
    if len({(row.payer, row.seller, row.currency) for _, row, _ in taken}) != 1:
        raise Refused("several_payers", "A refund is of one payer's credits to one seller in one currency.")
    target = _target(connection, taken, iban, today)
    number = draw_numbers(connection, REFUND, today, 1)[0]
    symbol = first.variable_symbol or number.removeprefix(REFUND)
    identifier = connection.execute(
        insert(refund)
        .values(
            number=number,
            seller=first.seller,
            payer=first.payer,
            account=first.account,
            iban=target,
            amount=sum(amount for _, _, amount in taken),
            currency=first.currency,
            variable_symbol=symbol,
            message=f"Vratka {symbol}",
            state="ordered",
            reason=reason,
            ordered_at=now,
            ordered_by=person.name,
        )
        .returning(refund.c.id)
    ).scalar_one()
    rows = [
        {"payment": None, "credit": None, kind: row.id, "refund": identifier, "amount": amount, "rule": "refund",
         "made_on": today, "made_at": now, "made_by": person.name}
        for kind, row, amount in taken
    ]  # fmt: skip
    connection.execute(insert(allocation), rows)
    details = {"iban": target, "sources": [[kind, row.id, str(amount)] for kind, row, amount in taken]}
    audit.record(connection, person, "refund.order", f"refund/{identifier}", details, now, why=reason)
    return int(identifier)


def make_order(
    connection: Connection,
    seller: str,
    form: str,
    due: date,
    refunds: Sequence[int] | None,
    person: Person,
    now: datetime,
) -> int:
    """One file for the bank of the seller's ordered refunds (None: all of them); they are sent then. The order's id."""
    lock_payments(connection)
    owner = connection.execute(select(party).where(party.c.code == seller)).one_or_none()
    if owner is None:
        raise NotFound("party_not_found", f"There is no party {seller}; see GET /v1/parties.")
    today = now.astimezone(PRAGUE).date()
    if due < today:
        raise BadInput("due", f"The order is due on {due}, which has gone by; a bank takes {today} or later.")
    if owner.iban is None:
        raise Refused("no_account", f"The party {seller} has no account to pay from; enter its IBAN.")
    query = (
        select(refund, party.c.name.label("name"))
        .join(party, party.c.id == refund.c.payer)
        .where(refund.c.seller == owner.id)
    )
    query = query.where(refund.c.state == "ordered") if refunds is None else query.where(refund.c.id.in_(refunds))
    rows = connection.execute(query.order_by(refund.c.id)).all()
    if refunds is not None and len(rows) != len(set(refunds)):
        raise NotFound("refund_not_found", f"Some of the refunds are not of {seller}; see GET /v1/refunds.")
    if not rows:
        raise Refused("nothing_ordered", f"No refund of {seller} waits for an order.")
    for row in rows:
        _require_state(row, "send")
    currencies = {row.currency for row in rows}
    if len(currencies) != 1:
        raise Refused("other_currency", f"An order is of one currency; these refunds are in {sorted(currencies)}.")
    if form == "abo" and currencies != {"CZK"}:
        raise Refused("other_currency", f"The form ABO orders CZK only, not {min(currencies)}; take pain001.")
    order = Order(
        number=draw_numbers(connection, ORDER, today, 1)[0],
        iban=_czech(owner.iban),
        name=owner.name,
        due=due,
        made_at=now.astimezone(PRAGUE),
        currency=currencies.pop(),
        items=[OrderItem(row.number, row.iban, row.name, row.amount, row.variable_symbol, row.message) for row in rows],
    )
    content = write_kpc(order) if form == "abo" else write_pain(order)
    identifier = connection.execute(
        insert(payment_order)
        .values(
            number=order.number,
            seller=owner.id,
            form=form,
            iban=order.iban,
            due=due,
            total=order.total,
            items=len(rows),
            content=content,
            digest="sha256:" + hashlib.sha256(content).hexdigest(),
            made_at=now,
            made_by=person.name,
        )
        .returning(payment_order.c.id)
    ).scalar_one()
    connection.execute(
        update(refund).where(refund.c.id.in_([row.id for row in rows])).values(state="sent", payment_order=identifier)
    )
    details = {"refunds": len(rows), "total": str(order.total), "form": form}
    audit.record(connection, person, "refund.send", f"payment_order/{identifier}", details, now)
    return int(identifier)


def cancel_refund(connection: Connection, identifier: int, reason: str, person: Person, now: datetime) -> None:
    """Take a refund back that the bank has not executed: its credits are free again."""
    lock_payments(connection)
    _require_state(require_refund(connection, identifier), "cancel")
    connection.execute(update(refund).where(refund.c.id == identifier).values(state="cancelled"))
    free_refunds(connection, [identifier], reason, person, now)
    audit.record(connection, person, "refund.cancel", f"refund/{identifier}", {}, now, why=reason)


def meet_by_hand(
    connection: Connection, identifier: int, act: str, movement: int, reason: str, person: Person, now: datetime
) -> None:
    """Say which movement of the bank executed a refund (`act` "execute"), or brought it back ("return")."""
    lock_payments(connection)
    row = require_refund(connection, identifier)
    _require_state(row, act)
    item = require_payment(connection, movement, lock=True)
    wanted = -row.amount if act == "execute" else row.amount
    if item.state != "parked" or (item.amount, item.currency, item.seller) != (wanted, row.currency, row.seller):
        raise Refused(
            "other_payment",
            f"Payment {movement} is {item.state}, of {item.amount} {item.currency}; refund {row.number} needs a parked "
            f"one of {wanted} {row.currency} on an account of the same seller.",
        )
    since = _possible_since(connection, row, act)
    if item.booked_on < since:
        raise Refused(
            "other_payment",
            f"Payment {movement} is of {item.booked_on}; refund {row.number} needs a movement of {since} or later, "
            f"when it {'was ordered' if act == 'execute' else 'went out'}.",
        )
    column = "payment" if act == "execute" else "returned_by"
    state = "executed" if act == "execute" else "returned"
    connection.execute(update(refund).where(refund.c.id == identifier).values(state=state, **{column: movement}))
    connection.execute(
        update(payment)
        .where(payment.c.id == movement)
        .values(state="refund" if act == "execute" else "returned", parked=None)
    )
    if act == "return":
        free_refunds(connection, [identifier], reason, person, now)
    audit.record(connection, person, f"refund.{act}", f"refund/{identifier}", {"payment": movement}, now, why=reason)


def require_refund(connection: Connection, identifier: int) -> Row[Any]:
    """The refund's row, or NotFound."""
    row = connection.execute(select(refund).where(refund.c.id == identifier).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("refund_not_found", f"There is no refund {identifier}; see GET /v1/refunds.")
    return row


def require_order(connection: Connection, identifier: int) -> Row[Any]:
    """The order's row with its file, or NotFound."""
    row = connection.execute(select(payment_order).where(payment_order.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound("payment_order_not_found", f"There is no payment order {identifier}; see GET /v1/refunds.")
    return row


def _source(connection: Connection, kind: str, identifier: int) -> tuple[Row[Any], Decimal]:
    if kind == "payment":
        row = require_payment(connection, identifier, lock=True)
        if row.state != "booked":
            raise Refused(
                "payment_state",
                f"Payment {identifier} is {row.state}; say first whose it is (assign), then refund what is left.",
            )
        return row, row.rest
    row = require_receivable(connection, identifier, lock=True)
    if row.amount >= 0:
        raise Refused("no_credit", f"Item {row.number} is a debt of {row.amount}, no credit; it cannot be refunded.")
    return row, -row.rest


def _target(
    connection: Connection, taken: Sequence[tuple[str, Row[Any], Decimal]], iban: str | None, today: date
) -> str:
    if iban is not None:
        return _czech(iban)
    came = {row.counter_account for kind, row, _ in taken if kind == "payment"}
    if len(came) > 1:
        raise Refused("several_accounts", f"The payments came from {len(came)} accounts; refund each one by itself.")
    first = taken[0][1]
    sides = {"payer": first.payer, "seller": first.seller, "account": first.account, "today": today}
    found = came.pop() if came else connection.execute(CAME_FROM, sides).scalar()
    found = found or connection.execute(STORED_ACCOUNT, sides).scalar()
    if found is None:
        raise Refused("no_account", "It is not known from which account the money came, and none is stored; give one.")
    return _czech(found)


def _possible_since(connection: Connection, row: Row[Any], act: str) -> date:
    """The first day of a movement that executes a refund (when it was ordered) or brings it back (when it went)."""
    if act == "execute":
        ordered: datetime = row.ordered_at
        return ordered.astimezone(PRAGUE).date()
    went: date = require_payment(connection, row.payment).booked_on
    return went


def _czech(iban: str) -> str:
    try:
        return parse_iban(iban).iban
    except AccountError as error:
        raise BadInput("iban", f"{error} Give another account to pay to.") from None


def _require_state(row: Row[Any], act: str) -> None:
    if row.state not in ACTS[act]:
        raise Refused(
            "refund_state",
            f"Refund {row.number} is {row.state}; {act} needs one that is {' or '.join(sorted(ACTS[act]))}.",
        )
