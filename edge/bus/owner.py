"""The one task that owns a line: takes jobs by priority, one at a time; reconnects with back-off; survives everything.

Jobs of meters that failed wait apart until `edge.bus.health` lets one of them be asked; what a person asks for
(commands, on demand) does not wait.

| state | jobs |
|---|---|
| connecting (first attempt, or after a reset) | wait |
| up | run, one at a time |
| down (last attempt failed, or stopped) | refused at once with `LineDownError`, so that nobody waits for a dead line |
"""

import asyncio
import heapq
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final, Protocol, TypeVar

import structlog

from edge.bus.counters import BusCounters, fault_of
from edge.bus.health import Probation
from edge.bus.line import Line
from edge.bus.station import Station
from edge.errors import DeviceError, DeviceSilentError, LineAmbiguousError, LineDownError

T = TypeVar("T")

JOB_LIMIT_S: Final = 120.0
RECONNECT_FIRST_S: Final = 0.5
RECONNECT_MOST_S: Final = 30.0
SILENT_BEFORE_RESET: Final = 3
"""Jobs in a row that got no answer before a connection is made anew."""


class Priority(IntEnum):
    """Lanes of the queue, the most urgent first."""

    COMMAND = 0
    ON_DEMAND = 1
    LIVE = 2
    BACKFILL = 3


class BusState(StrEnum):
    """See the table above."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a job gets: the line, and whether somebody more urgent waits (a long job then stops early)."""

    line: Line
    urgent: Callable[[], bool]
    answered: Callable[[], None] = lambda: None
    """To be called by long jobs whenever the meter has done what was asked: what then fails begins anew."""


class Tenant(Protocol):
    """Whoever uses the line while the bus has no job (live series)."""

    def begin(self, wake: Callable[[], None]) -> None:
        """The line is lent. `wake` is called when the connection is lost."""

    async def pause(self) -> None:
        """A job waits: finish the request that is under way. Raises `LineDownError` if the connection is lost."""

    def end(self) -> None:
        """The line is lent no more."""


class _LostAtRestError(LineDownError):
    """The connection was lost while there was no job: a peer that hangs up on whoever asks nothing (many meters do,
    after a while) is not called again before somebody wants it, or some time has passed.
    """


@dataclass(order=True, slots=True)
class _Job:
    priority: Priority
    number: int
    device: str = field(compare=False)
    work: Callable[[Turn], Awaitable[Any]] = field(compare=False)
    done: "asyncio.Future[Any]" = field(compare=False)
    since: float = field(compare=False)
    """When it was submitted."""
    probe: bool = field(default=False, compare=False)
    """With a meter that failed before."""


