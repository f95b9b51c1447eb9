"""Every act is recorded under the name of who did it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from central.platform.identity import Person
from central.platform.plain import plain
from central.platform.tables import audit


def record(
    connection: Connection,
    person: Person | str,
    act: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
    at: datetime | None = None,
    *,
    before: Mapping[Any, Any] | None = None,
    after: Mapping[Any, Any] | None = None,
    why: str | None = None,
) -> None:
    """Write one act in the caller's transaction: it is recorded if and only if it happened.

    `act` is a verb of the field ("party.create", "invoice.issue"), `subject` names the thing ("party/12"), `details`
    must be JSON-able and must hold no secret. `at` comes from the caller's clock and must be aware. An act that changes
    a record gives the record as it was (`before`) and as it is now (`after`), and the person's reason (`why`); rows of
    the database may be given as they are.
    """
    _require_aware(at, act, subject)
    connection.execute(
        insert(audit).values(
            at=at,
            person=person.name if isinstance(person, Person) else person,
            act=act,
            subject=subject,
            details=dict(details or {}),
            before=None if before is None else plain(before),
            after=None if after is None else plain(after),
            why=why,
        )
    )


def record_each(
    connection: Connection,
    person: Person | str,
    act: str,
    subjects: Mapping[str, Mapping[str, Any]],
    at: datetime,
    *,
    why: str | None = None,
) -> None:
    """Write the same act on many things, each with its details, in one statement: else as `record`."""
    if not subjects:
        return
    _require_aware(at, act, next(iter(subjects)))
    common = {"at": at, "person": person.name if isinstance(person, Person) else person, "act": act, "why": why}
    rows = [{**common, "subject": subject, "details": dict(details)} for subject, details in subjects.items()]
    connection.execute(insert(audit), rows)


def _require_aware(at: datetime | None, act: str, subject: str) -> None:
    if at is None or at.tzinfo is None:
        raise ValueError(f"audit of {act} on {subject}: the instant must be aware and come from the injected clock")


def history(connection: Connection, subjects: Sequence[str], limit: int = 1_000) -> Sequence[RowMapping]:
    """The acts on one thing under any of its names, newest first."""
    query = select(audit).where(audit.c.subject.in_(subjects)).order_by(audit.c.id.desc()).limit(limit)
    return connection.execute(query).mappings().all()
