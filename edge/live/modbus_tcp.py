"""Live series over Modbus TCP, the fast way: the line's octets come by callback, requests are made once, and there is
one timer a connection. What it costs and what the general way would: docs/decisions/live-series.md.

| state | event | next |
|---|---|---|
| away (the bus does its jobs) | begin | idle, or asked if somebody is due |
| idle | due | asked |
| asked | the answer | asked (next in the queue) or idle |
| asked | refusal, time-out | the device rests; next in the queue or idle |
| asked | pause | leaving: no further request; away as soon as this one is over |
| any | connection lost | away; the bus makes it anew |
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from edge.bus.link import HeldLink
from edge.bus.owner import SILENT_BEFORE_RESET, Turn
from edge.device_state import DeviceState
from edge.drivers.modbus import ModbusDriver, PlannedRead
from edge.errors import DeviceError, DeviceGarbledError, DeviceSilentError, LineDownError
from edge.live.series import LiveSeries
from edge.live.target import do_job, note_failure, note_success
from edge.modbus.exchange import Exchange, Request, answer_of
from edge.modbus.frames import Frame, next_tcp, tcp_frame
from edge.modbus.plan import PDU_HEAD
from shared.clock import Clock

UNIT: Final = 6
"""Octets of a frame before its unit."""
HEADER: Final = UNIT + 1 + PDU_HEAD
"""Octets of an answer before its registers."""


class Prepared(NamedTuple):
    """One block read, made once: all but the transaction number of the question and of its answer's beginning."""

    request: Request
    question: bytes
    answer: bytes
    length: int
    """Of the whole answer, octets."""


def prepared(plan: Sequence[PlannedRead]) -> list[Prepared]:
    """The requests of one sample."""
    found = []
    for read in plan:
        request = read.request
        assert request.octets is not None, "an answer to a read of registers has its length"
        answer = (request.octets + 1).to_bytes(4, "big") + bytes([request.unit]) + request.answer
        question = tcp_frame(request.unit, 0, request.pdu)[2:]
        found.append(Prepared(request, question, answer, UNIT + 1 + request.octets))
    return found


