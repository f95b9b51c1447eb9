"""Looks after meters beside reading them: their clocks and event logs, at most once in `attend_every_s`.

What is read of an event log is deposited together with the mark of how far it is read, so that no crash loses or
doubles an event. A clock is corrected only if the configuration says so and no quarter-hour boundary is stepped over
(edge.control.clock_policy); each correction is a record.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from edge.bus.owner import Priority, Turn
from edge.control.clock_policy import NeedsOrder, SetNow, WaitUntil, judge_clock
from edge.device_state import DeviceState, on_the_line
from edge.drivers.port import ClockSession, EventSession, MeterEvent
from edge.errors import DeviceError, DeviceRefusedError, LineDownError, OutboxError
from edge.outbox.model import Deposit, Lane
from edge.outbox.outbox import Outbox
from shared.clock import EPOCH, Clock
from shared.wire import Record

LOOK_S: Final = 0.5
RETRY_S: Final = 300.0
"""Wall seconds until a meter that failed is looked after again."""
TELL_DRIFT_AGAIN: Final = timedelta(days=1)
VALUE_LENGTH: Final = 100
_MILLISECOND: Final = timedelta(milliseconds=1)
_log = structlog.get_logger("edge.attend")


@dataclass(slots=True)
class _Care:
    """What is known of one device."""

    seen_at: datetime | None = None
    """When it was looked after, business time."""
    again_at: datetime | None = None
    """Earlier than its turn: its clock can be corrected from then on."""
    retry_at: float = 0.0
    told_drift_at: datetime | None = None
    task: "asyncio.Task[None] | None" = None


class Attendant:
    """`run()` is its task. One device a bus at a time, behind everything live."""

    def __init__(
        self,
        devices: Mapping[str, DeviceState],
        outbox: Outbox,
        clock: Clock,
        *,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._devices = devices
        self._outbox = outbox
        self._clock = clock
        self._has_room = has_room
        self._cares: dict[str, _Care] = {}

    async def run(self) -> None:
        """For ever, until cancelled; so are jobs under way."""
        try:
            while True:
                self._look()
                await asyncio.sleep(LOOK_S)
        finally:
            tasks = [care.task for care in self._cares.values() if care.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self) -> None:
        for gone in self._cares.keys() - self._devices.keys():
            if self._cares[gone].task is None:
                del self._cares[gone]
        busy = {
            self._devices[name].bus.name for name, care in self._cares.items() if care.task and name in self._devices
        }
        now, wall = self._clock.now(), self._clock.monotonic()
        for name, device in self._devices.items():
            care = self._cares.setdefault(name, _Care())
            if device.bus.name in busy or not self._is_due(device, care, now, wall):
                continue
            busy.add(device.bus.name)
            care.task = asyncio.create_task(self._attend(device, care), name=f"attend-{name}")

    def _is_due(self, device: DeviceState, care: _Care, now: datetime, wall: float) -> bool:
        if care.task is not None or device.leaving or wall < care.retry_at or not self._has_room():
            return False
        if device.health.failures or not wants_attention(device):  # whoever reads it finds out when it is well again
            return False
        if care.seen_at is None or now < care.seen_at:
            return True
        every = timedelta(seconds=device.config.attend_every_s)
        return now >= care.seen_at + every or (care.again_at is not None and now >= care.again_at)

    async def _attend(self, device: DeviceState, care: _Care) -> None:
        async def work(turn: Turn) -> None:
            if device.leaving:
                return
            with on_the_line(device):
                async with device.driver.session(turn.line) as meter:
                    # Logs first: a clock that shows no time would keep them from being read.
                    if isinstance(meter, EventSession):
                        for log in device.config.event_logs:
                            await self._read_log(device, meter, log)
                    if isinstance(meter, ClockSession):
                        await self._look_at_clock(device, care, meter)

        name = device.config.id
        try:
            await device.bus.submit(name, Priority.BACKFILL, work)
            care.seen_at = self._clock.now()
        except (DeviceError, LineDownError, OutboxError) as error:
            care.retry_at = self._clock.monotonic() + RETRY_S
            _log.warning("meter not looked after", device=name, reason=str(error))
        except Exception as error:
            # A fault of ours with one meter must not end the care for the others.
            care.retry_at = self._clock.monotonic() + RETRY_S
            _log.error("care failed", device=name, exc_info=error)
        finally:
            care.task = None

    # -- clock

    async def _look_at_clock(self, device: DeviceState, care: _Care, meter: ClockSession) -> None:
        care.again_at = None
        asked = self._clock.now()
        try:
            shown = await meter.read_clock()
        except DeviceRefusedError as error:
            _log.warning("clock not read", device=device.config.id, reason=str(error))
            return
        answered = self._clock.now()
        right = asked + (answered - asked) / 2
        drift = shown - right
        device.clock_drift_s = round(drift.total_seconds(), 3)
        policy = device.config.clock
        # What the answer took on its way is no drift.
        if abs(drift) <= timedelta(seconds=policy.tolerance_s) + (answered - asked) / 2:
            care.told_drift_at = None
            return
        if policy.automatic and await self._correct(device, care, meter, shown, right):
            return
        if care.told_drift_at is None or answered - care.told_drift_at >= TELL_DRIFT_AGAIN:
            await self._note(Record("clock-drift", device.config.id, _ms(right), {"drift_ms": drift // _MILLISECOND}))
            care.told_drift_at = answered

    async def _correct(
        self, device: DeviceState, care: _Care, meter: ClockSession, shown: datetime, right: datetime
    ) -> bool:
        """Correct the clock if it can be without stepping over a boundary; whether it was, or will be soon."""
        match judge_clock(shown, right, over_boundary=False):
            case SetNow(drift, crosses):
                at = self._clock.now()
                try:
                    await meter.set_clock(at)
                except DeviceRefusedError as error:
                    _log.warning("clock not corrected", device=device.config.id, reason=str(error))
                    return False
                after: datetime | None = None
                try:
                    after = await meter.read_clock()
                except (DeviceError, LineDownError) as error:
                    # It was set all the same, and each correction is told.
                    _log.warning("clock not read back", device=device.config.id, reason=str(error))
                data: dict[str, str | int | float | None] = {
                    "before": _ms(shown),
                    "after": _ms(after) if after is not None else None,
                    "drift_ms": drift // _MILLISECOND,
                    "left_ms": (after - self._clock.now()) // _MILLISECOND if after is not None else None,
                    "boundaries": crosses,
                }
                await self._note(Record("clock-set", device.config.id, _ms(at), data))
                return True
            case WaitUntil(at):
                care.again_at = at
                return True
            case NeedsOrder():
                return False

    async def _note(self, record: Record) -> None:
        await self._outbox.deposit(Deposit(records=[record]))

    # -- event logs

    async def _read_log(self, device: DeviceState, meter: EventSession, log: str) -> None:
        name = device.config.id
        key = f"events {name} {log}"
        try:
            found = await meter.read_events(log, await self._outbox.meta(key))
        except DeviceRefusedError as error:
            _log.warning("event log not read", device=name, log=log, reason=str(error))
            return
        now_ms = self._clock.now_ms()
        records = [event_record(name, log, event, now_ms) for event in found.events]
        if found.overrun:
            records.insert(0, Record("event-log-overrun", name, now_ms, {"log": log}))
        if records:
            await self._outbox.deposit(Deposit(records=records, lane=Lane.LIVE, remember={key: found.mark}))


def wants_attention(device: DeviceState) -> bool:
    """Whether the device may have a clock or event logs: those read by registers have not."""
    return device.config.model == "dlms" or bool(device.config.event_logs) or device.config.clock.automatic


def event_record(device: str, log: str, event: MeterEvent, now_ms: int) -> Record:
    """A row of an event log, at its own time; one without a time, or with one that is still to come, at `now_ms`."""
    data: dict[str, str | int | float | None] = {"log": log, "code": event.code}
    for name, value in event.values:
        data[name] = value[:VALUE_LENGTH].replace("\0", "") if isinstance(value, str) else value
    at_ms = event.at_ms
    if at_ms is None or not 0 < at_ms <= now_ms:
        data["stamp"] = at_ms
        at_ms = now_ms
    return Record("meter-event", device, at_ms, data)


def _ms(instant: datetime) -> int:
    return (instant - EPOCH) // _MILLISECOND
