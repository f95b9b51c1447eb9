"""Facts with validity: what holds since when, and what a change from a day on makes of it.

A versioned table holds what holds now (`since`; NULL: from the beginning), `<table>_past` what held before. The last
version has no end: what ends has a state or a validity of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import BadInput
from central.registry.validity import starts


@dataclass(frozen=True, slots=True)
class Version:
    """What held since a day (None: from the beginning) until the next version."""

    since: date | None
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Versioned:
    """A table with its past and the facts that may change; `copied` goes into each row of the past unchanged."""

    table: Table
    past: Table
    facts: tuple[str, ...]
    copied: tuple[str, ...] = ()


def revised(versions: Sequence[Version], changes: Mapping[str, Any], since: date) -> list[Version]:
    """The versions after a change from `since` on.

    Of a change in the past each fact lasts until that fact was changed again: what was entered for a later day stays.
    Versions are in the order of time; the first may begin with None. Nothing before `since` changes.
    """
    if versions[0].since is not None and since < versions[0].since:
        raise BadInput(
            "since", f"Nothing is known before {versions[0].since}: the change of {since} would come before the first."
        )
    cut: list[Version] = []
    for place, version in enumerate(versions):
        following = versions[place + 1].since if place + 1 < len(versions) else None
        cut.append(version)
        inside = version.since is None or version.since < since
        if inside and (following is None or since < following):
            cut.append(Version(since, version.facts))
    old = next(version.facts for version in cut if version.since == since)
    lasting = set(changes)
    made: list[Version] = []
    for version in cut:
        if version.since is not None and version.since >= since:
            lasting = {name for name in lasting if version.facts[name] == old[name]}
            made.append(Version(version.since, {**version.facts, **{name: changes[name] for name in lasting}}))
        else:
            made.append(version)
    return merged(made)


def merged(versions: Iterable[Version]) -> list[Version]:
    """Neighbours with the same facts made one."""
    kept: list[Version] = []
    for version in versions:
        if not kept or kept[-1].facts != version.facts:
            kept.append(version)
    return kept


def read_versions(connection: Connection, kept: Versioned, owner: int) -> list[Version]:
    """All versions of one record in the order of time; the last is what the table itself holds."""
    past, table = kept.past, kept.table
    columns = [past.c[name] for name in kept.facts]
    rows = connection.execute(
        select(starts(past.c.valid).label("since"), *columns)
        .where(past.c[table.name] == owner)
        .order_by(starts(past.c.valid).nulls_first())
    ).mappings()
    versions = [Version(row["since"], {name: row[name] for name in kept.facts}) for row in rows]
    now = connection.execute(select(table).where(table.c.id == owner)).mappings().one()
    return [*versions, Version(now["since"], {name: now[name] for name in kept.facts})]


def store_versions(connection: Connection, kept: Versioned, owner: int, versions: Sequence[Version]) -> None:
    """Write all versions of one record; the caller holds the lock of its row."""
    table, past = kept.table, kept.past
    connection.execute(delete(past).where(past.c[table.name] == owner))
    last = versions[-1]
    now = connection.execute(
        update(table).where(table.c.id == owner).values(since=last.since, **last.facts).returning(table)
    )
    copied = {name: now.mappings().one()[name] for name in kept.copied} if kept.copied else {}
    rows = [
        {
            table.name: owner,
            "valid": Range(version.since, following.since, bounds="[)"),
            **copied,
            **version.facts,
        }
        for version, following in pairwise(versions)
    ]
    if rows:
        connection.execute(insert(past), rows)
