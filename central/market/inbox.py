"""The inbox: everything that came in, with what became of it; written as a set."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select, text

from central.market.envelope import Envelope
from central.platform.copy_text import copy_in

_LOCK: Final = 0x727A760048
_MOST_LOCKS: Final = 20
_NUMBERS: Final = text("""
    SELECT nextval(pg_get_serial_sequence('market_inbox', 'id')) FROM generate_series(1, :count)
""")


@dataclass(frozen=True, slots=True)
class Kept:
    """Something received, and what became of it; `messages` are those of ours that it answers."""

    content: bytes
    outcome: str
    why: str
    envelope: Envelope | None = None
    messages: tuple[int, ...] = ()


def lock_all(connection: Connection, many: int) -> None:
    """Keep out all others before a large set: who has the lock of one could not get that of all any more."""
    if many > _MOST_LOCKS:
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def lock_identities(connection: Connection, identities: Iterable[tuple[str, str]]) -> None:
    """Let nobody else take what has the same sender and id until this transaction ends.

    A large set keeps out all others: a lock for each would not fit into the database's table of locks.
    """
    keys = sorted({_key(sender, identity) for sender, identity in identities})
    if not keys:
        return
    if len(keys) > _MOST_LOCKS:
        lock_all(connection, len(keys))
        return
    connection.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))
    for key in keys:
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def _key(sender: str, identity: str) -> int:
    return int.from_bytes(hashlib.sha256(f"market_inbox\0{sender}\0{identity}".encode()).digest()[:8], signed=True)


def keep_all(connection: Connection, kept: Sequence[Kept], at: datetime, person: str) -> list[int]:
    """Write what came in, in order; its numbers."""
    numbers = [int(number) for number in connection.execute(_NUMBERS, {"count": len(kept)}).scalars()]
    copy_in(
        connection,
        "market_inbox",
        (
            "id", "received_at", "person", "sender", "message_id", "message_code", "digest", "xml", "outcome", "why",
            "messages",
        ),
        (
            (
                number,
                at,
                person,
                each.envelope.sender.id if each.envelope else None,
                each.envelope.id if each.envelope else None,
                each.envelope.code if each.envelope else None,
                f"\\x{hashlib.sha256(each.content).hexdigest()}",
                f"\\x{each.content.hex()}",
                each.outcome,
                each.why,
                "{" + ",".join(map(str, each.messages)) + "}",
            )
            for number, each in zip(numbers, kept, strict=True)
        ),
    )  # fmt: skip
    return numbers
