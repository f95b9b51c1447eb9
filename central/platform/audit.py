"""Every act is recorded under the name of who did it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from central.platform.identity import Person
from central.platform.tables import audit


def record(
    connection: Connection,
    person: Person | str,
    act: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> None:
    """Write one act in the caller's transaction: it is recorded if and only if it happened.

    `act` is a verb of the field ("party.create", "invoice.issue"), `subject` names the thing ("party/12"), `details`
    must be JSON-able and must hold no secret. `at` comes from the caller's clock and must be aware.
    """
    if at is None or at.tzinfo is None:
        raise ValueError(f"audit of {act} on {subject}: the instant must be aware and come from the injected clock")
    connection.execute(
        insert(audit).values(
            at=at,
            person=person.name if isinstance(person, Person) else person,
            act=act,
            subject=subject,
            details=dict(details or {}),
        )
    )
