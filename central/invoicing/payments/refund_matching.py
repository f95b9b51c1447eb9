"""Refunds meet their bank items: what went out executes an order, what comes back returns it."""

from datetime import datetime

from sqlalchemy import Connection, text

from central.platform import audit
from central.platform.identity import Person
from shared.metering_day import PRAGUE

EXECUTE = text("""
    -- outgoing movements of the amount, symbol and account of a refund that was sent, since it was ordered; one each
    WITH sent AS (
        SELECT id, seller, currency, amount, variable_symbol::bigint AS symbol, iban AS counter_account,
               (ordered_at AT TIME ZONE 'Europe/Prague')::date AS since,
               row_number() OVER (PARTITION BY seller, currency, amount, variable_symbol::bigint, iban
                                  ORDER BY ordered_at, id) AS n
          FROM refund WHERE state = 'sent'),
    gone AS (
        SELECT id, seller, currency, -amount AS amount, symbol, counter_account, booked_on,
               row_number() OVER (PARTITION BY seller, currency, amount, symbol, counter_account
                                  ORDER BY booked_on, id) AS n
          FROM payment p WHERE state = 'parked' AND parked = 'outgoing' AND symbol IS NOT NULL
           AND EXISTS (SELECT FROM sent s
                        WHERE (s.seller, s.currency, s.amount, s.symbol, s.counter_account)
                            = (p.seller, p.currency, -p.amount, p.symbol, p.counter_account)
                          AND s.since <= p.booked_on))
    UPDATE refund f SET state = 'executed', payment = gone.id
      FROM sent JOIN gone USING (seller, currency, amount, symbol, counter_account, n)
     WHERE f.id = sent.id AND sent.since <= gone.booked_on
    RETURNING f.id, f.payment
""")

RETURNED = text("""
    -- what comes back from the refund's account under its symbol and amount, on its day or later, and pays nothing
    -- else: what could as well be the customer's next payment is for a person to tell
    WITH back AS (
        SELECT p.id, p.seller, p.currency, p.amount, p.symbol, p.counter_account, p.booked_on,
               row_number() OVER (PARTITION BY p.seller, p.currency, p.amount, p.symbol, p.counter_account
                                  ORDER BY p.booked_on, p.id) AS n
          FROM payment p
         WHERE p.state = 'parked' AND p.amount > 0 AND p.symbol IS NOT NULL AND NOT p.by_hand
           AND (p.parked = 'reversal' OR p.parked IN ('unknown_symbol', 'ambiguous')
                AND NOT EXISTS (SELECT FROM receivable r WHERE r.seller = p.seller AND r.symbol = p.symbol
                                   AND r.currency = p.currency AND r.is_open AND r.amount > 0)
                AND NOT EXISTS (SELECT FROM contract_account a
                                 WHERE a.number ~ '^[0-9]{1,10}$' AND ltrim(a.number, '0') = p.symbol::text))
           -- only what a refund that went out before could bring back
           AND EXISTS (SELECT FROM refund f JOIN payment went ON went.id = f.payment
                        WHERE f.state = 'executed' AND f.seller = p.seller AND f.currency = p.currency
                          AND f.amount = p.amount AND f.variable_symbol::bigint = p.symbol
                          AND f.iban = p.counter_account AND went.booked_on <= p.booked_on)),
    gone AS (
        SELECT f.id, f.seller, f.currency, f.amount, f.variable_symbol::bigint AS symbol, f.iban AS counter_account,
               p.booked_on AS went_on,
               row_number() OVER (PARTITION BY f.seller, f.currency, f.amount, f.variable_symbol::bigint, f.iban
                                  ORDER BY p.booked_on, f.id) AS n
          FROM refund f JOIN payment p ON p.id = f.payment WHERE f.state = 'executed')
    UPDATE refund f SET state = 'returned', returned_by = back.id
      FROM gone JOIN back USING (seller, currency, amount, symbol, counter_account, n)
     WHERE f.id = gone.id AND gone.went_on <= back.booked_on
    RETURNING f.id, f.returned_by
""")

FREE = text("""
    UPDATE allocation SET released_on = :day, released_at = :now, released_by = :person, reason = :reason
     WHERE refund = ANY (:refunds) AND released_at IS NULL
    RETURNING payment
""")


def match_refunds(connection: Connection, person: Person, now: datetime) -> int:
    """Match outgoing movements with sent refunds and returned ones with executed; how many of both."""
    done = connection.execute(EXECUTE).all()
    _mark(connection, "refund", [row.payment for row in done])
    audit.record_each(
        connection, person, "refund.execute", {f"refund/{row.id}": {"payment": row.payment} for row in done}, now
    )
    back = connection.execute(RETURNED).all()
    _mark(connection, "returned", [row.returned_by for row in back])
    free_refunds(connection, [row.id for row in back], "the bank returned the refund", person, now)
    audit.record_each(
        connection, person, "refund.return", {f"refund/{row.id}": {"payment": row.returned_by} for row in back}, now
    )
    return len(done) + len(back)


def free_refunds(connection: Connection, refunds: list[int], reason: str, person: Person, now: datetime) -> None:
    """What the refunds took from credits is the payers' credit again, for persons to deal with."""
    if not refunds:
        return
    values = {
        "refunds": refunds, "day": now.astimezone(PRAGUE).date(), "now": now, "person": person.name, "reason": reason,
    }  # fmt: skip
    freed = {row.payment for row in connection.execute(FREE, values) if row.payment is not None}
    connection.execute(text("UPDATE payment SET by_hand = true WHERE id = ANY (:ids)"), {"ids": sorted(freed)})


def _mark(connection: Connection, state: str, payments: list[int]) -> None:
    connection.execute(
        text("UPDATE payment SET state = :state, parked = NULL WHERE id = ANY (:ids)"),
        {"state": state, "ids": payments},
    )
