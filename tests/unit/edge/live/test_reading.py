"""An agent's live series from samples to the outbox, on a bus that does jobs and a clock that is moved."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.bus.line import Line
from edge.bus.owner import Bus
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.device_state import DeviceState
from edge.drivers.testing import FakeMeter
from edge.errors import DeviceSilentError, OutboxError
from edge.inspect import committed_blocks, committed_records
from edge.live.reading import LiveReading
from edge.outbox.model import Deposit
from edge.outbox.outbox import Outbox
from edge.schedule import DeviceProgress
from shared.clock import EPOCH
from shared.testing import ManualClock
from shared.wire import decode_batch, unpack_batch
from tests.unit.edge.live.examples import NOON, live_device

M = 60_000


@pytest.fixture(autouse=True)
def short_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.live.reading.GROUP_S", 0.003)


class Rig:
    """FakeMeter EA-9 (its registers show the minutes since 1970), sampled each minute, blocks of two."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.clock = ManualClock(EPOCH + timedelta(milliseconds=NOON - 1))
        self.meter = FakeMeter(self.clock)
        self.bus = Bus("b", Line(ScriptedLink(), LineTiming(), time.monotonic))
        self.devices = {"EA-9": self.device()}
        self.has_room = True
        self.keeps_up = True
        self.reading = LiveReading(self.devices, outbox, self.clock, lambda: self.has_room, lambda: self.keeps_up)

    def device(self) -> DeviceState:
        config = live_device(M, block_s=120)
        return DeviceState(config, self.bus, self.meter, DeviceProgress())

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                await asyncio.sleep(0.002)

    async def sample(self, minute: int) -> None:
        """The clock comes to the minute after NOON, and a second on; the sample is taken."""
        before = self.samples
        self.clock.set(EPOCH + timedelta(milliseconds=NOON + minute * M + M // 2))
        await self.until(lambda: self.samples > before)

    async def pass_by(self, minute: int) -> None:
        """The clock comes to the minute and nothing is sampled."""
        self.clock.set(EPOCH + timedelta(milliseconds=NOON + minute * M + M // 2))
        await asyncio.sleep(0.01)

    @property
    def samples(self) -> int:
        found: int = self.reading.status().get("EA-9", {}).get("samples", 0)
        return found


@asynccontextmanager
async def running(path: Path, start: int = NOON - 1, **more: Any) -> AsyncIterator[Rig]:
    outbox = await Outbox.open(path)
    rig = Rig(outbox)
    rig.clock.set(EPOCH + timedelta(milliseconds=start))
    tasks = [asyncio.create_task(rig.bus.run()), asyncio.create_task(rig.reading.run())]
    try:
        await rig.until(lambda: "EA-9" in rig.reading.status())
        yield rig
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await outbox.close()


def blocks(path: Path) -> list[tuple[int, list[int]]]:
    """(Minute after NOON, values less those of NOON) of each block."""
    return [
        ((found.block.start_ms - NOON) // M, [value - NOON // M for value in found.block.values])
        for found in committed_blocks(path)
    ]


def gaps(path: Path) -> list[tuple[str, int, int]]:
    """(Kind, first minute after NOON, count) of each record."""
    return [(found.kind, (found.at - NOON) // M, int(str(found.data["count"]))) for found in committed_records(path)]


async def test_samples_come_into_the_outbox_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    async with running(path) as rig:
        for minute in range(5):
            await rig.sample(minute)
        until = EPOCH + timedelta(milliseconds=NOON + 4 * M)
        await rig.until(lambda: rig.devices["EA-9"].last_success == until)
    assert blocks(path) == [(0, [0, 1]), (2, [2, 3]), (4, [4])], "an agent that stops in order keeps what it has"
    assert gaps(path) == []


async def test_a_meter_that_fails_leaves_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"

    def silent() -> None:
        raise DeviceSilentError("nothing came")

    async with running(path) as rig:
        await rig.sample(0)
        rig.meter.fault = silent
        rig.clock.set(EPOCH + timedelta(milliseconds=NOON + M))
        await rig.until(lambda: rig.devices["EA-9"].failures == 1)
        await rig.pass_by(2)
        assert rig.devices["EA-9"].failures == 1, "it rests"
        rig.meter.fault = lambda: None
        rig.bus.probation.succeeded("EA-9")
        await rig.sample(3)
    assert blocks(path) == [(0, [0]), (3, [3])]
    assert gaps(path) == [("gap", 1, 2)]
    assert rig.devices["EA-9"].last_error == ""


async def test_what_a_killed_agent_had_in_memory_is_a_gap_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    async with running(path) as rig:
        for minute in range(3):
            await rig.sample(minute)
        await rig.until(lambda: rig.outbox.counts.pending == 1)
        rig.reading._targets.clear()  # as SIGKILL: minute 2 is in memory only
    async with running(path, NOON + 4 * M + 5) as rig:
        await rig.pass_by(4)
        await rig.sample(5)
    assert blocks(path) == [(0, [0, 1]), (5, [5])]
    assert gaps(path) == [("gap", 2, 3)]


async def test_without_room_nothing_is_sampled_and_the_gap_counted(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    async with running(path) as rig:
        await rig.sample(0)
        rig.has_room = False
        await rig.pass_by(1)
        rig.has_room = True
        await rig.sample(2)
    assert blocks(path) == [(0, [0]), (2, [2])]
    assert gaps(path) == [("gap", 1, 1)]


async def test_what_an_outage_leaves_behind_is_no_live_data(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    async with running(path) as rig:
        rig.keeps_up = False
        await rig.sample(0)
        await rig.sample(1)
        await rig.until(lambda: rig.outbox.counts.pending == 1)
        assert rig.outbox.counts.pending_live == 0
        rig.keeps_up = True
        await rig.sample(2)
        await rig.sample(3)
        await rig.until(lambda: rig.outbox.counts.pending == 2)
        batch = await rig.outbox.number(7, 1, 1_000_000)
        assert batch is not None
        (block,), _ = unpack_batch(decode_batch(batch.body))
    assert (block.start_ms - NOON) // M == 2, "what is read now goes before what waited"


async def test_what_the_disk_does_not_take_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "outbox.sqlite"

    async def full(deposit: Deposit) -> None:
        raise OutboxError("the disk is full")

    async with running(path) as rig:
        with monkeypatch.context() as patched:
            patched.setattr(rig.outbox, "deposit", full)
            await rig.sample(0)
            await rig.sample(1)
            await rig.until(lambda: rig.reading.status()["EA-9"]["missed"] == 2)
        await rig.sample(2)
    assert blocks(path) == [(2, [2])]
    assert gaps(path) == [("gap", 0, 2)]


async def test_devices_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    async with running(path) as rig:
        await rig.sample(0)
        rig.devices["EA-9"] = rig.device()
        await rig.until(lambda: "EA-9" in rig.reading.status() and rig.samples == 0)
        await rig.sample(1)
        del rig.devices["EA-9"]
        await rig.until(lambda: rig.reading.status() == {})
    assert blocks(path) == [(0, [0]), (1, [1])]
    assert gaps(path) == []
