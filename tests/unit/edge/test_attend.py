"""The attendant: clocks and event logs of meters, with their marks in the outbox."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge import inspect
from edge.attend import Attendant, event_record
from edge.bus.line import Line
from edge.bus.owner import Bus
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.device_state import DeviceState
from edge.drivers.port import EventsRead, MeterEvent, MeterSession
from edge.drivers.testing import FakeMeter
from edge.errors import DeviceGarbledError, DeviceRefusedError, DeviceSilentError
from edge.outbox.outbox import Outbox
from edge.schedule import DeviceProgress
from shared.clock import EPOCH
from shared.testing import ManualClock
from shared.wire import Record
from tests.unit.edge.examples import config_data, edge_config

START = datetime(2026, 3, 1, 10, 5, tzinfo=UTC)
LOG = "0-0:99.98.0"


class Attended(FakeMeter):
    """A fake meter with a clock that is `ahead`, and one event log of codes."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.ahead = timedelta(0)
        self.codes: list[int] = []
        self.marks: list[str | None] = []
        self.set_to: list[datetime] = []
        self.refused = False
        self.mute = False
        """Does not show its clock once that is set."""
        self.without_time = False

    @asynccontextmanager
    async def session(self, line: Line) -> AsyncIterator[MeterSession]:
        self.fault()
        self.sessions += 1
        yield self

    async def read_clock(self) -> datetime:
        if self.mute and self.set_to:
            raise DeviceSilentError("No answer.")
        if self.without_time:
            raise DeviceGarbledError("no instant")
        return self.clock.now() + self.ahead

    async def set_clock(self, at: datetime) -> None:
        if self.refused:
            raise DeviceRefusedError("no")
        self.set_to.append(at)
        self.ahead = timedelta(0)

    async def read_events(self, log: str, mark: str | None) -> EventsRead:
        self.marks.append(mark)
        if self.refused:
            raise DeviceRefusedError("no")
        known = int(mark or 0)
        return EventsRead([MeterEvent(1000 * code, code) for code in self.codes[known:]], str(len(self.codes)))


class Site:
    def __init__(self, path: Path, outbox: Outbox, clock: ManualClock, changes: dict[str, Any]) -> None:
        data = config_data()
        data["buses"][0]["devices"][0] |= {"event_logs": [LOG], **changes}
        config = next(device for _, device in edge_config(data).devices() if device.id == "LU-1")
        self.path, self.clock, self.outbox = path, clock, outbox
        self.meter = Attended(clock)
        self.bus = Bus("hdlc", Line(ScriptedLink(), LineTiming(), time.monotonic))
        self.device = DeviceState(config, self.bus, self.meter, DeviceProgress())
        self.attendant = Attendant({"LU-1": self.device}, outbox, clock)
        self.bus_task = asyncio.create_task(self.bus.run())

    async def attend(self, holds: Callable[[], bool] = lambda: True) -> None:
        """Look once, and let what comes of it finish."""
        self.attendant._look()
        async with asyncio.timeout(5):
            while any(care.task for care in self.attendant._cares.values()) or not holds():
                await asyncio.sleep(0.001)

    @property
    def records(self) -> list[Record]:
        return inspect.committed_records(self.path)

    def kinds(self) -> list[str]:
        return [record.kind for record in self.records]


@asynccontextmanager
async def site(path: Path, **changes: Any) -> AsyncIterator[Site]:
    file = path / "outbox.sqlite"
    outbox = await Outbox.open(file)
    made = Site(file, outbox, ManualClock(START), changes)
    try:
        yield made
    finally:
        made.bus_task.cancel()
        await asyncio.gather(made.bus_task, return_exceptions=True)
        await outbox.close()


