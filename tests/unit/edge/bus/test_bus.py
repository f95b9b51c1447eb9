"""The owner of a line: priorities, one job at a time, faults of jobs and of the line."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from edge.bus.counters import Fault
from edge.bus.line import Line
from edge.bus.owner import Bus, BusState, Priority, Turn
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming, line_timing
from edge.errors import DeviceGarbledError, DeviceSilentError, LineDownError


@asynccontextmanager
async def running(link: ScriptedLink, *, reset_on_fault: bool = False) -> AsyncIterator[Bus]:
    bus = Bus("b", Line(link, LineTiming(quiet_s=0.05), time.monotonic), reset_on_fault=reset_on_fault)
    task = asyncio.create_task(bus.run())
    try:
        yield bus
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def failing(error: Exception) -> Callable[[Turn], Awaitable[None]]:
    async def work(turn: Turn) -> None:
        raise error

    return work


async def fine(turn: Turn) -> str:
    return "fine"


async def test_jobs_by_priority_then_in_order_one_at_a_time() -> None:
    done: list[str] = []
    at_once = 0

    def job(name: str) -> Callable[[Turn], Awaitable[None]]:
        async def work(turn: Turn) -> None:
            nonlocal at_once
            at_once += 1
            assert at_once == 1
            await asyncio.sleep(0.001)
            at_once -= 1
            done.append(name)

        return work

    async with running(ScriptedLink()) as bus:
        first = asyncio.create_task(bus.submit("a", Priority.BACKFILL, job("first")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        wishes = [(Priority.BACKFILL, "back"), (Priority.LIVE, "live 1"), (Priority.COMMAND, "command")]
        wishes += [(Priority.LIVE, "live 2"), (Priority.ON_DEMAND, "demand")]
        await asyncio.gather(first, *(bus.submit("a", priority, job(name)) for priority, name in wishes))
    done.remove("first")  # runs first only if the line was up in time
    assert done == ["command", "demand", "live 1", "live 2", "back"]


async def test_nobody_waits_for_a_bus_that_was_stopped_and_it_may_be_started_again() -> None:
    link = ScriptedLink()
    async with running(link) as bus:
        assert await bus.submit("a", Priority.LIVE, fine) == "fine"
    async with asyncio.timeout(1):
        with pytest.raises(LineDownError, match="The bus b is down: it was stopped"):
            await bus.submit("a", Priority.COMMAND, fine)
    again = asyncio.create_task(bus.run())
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert await bus.submit("a", Priority.LIVE, fine) == "fine"
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)


async def test_a_long_job_hears_of_more_urgent_ones() -> None:
    heard = []
    begun = asyncio.Event()

    async def long(turn: Turn) -> None:
        begun.set()
        heard.append(turn.urgent())
        await asyncio.sleep(0.02)
        heard.append(turn.urgent())

    async with running(ScriptedLink()) as bus:
        job = asyncio.create_task(bus.submit("a", Priority.BACKFILL, long))
        await begun.wait()
        await asyncio.gather(job, bus.submit("b", Priority.LIVE, fine))
    assert heard == [False, True]


@pytest.mark.parametrize("error", [DeviceSilentError("x"), DeviceGarbledError("x"), ZeroDivisionError("x")])
async def test_a_job_that_fails_fails_alone(error: Exception) -> None:
    link = ScriptedLink()
    async with running(link) as bus:
        with pytest.raises(type(error)):
            await bus.submit("a", Priority.LIVE, failing(error))
        assert await bus.submit("b", Priority.LIVE, fine) == "fine"
        assert bus.counters.failed == 1
    assert link.opened == 1


async def test_after_a_fault_the_line_is_drained() -> None:
    link = ScriptedLink()
    async with running(link) as bus:
        link.say(b"late", 0.01)
        with pytest.raises(DeviceSilentError):
            await bus.submit("a", Priority.LIVE, failing(DeviceSilentError("x")))
        await bus.submit("b", Priority.LIVE, fine)
        assert bus.line.counters.drained == 4


async def test_a_line_that_breaks_is_opened_again() -> None:
    link = ScriptedLink()
    async with running(link) as bus:
        with pytest.raises(LineDownError):
            await bus.submit("a", Priority.LIVE, failing(LineDownError("cable")))
        assert await bus.submit("a", Priority.LIVE, fine) == "fine"
    assert link.opened == 2


async def test_nobody_waits_for_a_line_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.owner.RECONNECT_FIRST_S", 0.03)
    link = ScriptedLink()
    link.refuse_open = "no such port"
    async with running(link) as bus:
        with pytest.raises(LineDownError, match="no such port"):
            await bus.submit("a", Priority.LIVE, fine)
        assert bus.state is BusState.DOWN
        with pytest.raises(LineDownError):
            await bus.submit("a", Priority.LIVE, fine)
        link.refuse_open = None
        await asyncio.sleep(0.06)
        assert await bus.submit("a", Priority.LIVE, fine) == "fine"


async def test_connections_are_made_anew_after_faults_where_frames_carry_no_numbers() -> None:
    link = ScriptedLink()
    async with running(link, reset_on_fault=True) as bus:
        with pytest.raises(DeviceGarbledError):
            await bus.submit("a", Priority.LIVE, failing(DeviceGarbledError("x")))
        await bus.submit("a", Priority.LIVE, fine)
    assert link.opened == 2


async def test_who_no_longer_waits_is_passed_over() -> None:
    called = []

    async def work(turn: Turn) -> None:
        called.append(1)

    async with running(ScriptedLink()) as bus:
        job = asyncio.create_task(bus.submit("a", Priority.LIVE, work))
        await asyncio.sleep(0)
        job.cancel()
        await bus.submit("b", Priority.LIVE, fine)
    assert called == []


def test_silent_gaps() -> None:
    assert line_timing("modbus-rtu", 9600).gap_s == pytest.approx(0.00401, abs=1e-5)
    assert line_timing("modbus-rtu", 19200).gap_s == pytest.approx(0.0020, abs=1e-5)
    assert line_timing("modbus-rtu", 115200).gap_s == 0.00175
    assert line_timing("hdlc", 9600).gap_s == 0.0
    assert line_timing("modbus-tcp", None) == LineTiming()


async def test_requests_keep_the_gap_after_what_came() -> None:
    link = ScriptedLink()
    line = Line(link, LineTiming(character_s=0.001, gap_s=0.02), time.monotonic)
    link.say(b"x")
    await line.read(0.1)
    begun = time.monotonic()
    await line.write(b"12345")
    assert time.monotonic() - begun >= 0.019
    begun = time.monotonic()
    await line.write(b"1")
    assert time.monotonic() - begun >= 0.024, "five characters on the wire, then the gap"


async def silent(turn: Turn) -> None:
    raise DeviceSilentError("x")


async def test_jobs_of_a_dead_meter_wait_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.health.FIRST_S", 0.01)
    done: list[str] = []

    async def answer(turn: Turn) -> None:
        turn.answered()
        done.append("dead")

    async def other(turn: Turn) -> None:
        turn.answered()
        done.append("other")

    async with running(ScriptedLink()) as bus:
        with pytest.raises(DeviceSilentError):
            await bus.submit("dead", Priority.LIVE, silent)
        held = [asyncio.create_task(bus.submit("dead", lane, answer)) for lane in (Priority.BACKFILL, Priority.LIVE)]
        await asyncio.sleep(0)
        for _ in range(3):
            await bus.submit("well", Priority.BACKFILL, other)
        assert done == ["other"] * 3, "a drain of 50 ms makes the dead one wait for 1.25 s"
        await bus.submit("dead", Priority.ON_DEMAND, answer)
        await asyncio.gather(*held)
        assert done[3:] == ["dead"] * 3, "somebody asked for it, and it was well"
        assert not bus.probation.is_failing("dead")
        assert bus.counters.probes == 1


async def test_a_meter_that_may_be_asked_again_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.health.FIRST_S", 0.01)
    monkeypatch.setattr("edge.bus.health.SHARE", 0.9)
    async with running(ScriptedLink()) as bus:
        for failures in (1, 2, 3):
            with pytest.raises(DeviceSilentError):
                await bus.submit("dead", Priority.LIVE, silent)
            assert bus.probation.health("dead").failures == failures
        assert bus.counters.probes == 2
        assert bus.counters.faults == {Fault.TIMEOUT: 3}
        assert bus.stations["dead"].counters.failed == 3
        assert 0 < bus.counters.probes_s < bus.counters.busy_s


async def test_a_line_that_breaks_blames_nobody() -> None:
    async with running(ScriptedLink()) as bus:
        with pytest.raises(LineDownError):
            await bus.submit("a", Priority.LIVE, failing(LineDownError("cable")))
        assert not bus.probation.is_failing("a")
        assert bus.counters.faults == {Fault.LINE_DOWN: 1}


async def test_a_job_that_never_spoke_to_its_meter_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.health.FIRST_S", 0.01)
    monkeypatch.setattr("edge.bus.health.SHARE", 0.9)
    async with running(ScriptedLink()) as bus:
        with pytest.raises(DeviceSilentError):
            await bus.submit("dead", Priority.LIVE, silent)
        await bus.submit("dead", Priority.LIVE, fine)
        assert bus.probation.is_failing("dead")


async def test_held_jobs_are_refused_when_the_line_is_lost() -> None:
    link = ScriptedLink()
    async with running(link) as bus:
        with pytest.raises(DeviceSilentError):
            await bus.submit("dead", Priority.LIVE, silent)
        held = asyncio.create_task(bus.submit("dead", Priority.LIVE, fine))
        await asyncio.sleep(0)
        link.refuse_open = "no such port"
        with pytest.raises(LineDownError):
            await bus.submit("a", Priority.LIVE, failing(LineDownError("cable")))
        with pytest.raises(LineDownError, match="no such port"):
            await held


async def test_who_waited_longest_for_the_bus_is_known() -> None:
    async def long(turn: Turn) -> None:
        await asyncio.sleep(0.02)

    async with running(ScriptedLink()) as bus:
        await bus.submit("a", Priority.LIVE, fine)
        await asyncio.gather(bus.submit("a", Priority.BACKFILL, long), bus.submit("b", Priority.BACKFILL, fine))
        assert bus.counters.waited_most_s["backfill"] >= 0.019
        assert bus.counters.waited_most_s["live"] < bus.counters.waited_most_s["backfill"]


class Lodger:
    """A tenant that notes what it is told; `lost` is what it says when it is asked to pause."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.lost = ""
        self.wake: Callable[[], None] = lambda: None

    def begin(self, wake: Callable[[], None]) -> None:
        self.told.append("begin")
        self.wake = wake
        if self.lost:
            wake()

    async def pause(self) -> None:
        self.told.append("pause")
        if self.lost:
            raise LineDownError(self.lost)

    def end(self) -> None:
        self.told.append("end")


