"""Invocation counters of the concentrator's keys, kept so that none is ever used twice: not after a crash, not by two
meters that share a key.

A block of numbers is reserved on disk before the first of it is used; after a restart counting goes on behind the
block. One repeated number breaks GCM, so nothing is sent where the file cannot be written. Counters belong to the key
and our system title, not to the meter: the two make up what must not repeat.
"""

import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Final

from edge.dlms.errors import CounterLostError
from shared.dlms.ciphering import MAX_COUNTER

BLOCK: Final = 256
"""Numbers reserved at a time: an fsync for so many messages, and at most so many numbers lost by a restart."""
MAX_JUMP: Final = 1 << 28
"""A meter's counter so far ahead of ours is not believed: it is read unprotected, and following it uses up the key."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS invocation_counter (
    owner BLOB PRIMARY KEY,      -- SHA-256 of our system title and the key
    reserved INTEGER NOT NULL    -- numbers up to this one may have been used
) STRICT
"""
_RESERVE: Final = """
INSERT INTO invocation_counter (owner, reserved) VALUES (:owner, :floor + :block)
ON CONFLICT (owner) DO UPDATE SET reserved = max(reserved, :floor) + :block
RETURNING reserved
"""


class CounterStore:
    """The counters in one file. Its methods wait for the disk, a few ms once in `block` messages."""

    def __init__(self, path: Path | str, block: int = BLOCK) -> None:
        self._path = str(path)
        self._block = block
        self._counters: dict[bytes, InvocationCounter] = {}
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise self._lost(error) from None

    def counter(self, title: bytes, key: bytes, start: int = 0) -> "InvocationCounter":
        """The counter of `key` in messages of the sender `title`, always the same object; a key that the file does not
        know begins behind `start`.
        """
        owner = sha256(len(title).to_bytes(1) + title + key).digest()
        found = self._counters.get(owner)
        if found is None:
            found = self._counters[owner] = InvocationCounter(self, owner, start)
        return found

    def reserve(self, owner: bytes, floor: int) -> range:
        """Numbers for `owner` alone, all greater than `floor` and than any before; on disk when this returns."""
        values = {"owner": owner, "floor": floor, "block": self._block}
        try:
            # One statement is one transaction: two processes on one file get numbers of their own.
            ((reserved,),) = self._db.execute(_RESERVE, values).fetchall()
        except sqlite3.Error as error:
            raise self._lost(error) from None
        if reserved > MAX_COUNTER:
            raise CounterLostError("The invocation counter of a key is used up; the meter needs new keys.")
        return range(reserved - self._block + 1, reserved + 1)

    def reserved(self, owner: bytes) -> int | None:
        """Where the reserved numbers of `owner` end; None if the file does not know it."""
        try:
            row = self._db.execute("SELECT reserved FROM invocation_counter WHERE owner = ?", (owner,)).fetchone()
        except sqlite3.Error as error:
            raise self._lost(error) from None
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Close the file; counters that were handed out cannot reserve any more."""
        self._db.close()

    def _lost(self, error: sqlite3.Error) -> CounterLostError:
        return CounterLostError(
            f"The invocation counters in {self._path} cannot be kept ({error}); nothing is sent with a key whose next "
            "number is not known."
        )


class InvocationCounter:
    """Numbers for one key; made by `CounterStore.counter`."""

    def __init__(self, store: CounterStore, owner: bytes, start: int) -> None:
        self._store = store
        self._owner = owner
        self._free = iter(range(0))
        self._floor = start if store.reserved(owner) is None else 0
        self._last = 0

    def next(self) -> int:
        """A number that was never given before, greater than all that were. Raises CounterLostError."""
        number = next(self._free, None)
        if number is None:
            self._free = iter(self._store.reserve(self._owner, self._floor))
            number = next(self._free)
        self._last = number
        return number

    def follow(self, counter: int) -> None:
        """The meter has seen `counter`: what is given next is greater. Raises CounterLostError if that is too far."""
        ours = max(self._last, self._floor, self._store.reserved(self._owner) or 0)
        if counter - ours > MAX_JUMP:
            raise CounterLostError(
                f"The meter shows the invocation counter {counter}, ours stands at {ours}; that is too far ahead to be "
                "believed. Check the counter object, or renew the keys."
            )
        if counter > max(self._last, self._floor):
            self._floor = counter
            self._free = iter(number for number in self._free if number > counter)
