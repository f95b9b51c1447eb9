"""Seals (plomby): put on, take off, find."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from central.network.point_tables import measuring_point, seal
from central.network.points import require_point
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person

_FOUND = select(
    seal.c.id,
    seal.c.number,
    seal.c.kind,
    measuring_point.c.name.label("measuring_point"),
    seal.c.meter,
    seal.c.mounted_at,
    seal.c.mounted_by,
    seal.c.removed_at,
    seal.c.removed_by,
).join(measuring_point, measuring_point.c.id == seal.c.measuring_point)


def find_seals(connection: Connection, point: str) -> Sequence[RowMapping]:
    """Seals of a measuring point, those that are on first."""
    query = _FOUND.where(measuring_point.c.name == point)
    return connection.execute(query.order_by(seal.c.removed_at.desc().nulls_first(), seal.c.number)).mappings().all()


def require_seal(connection: Connection, number: str) -> RowMapping:
    """A seal by its number, or NotFound."""
    found = connection.execute(_FOUND.where(seal.c.number == number)).mappings().first()
    if found is None:
        raise NotFound("seal_not_found", f"There is no seal {number}.")
    return found


def put_on(
    connection: Connection, number: str, kind: str, point: str, meter: str | None, person: Person, at: datetime
) -> RowMapping:
    """Put a seal on at a measuring point; a number is used once, ever."""
    used = connection.execute(_FOUND.where(seal.c.number == number)).mappings().first()
    if used is not None:
        raise Refused(
            "seal_used",
            f"The seal {number} was put on at {used['measuring_point']} at {used['mounted_at'].isoformat()}; it cannot "
            f"be put on at {point}. A seal is used once.",
        )
    identifier = require_point(connection, point)["id"]
    row = {"number": number, "kind": kind, "measuring_point": identifier, "meter": meter}
    try:
        connection.execute(insert(seal).values(row | {"mounted_at": at, "mounted_by": person.name}))
    except IntegrityError as error:
        raise Refused("seal_used", f"The seal {number} was put on elsewhere at this moment.") from error
    return require_seal(connection, number)


def take_off(connection: Connection, number: str, point: str, person: Person, at: datetime) -> RowMapping:
    """Take a seal off; Refused where it is on elsewhere, off already, or was put on later."""
    row = require_seal(connection, number)
    if row["measuring_point"] != point:
        raise Refused("seal_elsewhere", f"The seal {number} is on at {row['measuring_point']}, not at {point}.")
    if row["removed_at"] is not None:
        raise Refused("seal_off", f"The seal {number} was taken off at {row['removed_at'].isoformat()} already.")
    if at < row["mounted_at"]:
        raise Refused(
            "seal_later",
            f"The seal {number} was put on at {row['mounted_at'].isoformat()}; it cannot be taken off at "
            f"{at.isoformat()}, before that.",
        )
    connection.execute(update(seal).where(seal.c.number == number).values(removed_at=at, removed_by=person.name))
    return require_seal(connection, number)
