"""Turns what is due into jobs on the buses and their results into deposits. One lane for live data (samples, intervals
of the running day) and one for back-fill per device, each with at most one job; a device that fails rests, and nobody
else waits for it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from edge.blocks import clock_back_record, gap_record, profile_read, state_blocks
from edge.bus.owner import Priority, Turn
from edge.captured import not_taken_yet
from edge.device_state import DeviceState, on_the_line, step_ms
from edge.drivers.port import DayPart, MeterSession
from edge.errors import DeviceError, DeviceMismatchError, LineDownError, OutboxError
from edge.outbox.model import Deposit, Lane
from edge.outbox.outbox import Outbox
from edge.schedule import (
    RowsDue,
    SampleDue,
    SampleMark,
    first_mark,
    is_ahead,
    still_due,
)
from edge.timeline import Span, paint
from shared.clock import EPOCH, Clock

TICK_S: Final = 0.05
"""How often, wall time, the clock is looked at: a sampling round may start this much late."""
LINE_RETRY_S: Final = 1.0
SESSION_MOST_S: Final = 45.0
"""After so long a session begins no further day, so that a slow line's other meters get their turn."""
TAIL_RETRY_S: Final = 15.0
"""A day whose last row is not there yet is asked for again after so long, while it is no older than a quarter-hour."""


