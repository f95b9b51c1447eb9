"""The archive in the database: keep, find, read; nothing in it ever changes."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from central.market.channels.port import Direction, Exchanged, Incoming, Verdict
from central.market.channels.tables import market_archive, market_aside
from central.platform.database import transaction
from central.platform.errors import NotFound

KEPT_ASIDE: Final = 256 * 1024
"""Octets that are kept of what is no message for us."""
_MOST_NAME: Final = 1000


class DatabaseArchive:
    """Keeps each exchange in a transaction of its own, before the octets leave."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, exchanged: Exchanged) -> None:
        """See `port.Archive`."""
        with transaction(self._engine) as connection:
            keep(connection, exchanged)


def keep(connection: Connection, exchanged: Exchanged) -> int:
    """Write one exchange into the archive; its number."""
    content = exchanged.content
    row = {
        "direction": exchanged.direction,
        "channel": exchanged.channel,
        "environment": exchanged.environment,
        "at": exchanged.at,
        "peer": _name(exchanged.peer),
        "identity": _name(exchanged.identity),
        "message_id": exchanged.message_id,
        "octets": exchanged.octets,
        "sha256": hashlib.sha256(exchanged.octets).digest(),
        "signed": exchanged.signed,
        "content_sha256": None if content is None else hashlib.sha256(content).digest(),
        "certificate": exchanged.certificate,
        "verdict": exchanged.verdict,
        "why": exchanged.why,
    }
    return int(connection.execute(insert(market_archive).values(row).returning(market_archive.c.id)).scalar_one())


def keep_aside(connection: Connection, incoming: Incoming, why: str, at: datetime) -> None:
    """Keep what is no message for us apart from the archive, once."""
    octets = incoming.octets[:KEPT_ASIDE]
    row = {
        "channel": incoming.channel,
        "at": at,
        "peer": _name(incoming.peer),
        "identity": _name(incoming.identity),
        "octets": octets,
        "sha256": hashlib.sha256(octets).digest(),
        "why": why,
    }
    connection.execute(insert_or(market_aside).values(row).on_conflict_do_nothing())


def earlier(connection: Connection, incoming: Incoming) -> int | None:
    """Number of what was opened before with the same content from the same channel, under whatever identity."""
    table = market_archive
    if incoming.content is None:
        return None
    digest = hashlib.sha256(incoming.content).digest()
    query = select(table.c.id).where(
        table.c.content_sha256 == digest, table.c.verdict == Verdict.OPENED, table.c.direction == Direction.IN
    )
    return connection.execute(query.order_by(table.c.id).limit(1)).scalar_one_or_none()


def same_delivery(connection: Connection, incoming: Incoming) -> tuple[int, Verdict] | None:
    """Number and verdict of exactly these octets under this identity, the most favourable verdict of several: what was
    committed and not yet confirmed comes again so, and what was refused and is tried again.
    """
    table = market_archive
    query = select(table.c.id, table.c.verdict).where(
        table.c.direction == Direction.IN,
        table.c.channel == incoming.channel,
        table.c.identity == _name(incoming.identity),
        table.c.sha256 == hashlib.sha256(incoming.octets).digest(),
        table.c.verdict != Verdict.REPLY,
    )
    row = connection.execute(query.order_by(table.c.verdict == Verdict.REFUSED, table.c.id).limit(1)).one_or_none()
    return None if row is None else (int(row.id), Verdict(row.verdict))


def identity_taken(connection: Connection, incoming: Incoming) -> int | None:
    """Number of something else that was opened under the same identity of this channel."""
    table = market_archive
    query = select(table.c.id).where(
        table.c.direction == Direction.IN,
        table.c.channel == incoming.channel,
        table.c.identity == _name(incoming.identity),
        table.c.verdict == Verdict.OPENED,
    )
    return connection.execute(query.order_by(table.c.id).limit(1)).scalar_one_or_none()


def require(connection: Connection, number: int) -> RowMapping:
    """One exchange with its octets; NotFound."""
    row = connection.execute(select(market_archive).where(market_archive.c.id == number)).mappings().one_or_none()
    if row is None:
        raise NotFound("archived_not_found", f"There is nothing with the number {number} in the market archive.")
    return row


def find_aside(connection: Connection, after: int, limit: int) -> Sequence[RowMapping]:
    """What is kept apart, by number upwards, without its octets."""
    table = market_aside
    columns = [column for column in table.c if column.name not in {"octets", "sha256"}]
    query = select(*columns, func.octet_length(table.c.octets).label("size"))
    return connection.execute(query.where(table.c.id > after).order_by(table.c.id).limit(limit)).mappings().all()


def drop_aside(connection: Connection, before: datetime) -> int:
    """Delete what was kept apart before that instant; how many."""
    return connection.execute(delete(market_aside).where(market_aside.c.at < before)).rowcount


def _name(text: str) -> str:
    """A name from outside, as it can be stored."""
    return text.replace("\0", "�")[:_MOST_NAME]