async def test_an_idle_line_is_lent_and_taken_back_for_jobs() -> None:
    link, lodger = ScriptedLink(), Lodger()
    async with running(link) as bus:
        bus.tenant = lodger

        async def work(turn: Turn) -> None:
            lodger.told.append("job")

        for _ in range(2):
            await bus.submit("a", Priority.BACKFILL, work)
        await asyncio.sleep(0.001)
    assert lodger.told == ["job", *["begin", "pause", "end", "job"], "begin", "end"]
    assert link.opened == 1


async def test_a_line_that_the_tenant_lost_is_opened_again() -> None:
    link, lodger = ScriptedLink(), Lodger()
    async with running(link) as bus:
        bus.tenant = lodger
        await bus.submit("a", Priority.LIVE, fine)
        await asyncio.sleep(0.001)
        lodger.lost = "hung up"
        lodger.wake()
        await asyncio.sleep(0.001)
        lodger.lost = ""
        assert await bus.submit("a", Priority.LIVE, fine) == "fine"
    assert link.opened == 2


async def test_a_silent_meter_rests_until_its_late_answer_can_come_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.health.FIRST_S", 0.01)
    async with running(ScriptedLink()) as bus:
        bus.late_s = 30.0
        for device, error in (("silent", DeviceSilentError("x")), ("garbled", DeviceGarbledError("x"))):
            with pytest.raises(type(error)):
                await bus.submit(device, Priority.LIVE, failing(error))
        now = bus.line.now()
        assert bus.probation.health("silent").retry_at - now > 29.0
        assert bus.probation.health("garbled").retry_at - now < 1.0


async def test_a_peer_that_hangs_up_at_rest_is_not_called_again_and_again() -> None:
    link, lodger = ScriptedLink(), Lodger()
    lodger.lost = "hung up"
    async with running(link) as bus:
        bus.tenant = lodger
        await asyncio.sleep(0.02)
        assert link.opened == 1
        lodger.lost = ""
        assert await bus.submit("a", Priority.LIVE, fine) == "fine", "somebody wants it"
        assert link.opened == 2
