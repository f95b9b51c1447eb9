"""The owner of a line: priorities, one job at a time, faults of jobs and of the line."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from edge.bus.health import Health, after_failure
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


def test_a_dead_meter_costs_at_most_a_twentieth_of_the_bus() -> None:
    health, now, cost = Health(), 0.0, 4.5
    for _ in range(30):
        now += cost
        health = after_failure(health, now, cost)
        if health.failures > 1:
            assert cost / (health.retry_at - now + cost) <= 0.0501
        assert health.retry_at - now <= 300.0
        now = health.retry_at
    assert health.failures == 30


def test_the_first_fault_is_forgiven_soon() -> None:
    assert after_failure(Health(), 100.0, 4.5).retry_at == 102.0
    assert after_failure(Health(), 100.0, 4.5, at_least_s=3.0).retry_at == 103.0
