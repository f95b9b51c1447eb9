"""Turns what is due into jobs on the buses and their results into deposits. One lane for live samples and one for
back-fill per device, each with at most one job; a device that fails rests, and nobody else waits for it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from edge.blocks import gap_record, profile_blocks, state_blocks, tail_missing
from edge.bus.health import Health
from edge.bus.owner import Bus, Priority, Turn
from edge.captured import not_taken_yet
from edge.config import DeviceConfig
from edge.drivers.port import MeterDriver, MeterSession
from edge.errors import DeviceError, DeviceMismatchError, LineDownError, OutboxError
from edge.outbox.model import DayKey, Deposit, Lane
from edge.outbox.outbox import Outbox
from edge.schedule import (
    QUARTER,
    DayDue,
    DayState,
    DeviceProgress,
    Due,
    SampleDue,
    SampleMark,
    days_left,
    due,
    first_mark,
    next_instant,
)
from shared.clock import Clock
from shared.metering_day import MeteringDay

TICK_S: Final = 0.05
"""How often, wall time, the clock is looked at: a sampling round may start this much late."""
LINE_RETRY_S: Final = 1.0
SESSION_MOST_S: Final = 45.0
"""After so long a session begins no further day, so that a slow line's other meters get their turn."""
TAIL_RETRY_S: Final = 15.0
"""A day whose last row is not there yet is asked for again after so long, while it is no older than a quarter-hour."""


@dataclass(slots=True)
class DeviceState:
    """One device as the collector sees it; read by the status file."""

    config: DeviceConfig
    bus: Bus
    driver: MeterDriver
    progress: DeviceProgress
    phase: timedelta = timedelta()
    """States are sampled so much after their instant."""
    last_success: datetime | None = None
    failures: int = 0
    last_error: str = ""
    mismatch: str = ""
    """Why another meter than the configured one seems to answer; empty if the right one did."""
    due: Due = field(default_factory=Due)
    days_left: int = 0
    """Days that are over and not read."""
    looked_at: datetime | None = None
    stale_at: datetime | None = None
    """`due` holds from `looked_at` until `stale_at`."""
    live: "asyncio.Task[None] | None" = None
    backfill: "asyncio.Task[None] | None" = None
    storing: int = 0
    """Deposits under way: nothing is started meanwhile, since what is due is not known."""
    line_retry_at: float = 0.0
    clock_drift_s: float | None = None
    """Meter's clock minus ours, as last seen."""
    tail: tuple[MeteringDay, float] | None = None
    """A day whose last row was not there yet, and when to ask again."""
    leaving: bool = False
    """The configuration takes it out: nothing is begun any more."""
    at_work: int = 0
    """Jobs on the line now."""

    @property
    def health(self) -> Health:
        """Failures in a row and the rest after them, as the bus has them."""
        return self.bus.probation.health(self.config.id)

    def refresh(self, now: datetime) -> None:
        """Look what is due at `now`."""
        self.due = due(self.config, self.progress, now, self.phase)
        self.days_left = days_left(self.config, self.progress, now)
        self.looked_at, self.stale_at = now, next_instant(self.config, now, self.phase)

    def refresh_if_stale(self, now: datetime) -> None:
        """Look again if the clock has brought news, or went back."""
        if self.looked_at is None or self.stale_at is None or not self.looked_at <= now < self.stale_at:
            self.refresh(now)

    def days_due(self, wall: float) -> tuple[DayDue, ...]:
        """Days to be read now."""
        if self.tail is None or wall >= self.tail[1]:
            return self.due.days
        return tuple(day for day in self.due.days if day.day != self.tail[0])


@contextmanager
def on_the_line(device: DeviceState) -> Iterator[None]:
    """Around a job's conversation with the device: who takes it out waits for the end."""
    device.at_work += 1
    try:
        yield
    finally:
        device.at_work -= 1


