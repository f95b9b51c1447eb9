"""Bring rows into a register by their natural key: new ones are inserted, equal ones left, different ones refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Table, any_, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused

_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reconciling did."""

    inserted: int
    unchanged: int


def reconcile(
    connection: Connection, table: Table, what: str, key: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> Outcome:
    """Insert the rows whose `key` columns are not stored yet, in the caller's transaction.

    `what` names the thing in messages ("supply point"). A stored row that differs is Refused with the field and both
    values: a change of what is stored is an act of its own, not a repetition. Values that break a constraint are
    BadInput or Refused.
    """
    given: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        name = tuple(row[column] for column in key)
        if name in given:
            raise BadInput("repeated", f"The {what} {_sentence(name)} is given twice; give it once.")
        given[name] = row
    stored = _stored(connection, table, key, given)
    fresh = []
    for name, row in given.items():
        known = stored.get(name)
        if known is None:
            fresh.append(dict(row))
            continue
        for column, value in row.items():
            if known[column] != value:
                raise Refused(
                    "differs",
                    f"The {what} {_sentence(name)} is stored with {column} {known[column]!s}, given is {value!s}; "
                    "change it by its own act or give what is stored.",
                )
    try:
        for alike in _alike(fresh):
            # Row by row in a pipeline: as one statement of many rows it took the client twice the time (tests/bench).
            connection.execute(insert(table), alike)
    except IntegrityError as error:
        raise explain(error) from error
    return Outcome(len(fresh), len(given) - len(fresh))


def _alike(rows: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """Rows by the columns that they give: what one leaves out is the column's default, whatever another one gives."""
    groups: dict[frozenset[str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(frozenset(row), []).append(row)
    return groups.values()


def ids_of(connection: Connection, table: Table, what: str, column: str, names: Iterable[Any]) -> dict[Any, Any]:
    """Database ids of things by their natural name; NotFound names the first that does not exist."""
    wanted = sorted({name for name in names if name is not None})
    found: dict[Any, Any] = {}
    for start in range(0, len(wanted), _CHUNK):
        chosen = any_of(table.c[column], wanted[start : start + _CHUNK])
        found.update((row[0], row[1]) for row in connection.execute(select(table.c[column], table.c.id).where(chosen)))
    for name in wanted:
        if name not in found:
            raise NotFound(
                f"{what.replace(' ', '_')}_not_found", f"There is no {what} {name}; create it first or correct it."
            )
    return found


def any_of(column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """That a column holds one of the values: they travel as one array, where `IN` would make a parameter of each."""
    return column == any_(bindparam(None, list(values), ARRAY(column.type)))


def _stored(
    connection: Connection, table: Table, key: Sequence[str], given: Iterable[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    firsts = sorted({name[0] for name in given})
    found: dict[tuple[Any, ...], Any] = {}
    for start in range(0, len(firsts), _CHUNK):
        chosen = any_of(table.c[key[0]], firsts[start : start + _CHUNK])
        for row in connection.execute(select(table).where(chosen)).mappings():
            found[tuple(row[column] for column in key)] = row
    return found


def _sentence(name: tuple[Any, ...]) -> str:
    return " / ".join(str(part) for part in name)
