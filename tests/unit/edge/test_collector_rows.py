"""Rows of the running day as live data, holes asked for again, requests that nobody waits for too long."""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import pytest

from edge.blocks import ms
from edge.bus.line import Line
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.device_state import REQUEST_S, DeviceState
from edge.schedule import DeviceProgress, still_due
from edge.timeline import Known
from shared.quantities import Kind
from shared.testing import ManualClock
from shared.wire import MARK_HISTORICAL, MARK_REREAD, Block
from tests.unit.edge.examples import MARCH, device
from tests.unit.edge.test_collector import Plant, caught_up, plant, until

QUARTER = timedelta(minutes=15)
REGISTER = "1-0:1.29.0"


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
    monkeypatch.setattr("edge.collector.TAIL_RETRY_S", 0.02)
    monkeypatch.setattr("edge.collector.TICK_S", 0.005)


def rows_of(plant: Plant) -> list[Block]:
    return [b for b in plant.blocks("LU-1") if b.key.kind is Kind.INTERVAL and b.key.register == REGISTER]


def read_to(plant: Plant) -> int:
    """End of the last row in hand, ms UTC."""
    timeline = plant.devices["LU-1"].progress.registers.get(REGISTER, [])
    return max((each.end_ms for each in timeline if each.known is Known.READ), default=0)


def values_of(plant: Plant) -> list[int]:
    return sorted(value for block in rows_of(plant) for value in block.values)


