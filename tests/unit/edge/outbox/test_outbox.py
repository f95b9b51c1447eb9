"""The outbox as tasks use it: group commit, one bad deposit among good ones."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.errors import OutboxError
from edge.outbox.model import Deposit
from edge.outbox.outbox import Outbox
from edge.outbox.store import OutboxStore
from shared.wire import Record
from tests.unit.edge.examples import interval_block, state_block


async def test_deposits_that_come_together_share_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = []
    plain = OutboxStore.deposit

    def counted(store: OutboxStore, deposits: Sequence[Deposit]) -> None:
        groups.append(len(deposits))
        plain(store, deposits)

    monkeypatch.setattr(OutboxStore, "deposit", counted)
    outbox = await Outbox.open(tmp_path / "o")
    changes = []
    outbox.on_change(lambda: changes.append(outbox.counts.pending))
    await asyncio.gather(*(outbox.deposit(Deposit([state_block("EA-1", n, n)])) for n in range(50)))
    assert outbox.counts.pending == 50
    assert sum(groups) == 50
    assert len(groups) <= 3
    assert changes[-1] == 50
    await outbox.close()


async def test_a_bad_deposit_fails_alone(tmp_path: Path) -> None:
    outbox = await Outbox.open(tmp_path / "o")
    results = await asyncio.gather(
        outbox.deposit(Deposit([state_block("EA-1", 1, 1)])),
        outbox.deposit(Deposit([interval_block("LU-1", 0, [2**40])])),
        outbox.deposit(Deposit([state_block("EA-1", 2, 2)])),
        return_exceptions=True,
    )
    assert isinstance(results[1], OutboxError)
    assert (results[0], results[2]) == (None, None)
    assert outbox.counts.pending == 2
    await outbox.close()


async def test_a_record_that_does_not_fit_the_wire_fails_alone(tmp_path: Path) -> None:
    outbox = await Outbox.open(tmp_path / "o")
    results = await asyncio.gather(
        outbox.deposit(Deposit([state_block("EA-1", 1, 1)])),
        outbox.deposit(Deposit(records=[Record("meter-event", "LU-1", 1, {"code": 2**64})])),
        outbox.deposit(Deposit(records=[Record("meter-event", "LU-1", 1, {"text": "\ud800"})])),
        return_exceptions=True,
    )
    assert results[0] is None
    assert all("The record meter-event at 1 does not fit the wire" in str(result) for result in results[1:]), results
    assert outbox.counts.pending == 1
    await outbox.close()


async def test_closing_waits_for_what_is_being_written(tmp_path: Path) -> None:
    outbox = await Outbox.open(tmp_path / "o")
    writing = asyncio.create_task(outbox.deposit(Deposit([state_block("EA-1", 1, 1)])))
    await asyncio.sleep(0)
    await outbox.close()
    await writing
    second = await Outbox.open(tmp_path / "o")
    assert second.counts.pending == 1
    await second.close()


async def test_a_disk_that_fails_is_told_in_a_sentence_and_the_next_deposit_may_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = await Outbox.open(tmp_path / "o")
    await outbox.deposit(Deposit([state_block("EA-1", 1, 1)]))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(OutboxStore, "_execute", full)
        with pytest.raises(OutboxError, match=r"The outbox .*/o could not be used: database or disk is full\."):
            await outbox.deposit(Deposit([state_block("EA-1", 2, 2)]))
        with pytest.raises(OutboxError, match="What it holds is kept"):
            await outbox.number(1, 64, 10_000)
        with pytest.raises(OutboxError):
            await outbox.acknowledge(1, 1, [], [], 0)
    await outbox.deposit(Deposit([state_block("EA-1", 3, 3)]))
    assert outbox.counts.pending == 2
    await outbox.close()