async def test_events_come_once_and_a_crash_does_not_double_them(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.meter.codes = [4, 5]
        await here.attend()
        assert [record.data for record in here.records] == [{"log": LOG, "code": 4}, {"log": LOG, "code": 5}]
        assert [record.at for record in here.records] == [4000, 5000]
        await here.attend()
        assert here.meter.sessions == 1  # at most once an hour
        here.meter.codes.append(6)
        here.clock.advance(timedelta(hours=1))
        await here.attend()
        assert [record.data["code"] for record in here.records] == [4, 5, 6]
    async with site(tmp_path) as again:  # as after a crash: the mark is in the outbox
        again.meter.codes = [4, 5, 6, 7]
        await again.attend()
        assert again.meter.marks == ["3"]
        assert [record.data["code"] for record in again.records] == [4, 5, 6, 7]


async def test_events_of_a_meter_whose_clock_shows_no_time(tmp_path: Path) -> None:
    async with site(tmp_path, clock={"automatic": True}) as here:
        here.meter.without_time, here.meter.codes = True, [4]
        await here.attend()
        assert (here.kinds(), here.meter.set_to) == (["meter-event"], [])


async def test_drift_is_seen_and_told_once_a_day(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.meter.ahead = timedelta(seconds=9)
        for _ in range(30):
            await here.attend()
            here.clock.advance(timedelta(hours=1))
        assert here.device.clock_drift_s == 9.0
        assert here.kinds() == ["clock-drift"] * 2
        assert here.records[0].data == {"drift_ms": 9000}
        assert here.meter.set_to == []


async def test_within_tolerance_nothing_is_said(tmp_path: Path) -> None:
    async with site(tmp_path, clock={"automatic": True}) as here:
        here.meter.ahead = timedelta(seconds=-4)
        await here.attend()
        assert (here.kinds(), here.meter.set_to, here.device.clock_drift_s) == ([], [], -4.0)


async def test_a_clock_is_corrected_inside_an_interval_and_told(tmp_path: Path) -> None:
    async with site(tmp_path, clock={"automatic": True}) as here:
        here.meter.ahead = timedelta(seconds=30)
        await here.attend()
        assert here.meter.set_to == [START]
        (record,) = here.records
        start_ms = (START - EPOCH) // timedelta(milliseconds=1)
        assert (record.kind, record.at) == ("clock-set", start_ms)
        assert record.data == {
            "before": start_ms + 30_000, "after": start_ms, "drift_ms": 30_000, "left_ms": 0, "boundaries": 0
        }  # fmt: skip


async def test_a_correction_is_told_though_the_meter_does_not_show_it(tmp_path: Path) -> None:
    async with site(tmp_path, clock={"automatic": True}) as here:
        here.meter.ahead, here.meter.mute = timedelta(seconds=30), True
        await here.attend()
        (record,) = here.records
        assert (record.kind, record.data["drift_ms"], record.data["after"]) == ("clock-set", 30_000, None)


async def test_a_correction_over_a_boundary_waits(tmp_path: Path) -> None:
    async with site(tmp_path, clock={"automatic": True}) as here:
        here.clock.set(datetime(2026, 3, 1, 10, 14, 50, tzinfo=UTC))
        here.meter.ahead = timedelta(seconds=30)  # shows 10:15:20
        await here.attend()
        assert (here.meter.set_to, here.kinds()) == ([], [])
        here.clock.advance(timedelta(seconds=16))  # 10:15:06
        await here.attend()
        assert len(here.meter.set_to) == 1
        assert here.kinds() == ["clock-set"]


async def test_a_clock_that_is_far_off_is_left_to_people(tmp_path: Path) -> None:
    async with site(tmp_path, clock={"automatic": True}) as here:
        here.meter.ahead = timedelta(hours=1)
        await here.attend()
        assert (here.meter.set_to, here.kinds()) == ([], ["clock-drift"])


async def test_a_meter_that_refuses_is_asked_again_in_its_turn(tmp_path: Path) -> None:
    async with site(tmp_path, clock={"automatic": True}) as here:
        here.meter.refused, here.meter.ahead = True, timedelta(seconds=30)
        await here.attend()
        assert here.kinds() == ["clock-drift"]
        here.meter.refused, here.meter.codes = False, [1]
        await here.attend()
        assert here.meter.sessions == 1
        here.clock.advance(timedelta(hours=1))
        await here.attend()
        assert here.kinds() == ["clock-drift", "meter-event", "clock-set"]


async def test_a_meter_that_fails_is_not_pressed(tmp_path: Path) -> None:
    def silent() -> None:
        raise DeviceSilentError("nothing came")

    async with site(tmp_path) as here:
        here.meter.fault = silent
        await here.attend()
        here.meter.fault = lambda: None
        await here.attend()
        assert here.meter.sessions == 0


@pytest.mark.parametrize(("at_ms", "expected"), [(1000, 1000), (None, 9000), (9001, 9000), (-5, 9000)])
def test_an_event_without_a_time_that_can_be(at_ms: int | None, expected: int) -> None:
    record = event_record("LU-1", LOG, MeterEvent(at_ms, 7, (("0-0:96.15.1", "x\0" * 200),)), 9000)
    assert record.at == expected
    assert ("stamp" in record.data) is (expected == 9000)
    text = record.data["0-0:96.15.1"]
    assert isinstance(text, str)
    assert (len(text), "\0" in text) == (50, False)
