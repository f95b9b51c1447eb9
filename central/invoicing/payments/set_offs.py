"""Set-off (zápočet): a party's credits and debts against each other, written down as a document."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select

from central.invoicing.payments.events import publish_made
from central.invoicing.payments.letters import day_cs, letter, money_cs
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.numbers import SET_OFF, draw_numbers
from central.invoicing.payments.settling_tables import allocation, set_off
from central.invoicing.payments.spreading import Due, net
from central.invoicing.payments.tables import payment, receivable
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.registry.tables import party
from shared.metering_day import PRAGUE

_MONEY: Final = "payment"
_NOTE: Final = "credit"


def make_set_off(
    connection: Connection,
    seller: str,
    payer: str,
    currency: str,
    only: Sequence[int] | None,
    until: date | None,
    reason: str,
    person: Person,
    now: datetime,
) -> int:
    """Set a party's credits (credit notes and what is left of payments) off against its debts, oldest first.

    `only`: these items alone (credit notes and debts; no payments). `until`: debts due by that day. The id. Refused
    where one side is empty.
    """
    lock_payments(connection)
    ours, theirs = _party(connection, seller), _party(connection, payer)
    items = select(receivable).where(
        receivable.c.seller == ours,
        receivable.c.payer == theirs,
        receivable.c.currency == currency,
        receivable.c.is_open,
    )
    if only is not None:
        items = items.where(receivable.c.id.in_(only))
    rows = connection.execute(items.order_by(receivable.c.due, receivable.c.id).with_for_update()).all()
    if only is not None and (missing := sorted(set(only) - {row.id for row in rows})):
        raise Refused(
            "not_open",
            f"Item {missing[0]} is no open item of party {payer} with {seller} in {currency}; see GET /v1/receivables.",
        )
    debts = [row for row in rows if row.amount > 0 and (until is None or row.due <= until)]
    sources: list[tuple[str, Row[Any], date, Decimal]] = [
        (_NOTE, row, row.due, -row.rest) for row in rows if row.amount < 0
    ]
    if only is None:
        sources += [(_MONEY, row, row.booked_on, row.rest) for row in _money(connection, ours, theirs, currency)]
    parts = net(
        [Due(place, day, rest) for place, (_, _, day, rest) in enumerate(sources)],
        [Due(row.id, row.due, row.rest) for row in debts],
    )
    if not parts:
        raise Refused(
            "nothing_to_set_off",
            f"Party {payer} has {len(sources)} credits and {len(debts)} debts in {currency} with {seller}; a set-off "
            "needs one of each.",
        )
    today = now.astimezone(PRAGUE).date()
    number = draw_numbers(connection, SET_OFF, today, 1)[0]
    total = sum((part for _, _, part in parts), Decimal(0))
    names = {row.id: row.number for row in debts}
    content, digest = letter(
        connection,
        title="Zápočet pohledávek a závazků",
        number=number,
        seller=ours,
        payer=theirs,
        day=today,
        text=[
            "Podle § 1982 občanského zákoníku započítáváme níže uvedené vzájemné pohledávky; "
            f"v rozsahu zápočtu zanikají ke dni {day_cs(today)}."
        ],
        columns=["Pohledávka", "Proti", "Započteno"],
        rows=[[names[debt], _name(*sources[place][:2]), money_cs(part, currency)] for place, debt, part in parts],
        total=("Celkem započteno", money_cs(total, currency)),
    )
    identifier: int = connection.execute(
        insert(set_off)
        .values(
            number=number,
            seller=ours,
            payer=theirs,
            made_on=today,
            total=total,
            currency=currency,
            reason=reason,
            content=content,
            digest=digest,
            made_at=now,
            made_by=person.name,
        )
        .returning(set_off.c.id)
    ).scalar_one()
    values = [
        {"payment": None, "credit": None, sources[place][0]: sources[place][1].id, "receivable": debt,
         "set_off": identifier, "amount": part, "rule": "set-off", "made_on": today, "made_at": now,
         "made_by": person.name}
        for place, debt, part in parts
    ]  # fmt: skip
    made = insert(allocation).returning(allocation.c.id, sort_by_parameter_order=True)
    ids = list(connection.execute(made, values).scalars())
    details = {"number": number, "total": str(total), "parts": len(parts)}
    audit.record(connection, person, "set_off.make", f"set_off/{identifier}", details, now, why=reason)
    publish_made(connection, ids, person, now)
    return identifier


def require_set_off(connection: Connection, identifier: int) -> Row[Any]:
    """The set-off's row with its document, or NotFound."""
    row = connection.execute(select(set_off).where(set_off.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound("set_off_not_found", f"There is no set-off {identifier}; see GET /v1/set-offs.")
    return row


def _money(connection: Connection, seller: int, payer: int, currency: str) -> Sequence[Row[Any]]:
    return connection.execute(
        select(payment)
        .where(
            payment.c.seller == seller,
            payment.c.payer == payer,
            payment.c.currency == currency,
            payment.c.state == "booked",
            payment.c.rest > 0,
        )
        .order_by(payment.c.booked_on, payment.c.id)
        .with_for_update()
    ).all()


def _name(kind: str, row: Row[Any]) -> str:
    return f"dobropis {row.number}" if kind == _NOTE else f"platba z {day_cs(row.booked_on)}"


def _party(connection: Connection, code: str) -> int:
    found = connection.execute(select(party.c.id).where(party.c.code == code)).scalar()
    if found is None:
        raise NotFound("party_not_found", f"There is no party {code}; see GET /v1/parties.")
    return int(found)