class Bus:
    """Owner of one line. `run()` is its task; `submit()` may be called by anybody on the same loop.

    `on_connect` is called after each connection; `reset_on_fault` makes the connection anew after a failed job.
    """

    def __init__(
        self, name: str, line: Line, on_connect: Callable[[], None] = lambda: None, *, reset_on_fault: bool = False
    ) -> None:
        self.name = name
        self.line = line
        self.state = BusState.CONNECTING
        self.counters = BusCounters(latency=line.latency)
        self.probation = Probation()
        self.stations: dict[str, Station] = defaultdict(Station)
        """By device; who is not entered has no needs of its own."""
        self.last_error = ""
        self.tenant: Tenant | None = None
        self.late_s = 0.0
        """A meter that was silent is not asked again before its late answer can come no more."""
        self._on_connect = on_connect
        self._reset_on_fault = reset_on_fault
        self._queue: list[_Job] = []
        self._held: dict[str, list[_Job]] = {}
        """Jobs of failing meters, by device."""
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._log = structlog.get_logger("edge.bus").bind(bus=name)

    async def submit(self, device: str, priority: Priority, work: Callable[[Turn], Awaitable[T]]) -> T:
        """Run `work` when its turn comes and give its result. Raises what it raises, and `LineDownError`."""
        if self.state is BusState.DOWN:
            raise LineDownError(f"The bus {self.name} is down: {self.last_error}")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._enqueue(_Job(priority, next(self._numbers), device, work, done, self.line.now()))
        return await done

    def _enqueue(self, job: _Job) -> None:
        must_wait = job.priority >= Priority.LIVE and not job.probe and self.probation.is_failing(job.device)
        heapq.heappush(self._held.setdefault(job.device, []) if must_wait else self._queue, job)
        self._wake.set()

    async def run(self) -> None:
        """Own the line for ever; ends only by cancellation."""
        delay = rest = RECONNECT_FIRST_S
        self.state = BusState.CONNECTING
        try:
            while True:
                try:
                    await self.line.link.open()
                except LineDownError as error:
                    self._down(str(error))
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, RECONNECT_MOST_S)
                    continue
                delay = RECONNECT_FIRST_S
                self.counters.connections += 1
                self.state = BusState.UP
                self._on_connect()
                self._log.info("line up")
                up_since, at_rest = self.line.now(), False
                try:
                    await self._serve()
                except LineDownError as error:
                    at_rest = isinstance(error, _LostAtRestError)
                    self._log.warning("line lost", reason=str(error))
                finally:
                    self.state = BusState.CONNECTING
                    await self.line.link.close()
                if self.line.now() - up_since > RECONNECT_MOST_S:
                    rest = RECONNECT_FIRST_S
                if at_rest and not self._queue:
                    self._wake.clear()
                    await self._wait_for_job(rest)
                    rest = min(rest * 2, RECONNECT_MOST_S)
        finally:
            # Whoever comes now would wait for ever: nobody looks into the queue any more.
            self.state, self.last_error = BusState.DOWN, "it was stopped"
            self._refuse_all(f"The bus {self.name} was stopped.")

    def _down(self, reason: str) -> None:
        if self.state is not BusState.DOWN or reason != self.last_error:
            self._log.warning("line down", reason=reason)
        self.state = BusState.DOWN
        self.last_error = reason
        self._refuse_all(f"The bus {self.name} is down: {reason}")

    def _refuse_all(self, reason: str) -> None:
        jobs = [*self._queue, *(job for held in self._held.values() for job in held)]
        self._queue.clear()
        self._held.clear()
        for job in jobs:
            self.probation.withdrawn(job.device)
            if not job.done.done():
                job.done.set_exception(LineDownError(reason))

    async def _serve(self) -> None:
        silent = 0
        while True:
            job = await self._next_job()
            failure = await self._perform(job)
            if isinstance(failure, LineDownError):
                raise failure
            if failure is not None and self._reset_on_fault:
                raise LineDownError("A job failed; the connection is made anew so that nothing late can be mistaken.")
            silent = silent + 1 if isinstance(failure, DeviceSilentError) else 0
            if silent >= SILENT_BEFORE_RESET:
                raise LineDownError(f"{silent} jobs in a row got no answer; the connection is made anew.")

    async def _next_job(self) -> _Job:
        while True:
            self._let_one_try()
            while self._queue:
                job = heapq.heappop(self._queue)
                if job.done.done():
                    if job.probe:
                        self.probation.withdrawn(job.device)
                elif job.probe or job.priority < Priority.LIVE or not self.probation.is_failing(job.device):
                    return job
                else:  # it has failed since this job was submitted
                    self._enqueue(job)
                self._let_one_try()
            self._wake.clear()
            retry_at = self.probation.next_at(self._held)
            timeout = None if retry_at is None else max(retry_at - self.line.now(), 0.0)
            await self._idle(timeout)

    def _let_one_try(self) -> None:
        """Put the next job of a failing meter into the queue, if it is time for one."""
        for device in list(self._held):
            waiting = [job for job in self._held[device] if not job.done.done()]
            if waiting:
                self._held[device] = waiting
                heapq.heapify(waiting)
            else:
                del self._held[device]
        device_to_try = self.probation.choose(self._held, self.line.now())
        if device_to_try is not None:
            job = heapq.heappop(self._held[device_to_try])
            job.probe = True
            self._enqueue(job)

    async def _wait_for_job(self, timeout: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()

    async def _idle(self, timeout: float | None) -> None:
        """Wait for a job, `timeout` seconds at most; meanwhile the line is the tenant's. Raises `LineDownError` if the
        tenant lost it.
        """
        if self.tenant is not None:
            self.tenant.begin(self._wake.set)
        try:
            await self._wait_for_job(timeout)
            if self.tenant is not None:
                await self.tenant.pause()
        except LineDownError as error:
            raise _LostAtRestError(str(error)) from None
        finally:
            if self.tenant is not None:
                self.tenant.end()

    async def _perform(self, job: _Job) -> BaseException | None:
        line, station = self.line, self.stations[job.device]
        line.station = station
        begun = asked_at = line.now()
        received = line.counters.octets_received
        failing = self.probation.is_failing(job.device)
        if not failing:
            lane = job.priority.name.lower()
            waited = begun - job.since
            self.counters.waited_most_s[lane] = max(self.counters.waited_most_s.get(lane, 0.0), waited)

        def answered() -> None:
            nonlocal asked_at
            asked_at = line.now()
            self._is_well(job.device)

        turn = Turn(line, lambda: bool(self._queue) and self._queue[0].priority < job.priority, answered)
        failure: BaseException | None = None
        result: Any = None
        try:
            async with asyncio.timeout(JOB_LIMIT_S):
                result = await job.work(turn)
        except asyncio.CancelledError:
            self.probation.withdrawn(job.device)
            if not job.done.done():
                job.done.set_exception(LineDownError(f"The bus {self.name} was stopped."))
            raise
        except TimeoutError:
            failure = DeviceSilentError(f"The job for {job.device} was stopped after {JOB_LIMIT_S:.0f} s.")
        except Exception as error:
            # Whatever a driver does wrong, the line goes on: the job's owner gets the error and says it.
            failure = error
        if failure is None:
            line.settle()
            if line.counters.octets_received > received:
                self._is_well(job.device)
            else:
                self.probation.withdrawn(job.device)
            self._count(station, failing, begun)
            if not job.done.done():
                job.done.set_result(result)
            return None
        fault = fault_of(failure, heard=line.heard)
        self._count(station, failing, begun)
        for counters in (self.counters, station.counters):
            counters.count_failure(fault)
        drained_since = line.now()
        if isinstance(failure, DeviceSilentError):
            station.patience.gave_up()
        if isinstance(failure, DeviceError):
            with suppress(LineDownError):
                await line.drain()
        drained_s = line.now() - drained_since
        self._blame(job.device, failure, line.now() - asked_at)
        for counters in (self.counters, station.counters):
            counters.busy_s += drained_s
        if failing:
            self.counters.probes_s += line.now() - asked_at
        if not job.done.done():
            job.done.set_exception(failure)
        return failure

    def _count(self, station: Station, failing: bool, begun: float) -> None:
        held_s = self.line.now() - begun
        self.counters.probes += failing
        for counters in (self.counters, station.counters):
            counters.jobs += 1
            counters.busy_s += held_s

    def _is_well(self, device: str) -> None:
        self.probation.succeeded(device)
        for job in self._held.pop(device, []):
            self._enqueue(job)

    def tenant_failed(self, device: str, failure: DeviceError, cost_s: float) -> None:
        """A meter failed the tenant, which took `cost_s` of the line: it rests as after a job."""
        fault = fault_of(failure, heard=False)
        for counters in (self.counters, self.stations[device].counters):
            counters.count_failure(fault)
        self._blame(device, failure, cost_s)

    def _blame(self, device: str, failure: BaseException, cost_s: float) -> None:
        if isinstance(failure, LineDownError):
            self.probation.withdrawn(device)  # it is the line's fault, not the meter's
        elif isinstance(failure, LineAmbiguousError):
            self.probation.must_rest(device, self.line.now() + failure.retry_in)
        else:
            self.probation.failed(device, self.line.now(), cost_s)
            if isinstance(failure, DeviceSilentError):
                self.probation.must_rest(device, self.line.now() + self.late_s)
