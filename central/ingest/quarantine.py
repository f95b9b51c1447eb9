"""Looking into quarantine: what is kept, why, and what is inside."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from central.ingest.tables import quarantine
from central.platform.errors import NotFound, Refused
from shared.wire import Block, WireError, decode_batch, unpack_batch

SHOWN_BLOCKS = 20
"""Blocks of a body that `look_inside` shows."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries: of an edge, with a reason code; None for all. Discarded ones are another set than the others."""

    edge: str | None = None
    reason: str | None = None
    discarded: bool = False

    def conditions(self) -> list[Any]:
        """For a query on `quarantine`."""
        present = quarantine.c.discarded_at
        found: list[Any] = [present.is_not(None) if self.discarded else present.is_(None)]
        if self.edge is not None:
            found.append(quarantine.c.edge == self.edge)
        if self.reason is not None:
            found.append(quarantine.c.reason_code == self.reason)
        return found


def count_by_reason(connection: Connection, chosen: Filter) -> dict[str, int]:
    """Entries by reason code."""
    query = (
        select(quarantine.c.reason_code, func.count())
        .where(*chosen.conditions())
        .group_by(quarantine.c.reason_code)
        .order_by(quarantine.c.reason_code)
    )
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def find(connection: Connection, chosen: Filter, after: int, limit: int) -> list[Row[Any]]:
    """Entries with a higher id than `after`, oldest first, with the size instead of the body."""
    columns = [column for column in quarantine.c if column.name not in ("body", "digest", "user_properties")]
    query = (
        select(*columns, func.length(quarantine.c.body).label("size"))
        .where(quarantine.c.id > after, *chosen.conditions())
        .order_by(quarantine.c.id)
        .limit(limit)
    )
    return list(connection.execute(query))


def get(connection: Connection, entry_id: int) -> Row[Any]:
    """One entry, body and all; raises NotFound."""
    entry = connection.execute(select(quarantine).where(quarantine.c.id == entry_id)).first()
    if entry is None:
        raise NotFound(
            "quarantine_not_found", f"There is no entry {entry_id} in quarantine; it may be replayed already."
        )
    return entry


def discard(connection: Connection, entry_id: int, person: str, reason: str, at: datetime) -> Row[Any]:
    """Give an entry up: it is neither counted nor replayed any more, and stays with its bytes and the reason.

    Raises NotFound, or Refused where it was discarded already.
    """
    entry = connection.execute(select(quarantine).where(quarantine.c.id == entry_id).with_for_update()).first()
    if entry is None:
        raise NotFound(
            "quarantine_not_found", f"There is no entry {entry_id} in quarantine; it may be replayed already."
        )
    if entry.discarded_at is not None:
        raise Refused(
            "discarded",
            f"Entry {entry_id} was discarded by {entry.discarded_by} at {entry.discarded_at.isoformat()}: "
            f"{entry.discard_reason}",
        )
    return connection.execute(
        update(quarantine)
        .where(quarantine.c.id == entry_id)
        .values(discarded_at=at, discarded_by=person, discard_reason=reason)
        .returning(quarantine)
    ).one()


def look_inside(body: bytes) -> list[Block] | None:
    """The first blocks of a body, or None when it cannot be decoded."""
    try:
        blocks, _ = unpack_batch(decode_batch(body))
    except WireError:
        return None
    return blocks[:SHOWN_BLOCKS]
