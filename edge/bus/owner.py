"""The one task that owns a line: takes jobs by priority, one at a time; reconnects with back-off; survives everything.

| state | jobs |
|---|---|
| connecting (first attempt, or after a reset) | wait |
| up | run, one at a time |
| down (last attempt failed) | refused at once with `LineDownError`, so that nobody waits for a dead line |
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final, TypeVar

import structlog

from edge.bus.line import Line
from edge.errors import DeviceError, DeviceSilentError, LineDownError

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


@dataclass(order=True, slots=True)
class _Job:
    priority: Priority
    number: int
    device: str = field(compare=False)
    work: Callable[[Turn], Awaitable[Any]] = field(compare=False)
    done: "asyncio.Future[Any]" = field(compare=False)


@dataclass(slots=True)
class BusCounters:
    """Jobs of a bus since the agent's start."""

    jobs: int = 0
    failed: int = 0
    connections: int = 0
    busy_s: float = 0.0


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
        self.counters = BusCounters()
        self.last_error = ""
        self._on_connect = on_connect
        self._reset_on_fault = reset_on_fault
        self._queue: list[_Job] = []
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._log = structlog.get_logger("edge.bus").bind(bus=name)

    async def submit(self, device: str, priority: Priority, work: Callable[[Turn], Awaitable[T]]) -> T:
        """Run `work` when its turn comes and give its result. Raises what it raises, and `LineDownError`."""
        if self.state is BusState.DOWN:
            raise LineDownError(f"The bus {self.name} is down: {self.last_error}")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, _Job(priority, next(self._numbers), device, work, done))
        self._wake.set()
        return await done

    async def run(self) -> None:
        """Own the line for ever; ends only by cancellation."""
        delay = RECONNECT_FIRST_S
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
                try:
                    await self._serve()
                except LineDownError as error:
                    self._log.warning("line lost", reason=str(error))
                finally:
                    self.state = BusState.CONNECTING
                    await self.line.link.close()
        finally:
            self._refuse_all(f"The bus {self.name} was stopped.")

    def _down(self, reason: str) -> None:
        if self.state is not BusState.DOWN or reason != self.last_error:
            self._log.warning("line down", reason=reason)
        self.state = BusState.DOWN
        self.last_error = reason
        self._refuse_all(f"The bus {self.name} is down: {reason}")

    def _refuse_all(self, reason: str) -> None:
        while self._queue:
            job = heapq.heappop(self._queue)
            if not job.done.done():
                job.done.set_exception(LineDownError(reason))

    async def _serve(self) -> None:
        silent = 0
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            job = heapq.heappop(self._queue)
            if job.done.done():
                continue
            failure = await self._perform(job)
            if isinstance(failure, LineDownError):
                raise failure
            if failure is not None and self._reset_on_fault:
                raise LineDownError("A job failed; the connection is made anew so that nothing late can be mistaken.")
            silent = silent + 1 if isinstance(failure, DeviceSilentError) else 0
            if silent >= SILENT_BEFORE_RESET:
                raise LineDownError(f"{silent} jobs in a row got no answer; the connection is made anew.")

    async def _perform(self, job: _Job) -> BaseException | None:
        begun = self.line.now()
        turn = Turn(self.line, lambda: bool(self._queue) and self._queue[0].priority < job.priority)
        failure: BaseException | None = None
        result: Any = None
        try:
            async with asyncio.timeout(JOB_LIMIT_S):
                result = await job.work(turn)
        except asyncio.CancelledError:
            if not job.done.done():
                job.done.set_exception(LineDownError(f"The bus {self.name} was stopped."))
            raise
        except TimeoutError:
            failure = DeviceSilentError(f"The job for {job.device} was stopped after {JOB_LIMIT_S:.0f} s.")
        except Exception as error:
            # Whatever a driver does wrong, the line goes on: the job's owner gets the error and says it.
            failure = error
        self.counters.jobs += 1
        self.counters.busy_s += self.line.now() - begun
        if failure is None:
            if not job.done.done():
                job.done.set_result(result)
            return None
        self.counters.failed += 1
        if not job.done.done():
            job.done.set_exception(failure)
        if isinstance(failure, DeviceError):
            with suppress(LineDownError):
                await self.line.drain()
        return failure
