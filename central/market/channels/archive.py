"""The archive in the database: keep, find, read; nothing in it ever changes. What waits for a reader is beside it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or

from central.market.channels.allowed import Environment
from central.market.channels.port import Destination, Direction, Exchanged, Incoming, Outgoing, Sealed, Verdict
from central.market.channels.tables import market_archive, market_aside, market_waiting_reply
from central.platform.database import transaction
from central.platform.errors import NotFound

MOST_REPLIES: Final = 100
"""Waiting replies that are read at once."""
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

    def keep_reply(self, exchanged: Exchanged) -> None:
        """See `port.Archive`."""
        with transaction(self._engine) as connection:
            number = keep(connection, exchanged)
            waits = insert(market_waiting_reply).values(
                archive=number, channel=exchanged.channel, environment=exchanged.environment
            )
            connection.execute(waits)

    def waiting_replies(self, destination: Destination, after: int = 0) -> Sequence[tuple[int, Exchanged]]:
        """See `port.Archive`; so many at once as fit into memory."""
        kept, waiting = market_archive, market_waiting_reply
        query = (
            select(kept)
            .join(waiting, waiting.c.archive == kept.c.id)
            .where(waiting.c.channel == destination.name, waiting.c.environment == destination.environment)
            .where(kept.c.id > after)
            .order_by(kept.c.id)
            .limit(MOST_REPLIES)
        )
        with transaction(self._engine) as connection:
            return [(row["id"], _exchanged(row)) for row in connection.execute(query).mappings()]

    def reply_is_taken(self, number: int) -> None:
        """See `port.Archive`."""
        with transaction(self._engine) as connection:
            connection.execute(delete(market_waiting_reply).where(market_waiting_reply.c.archive == number))

    def find_sent(self, destination: Destination, message: Outgoing) -> Sealed | None:
        """See `port.Archive`."""
        table = market_archive
        query = select(table.c.octets, table.c.identity, table.c.peer, table.c.signed, table.c.certificate).where(
            table.c.message_id == message.id,
            table.c.channel == destination.name,
            table.c.environment == destination.environment,
            table.c.direction == Direction.OUT,
            table.c.verdict == Verdict.SENT,
            table.c.content_sha256 == hashlib.sha256(message.xml).digest(),
        )
        with transaction(self._engine) as connection:
            row = connection.execute(query.order_by(table.c.id.desc()).limit(1)).one_or_none()
        return None if row is None else Sealed(*row)


def _exchanged(row: RowMapping) -> Exchanged:
    return Exchanged(
        Direction(row["direction"]),
        row["channel"],
        Environment(row["environment"]),
        row["at"],
        row["peer"],
        row["identity"],
        row["octets"],
        Verdict(row["verdict"]),
        row["signed"],
        certificate=row["certificate"],
        message_id=row["message_id"],
        why=row["why"],
    )


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


def is_aside_already(connection: Connection, incoming: Incoming) -> bool:
    """Whether just that was kept apart before."""
    table, octets = market_aside, incoming.octets[:KEPT_ASIDE]
    query = select(table.c.id).where(
        table.c.channel == incoming.channel,
        table.c.identity == _name(incoming.identity),
        table.c.sha256 == hashlib.sha256(octets).digest(),
    )
    return connection.execute(query).first() is not None


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


_LOCK: Final = text("""
    -- in one order, so that two never wait for each other
    SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(CAST(:keys AS bigint[])) AS key ORDER BY key) ordered
""")


def lock(connection: Connection, incomings: Sequence[Incoming]) -> None:
    """Until the transaction ends, nobody else takes the same deliveries or the same contents of the same channel.

    Two processes that look at one mailbox must not both read the same message; all others pass by each other.
    """
    names = set()
    for incoming in incomings:
        where = f"{incoming.channel}\0{incoming.environment}"
        names.add(f"identity\0{where}\0{_name(incoming.identity)}")
        if incoming.content is not None:
            names.add(f"content\0{where}\0{hashlib.sha256(incoming.content).hexdigest()}")
    keys = sorted({int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True) for name in names})
    connection.execute(_LOCK, {"keys": keys})


def earlier(connection: Connection, incoming: Incoming) -> int | None:
    """Number of what was opened before with the same content from the same channel, under whatever identity."""
    table = market_archive
    if incoming.content is None:
        return None
    digest = hashlib.sha256(incoming.content).digest()
    query = select(table.c.id).where(
        table.c.content_sha256 == digest,
        table.c.verdict == Verdict.OPENED,
        table.c.direction == Direction.IN,
        table.c.channel == incoming.channel,
        table.c.environment == incoming.environment,
    )
    return connection.execute(query.order_by(table.c.id).limit(1)).scalar_one_or_none()


def is_signature_known(connection: Connection, incoming: Incoming) -> bool:
    """Whether the very same signed part came before from the same channel: then what is around it proves nobody.

    Of web services its name says so: it is made of what their signature holds, however the rest is written.
    """
    table = market_archive
    if incoming.content is None:
        return False
    named = table.c.identity == _name(incoming.identity)
    query = select(table.c.id).where(
        table.c.content_sha256 == hashlib.sha256(incoming.content).digest(),
        table.c.direction == Direction.IN,
        table.c.channel == incoming.channel,
        table.c.environment == incoming.environment,
        named if incoming.signed is None else table.c.signed == incoming.signed,
    )
    return connection.execute(query.limit(1)).first() is not None


def same_delivery(connection: Connection, incoming: Incoming) -> tuple[int, Verdict] | None:
    """Number and verdict of exactly these octets under this identity, the most favourable verdict of several: what was
    committed and not yet confirmed comes again so, and what was refused and is tried again.
    """
    table = market_archive
    query = select(table.c.id, table.c.verdict).where(
        table.c.direction == Direction.IN,
        table.c.channel == incoming.channel,
        table.c.environment == incoming.environment,
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
        table.c.environment == incoming.environment,
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
    """A name from outside, as it can be stored: file names may hold octets that are no letters."""
    return text.replace("\0", "�")[:_MOST_NAME].encode("utf-8", "replace").decode()