class Collector:
    """`run()` is its task. `may_read_profiles` tells whether back-fill may begin; `acquainted` whether the outbox has
    heard from central what is in evidence (until then re-reading cannot be excluded, and is marked).
    """

    def __init__(
        self,
        devices: dict[str, DeviceState],
        outbox: Outbox,
        clock: Clock,
        *,
        may_read_profiles: Callable[[], bool] = lambda: True,
        acquainted: Callable[[], bool] = lambda: True,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.devices = devices
        self._outbox = outbox
        self._clock = clock
        self._may_read_profiles = may_read_profiles
        self._acquainted = acquainted
        self._has_room = has_room
        self._wake = asyncio.Event()
        self._reload = False
        self._storing: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("edge.collector")

    def days_changed(self) -> None:
        """Days are to be read again: take the progress anew from the outbox."""
        self._reload = True
        self._wake.set()

    def detach(self, names: Iterable[str]) -> None:
        """Begin nothing any more with these devices; jobs that wait for a line are withdrawn."""
        for device in map(self.devices.__getitem__, names):
            device.leaving = True
            for lane in (device.live, device.backfill):
                if lane is not None:
                    lane.cancel()

    async def released(self, names: Iterable[str]) -> None:
        """After `detach`: returns when these devices are on no line and all that they gave is on disk; forgets them."""
        leaving = {name: self.devices[name] for name in names}
        while any(d.live or d.backfill or d.at_work or d.storing for d in leaving.values()):
            await asyncio.sleep(TICK_S)
        for name in leaving:
            del self.devices[name]
        self._wake.set()

    def admit(self, devices: Mapping[str, DeviceState]) -> None:
        """Read these devices from now on; their progress is what the outbox knows."""
        self.devices.update(devices)
        self._wake.set()

    async def run(self) -> None:
        """For ever, until cancelled; jobs under way are cancelled too."""
        try:
            while True:
                self._wake.clear()
                if self._reload:
                    await self._take_progress()
                now, wall = self._clock.now(), self._clock.monotonic()
                for device in list(self.devices.values()):
                    await self._look_after(device, now, wall)
                await self._wait(now)
        finally:
            lanes = [lane for device in self.devices.values() for lane in (device.live, device.backfill) if lane]
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, *self._storing, return_exceptions=True)

    async def _wait(self, since: datetime) -> None:
        """Until a lane has finished, progress has changed, something may be retried or the clock brings news."""
        retry_at = min((at for device in self.devices.values() if (at := self._retry_at(device))), default=None)
        news_at = min((device.stale_at for device in self.devices.values() if device.stale_at), default=None)
        while not self._wake.is_set():
            if retry_at is not None and self._clock.monotonic() >= retry_at:
                return
            now = self._clock.now()
            if now < since or (news_at is not None and now >= news_at):
                return
            try:
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _retry_at(self, device: DeviceState) -> float | None:
        wants_sample = device.due.sample is not None and device.live is None
        wants_days = bool(device.due.days) and device.backfill is None
        if not (wants_sample or wants_days):
            return None
        rest = max(device.health.retry_at, device.line_retry_at)
        if not wants_sample and not device.days_due(rest) and device.tail is not None:
            rest = max(rest, device.tail[1])
        return max(rest, self._clock.monotonic() + TICK_S)

    async def _take_progress(self) -> None:
        self._reload = False
        try:
            stored = await self._outbox.progress()
        except OutboxError:
            self._reload = True
            raise
        for name, device in self.devices.items():
            if name in stored:
                device.progress.days = stored[name].days
            device.refresh(self._clock.now())

    async def _look_after(self, device: DeviceState, now: datetime, wall: float) -> None:
        if device.progress.sample is None and wall >= device.line_retry_at:
            await self._note_beginning(device, now)
        device.refresh_if_stale(now)
        if device.due.gap is not None and wall >= device.line_retry_at:
            await self._note_gap(device)
        rests = wall < max(device.health.retry_at, device.line_retry_at)
        if rests or device.leaving or device.storing or not self._has_room():
            return
        if device.due.sample is not None and device.live is None:
            device.live = self._start(device, self._sample(device, device.due.sample), "live")
        days = device.days_due(wall)
        if days and device.backfill is None and self._may_read_profiles():
            device.backfill = self._start(device, self._read_days(device, days), "backfill")

    def _start(self, device: DeviceState, work: Coroutine[object, object, None], lane: str) -> "asyncio.Task[None]":
        async def guarded() -> None:
            try:
                await work
            except LineDownError as error:
                device.line_retry_at = self._clock.monotonic() + LINE_RETRY_S
                device.last_error = str(error)
            except DeviceError as error:
                self._failed(device, error)
            except OutboxError as error:
                device.line_retry_at = self._clock.monotonic() + LINE_RETRY_S
                self._log.error("reading not stored", device=device.config.id, reason=str(error))
            except Exception as error:
                # A fault of ours with one meter must not end the reading of the others.
                device.line_retry_at = self._clock.monotonic() + LINE_RETRY_S
                self._log.error("job failed", device=device.config.id, lane=lane, exc_info=error)
                self._failed(device, error)
            finally:
                if lane == "live":
                    device.live = None
                else:
                    device.backfill = None
                device.refresh(self._clock.now())
                self._wake.set()

        return asyncio.create_task(guarded(), name=f"{lane}-{device.config.id}")

    def _failed(self, device: DeviceState, error: Exception) -> None:
        device.failures += 1
        device.last_error = str(error)
        if isinstance(error, DeviceMismatchError):
            device.mismatch = device.last_error
        self._log.warning("meter failed", device=device.config.id, reason=str(error), failures=device.health.failures)

    def _succeeded(self, device: DeviceState) -> None:
        device.last_success = self._clock.now()
        device.last_error = device.mismatch = ""

    async def _deposit(self, device: DeviceState, deposit: Deposit) -> None:
        """On disk first, then in memory. Goes on to its end also if the job that waits for it is cancelled: what is on
        disk and not in memory would be read twice.
        """
        task = asyncio.create_task(self._store(device, deposit))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        await asyncio.shield(task)

    async def _store(self, device: DeviceState, deposit: Deposit) -> None:
        device.storing += 1
        try:
            await self._outbox.deposit(deposit)
        finally:
            device.storing -= 1
            self._wake.set()
        for key in deposit.days:
            device.progress.days.setdefault(key.register, {})[key.day] = DayState.READ
        if deposit.sample is not None:
            mark = deposit.sample[1]
            before = device.progress.sample
            sampled = mark.sampled or (before.sampled if before else None)
            device.progress.sample = SampleMark(mark.handled, sampled)
        device.refresh(self._clock.now())

    async def _note_beginning(self, device: DeviceState, now: datetime) -> None:
        mark = first_mark(device.config, now)
        if mark is None:
            return
        try:
            await self._deposit(device, Deposit(sample=(device.config.id, mark)))
        except OutboxError as error:
            device.line_retry_at = self._clock.monotonic() + LINE_RETRY_S
            self._log.error("beginning not stored", device=device.config.id, reason=str(error))

    async def _note_gap(self, device: DeviceState) -> None:
        gap = device.due.gap
        assert gap is not None
        try:
            await self._deposit(
                device,
                Deposit(records=[gap_record(device.config, gap)], sample=(device.config.id, SampleMark(gap.last))),
            )
        except OutboxError as error:
            device.line_retry_at = self._clock.monotonic() + LINE_RETRY_S
            self._log.error("gap not stored", device=device.config.id, reason=str(error))
            return
        self._log.warning("gap", device=device.config.id, first=gap.first, last=gap.last, count=gap.count)

    # -- live lane

    async def _sample(self, device: DeviceState, sample: SampleDue) -> None:
        states = device.config.states
        assert states is not None

        async def work(turn: Turn) -> Deposit | None:
            if device.leaving or self._clock.now() >= sample.until:
                return None
            with on_the_line(device):
                async with device.driver.session(turn.line) as meter:
                    readings = await meter.read_states(states.registers)
            turn.answered()
            fresh, marks = await not_taken_yet(self._outbox, device.config.id, readings)
            blocks = state_blocks(device.config, sample, fresh)
            if blocks is None:
                return None
            mark = SampleMark(sample.instant, sample.instant)
            return Deposit(blocks=blocks, lane=Lane.LIVE, sample=(device.config.id, mark), remember=marks)

        deposit = await device.bus.submit(device.config.id, Priority.LIVE, work)
        if deposit is not None:
            await self._deposit(device, deposit)
            self._succeeded(device)

    # -- back-fill lane

    async def _read_days(self, device: DeviceState, days: tuple[DayDue, ...]) -> None:
        profile = device.config.profile
        assert profile is not None
        marked = not self._acquainted()

        async def work(turn: Turn) -> None:
            begun = self._clock.monotonic()
            with on_the_line(device):
                async with device.driver.session(turn.line) as meter:
                    for n, day in enumerate(days):
                        if n and (turn.urgent() or self._clock.monotonic() - begun > SESSION_MOST_S):
                            return
                        if device.leaving:
                            return
                        await read_day(meter, day, turn.answered)

        async def read_day(meter: MeterSession, day: DayDue, answered: Callable[[], None]) -> None:
            rows = await meter.read_day(profile, day.day)
            if tail_missing(rows) and self._clock.now() < day.day.end + QUARTER:
                device.tail = day.day, self._clock.monotonic() + TAIL_RETRY_S
                return
            due_day = replace(day, again=frozenset(day.registers)) if marked else day
            blocks, records = profile_blocks(device.config, due_day, rows)
            keys = [DayKey(device.config.id, register, day.day.date) for register in day.registers]
            await self._deposit(device, Deposit(blocks, records, Lane.BACKFILL, keys))
            self._succeeded(device)
            answered()

        await device.bus.submit(device.config.id, Priority.BACKFILL, work)


def round_reached(devices: Mapping[str, DeviceState], schedule: str) -> tuple[datetime | None, datetime | None]:
    """How far all devices of `schedule` have come together: last instant dealt with, last instant sampled by all."""
    marks = [
        device.progress.sample
        for device in devices.values()
        if device.config.states is not None and device.config.states.at == schedule
    ]
    if not marks or any(mark is None for mark in marks):
        return None, None
    handled = min(mark.handled for mark in marks if mark is not None)
    sampled = [mark.sampled for mark in marks if mark is not None]
    return handled, None if None in sampled else min(instant for instant in sampled if instant is not None)
