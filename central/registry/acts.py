"""How a record with validity is revised: seen state, preview, what it touches, versions, record of the act."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping

from central.platform import audit
from central.platform.change import Preview, look, sentence, weigh
from central.platform.etag import etag_of, require_match
from central.platform.hooks import HOOKS, Change
from central.platform.identity import Person
from central.platform.plain import plain
from central.registry.versions import Version, Versioned, read_versions, store_versions
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks for a change, which state they have seen, and whether they know what it touches."""

    person: Person
    clock: Clock
    if_match: str | None
    why: str
    preview: bool = False
    confirmed: bool = False
    subject: str | None = None
    """The subject under which the act is recorded; without it kind and name."""


def tag_of(connection: Connection, kept: Versioned, row: RowMapping) -> str:
    """The ETag of a record with all its versions: also a change of its past is seen."""
    return etag_of(seen(connection, kept, row))


def revise(
    connection: Connection,
    kept: Versioned,
    row: RowMapping,
    versions: Sequence[Version],
    change: Change,
    ask: Ask,
) -> Preview | None:
    """Make `versions` those of the locked `row`, or only say what would be touched.

    428 and 412 without the record's tag, 409 when a room objects or when something touched was not confirmed.
    """
    what = f"the {change.kind.replace('_', ' ')} {change.name}"
    require_match(ask.if_match, seen(connection, kept, row), what)
    before = _told(read_versions(connection, kept, row["id"]))
    after = _told(versions)
    if ask.preview:
        return look(connection, change, before, after)
    touched = weigh(connection, change, confirmed=ask.confirmed)
    store_versions(connection, kept, row["id"], versions)
    record(connection, change, ask, before, after, [sentence(each) for each in touched])
    return None


def record(
    connection: Connection,
    change: Change,
    ask: Ask,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    touched: Sequence[str] = (),
) -> None:
    """Write the act with before, after and why, and tell who wants to know."""
    details = {"since": plain(change.since), "until": plain(change.until), "touched": list(touched)}
    subject = ask.subject or f"{change.kind}/{change.name}"
    audit.record(
        connection,
        ask.person,
        f"{change.kind}.{change.act}",
        subject,
        details,
        ask.clock.now(),
        before=before,
        after=after,
        why=ask.why,
    )
    HOOKS.publish(connection, f"{change.kind}.{change.act}", {"id": change.id, "name": change.name, **details})


def changed_fields(versions: Sequence[Version], since: date, changes: Mapping[str, Any]) -> frozenset[str]:
    """Which facts get another value on `since`."""
    held = [version for version in versions if version.since is None or version.since <= since]
    return frozenset(name for name, value in changes.items() if not held or held[-1].facts.get(name) != value)


def seen(connection: Connection, kept: Versioned, row: RowMapping) -> dict[str, Any]:
    """What a tag of a record is made from: the row and all its versions."""
    return {"row": dict(row), "versions": _told(read_versions(connection, kept, row["id"]))}


def _told(versions: Sequence[Version]) -> dict[str, Any]:
    return {"versions": [{"since": plain(version.since), **plain(version.facts)} for version in versions]}
