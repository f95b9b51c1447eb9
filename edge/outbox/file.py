"""The outbox file itself: lock, schema, transactions, counts. What is done to it is in store.py."""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from edge.errors import OutboxError
from edge.outbox.migrate import from_1
from edge.outbox.model import BatchState, Counts

VERSION: Final = "2"
SCHEMA: Final = Path(__file__).with_name("schema.sql")


class OutboxFile:
    """One open outbox file. Raises `OutboxError` if it cannot be opened or another agent has it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.counts = Counts()
        self._lock = self._take_lock()
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._create()
        except sqlite3.Error as error:
            os.close(self._lock)
            raise OutboxError(f"The outbox {self.path} cannot be used: {error}.") from None
        self._count()

    def close(self) -> None:
        """Close the file; the lock goes with it."""
        self._db.close()
        os.close(self._lock)

    def _take_lock(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise OutboxError(f"The outbox {self.path} is in use by another agent; stop that one first.") from None
        return lock

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._db.execute(sql, parameters)

    def _executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._db.executemany(sql, rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            # Also a commit that fails (full disk) may leave the transaction open, and none could begin any more.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _create(self) -> None:
        found = self._db.execute("SELECT name FROM sqlite_master WHERE name = 'meta'").fetchone()
        statements = [each for each in SCHEMA.read_text(encoding="utf-8").split(";\n") if each.strip()]
        if found is None:
            with self._transaction():
                for statement in statements:
                    self._execute(statement)
                self._set_meta("version", VERSION)
        elif self.meta("version") == "1":
            with self._transaction():
                from_1(self._execute, statements)
                self._set_meta("version", VERSION)
        version = self.meta("version")
        if version != VERSION:
            raise OutboxError(f"The outbox {self.path} has version {version}; this agent knows version {VERSION}.")

    def _count(self) -> None:
        states = dict(self._db.execute("SELECT state, count(*) FROM batch GROUP BY state"))
        self.counts = Counts(
            pending=self._db.execute("SELECT count(*) FROM pending").fetchone()[0],
            pending_live=self._db.execute("SELECT count(*) FROM pending WHERE lane = 0").fetchone()[0],
            unacked=states.get(BatchState.UNACKED, 0),
            acked=states.get(BatchState.ACKED, 0),
            reoffered=states.get(BatchState.REOFFERED, 0),
            refused=self._db.execute("SELECT count(*) FROM refused").fetchone()[0],
        )

    def meta(self, key: str) -> str | None:
        """A remembered value: `version`, `incarnation` (central's, last heard of), `acquainted`, marks of deposits."""
        row = self._execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, key: str, value: str) -> None:
        self._execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )
