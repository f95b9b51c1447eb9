"""Which commands were begun, and what became of them: one SQLite file beside the outbox.

An act is in the file, on disk, before it is done, and its result after. So a command that comes again gets its result
and nothing is done twice; and one that was begun when the agent died is known to be so.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from edge.errors import EdgeError
from shared.control.messages import CommandResult, decode_result, encode_result

NAME: Final = "commands.sqlite"
KEPT_MS: Final = 400 * 86_400_000
"""Results of acts are kept for so long after the command's expiry."""

T = TypeVar("T")

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS command (
        id TEXT PRIMARY KEY,
        message BLOB NOT NULL,       -- as it came, with its signature
        expires_ms INTEGER NOT NULL,
        begun_ms INTEGER NOT NULL,
        result BLOB                  -- NULL: begun, and not known to have ended
    ) WITHOUT ROWID
"""


class JournalError(EdgeError):
    """The journal of commands cannot be used: nothing that must happen once is done meanwhile."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that was begun."""

    id: str
    message: bytes
    result: CommandResult | None


def journal_path(outbox: Path | str) -> Path:
    """Where the journal of the agent with this outbox is."""
    return Path(outbox).with_name(NAME)


class Journal:
    """Async face of one file; verbs raise `JournalError`. What a verb returned from survives a power cut."""

    def __init__(self, path: Path | str, executor: ThreadPoolExecutor, db: sqlite3.Connection) -> None:
        self.path = Path(path)
        self._executor = executor
        self._db = db

    @classmethod
    async def open(cls, path: Path | str) -> "Journal":
        """Open or create the journal at `path`."""
        executor = ThreadPoolExecutor(1, "journal")

        def connect() -> sqlite3.Connection:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(_SCHEMA)
            return db

        try:
            return cls(path, executor, await asyncio.get_running_loop().run_in_executor(executor, connect))
        except (sqlite3.Error, OSError) as error:
            executor.shutdown(wait=False)
            raise JournalError(f"The journal of commands {path} cannot be used: {error}.") from None

    async def close(self) -> None:
        """Let what is being written finish, then close."""
        await self._run(self._db.close)
        self._executor.shutdown(wait=True)

    async def find(self, identifier: str) -> Entry | None:
        """The command with this id, if it was begun."""
        rows = await self._run(lambda: self._rows("WHERE id = ?", identifier))
        return rows[0] if rows else None

    async def unfinished(self) -> list[Entry]:
        """Commands that were begun and have no result."""
        return await self._run(lambda: self._rows("WHERE result IS NULL"))

    async def begin(self, identifier: str, message: bytes, expires_ms: int, now_ms: int) -> None:
        """Note, durably, that the act is about to be done."""
        row = (identifier, message, expires_ms, now_ms)
        await self._run(
            lambda: self._db.execute("INSERT INTO command (id, message, expires_ms, begun_ms) VALUES (?, ?, ?, ?)", row)
        )

    async def end(self, result: CommandResult) -> None:
        """Note the result; it stands from now on."""
        row = (encode_result(result), result.id)
        await self._run(lambda: self._db.execute("UPDATE command SET result = ? WHERE id = ? AND result IS NULL", row))

    async def prune(self, now_ms: int) -> int:
        """Forget what expired long ago; gives how many."""
        return await self._run(
            lambda: self._db.execute("DELETE FROM command WHERE expires_ms < ?", (now_ms - KEPT_MS,)).rowcount
        )

    def _rows(self, where: str, *parameters: str) -> list[Entry]:
        found = self._db.execute(f"SELECT id, message, result FROM command {where} ORDER BY begun_ms", parameters)  # noqa: S608 - constants only
        return [Entry(identifier, message, _result(result)) for identifier, message, result in found.fetchall()]

    async def _run(self, verb: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, verb)
        except sqlite3.Error as error:
            raise JournalError(f"The journal of commands {self.path} could not be used: {error}.") from None


def _result(stored: bytes | None) -> CommandResult | None:
    if stored is None:
        return None
    result = decode_result(stored)
    assert isinstance(result, CommandResult)
    return result