def minutes(first: int, count: int) -> list[int]:
    """What the fake meter's intervals hold."""
    return [ms(MARCH) // 60_000 + 15 * n for n in range(first, first + count)]


async def test_each_interval_is_live_when_it_is_over_and_not_doubled_when_the_day_is(
    path: Path, clock: ManualClock
) -> None:
    clock.set(MARCH + 93 * QUARTER + timedelta(minutes=7))
    async with plant(path, clock) as found:
        for n in range(93, 98):
            clock.set(MARCH + n * QUARTER)
            await until(lambda n=n: read_to(found) == ms(MARCH + n * QUARTER))
        await until(lambda: caught_up(found))
        parts = [(part.end - part.start) // QUARTER for part in found.meters["LU-1"].parts_read]
    assert values_of(found) == minutes(0, 97)
    assert parts == [93, 1, 1, 1, 1]
    assert [(len(block.values), block.marks) for block in rows_of(found)] == [
        (93, MARK_HISTORICAL),
        *[(1, 0)] * 4,
    ], "the last of a day is live as well"


async def test_after_a_restart_only_what_is_missing_of_the_running_day_is_read(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + 4 * QUARTER)
    async with plant(path, clock) as found:
        await until(lambda: read_to(found) == ms(clock.now()))
    clock.set(MARCH + 9 * QUARTER)
    async with plant(path, clock) as found:
        await until(lambda: read_to(found) == ms(clock.now()))
        (part,) = found.meters["LU-1"].parts_read
    assert (part.start, part.end) == (MARCH + 4 * QUARTER, MARCH + 9 * QUARTER)
    assert values_of(found) == minutes(0, 9)


async def test_a_row_that_the_meter_captures_late_is_no_hole(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + 4 * QUARTER)
    async with plant(path, clock) as found:
        meter = found.meters["LU-1"]
        meter.left_out = {ms(MARCH + 3 * QUARTER)}
        await until(lambda: len(meter.parts_read) >= 3)
        assert read_to(found) == ms(MARCH + 3 * QUARTER)
        meter.left_out = set()
        await until(lambda: read_to(found) == ms(clock.now()))
        timeline = found.devices["LU-1"].progress.registers[REGISTER]
    assert values_of(found) == minutes(0, 4)
    assert [each.known for each in timeline] == [Known.READ]


async def test_a_hole_that_the_meter_fills_later_is_read_once(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=1))
    async with plant(path, clock) as found:
        meter = found.meters["LU-1"]
        meter.left_out = {ms(MARCH) + n * 900_000 for n in (7, 8, 50)}
        await until(lambda: caught_up(found))
        clock.advance(timedelta(minutes=59))
        await until(lambda: read_to(found) == ms(MARCH + timedelta(days=1, minutes=45)))
        before = len(meter.parts_read)
        meter.left_out = {ms(MARCH) + 50 * 900_000}
        clock.advance(timedelta(minutes=1))
        await until(lambda: len(values_of(found)) == 95 + 4)
        clock.advance(timedelta(hours=6))
        await until(lambda: read_to(found) == ms(clock.now()))
        await until(lambda: found.devices["LU-1"].days_left == 0)
        asked = [(part.start, part.end) for part in meter.parts_read[before:] if part.day.date == date(2026, 3, 1)]
        holes = [each for each in found.devices["LU-1"].progress.registers[REGISTER] if each.known is Known.HOLE]
    assert asked[0] == (MARCH + 7 * QUARTER, MARCH + 51 * QUARTER), "the holes only, in one request"
    assert asked[1:] == [(MARCH + 50 * QUARTER, MARCH + 51 * QUARTER)]
    assert [(each.start_ms, each.asked) for each in holes] == [(ms(MARCH) + 50 * 900_000, 3)]
    assert values_of(found) == sorted([*minutes(0, 50), *minutes(51, 45), *minutes(96, 28)])


async def test_rows_asked_for_while_central_had_not_answered_are_marked(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + 2 * QUARTER)
    async with plant(path, clock) as found:
        found.acquainted = False
        await until(lambda: read_to(found) == ms(clock.now()))
    assert [block.marks for block in rows_of(found)] == [MARK_REREAD]


async def test_what_central_turns_out_to_have_is_not_read_although_it_was_due(path: Path, clock: ManualClock) -> None:
    clock.set(MARCH + timedelta(days=3))
    async with plant(path, clock) as found:
        window = ms(MARCH), ms(clock.now())
        held = asyncio.Event()
        meter, plain = found.meters["LU-1"], found.meters["LU-1"].read_day

        async def slow(profile, part):
            answer = await plain(profile, part)
            await held.wait()
            return answer

        meter.read_day = slow
        await until(lambda: len(meter.parts_read) == 1)
        registers = {("LU-1", name): True for name in (REGISTER, "1-0:3.29.0")}
        first_day = [(ms(MARCH), ms(MARCH + timedelta(days=1)))]
        await found.outbox.reconcile(registers, dict.fromkeys(registers, first_day), window)
        found.collector.days_changed()
        held.set()
        await until(lambda: caught_up(found))
        days = [part.day.date for part in meter.parts_read]
    assert sorted(days) == [date(2026, 3, 2), date(2026, 3, 3)], "the first is in evidence"
    assert values_of(found) == minutes(96, 192)
    assert {block.marks for block in rows_of(found)} == {MARK_HISTORICAL | MARK_REREAD}, "it might be under way"


def test_on_a_slow_line_a_day_is_asked_for_in_parts_newest_first() -> None:
    clock = ManualClock(MARCH + timedelta(days=1))
    config = device("LU-1")
    assert config.profile is not None
    state = DeviceState(config, None, None, DeviceProgress())
    due = still_due(config.profile, state.progress, (ms(MARCH), ms(clock.now())), clock.now())
    assert due is not None
    slow = Line(ScriptedLink(), LineTiming(character_s=10 / 2400), clock.monotonic)
    fast = Line(ScriptedLink(), LineTiming(), clock.monotonic)
    assert state.pieces(due, fast) == [(ms(MARCH), ms(clock.now()))]
    pieces = state.pieces(due, slow)
    assert [end for _, end in pieces] == [ms(clock.now()), *(start for start, _ in pieces[:-1])]
    assert pieces[-1][0] == ms(MARCH)
    longest = max(end - start for start, end in pieces) // 900_000
    assert longest * slow.transmission_s(26) <= REQUEST_S + slow.transmission_s(26)
    state.took(longest, 4 * REQUEST_S)
    assert max(end - start for start, end in state.pieces(due, slow)) // 900_000 <= longest // 4 + 1
