"""The outbox as the agent's tasks use it: one writer thread, deposits of all buses committed in groups."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from edge.errors import OutboxError
from edge.outbox.model import (
    Acknowledged,
    Address,
    BatchState,
    Closed,
    Counts,
    Deposit,
    Dropped,
    Lane,
    NumberedBatch,
    Ranges,
    RegisterStretch,
    encode_block,
    encode_record,
)
from edge.outbox.progress import Register
from edge.outbox.store import OutboxStore
from edge.schedule import DeviceProgress
from edge.timeline import Span

T = TypeVar("T")


class Outbox:
    """Async face of one `OutboxStore`. Each verb raises `OutboxError` where the file fails (disk full, broken): it is
    then undone as a whole, and may be tried again.
    """

    def __init__(self, store: OutboxStore, executor: ThreadPoolExecutor) -> None:
        self._store = store
        self._executor = executor
        self._waiting: list[tuple[Deposit, asyncio.Future[None]]] = []
        self._flush: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    async def open(cls, path: Path | str) -> "Outbox":
        """Open or create the outbox at `path`; raises `OutboxError`."""
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        store = await asyncio.get_running_loop().run_in_executor(executor, OutboxStore, path)
        return cls(store, executor)

    async def close(self) -> None:
        """Let what is being written finish, then close."""
        while self._flush is not None:
            await asyncio.wait([self._flush])
        await self._run(self._store.close)
        self._executor.shutdown(wait=True)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the loop after each change."""
        self._listeners.append(listener)

    @property
    def counts(self) -> Counts:
        """What it holds."""
        return self._store.counts

    async def deposit(self, deposit: Deposit) -> None:
        """Returns when `deposit` is on disk. Deposits that come while another commit runs share the next one."""
        for block in deposit.blocks:
            encode_block(block)  # what cannot be stored fails its own deposit, not the whole group
        for record in deposit.records:
            encode_record(record)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((deposit, done))
        if self._flush is None:
            self._flush = asyncio.create_task(self._commit_groups(), name="outbox-commit")
        await done

    async def _commit_groups(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                try:
                    await self._run(self._store.deposit, [deposit for deposit, _ in group])
                except Exception as error:
                    known = isinstance(error, OutboxError)
                    reason = str(error) if known else f"The outbox could not be written: {error!r}."
                    for _, done in group:
                        if not done.done():
                            done.set_exception(OutboxError(reason))
                    continue
                for _, done in group:
                    if not done.done():
                        done.set_result(None)
                self._tell()
        finally:
            self._flush = None

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    async def _run(self, verb: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, verb, *arguments)
        except sqlite3.Error as error:
            raise OutboxError(
                f"The outbox {self._store.path} could not be used: {error}. What it holds is kept; see to its disk."
            ) from None

    async def progress(self) -> dict[str, DeviceProgress]:
        """See `OutboxStore.progress`."""
        return await self._run(self._store.progress)

    async def live_marks(self) -> dict[str, int]:
        """See `OutboxStore.live_marks`."""
        return await self._run(self._store.live_marks)

    async def meta(self, key: str) -> str | None:
        """See `OutboxStore.meta`."""
        return await self._run(self._store.meta, key)

    async def remember(self, key: str, value: str) -> None:
        """See `OutboxStore.remember`."""
        await self._run(self._store.remember, key, value)

    async def number(
        self, epoch: int, max_blocks: int, max_bytes: int, last_lane: Lane = Lane.BACKFILL
    ) -> NumberedBatch | None:
        """See `OutboxStore.number`."""
        batch = await self._run(self._store.number, epoch, max_blocks, max_bytes, last_lane)
        self._tell()
        return batch

    async def body(self, address: Address) -> bytes | None:
        """See `OutboxStore.body`."""
        return await self._run(self._store.body, address)

    async def held(self, state: BatchState | None = None, most: int = -1) -> list[Address]:
        """See `OutboxStore.held`."""
        return await self._run(self._store.held, state, most)

    async def held_ranges(self) -> Ranges:
        """See `OutboxStore.held_ranges`."""
        return await self._run(self._store.held_ranges)

    async def acknowledge(
        self,
        epoch: int,
        upto: int,
        beyond: Sequence[tuple[int, int]],
        refused: Sequence[tuple[int, int, str]],
        now_ms: int,
    ) -> Acknowledged:
        """See `OutboxStore.acknowledge`."""
        done = await self._run(self._store.acknowledge, epoch, upto, beyond, refused, now_ms)
        self._tell()
        return done

    async def offer_again(self, incarnation: str) -> int:
        """See `OutboxStore.offer_again`."""
        count = await self._run(self._store.offer_again, incarnation)
        self._tell()
        return count

    async def read_again(self, stretches: Sequence[RegisterStretch]) -> None:
        """See `OutboxStore.read_again`."""
        await self._run(self._store.read_again, stretches)

    async def reconcile(
        self, registers: Mapping[Register, bool], evidence: Mapping[Register, Sequence[Span]], window: Span
    ) -> int:
        """See `OutboxStore.reconcile`."""
        return await self._run(self._store.reconcile, registers, evidence, window)

    async def closed(self, ranges: Ranges) -> Closed:
        """See `OutboxStore.closed`."""
        result = await self._run(self._store.closed, ranges)
        self._tell()
        return result

    async def prune(self, acked_before_ms: int, budget_bytes: int) -> int:
        """See `OutboxStore.prune`."""
        gone = await self._run(self._store.prune, acked_before_ms, budget_bytes)
        self._tell()
        return gone

    async def drop_pending(self, budget_bytes: int, now_ms: int) -> list[Dropped]:
        """See `OutboxStore.drop_pending`."""
        dropped = await self._run(self._store.drop_pending, budget_bytes, now_ms)
        self._tell()
        return dropped

    async def used_bytes(self) -> int:
        """See `OutboxStore.used_bytes`."""
        return await self._run(self._store.used_bytes)
