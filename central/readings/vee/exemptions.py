"""Exemptions from the rule on zero: days on which a channel is known to be idle, or had no supply."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.readings.vee.work import enqueue
from central.readings.vee_tables import vee_exemption


def find_exemptions(connection: Connection, first: date, end: date) -> Sequence[Row[Any]]:
    """Those that touch the days from `first` to before `end`."""
    table = vee_exemption.c
    query = select(vee_exemption).where(table.days.op("&&")(Range(first, end))).order_by(table.channel, table.id)
    return connection.execute(query).all()


def exempt(
    connection: Connection,
    channel: int,
    kind: str,
    first: date,
    end: date,
    reason: str,
    person: Person,
    at: datetime,
) -> Row[Any]:
    """Exempt a channel from `first` to before `end`; Refused where it is exempt on one of the days already."""
    statement = (
        insert(vee_exemption)
        .values(channel=channel, kind=kind, days=Range(first, end), reason=reason, made_by=person.name, made_at=at)
        .returning(vee_exemption)
    )
    try:
        with connection.begin_nested():
            row = connection.execute(statement).one()
    except IntegrityError as error:
        raise Refused(
            "exempt_already",
            f"Channel {channel} is exempt on a day from {first} to before {end} already; "
            "see GET /v1/validation/exemptions.",
        ) from error
    enqueue(connection, [channel], first, end - timedelta(days=1), person.name)
    details = {"channel": channel, "kind": kind, "from": first.isoformat(), "to": end.isoformat(), "reason": reason}
    audit.record(connection, person, "vee.exempt", f"vee_exemption/{row.id}", details, at)
    return row


def end_exemption(connection: Connection, identifier: int, person: Person, at: datetime) -> None:
    """Withdraw an exemption."""
    row = connection.execute(
        delete(vee_exemption).where(vee_exemption.c.id == identifier).returning(vee_exemption)
    ).one_or_none()
    if row is None:
        raise NotFound("exemption_not_found", f"There is no exemption {identifier}; see GET /v1/validation/exemptions.")
    enqueue(connection, [row.channel], row.days.lower, row.days.upper - timedelta(days=1), person.name)
    details = {"channel": row.channel, "kind": row.kind, "reason": row.reason}
    audit.record(connection, person, "vee.exempt.end", f"vee_exemption/{identifier}", details, at)
