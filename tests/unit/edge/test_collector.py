"""From what is due to what is in the outbox: rounds, gaps, back-fill, faults of meters and lines."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from edge import inspect
from edge.blocks import ms
from edge.bus.line import Line
from edge.bus.owner import Bus
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.collector import Collector
from edge.config import ProfileConfig, StateRegister
from edge.device_state import DeviceState, round_reached
from edge.drivers.port import DayPart, ProfileDay, StateReading
from edge.drivers.testing import FakeMeter
from edge.errors import DeviceSilentError, LineDownError, OutboxError
from edge.outbox.model import Deposit, RegisterStretch
from edge.outbox.outbox import Outbox
from edge.schedule import DeviceProgress
from edge.timeline import Known, Stretch
from shared.quantities import Flag, Kind
from shared.testing import ManualClock
from shared.wire import MARK_HISTORICAL, MARK_REREAD, Block
from tests.unit.edge.examples import MARCH, device

QUARTER = timedelta(minutes=15)


class Plant:
    """A collector with meters in memory, two buses, an outbox."""

    def __init__(self, path: Path, outbox: Outbox, clock: ManualClock) -> None:
        self.path = path
        self.clock = clock
        self.outbox = outbox
        self.links = {"hdlc": ScriptedLink(), "rtu": ScriptedLink()}
        self.buses = {name: Bus(name, Line(link, LineTiming(), time.monotonic)) for name, link in self.links.items()}
        self.meters = {name: FakeMeter(clock) for name in ("LU-1", "EA-1", "EA-2")}
        self.devices = {
            name: DeviceState(device(name), self.buses["hdlc" if name == "LU-1" else "rtu"], meter, DeviceProgress())
            for name, meter in self.meters.items()
        }
        self.acquainted = True
        self.has_room = True
        self.keeps_up = True
        self.collector = Collector(
            self.devices,
            outbox,
            clock,
            acquainted=lambda: self.acquainted,
            has_room=lambda: self.has_room,
            keeps_up=lambda: self.keeps_up,
        )

    def blocks(self, name: str) -> list[Block]:
        return [each.block for each in inspect.committed_blocks(self.path) if each.block.key.device == name]

    def samples(self, name: str) -> list[tuple[float, list[int] | None]]:
        return [
            ((block.start_ms - ms(MARCH)) / 60_000, list(block.quality) if block.quality is not None else None)
            for block in self.blocks(name)
            if block.key.kind is Kind.STATE
        ]

    def gaps(self, name: str) -> list[tuple[float, object]]:
        records = inspect.committed_records(self.path)
        return [((r.at - ms(MARCH)) / 60_000, r.data["count"]) for r in records if (r.kind, r.device) == ("gap", name)]


async def until(holds: Callable[[], object], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def plant(path: Path, clock: ManualClock) -> AsyncIterator[Plant]:
    outbox = await Outbox.open(path)
    found = Plant(path, outbox, clock)
    for name, progress in (await outbox.progress()).items():
        found.devices[name].progress = progress
    tasks = [asyncio.create_task(run()) for run in (*(b.run for b in found.buses.values()), found.collector.run)]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await outbox.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MARCH)


@pytest.fixture(autouse=True)
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.health.FIRST_S", 0.02)
    monkeypatch.setattr("edge.collector.LINE_RETRY_S", 0.02)
    monkeypatch.setattr("edge.collector.TAIL_RETRY_S", 0.05)
    monkeypatch.setattr("edge.collector.TICK_S", 0.005)


def caught_up(plant: Plant) -> bool:
    """All days that are over are read."""
    meter = plant.devices["LU-1"]
    return meter.looked_at is not None and meter.looked_at >= plant.clock.now() - QUARTER and meter.days_left == 0


def reached(plant: Plant, schedule: str = "quarter-hour") -> object:
    return round_reached(plant.devices, schedule)[1]


async def test_rounds_across_a_restart_with_a_standing_clock(path: Path, clock: ManualClock) -> None:
    for n in range(4):
        clock.set(MARCH + n * QUARTER)
        async with plant(path, clock) as found:
            await until(lambda: reached(found) == clock.now())
            await asyncio.sleep(0.03)
    assert found.samples("EA-1") == [(0.0, None), (15.0, None), (30.0, None), (45.0, None)]
    assert found.samples("LU-1") == [(0.0, None)], "the month's state"
    assert found.gaps("EA-1") == []


async def test_samples_of_an_outage_are_a_backlog(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        await until(lambda: reached(found) == clock.now())
        before = found.outbox.counts.pending_live
        found.keeps_up = False
        clock.advance(QUARTER)
        await until(lambda: reached(found) == clock.now())
        assert found.outbox.counts.pending_live == before
        found.keeps_up = True
        clock.advance(QUARTER)
        await until(lambda: reached(found) == clock.now())
        assert found.outbox.counts.pending_live > before


async def test_what_was_missed_while_the_agent_was_down_is_a_gap(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        await until(lambda: reached(found) == MARCH)
    clock.set(MARCH + 4 * QUARTER)
    async with plant(path, clock) as found:
        await until(lambda: reached(found) == clock.now())
    assert found.samples("EA-2") == [(0.0, None), (60.0, None)]
    assert found.gaps("EA-2") == [(15.0, 3)]


async def test_a_clock_that_was_ahead_costs_no_sample(path: Path, clock: ManualClock) -> None:
    ahead = MARCH + timedelta(days=2)
    clock.set(ahead)
    async with plant(path, clock) as found:
        await until(lambda: reached(found) == ahead)
    clock.set(MARCH)
    async with plant(path, clock) as found:
        for _ in range(3):
            await until(lambda: reached(found) == clock.now())
            clock.advance(QUARTER)
    assert sorted({at for at, _ in found.samples("EA-1")}) == [0, 15, 30, 2 * 24 * 60]
    (told,) = [r for r in inspect.committed_records(path) if (r.kind, r.device) == ("clock-went-back", "EA-1")]
    assert told.data["sampled_until"] == ms(ahead)


async def test_a_clock_that_goes_back_a_little_samples_nothing_twice(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        await until(lambda: reached(found) == MARCH)
        clock.set(MARCH - timedelta(seconds=20))
        await asyncio.sleep(0.03)
        clock.set(MARCH + QUARTER)
        await until(lambda: reached(found) == clock.now())
    assert [at for at, _ in found.samples("EA-1")] == [0, 15]


async def test_a_month_is_read_newest_first_and_each_value_once(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=12))
    async with plant(path, clock) as found:
        await until(lambda: caught_up(found))
        dates = [day.date for day in found.meters["LU-1"].days_read]
    assert dates == [date(2026, 3, 12) - timedelta(days=n) for n in range(12)]
    assert found.meters["LU-1"].sessions < 6, "a session reads several days"
    blocks = [block for block in found.blocks("LU-1") if block.key.kind is Kind.INTERVAL]
    values = [v for block in blocks if block.key.register == "1-0:1.29.0" for v in block.values]
    assert sorted(values) == [(ms(MARCH) + n * 900_000) // 60_000 for n in range(12 * 96)]
    assert {block.marks for block in blocks} == {MARK_HISTORICAL}


async def test_a_day_whose_last_row_is_not_there_yet_is_asked_for_again(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=2))
    async with plant(path, clock) as found:
        meter = found.meters["LU-1"]
        last = ms(MARCH + timedelta(days=2)) - 900_000
        meter.left_out = {last}
        await until(lambda: len(meter.days_read) >= 4)
        assert found.devices["LU-1"].days_left == 1, "the day before is in"
        meter.left_out = set()
        await until(lambda: caught_up(found))
    blocks = [block for block in found.blocks("LU-1") if block.key.kind is Kind.INTERVAL]
    assert sorted(len(block.values) for block in blocks) == [1, 1, 95, 95, 96, 96]


async def test_a_hole_stays_a_hole(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=1))
    async with plant(path, clock) as found:
        found.meters["LU-1"].left_out = {ms(MARCH) + 7 * 900_000}
        await until(lambda: caught_up(found))
    intervals = [b for b in found.blocks("LU-1") if b.key.register == "1-0:1.29.0"]
    assert [len(block.values) for block in intervals] == [7, 88]
    assert [r.kind for r in inspect.committed_records(path)] == ["hole"]


async def test_a_meter_that_fails_rests_and_others_are_read(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        fails = 3

        def fault() -> None:
            nonlocal fails
            if fails:
                fails -= 1
                raise DeviceSilentError("no answer")

        found.meters["EA-1"].fault = fault
        await until(lambda: found.samples("EA-2"))
        await until(lambda: reached(found) == MARCH)
        assert found.devices["EA-1"].failures == 3
        assert found.devices["EA-1"].health.failures == 0
        assert found.devices["EA-2"].failures == 0


async def test_a_late_sample_is_flagged_and_a_lost_one_is_a_gap(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        dead = True

        def fault() -> None:
            if dead:
                raise DeviceSilentError("no answer")

        found.meters["EA-1"].fault = fault
        await until(lambda: found.devices["EA-1"].failures >= 2)
        clock.set(MARCH + QUARTER + timedelta(minutes=5))
        await until(lambda: found.gaps("EA-1"))
        dead = False
        await until(lambda: found.samples("EA-1"))
    assert found.gaps("EA-1") == [(0.0, 1)]
    assert found.samples("EA-1") == [(20.0, [Flag.LATE])]


async def test_a_line_that_is_down_is_no_fault_of_its_meters(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        broken = True

        def fault() -> None:
            if broken:
                raise LineDownError("cable")

        found.meters["EA-1"].fault = fault
        await until(lambda: found.links["rtu"].opened > 2)
        broken = False
        await until(lambda: reached(found) == MARCH)
        assert found.devices["EA-1"].failures == 0


async def test_a_fault_of_ours_with_one_meter_ends_nothing(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        faults = [ZeroDivisionError("oops"), KeyError("oops")]

        def fault() -> None:
            if faults:
                raise faults.pop()

        found.meters["EA-1"].fault = fault
        await until(lambda: reached(found) == MARCH)
        assert found.devices["EA-1"].failures == 2


async def test_days_to_be_read_again_are_marked(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=2))
    async with plant(path, clock) as found:
        await until(lambda: caught_up(found))
        again = Stretch(ms(MARCH), ms(MARCH + timedelta(days=1)), Known.AGAIN)
        lost = [RegisterStretch("LU-1", name, again) for name in ("1-0:1.29.0", "1-0:3.29.0")]
        await found.outbox.read_again(lost)
        found.collector.days_changed()
        await until(lambda: len(found.meters["LU-1"].days_read) == 3 and caught_up(found))
    marks = [b.marks for b in found.blocks("LU-1") if b.key.kind is Kind.INTERVAL]
    assert marks.count(MARK_HISTORICAL | MARK_REREAD) == 2
    assert len(marks) == 6


async def test_before_central_was_heard_everything_is_marked(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=1))
    async with plant(path, clock) as found:
        found.acquainted = False
        await until(lambda: caught_up(found))
    assert {b.marks for b in found.blocks("LU-1") if b.key.kind is Kind.INTERVAL} == {MARK_HISTORICAL | MARK_REREAD}


async def test_a_full_outbox_stops_reading_and_the_missed_sample_is_a_gap(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        await until(lambda: reached(found) == MARCH)
        found.has_room = False
        clock.advance(QUARTER)
        await asyncio.sleep(0.05)
        assert found.samples("EA-1") == [(0.0, None)]
        clock.advance(QUARTER)
        await until(lambda: found.gaps("EA-1"))
        found.has_room = True
        await until(lambda: reached(found) == clock.now())
    assert found.samples("EA-1") == [(0.0, None), (30.0, None)]
    assert found.gaps("EA-1") == [(15.0, 1)]


async def test_a_disk_that_fails_for_a_while_loses_no_sample_and_no_day(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.set(MARCH + timedelta(days=1))
    async with plant(path, clock) as found:
        plain = found.outbox.deposit
        refused = []

        async def failing(deposit: Deposit) -> None:
            if len(refused) < 12:
                refused.append(deposit)
                raise OutboxError("The outbox could not be used: database or disk is full.")
            await plain(deposit)

        monkeypatch.setattr(found.outbox, "deposit", failing)
        await until(lambda: caught_up(found) and reached(found) == clock.now())
        assert [meter.failures for meter in found.devices.values()] == [0, 0, 0], "no meter is blamed"
    assert len(refused) == 12
    assert found.samples("EA-1") == found.samples("EA-2") == [(24 * 60.0, None)]
    assert len([b for b in found.blocks("LU-1") if b.key.kind is Kind.INTERVAL]) == 2


async def test_a_meter_that_shows_nonsense_rests_and_its_next_sense_is_stored(path: Path, clock: ManualClock) -> None:
    async with plant(path, clock) as found:
        meter, plain, shown = found.meters["EA-1"], found.meters["EA-1"].read_states, 0

        async def nonsense(registers: Sequence[StateRegister]) -> list[StateReading]:
            nonlocal shown
            shown += 1
            readings = await plain(registers)
            return [StateReading(r.register, 3 * 10**38, r.at_ms) for r in readings] if shown <= 2 else readings

        meter.read_states = nonsense
        await until(lambda: reached(found) == MARCH)
        assert found.devices["EA-1"].failures == 2
        assert found.devices["EA-2"].failures == 0
    assert found.samples("EA-1") == [(0.0, None)]


async def test_a_job_stopped_while_it_stores_stores_once(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.bus.owner.JOB_LIMIT_S", 0.05)
    clock.set(MARCH + timedelta(days=1))
    async with plant(path, clock) as found:
        plain = found.outbox.deposit

        async def slow(deposit: Deposit) -> None:
            await asyncio.sleep(0.3 if deposit.progress else 0.0)
            await plain(deposit)

        monkeypatch.setattr(found.outbox, "deposit", slow)
        await until(lambda: caught_up(found))
        assert found.devices["LU-1"].failures == 1
        await asyncio.sleep(0.1)
        assert len(found.meters["LU-1"].days_read) == 1
    assert len([b for b in found.blocks("LU-1") if b.key.kind is Kind.INTERVAL]) == 2


async def test_progress_is_what_the_file_says(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=3))
    async with plant(path, clock) as found:
        await until(lambda: caught_up(found))
        stored = (await found.outbox.progress())["LU-1"]
        assert stored.registers == found.devices["LU-1"].progress.registers
        assert stored.sample == found.devices["LU-1"].progress.sample
        read = Stretch(ms(MARCH), ms(MARCH + timedelta(days=3)), Known.READ)
        assert stored.registers == {"1-0:1.29.0": [read], "1-0:3.29.0": [read]}


async def test_a_device_that_leaves_before_its_job_began_leaves(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=2))
    outbox = await Outbox.open(path)
    found = Plant(path, outbox, clock)
    began = []

    async def work() -> None:
        began.append("work")

    collector, leaving = found.collector, found.devices["LU-1"]
    leaving.backfill = collector._start(leaving, work(), "backfill")
    collector.detach(["LU-1"])
    async with asyncio.timeout(1):
        await collector.released(["LU-1"])
    assert began == []
    assert "LU-1" not in found.devices
    await outbox.close()


async def test_a_device_that_leaves_in_the_middle_of_its_days_loses_and_doubles_none(
    path: Path, clock: ManualClock
) -> None:
    clock.set(MARCH + timedelta(days=6))
    reading, go_on = asyncio.Event(), asyncio.Event()

    class SlowMeter(FakeMeter):
        async def read_day(self, profile: ProfileConfig, part: DayPart) -> ProfileDay:
            reading.set()
            await go_on.wait()
            return await super().read_day(profile, part)

    async with plant(path, clock) as found:
        old = found.devices["LU-1"]
        old.driver = SlowMeter(clock)
        await reading.wait()
        found.collector.detach(["LU-1"])
        leaving = asyncio.create_task(found.collector.released(["LU-1"]))
        await asyncio.sleep(0.01)
        assert not leaving.done()
        go_on.set()
        await leaving
        assert "LU-1" not in found.devices
        progress = (await found.outbox.progress())["LU-1"]
        again = DeviceState(device("LU-1"), old.bus, FakeMeter(clock), progress)
        found.collector.admit({"LU-1": again})
        await until(lambda: again.days_left == 0 and again.looked_at is not None)
        days = [(b.key.register, b.start_ms) for b in found.blocks("LU-1") if b.key.kind is Kind.INTERVAL]
        assert len(days) == len(set(days)) == 12