class ModbusTarget:
    """One device of a connection. Before it is sampled, and again after it was silent or the connection was made anew,
    its driver makes sure who it is: a job of the bus.
    """

    def __init__(self, poller: "ModbusPoller", device: DeviceState, driver: ModbusDriver, series: LiveSeries) -> None:
        self.series = series
        self.device = device
        self.driver = driver
        self.requests: list[Prepared] = []
        self.counters = device.bus.counters
        self.timeout_s = device.config.timeout_s
        self.slot = 0
        """For which it is to be asked."""
        self.queued = False
        self._poller = poller
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be asked: it was greeted on this connection and has not failed since."""
        return bool(self.requests) and self.driver.known

    def poll(self, slot: int) -> None:
        if not self.series.passed(slot):
            return
        if not self.ready:
            if self._task is None:
                self._task = asyncio.create_task(self._greet(), name=f"live-{self.device.config.id}")
            return
        self.slot = slot
        if not self.queued:
            self.queued = True
            self._poller.enqueue(self)

    def failed(self, error: DeviceError, cost_s: float) -> None:
        """It did not answer, or said no: it is greeted before it is asked again, when the bus lets it."""
        self.requests = []
        self.device.bus.tenant_failed(self.device.config.id, error, cost_s)
        note_failure(self.device, error)

    async def _greet(self) -> None:
        live = self.series.device.live
        assert live is not None
        registers = live.registers

        async def work(turn: Turn) -> list[Prepared]:
            await self.driver.greet(turn.line, registers)
            return prepared(self.driver.plan(registers))

        try:
            requests = await do_job(self.device, work)
            if requests is not None:
                note_success(self.device)
                self.requests = requests
        finally:
            self._task = None


class ModbusPoller:
    """All live series of one connection; a `Tenant` of its bus. One request in flight."""

    def __init__(self, link: HeldLink, exchange: Exchange, clock: Clock) -> None:
        self.strays = 0
        self._link = link
        self._exchange = exchange
        self._clock = clock
        self._queue: deque[ModbusTarget] = deque()
        self._present = False
        """Whether the line is lent to us."""
        self._leaving: asyncio.Future[None] | None = None
        self._asked: ModbusTarget | None = None
        self._slot = 0
        self._part = 0
        self._transaction = 0
        self._row = b""
        self._expected = b""
        self._length = -1
        self._asked_at = 0.0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._buffer = b""
        self._silent = 0
        self._lost = ""
        self._wake: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- Tenant of the bus

    def begin(self, wake: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._lost, self._buffer = "", b""
        self._present, self._leaving = True, None
        self._link.hold(self._received, self._connection_lost)
        now = self._clock.now_ms()
        for target in list(self._queue):
            if now >= target.slot + target.series.period_ms:
                target.queued = False
                self._queue.remove(target)
        self._next()

    async def pause(self) -> None:
        if self._asked is not None and not self._lost:
            self._leaving = asyncio.get_running_loop().create_future()
            await self._leaving
        if self._lost:
            raise LineDownError(self._lost)

    def end(self) -> None:
        self._present = False
        with suppress(LineDownError):
            self._link.hold(None, None)
        self._forget()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- asking

    def enqueue(self, target: ModbusTarget) -> None:
        """`target` is due."""
        self._queue.append(target)
        if self._asked is None and self._present:
            self._next()

    def _next(self) -> None:
        if self._leaving is not None:
            self._forget()
            if not self._leaving.done():
                self._leaving.set_result(None)
            return
        while self._queue and not self._lost:
            target = self._queue.popleft()
            target.queued = False
            # It may have failed, or the connection may have been made anew, since it became due.
            if target.ready:
                self._asked, self._slot, self._part, self._row = target, target.slot, 0, b""
                self._ask(target)
                return
        self._forget()

    def _ask(self, target: ModbusTarget) -> None:
        request = target.requests[self._part]
        self._transaction = self._exchange.next_transaction()
        transaction = self._transaction.to_bytes(2, "big")
        self._expected, self._length = transaction + request.answer, request.length
        assert self._loop is not None
        self._asked_at = self._loop.time()
        self._deadline = self._asked_at + target.timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look_at_time)
        try:
            self._link.send(transaction + request.question)
        except LineDownError as error:
            self._connection_lost(str(error))

    def _forget(self) -> None:
        self._asked, self._length = None, -1

    # -- hearing

    def _received(self, data: bytes) -> None:
        # Nearly always one read gives one whole answer, of which the first octets are known.
        if len(data) == self._length and not self._buffer and data.startswith(self._expected):
            self._answered(data[HEADER:])
            return
        self._buffer += data
        try:
            while (found := next_tcp(self._buffer))[0] is not None:
                frame, size = found
                self._buffer = self._buffer[size:]
                assert frame is not None
                self._framed(frame)
        except DeviceGarbledError as error:
            self._connection_lost(f"{self._link.name} lost its frames: {error}")

    def _framed(self, frame: Frame) -> None:
        target = self._asked
        if target is None or frame.transaction != self._transaction:
            self.strays += 1
            return
        request = target.requests[self._part].request
        if not request.fits(frame):
            self.strays += 1
            return
        try:
            registers = answer_of(request, frame)[PDU_HEAD:]
        except DeviceError as error:
            self._silent = 0
            self._failed(target, error)
        else:
            self._answered(registers)

    def _answered(self, registers: bytes) -> None:
        target = self._asked
        assert target is not None
        if self._part + 1 < len(target.requests):
            self._row += registers
            self._part += 1
            self._ask(target)
            return
        series, slot = target.series, self._slot
        if slot <= self._clock.now_ms() < slot + series.period_ms:
            series.take(slot, self._row + registers if self._row else registers)
        self._silent = 0
        if self._loop is not None:
            target.counters.jobs += 1
            target.counters.busy_s += self._loop.time() - self._asked_at
        self._next()

    # -- faults

    def _look_at_time(self) -> None:
        self._timer = None
        target = self._asked
        if target is None or self._loop is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_time)
            return
        request = target.requests[self._part].request
        self._silent += 1
        if self._silent >= SILENT_BEFORE_RESET:
            self._lost = f"{self._silent} requests in a row got no answer; the connection is made anew."
        self._failed(
            target,
            DeviceSilentError(
                f"Unit {request.unit} gave no whole answer to {request.what} within {target.timeout_s} s."
            ),
        )
        if self._lost:
            self._connection_lost(self._lost)

    def _failed(self, target: ModbusTarget, error: DeviceError) -> None:
        cost = 0.0
        if isinstance(error, DeviceSilentError):
            cost = target.timeout_s
            target.driver.forget()
        target.failed(error, cost)
        self._next()

    def _connection_lost(self, reason: str) -> None:
        self._lost, self._silent = reason, 0
        self._forget()
        if self._leaving is not None and not self._leaving.done():
            self._leaving.set_result(None)
        self._wake()
