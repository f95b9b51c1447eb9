"""Rows of one thing that follow each other in time: the next one ends the one before."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import DATERANGE, Range
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.errors import Refused
from central.registry.validity import ends, starts


def find_rows(connection: Connection, table: Table, keys: Mapping[str, Any]) -> Sequence[RowMapping]:
    """Rows of these keys in the order of time, validity as the two days `valid_from` and `valid_to`."""
    columns = [column for column in table.c if column.name != "valid"]
    query = select(*columns, starts(table.c.valid).label("valid_from"), ends(table.c.valid).label("valid_to"))
    return (
        connection.execute(query.where(_of(table, keys)).order_by(starts(table.c.valid), table.c.id)).mappings().all()
    )


def make_room(
    connection: Connection, table: Table, keys: Mapping[str, Any], start: date, end: date | None
) -> date | None:
    """End the row that holds on `start`; the end of a new one, where a later row begins before `end`.

    A row that begins on that very day is taken away. The caller holds a lock of what the rows belong to.
    """
    mine = _of(table, keys)
    connection.execute(delete(table).where(mine & (starts(table.c.valid) == start)))
    connection.execute(
        update(table)
        .where(mine & table.c.valid.contains(start))
        .values(valid=func.daterange(starts(table.c.valid), start, type_=DATERANGE()))
    )
    following = connection.execute(
        select(func.min(starts(table.c.valid))).where(mine & (starts(table.c.valid) > start))
    ).scalar()
    return min((day for day in (following, end) if day is not None), default=None)


def add_row(
    connection: Connection, table: Table, keys: Mapping[str, Any], values: Mapping[str, Any], start: date,
    end: date | None,
) -> int:  # fmt: skip
    """Store a row from `start` on, until `end` or until the next one begins; its id."""
    until = make_room(connection, table, keys, start, end)
    row = {**keys, **values, "valid": Range(start, until, bounds="[)")}
    try:
        number: int = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    return number


def end_row(connection: Connection, table: Table, row: Mapping[Any, Any], what: str, on: date) -> None:
    """End a row of `find_rows` on a day within its validity (exclusive); on its first day it is taken away."""
    start, end = row["valid_from"], row["valid_to"]
    if (start is not None and on < start) or (end is not None and on >= end):
        raise Refused(
            "validity", f"{what} holds {start} to {end or 'open'}: it cannot end on {on}; choose a day between."
        )
    mine = table.c.id == row["id"]
    if on == start:
        connection.execute(delete(table).where(mine))
    else:
        connection.execute(update(table).where(mine).values(valid=Range(start, on, bounds="[)")))


def _of(table: Table, keys: Mapping[str, Any]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in keys.items()))
