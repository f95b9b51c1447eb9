"""Overviews of the payments, and the balance (saldo) of a party or a contract account."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from central.invoicing.payments.reminder_tables import reminder
from central.invoicing.payments.settling_tables import REFUND_STATES, payment_order, refund, set_off
from central.invoicing.payments.tables import (
    FORMS,
    PARKED,
    PAYMENT_STATES,
    RECEIVABLE_KINDS,
    bank_file,
    bank_statement,
    payment,
    receivable,
)
from central.platform.overview import Column, Kind, Overview
from central.registry.tables import contract_account, party

_seller, _payer = party.alias("seller_party"), party.alias("payer_party")


def _with_sides(source: Any, account: Any = None) -> Any:
    joined = source.join(_seller, _seller.c.id == source.c.seller).outerjoin(_payer, _payer.c.id == source.c.payer)
    return joined if account is None else joined.outerjoin(contract_account, contract_account.c.id == account)


def _sides(source: Any) -> tuple[Column, ...]:
    return (
        Column("seller_code", _seller.c.code, through=(source.c.seller, _seller.c.id)),
        Column("payer_code", _payer.c.code, through=(source.c.payer, _payer.c.id)),
        Column("payer_name", _payer.c.name),
    )


_ACCOUNT = Column("account_number", contract_account.c.number)

RECEIVABLES = Overview(
    name="receivables",
    source=receivable,
    key=receivable.c.id,
    joined=_with_sides(receivable, receivable.c.account),
    columns=(
        Column("id", receivable.c.id, Kind.INTEGER),
        Column("kind", receivable.c.kind, Kind.CHOICE, RECEIVABLE_KINDS),
        Column("number", receivable.c.number),
        *_sides(receivable),
        _ACCOUNT,
        Column("invoice", receivable.c.invoice, Kind.INTEGER),
        Column("advance", receivable.c.advance, Kind.INTEGER),
        Column("variable_symbol", receivable.c.variable_symbol),
        Column("issued_on", receivable.c.issued_on, Kind.DATE),
        Column("due", receivable.c.due, Kind.DATE),
        Column("amount", receivable.c.amount, Kind.DECIMAL),
        Column("rest", receivable.c.rest, Kind.DECIMAL),
        Column("closed", receivable.c.closed, Kind.DECIMAL),
        Column("currency", receivable.c.currency),
        Column("is_open", receivable.c.is_open, Kind.BOOLEAN),
    ),
    default_sort=(("due", False),),
)

PAYMENTS = Overview(
    name="payments",
    source=payment,
    key=payment.c.id,
    joined=_with_sides(payment, payment.c.account),
    columns=(
        Column("id", payment.c.id, Kind.INTEGER),
        Column("statement", payment.c.statement, Kind.INTEGER),
        Column("parent", payment.c.parent, Kind.INTEGER),
        Column("state", payment.c.state, Kind.CHOICE, PAYMENT_STATES),
        Column("parked", payment.c.parked, Kind.CHOICE, PARKED),
        *_sides(payment),
        _ACCOUNT,
        Column("booked_on", payment.c.booked_on, Kind.DATE),
        Column("amount", payment.c.amount, Kind.DECIMAL),
        Column("rest", payment.c.rest, Kind.DECIMAL),
        Column("currency", payment.c.currency),
        Column("counter_account", payment.c.counter_account),
        Column("counter_name", payment.c.counter_name),
        Column("variable_symbol", payment.c.variable_symbol),
        Column("specific_symbol", payment.c.specific_symbol),
        Column("constant_symbol", payment.c.constant_symbol),
        Column("message", payment.c.message),
        Column("reference", payment.c.reference),
    ),
    default_sort=(("booked_on", True),),
)

STATEMENTS = Overview(
    name="bank-statements",
    source=bank_statement,
    key=bank_statement.c.id,
    joined=bank_statement.join(bank_file, bank_file.c.id == bank_statement.c.file).join(
        _seller, _seller.c.id == bank_statement.c.seller
    ),
    columns=(
        Column("id", bank_statement.c.id, Kind.INTEGER),
        Column("file", bank_statement.c.file, Kind.INTEGER),
        Column("file_name", bank_file.c.name),
        Column("form", bank_file.c.form, Kind.CHOICE, FORMS),
        Column("seller_code", _seller.c.code),
        Column("iban", bank_statement.c.iban),
        Column("number", bank_statement.c.number),
        Column("first_day", bank_statement.c.first_day, Kind.DATE),
        Column("last_day", bank_statement.c.last_day, Kind.DATE),
        Column("currency", bank_statement.c.currency),
        Column("old_balance", bank_statement.c.old_balance, Kind.DECIMAL),
        Column("credit", bank_statement.c.credit, Kind.DECIMAL),
        Column("debit", bank_statement.c.debit, Kind.DECIMAL),
        Column("new_balance", bank_statement.c.new_balance, Kind.DECIMAL),
        Column("items", bank_statement.c["items"], Kind.INTEGER),
        Column("read_at", bank_file.c.read_at, Kind.INSTANT),
        Column("read_by", bank_file.c.read_by),
    ),
    default_sort=(("last_day", True),),
)

REFUNDS = Overview(
    name="refunds",
    source=refund,
    key=refund.c.id,
    joined=_with_sides(refund).outerjoin(payment_order, payment_order.c.id == refund.c.payment_order),
    columns=(
        Column("id", refund.c.id, Kind.INTEGER),
        Column("number", refund.c.number),
        Column("state", refund.c.state, Kind.CHOICE, REFUND_STATES),
        *_sides(refund),
        Column("iban", refund.c.iban),
        Column("amount", refund.c.amount, Kind.DECIMAL),
        Column("currency", refund.c.currency),
        Column("variable_symbol", refund.c.variable_symbol),
        Column("payment_order", refund.c.payment_order, Kind.INTEGER),
        Column("order_number", payment_order.c.number),
        Column("payment", refund.c.payment, Kind.INTEGER),
        Column("returned_by", refund.c.returned_by, Kind.INTEGER),
        Column("reason", refund.c.reason),
        Column("ordered_at", refund.c.ordered_at, Kind.INSTANT),
        Column("ordered_by", refund.c.ordered_by),
    ),
    default_sort=(("id", True),),
)

SET_OFFS = Overview(
    name="set-offs",
    source=set_off,
    key=set_off.c.id,
    joined=_with_sides(set_off),
    columns=(
        Column("id", set_off.c.id, Kind.INTEGER),
        Column("number", set_off.c.number),
        *_sides(set_off),
        Column("made_on", set_off.c.made_on, Kind.DATE),
        Column("total", set_off.c.total, Kind.DECIMAL),
        Column("currency", set_off.c.currency),
        Column("reason", set_off.c.reason),
        Column("made_by", set_off.c.made_by),
    ),
    default_sort=(("id", True),),
)

REMINDERS = Overview(
    name="reminders",
    source=reminder,
    key=reminder.c.id,
    joined=_with_sides(reminder, reminder.c.account),
    columns=(
        Column("id", reminder.c.id, Kind.INTEGER),
        Column("number", reminder.c.number),
        *_sides(reminder),
        _ACCOUNT,
        Column("level", reminder.c.level, Kind.INTEGER),
        Column("made_on", reminder.c.made_on, Kind.DATE),
        Column("pay_by", reminder.c.pay_by, Kind.DATE),
        Column("amount", reminder.c.amount, Kind.DECIMAL),
        Column("made_by", reminder.c.made_by),
    ),
    default_sort=(("id", True),),
)

SALDO = text("""
    -- debts, credit notes and free money of a party by contract account and currency
    SELECT a.number AS account, s.currency, sum(s.debts) AS debts, sum(s.past_due) AS past_due,
           sum(s.credits) AS credits, sum(s.money) AS money, sum(s.debts - s.credits - s.money) AS saldo
      FROM (SELECT r.account, r.currency, greatest(r.rest, 0.00) AS debts,
                   CASE WHEN r.rest > 0 AND r.due < :day THEN r.rest ELSE 0.00 END AS past_due,
                   greatest(-r.rest, 0.00) AS credits, 0.00 AS money
              FROM receivable r WHERE r.payer = :payer
            UNION ALL
            SELECT p.account, p.currency, 0.00, 0.00, 0.00, p.rest
              FROM payment p WHERE p.payer = :payer AND p.state = 'booked') s
      LEFT JOIN contract_account a ON a.id = s.account
     GROUP BY a.number, s.currency
     ORDER BY a.number NULLS LAST, s.currency
""")

ALLOCATIONS = text("""
    SELECT a.id, a.payment, a.credit, a.receivable, coalesce(r.number, f.number) AS number, a.refund, a.set_off,
           a.amount, a.rule, a.made_on, a.made_by, a.released_on, a.released_by, a.reason
      FROM allocation a
      LEFT JOIN receivable r ON r.id = a.receivable
      LEFT JOIN refund f ON f.id = a.refund
     WHERE CASE CAST(:side AS text) WHEN 'payment' THEN a.payment = :id
                                    ELSE a.receivable = :id OR a.credit = :id END
     ORDER BY a.id
     LIMIT 1000
""")


def find_saldo(connection: Connection, payer: int, day: Any) -> Sequence[RowMapping]:
    """The balance of a party by contract account and currency: debts - credit notes - free money."""
    return connection.execute(SALDO, {"payer": payer, "day": day}).mappings().all()


def find_allocations(connection: Connection, side: str, identifier: int) -> Sequence[RowMapping]:
    """What a payment settles, or what settles an item, released ones too; `side` is "payment" or "receivable"."""
    return connection.execute(ALLOCATIONS, {"side": side, "id": identifier}).mappings().all()
