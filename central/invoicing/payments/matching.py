"""Match payments with open items, by sets: who pays, by the symbol; then what is paid, by the active rules in order.

* `exact`: one item with the payment's symbol and its whole amount;
* `symbol`: items with the symbol, oldest due first, each as far as the money goes;
* `account`: what is left pays other items of the same contract account that are due, oldest first.

What then is left stays the payer's credit (přeplatek). A payment whose payer is not known stays parked with the reason.
The pure meaning of the last two rules is `spread` in `spreading.py`; the statements here do the same for all at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, select, text

from central.invoicing.payments.events import publish_made
from central.invoicing.payments.refund_matching import match_refunds
from central.invoicing.payments.settling_tables import matching_rule
from central.platform.identity import Person
from shared.metering_day import PRAGUE

MANY: Final = 300
"""From so many waiting payments on joins go by hashes: the planner takes numbered rows for few and would compare each
payment with each item (2,000 with 2,000: 30 s)."""
LOCK: Final = 0x706179
"""The advisory lock of payments; any constant that differs from the others."""

WAITING = text("SELECT count(*) FROM (SELECT FROM payment WHERE rest <> 0 LIMIT :many) waiting")

_PAYERS: Final = """
    -- whose items a symbol names; of parties, or of contract accounts whose number it is
    WITH wanted AS (
        SELECT DISTINCT seller, symbol, currency FROM {table}
         WHERE state = 'parked' AND parked IN ('unknown_symbol', 'ambiguous', 'other_currency') AND NOT by_hand
           AND amount > 0 AND symbol IS NOT NULL),
    by_item AS (
        SELECT w.seller, w.symbol, w.currency,
               array_agg(DISTINCT r.payer) FILTER (WHERE r.is_open) AS owing, array_agg(DISTINCT r.payer) AS all_payers,
               min(r.account) AS account, count(DISTINCT r.account) AS accounts,
               bool_and(r.account IS NOT NULL) AS has_account
          FROM wanted w
          JOIN receivable r ON r.seller = w.seller AND r.symbol = w.symbol AND r.currency = w.currency
         GROUP BY w.seller, w.symbol, w.currency),
    by_account AS (
        -- an account is paid in a currency in which it is asked, or in crowns where nothing was asked yet
        SELECT w.seller, w.symbol, w.currency, min(a.party) AS payer, min(a.id) AS account, count(*) AS accounts,
               bool_and(EXISTS (SELECT FROM receivable r
                                 WHERE r.account = a.id AND r.seller = w.seller AND r.currency = w.currency)
                        OR w.currency = 'CZK'
                           AND NOT EXISTS (SELECT FROM receivable r WHERE r.account = a.id AND r.seller = w.seller))
                   AS its_currency
          FROM wanted w
          JOIN contract_account a ON a.number ~ '^[0-9]{{1,10}}$' AND ltrim(a.number, '0') = w.symbol::text
         GROUP BY w.seller, w.symbol, w.currency),
    other AS (
        SELECT DISTINCT w.seller, w.symbol, w.currency FROM wanted w
          JOIN receivable r ON r.seller = w.seller AND r.symbol = w.symbol AND r.currency <> w.currency),
    told AS (
        SELECT w.seller, w.symbol, w.currency,
               CASE WHEN cardinality(i.owing) = 1 THEN i.owing[1]
                    WHEN cardinality(i.all_payers) = 1 THEN i.all_payers[1]
                    WHEN i.symbol IS NULL AND o.symbol IS NULL AND a.accounts = 1 AND a.its_currency THEN a.payer
                    END AS payer,
               CASE WHEN i.symbol IS NULL THEN a.account
                    WHEN i.accounts = 1 AND i.has_account AND cardinality(i.all_payers) = 1 THEN i.account END
                   AS account,
               CASE WHEN i.symbol IS NOT NULL OR a.accounts > 1 THEN 'ambiguous'
                    WHEN o.symbol IS NOT NULL OR NOT a.its_currency THEN 'other_currency'
                    ELSE 'unknown_symbol' END AS parked
          FROM wanted w
          LEFT JOIN by_item i USING (seller, symbol, currency)
          LEFT JOIN by_account a USING (seller, symbol, currency)
          LEFT JOIN other o USING (seller, symbol, currency))
    UPDATE {table} p
       SET payer = told.payer, account = told.account,
           state = CASE WHEN told.payer IS NULL THEN 'parked' ELSE 'booked' END,
           parked = CASE WHEN told.payer IS NULL THEN told.parked END
      FROM told
     WHERE p.seller = told.seller AND p.symbol = told.symbol AND p.currency = told.currency
       AND p.state = 'parked' AND p.parked IN ('unknown_symbol', 'ambiguous', 'other_currency') AND NOT p.by_hand
       AND p.amount > 0
       -- what may bring a refund back waits: for the refund, or for a person where it may be a payment too
       AND NOT EXISTS (SELECT FROM refund f JOIN payment went ON went.id = f.payment
                        WHERE f.state = 'executed' AND f.amount = p.amount AND f.iban = p.counter_account
                          AND f.variable_symbol::bigint = p.symbol AND f.seller = p.seller
                          AND f.currency = p.currency AND went.booked_on <= p.booked_on)
