"""Rows of mixed types into a table by COPY in text format (PostgreSQL manual, COPY, "Text Format")."""

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from central.platform.plans import plans_kept


def copy_in(
    connection: Connection, table: LiteralString, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Append rows to a table, in the transaction of the connection. Values are None, str, int, Decimal, bool, or
    whatever `str` spells as PostgreSQL reads it (dates; aware instants); JSON goes as its text."""
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg is the driver
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with plans_kept(connection), raw.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("".join(map(_line, rows)))


def _line(row: Sequence[Any]) -> str:
    return "\t".join(map(_field, row)) + "\n"


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        # four searches cost a tenth of one translation of a long text
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)
