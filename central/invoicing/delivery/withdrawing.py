"""A document that is taken back does not leave any more: what waits of it is withdrawn, what left stays as it is."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, update

from central.invoicing.delivery.states import STATES, WITHDRAWN, following
from central.invoicing.delivery.tables import delivery
from central.platform import audit
from central.platform.identity import Person

_WAITING: Final = [state for state in STATES if following(state, "withdraw") == WITHDRAWN]


def withdraw_document(connection: Connection, number: str, why: str, person: Person, at: datetime) -> list[int]:
    """Withdraw the deliveries of a document, by mail and in print, that wait; their ids.

    One that is being handed to the mail server at this moment is not called back.
    """
    gone = connection.execute(
        update(delivery)
        .where(delivery.c.number == number, delivery.c.state.in_(_WAITING))
        .values(state=WITHDRAWN, due_at=None, answer=why)
        .returning(delivery.c.id)
    )
    found = sorted(gone.scalars())
    for each in found:
        audit.record(connection, person, "delivery.withdraw", f"delivery/{each}", {"state": WITHDRAWN}, at, why=why)
    return found
