"""What payments tell the rooms and modules that listen.

"payment.allocated" and "payment.released" carry `allocations`, a list of those that concern advances, `person`, `at`
and `why` (of a release; else None). Each allocation has `allocation`, `receivable`, `advance`, `payment` (None where a
credit note was set off), `amount`, `currency`, `received_on` (the day on which the bank booked the money; of a credit
that lay there before the advance was asked for the day of that; of a set-off the day of the document), `seller` and
`payer`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from central.platform.hooks import HOOKS
from central.platform.identity import Person

OF_ADVANCES = text("""
    SELECT a.id AS allocation, a.receivable, r.advance, a.payment, a.amount, r.currency,
           greatest(coalesce(p.booked_on, a.made_on), r.issued_on) AS received_on, r.seller, r.payer
      FROM allocation a
      JOIN receivable r ON r.id = a.receivable
      LEFT JOIN payment p ON p.id = a.payment
     WHERE a.id = ANY (:ids) AND r.advance IS NOT NULL
     ORDER BY a.id
""")


def publish_made(connection: Connection, allocations: Sequence[int], person: Person, now: datetime) -> None:
    """Tell what was allocated to advances: their tax documents are due."""
    _publish(connection, "payment.allocated", allocations, person, now)


def publish_released(
    connection: Connection, allocations: Sequence[int], why: str, person: Person, now: datetime
) -> None:
    """Tell what was taken back from advances."""
    _publish(connection, "payment.released", allocations, person, now, why)


def _publish(
    connection: Connection, topic: str, ids: Sequence[int], person: Person, now: datetime, why: str | None = None
) -> None:
    if not ids:
        return
    rows = [dict(row) for row in connection.execute(OF_ADVANCES, {"ids": list(ids)}).mappings()]
    if rows:
        HOOKS.publish(connection, topic, {"allocations": rows, "person": person, "at": now, "why": why})