"""

PAYERS_OF_INCOMING: Final = text(_PAYERS.format(table="incoming"))
"""Of movements before they are booked: written once, with their payer, they cost half."""
PAYERS: Final = text(_PAYERS.format(table="payment"))

EXACT = text("""
    WITH money AS (
        SELECT id, seller, payer, currency, symbol, rest,
               row_number() OVER (PARTITION BY seller, payer, currency, symbol, rest ORDER BY booked_on, id) AS n
          FROM payment WHERE state = 'booked' AND rest <> 0 AND NOT by_hand AND symbol IS NOT NULL),
    items AS (
        SELECT id, seller, payer, currency, symbol, rest,
               row_number() OVER (PARTITION BY seller, payer, currency, symbol, rest ORDER BY due, id) AS n
          FROM receivable WHERE is_open AND amount > 0 AND symbol IN (SELECT symbol FROM money))
    INSERT INTO allocation (payment, receivable, amount, rule, made_on, made_at, made_by)
    SELECT money.id, items.id, money.rest, 'exact', :made_on, :made_at, :made_by
      FROM money JOIN items USING (seller, payer, currency, symbol, rest, n)
     ORDER BY money.id
    RETURNING id, payment, receivable, amount
""")

_SPREAD: Final = """
    -- money and items of a group lie side by side on one line of amounts: what overlaps, settles
    WITH money AS (
        SELECT id, seller, payer, currency, {group_of_money} AS shared,
               sum(rest) OVER w - rest AS first, sum(rest) OVER w AS last
          FROM payment WHERE state = 'booked' AND rest <> 0 AND NOT by_hand AND {group_of_money} IS NOT NULL
        WINDOW w AS (PARTITION BY seller, payer, currency, {group_of_money} ORDER BY booked_on, id)),
    items AS (
        SELECT id, seller, payer, currency, {group_of_items} AS shared,
               sum(rest) OVER w - rest AS first, sum(rest) OVER w AS last
          FROM receivable
         WHERE is_open AND amount > 0 AND {condition}
        WINDOW w AS (PARTITION BY seller, payer, currency, {group_of_items} ORDER BY due, id))
    INSERT INTO allocation (payment, receivable, amount, rule, made_on, made_at, made_by)
    SELECT money.id, items.id, least(money.last, items.last) - greatest(money.first, items.first), :rule,
           :made_on, :made_at, :made_by
      FROM money JOIN items USING (seller, payer, currency, shared)
     WHERE money.first < items.last AND items.first < money.last
     ORDER BY money.id, items.id
    RETURNING id, payment, receivable, amount
"""

RULES: Final[Mapping[str, Any]] = {
    "exact": EXACT,
    "symbol": text(
        _SPREAD.format(
            group_of_money="symbol",
            group_of_items="symbol",
            condition="symbol IN (SELECT shared FROM money)",
        )
    ),
    "account": text(
        _SPREAD.format(
            group_of_money="coalesce(account, 0)",
            group_of_items="coalesce(account, 0)",
            condition="due <= :until AND payer IN (SELECT payer FROM money)",
        )
    ),
}


@dataclass(frozen=True, slots=True)
class Matched:
    """How many allocations each rule made, and how many refunds went out or came back."""

    by_rule: Mapping[str, int] = field(default_factory=dict)
    refunds: int = 0


def lock_payments(connection: Connection) -> None:
    """One act on payments at a time, until the transaction ends: sums are never weighed while another moves them."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def match_payments(connection: Connection, person: Person, now: datetime, until: date) -> Matched:
    """Match everything that waits; `until` is the day by which an item must be due for the rule `account`.

    Publishes "payment.allocated" for what was paid of advances.
    """
    lock_payments(connection)
    many = connection.execute(WAITING, {"many": MANY}).scalar_one() == MANY
    if many:
        connection.execute(text("ANALYZE payment"))
        connection.execute(text("SET LOCAL enable_nestloop = off"))
    refunds = match_refunds(connection, person, now)
    connection.execute(PAYERS)
    made_on = now.astimezone(PRAGUE).date()
    by_rule: dict[str, int] = {}
    rules = select(matching_rule.c.rule).where(matching_rule.c.active).order_by(matching_rule.c.place)
    for rule in connection.execute(rules).scalars().all():
        values: dict[str, Any] = {"made_on": made_on, "made_at": now, "made_by": person.name}
        if rule != "exact":
            values["rule"] = rule
        if rule == "account":
            values["until"] = until
        made = connection.execute(RULES[rule], values)
        ids = [row.id for row in made]
        by_rule[rule] = len(ids)
        publish_made(connection, ids, person, now)
    if many:
        connection.execute(text("SET LOCAL enable_nestloop = on"))
    return Matched(by_rule, refunds)