class Collector:
    """`run()` is its task. `may_read_profiles` tells whether back-fill may begin; `acquainted` whether the outbox has
    heard from central what is in evidence (until then re-reading cannot be excluded, and is marked); `keeps_up` whether
    what is stored now goes out in a moment (else live data are a backlog, as back-fill is).
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
        keeps_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self.devices = devices
        self._outbox = outbox
        self._clock = clock
        self._may_read_profiles = may_read_profiles
        self._acquainted = acquainted
        self._has_room = has_room
        self._keeps_up = keeps_up
        self._wake = asyncio.Event()
        self._reload = False
        self._taking = False
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
        due = device.due
        wants_sample = due.sample is not None and device.live is None
        wants_rows = due.rows is not None and None in (device.live, device.backfill)
        wants_days = bool(due.days) and device.backfill is None
        if not (wants_sample or wants_rows or wants_days):
            return None
        rest = max(device.health.retry_at, device.line_retry_at)
        nothing_now = not (wants_sample or device.live_due(rest) or device.backfill_due(rest))
        if nothing_now and device.tail is not None:
            rest = max(rest, device.tail[1])
        return max(rest, self._clock.monotonic() + TICK_S)

    def _sure(self) -> bool:
        """Whether what is missing in the timelines is surely not in evidence."""
        return self._acquainted() and not self._reload and not self._taking

    async def _take_progress(self) -> None:
        self._reload, self._taking = False, True
        try:
            stored = await self._outbox.progress()
        except OutboxError:
            self._reload = True
            raise
        finally:
            self._taking = False
        for name, device in self.devices.items():
            if name in stored:
                device.progress.registers = stored[name].registers
            device.refresh(self._clock.now())

    async def _look_after(self, device: DeviceState, now: datetime, wall: float) -> None:
        if device.progress.sample is None and wall >= device.line_retry_at:
            await self._note_beginning(device, now)
        elif device.progress.sample is not None and device.progress.sample.handled > now:
            await self._note_clock_that_was_ahead(device, device.progress.sample, now, wall)
        device.refresh_if_stale(now)
        if device.due.gap is not None and wall >= device.line_retry_at:
            await self._note_gap(device)
        rests = wall < max(device.health.retry_at, device.line_retry_at)
        if rests or device.leaving or device.storing or not self._has_room():
            return
        if device.due.sample is not None and device.live is None:
            device.live = self._start(device, self._sample(device, device.due.sample), "live")
        if not self._may_read_profiles():
            return
        rows = device.live_due(wall)
        if rows is not None and device.live is None:
            device.reading["live"] = (rows.day,)
            device.live = self._start(device, self._read_rows(device, (rows,), live=True), "live")
        days = device.backfill_due(wall)
        if days and device.backfill is None:
            device.reading["backfill"] = tuple(day.day for day in days)
            device.backfill = self._start(device, self._read_rows(device, days, live=False), "backfill")

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

        def ended(task: "asyncio.Task[None]") -> None:
            work.close()  # of no effect unless it never began
            device.reading.pop(lane, None)
            if lane == "live":
                device.live = None
            else:
                device.backfill = None
            device.refresh(self._clock.now())
            self._wake.set()

        # By callback: a task that is cancelled before it begins comes to no `finally`.
        task = asyncio.create_task(guarded(), name=f"{lane}-{device.config.id}")
        task.add_done_callback(ended)
        return task

    def _failed(self, device: DeviceState, error: Exception) -> None:
        device.failures += 1
        device.last_error = str(error)
        if isinstance(error, DeviceMismatchError):
            device.mismatch = device.last_error
        self._log.warning("meter failed", device=device.config.id, reason=str(error), failures=device.health.failures)

    def succeeded(self, device: DeviceState) -> None:
        """The device was read, whoever asked for it."""
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
        registers = device.progress.registers
        for _, register, stretch in deposit.progress:
            registers[register] = paint(registers.get(register, []), stretch)
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

    async def _note_clock_that_was_ahead(
        self, device: DeviceState, mark: SampleMark, now: datetime, wall: float
    ) -> None:
        if device.storing or wall < device.line_retry_at or not is_ahead(device.config, mark, now, device.phase):
            return
        again = first_mark(device.config, now - device.phase)
        assert again is not None
        told = Deposit(records=[clock_back_record(device.config, mark.handled, now)], sample=(device.config.id, again))
        try:
            await self._deposit(device, told)
        except OutboxError as error:
            device.line_retry_at = self._clock.monotonic() + LINE_RETRY_S
            self._log.error("clock that went back not stored", device=device.config.id, reason=str(error))
            return
        self._log.warning("clock went back", device=device.config.id, sampled_until=mark.handled, now=now)

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

    def _lane(self, *, live: bool) -> Lane:
        return Lane.LIVE if live and self._keeps_up() else Lane.BACKFILL

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
            return Deposit(blocks=blocks, lane=self._lane(live=True), sample=(device.config.id, mark), remember=marks)

        deposit = await device.bus.submit(device.config.id, Priority.LIVE, work)
        if deposit is not None:
            await self._deposit(device, deposit)
            self.succeeded(device)

    # -- rows of load profiles, in both lanes

    async def _read_rows(self, device: DeviceState, due: tuple[RowsDue, ...], *, live: bool) -> None:
        async def work(turn: Turn) -> None:
            begun = self._clock.monotonic()
            started = False
            with on_the_line(device):
                async with device.driver.session(turn.line) as meter:
                    for part in (part for day in due for part in device.pieces(day, turn.line)):
                        waited = started and (turn.urgent() or self._clock.monotonic() - begun > SESSION_MOST_S)
                        if waited or device.leaving:
                            return
                        started = True
                        await self._read_part(device, meter, part, live=live)
                        turn.answered()

        await device.bus.submit(device.config.id, Priority.LIVE if live else Priority.BACKFILL, work)

    async def _read_part(self, device: DeviceState, meter: MeterSession, part: Span, *, live: bool) -> None:
        profile = device.config.profile
        assert profile is not None
        # What is known may have changed since the job was due: only what is still missing is asked for.
        due = still_due(profile, device.progress, part, self._clock.now())
        if due is None:
            return
        begun, sure = self._clock.monotonic(), self._sure()
        start, end = due.span
        rows = await meter.read_day(profile, DayPart(due.day, _instant(start), _instant(end)))
        device.took((end - start) // step_ms(due), self._clock.monotonic() - begun)
        again = not (sure and self._sure())
        read = profile_read(device.config, due, rows, self._clock.now_ms(), live=live, again=again)
        if read.tail:
            device.tail = due.day, self._clock.monotonic() + TAIL_RETRY_S
        if read.progress:
            await self._deposit(device, Deposit(read.blocks, read.records, self._lane(live=live), read.progress))
        self.succeeded(device)


def _instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
