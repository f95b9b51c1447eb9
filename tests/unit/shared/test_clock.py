"""The shared clock: stands, runs, steps; torn writes are never seen."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import (
    ENVIRONMENT_VARIABLE,
    ClockError,
    SharedClock,
    SharedClockControl,
    SystemClock,
    clock_from_environment,
)
from shared.testing import ManualClock

START = datetime(2026, 2, 28, 23, tzinfo=UTC)


def test_it_stands_still_and_steps(tmp_path: Path) -> None:
    control = SharedClockControl(tmp_path / "clock")
    control.set(START)
    clock = SharedClock(tmp_path / "clock")
    assert clock.now() == START
    assert clock.now_ms() == 1772319600000
    control.set(START + timedelta(days=31))
    assert clock.now() == START + timedelta(days=31)


def test_it_runs_fast(tmp_path: Path) -> None:
    control = SharedClockControl(tmp_path / "clock")
    control.set(START, rate=86_400.0)
    clock = SharedClock(tmp_path / "clock")
    first, second = clock.now(), clock.now()
    assert START <= first <= second
    assert second < START + timedelta(days=365)


def test_no_reader_ever_sees_half_a_step(tmp_path: Path) -> None:
    control = SharedClockControl(tmp_path / "clock")
    times = [START, START + timedelta(days=20000)]
    control.set(times[0])
    clock = SharedClock(tmp_path / "clock")
    done = threading.Event()

    def step() -> None:
        for n in range(300):
            control.set(times[n % 2])
        done.set()

    writer = threading.Thread(target=step)
    writer.start()
    seen = {clock.now()}
    while not done.is_set():
        seen.add(clock.now())
    writer.join()
    assert seen <= set(times)


async def test_a_sleeper_wakes_when_the_clock_is_stepped(tmp_path: Path) -> None:
    control = SharedClockControl(tmp_path / "clock")
    control.set(START)
    sleeper = asyncio.create_task(SharedClock(tmp_path / "clock").sleep_until(START + timedelta(minutes=15)))
    await asyncio.sleep(0.05)
    assert not sleeper.done()
    control.set(START + timedelta(minutes=15))
    await asyncio.wait_for(sleeper, 5)
    assert sleeper.done()


def test_a_missing_file_and_a_naive_instant_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ClockError, match="cannot be read"):
        SharedClock(tmp_path / "none")
    with pytest.raises(ClockError, match="has no zone"):
        SharedClockControl(tmp_path / "clock").set(datetime(2026, 3, 1))  # noqa: DTZ001 - the naive instant is what is refused


def test_the_environment_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert isinstance(clock_from_environment(), SystemClock)
    SharedClockControl(tmp_path / "clock").set(START)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "clock"))
    assert clock_from_environment().now() == START


async def test_system_and_manual_clock_keep_the_same_contract() -> None:
    manual = ManualClock(START)
    for clock in (SystemClock(), manual):
        assert clock.now().utcoffset() == timedelta(0)
        assert abs(clock.now_ms() - clock.now().timestamp() * 1000) < 1000
        await asyncio.wait_for(clock.sleep_until(clock.now()), 5)
    manual.advance(timedelta(hours=1))
    assert manual.now() == START + timedelta(hours=1)
