"""The live series of an agent: made from its devices, sampled by the timetable, stored in groups."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from edge.device_state import DeviceState
from edge.drivers.modbus import ModbusDriver
from edge.errors import OutboxError
from edge.live.blocks import Holes, live_blocks
from edge.live.jobs import JobTarget
from edge.live.modbus_tcp import ModbusPoller, ModbusTarget
from edge.live.rows import integer_rows, modbus_rows
from edge.live.series import Cut, LiveSeries
from edge.live.target import Target
from edge.live.timetable import Timetable, keep_time, spread_of
from edge.outbox.model import Deposit, Lane, Worth
from edge.outbox.outbox import Outbox
from shared.clock import EPOCH, Clock
from shared.wire import Block, Record

GROUP_S: Final = 0.1
"""Cuts that come within so long share a commit: a commit waits for the disk, blocks do not."""
GROUP_BLOCKS: Final = 100


class LiveReading:
    """`run()` is its task. `devices` is the plant's own mapping: what comes and goes there is followed. `keeps_up`
    tells whether what is stored now goes out in a moment; else it is a backlog (`Uplink.keeps_up`).
    """

    def __init__(
        self,
        devices: Mapping[str, DeviceState],
        outbox: Outbox,
        clock: Clock,
        has_room: Callable[[], bool] = lambda: True,
        keeps_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self._devices = devices
        self._outbox = outbox
        self._clock = clock
        self._has_room = has_room
        self._keeps_up = keeps_up
        self._log = structlog.get_logger("edge.live")
        self._timetable = Timetable()
        self._targets: dict[str, Target] = {}
        self._made = 0
        self._cuts: list[Cut] = []
        self._holes: dict[str, Holes] = {}
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """For ever, until cancelled; then what is in memory is stored."""
        timetable = asyncio.create_task(keep_time(self._timetable, self._clock, self._has_room))
        try:
            while not timetable.done():
                await self._follow()
                await asyncio.shield(self._store())
                await asyncio.sleep(GROUP_S)
            timetable.result()
        finally:
            timetable.cancel()
            for target in self._targets.values():
                target.series.cut()
            await asyncio.shield(self._store())

    async def _follow(self) -> None:
        """Let series come and go with their devices."""
        for name, target in list(self._targets.items()):
            if self._devices.get(name) is not target.device:
                self._drop(target)
        new = [
            device
            for name, device in self._devices.items()
            if device.config.live is not None and name not in self._targets
        ]
        if not new:
            return
        await asyncio.shield(self._store())
        marks = await self._outbox.live_marks()
        now = self._clock.now_ms()
        for device in new:
            target = self._targets[device.config.id] = self._target(device, spread_of(self._made))
            self._made += 1
            period = target.series.period_ms
            target.series.begin((now // period + 1) * period, marks.get(device.config.id))
            self._timetable.add(target, now)

    def _target(self, device: DeviceState, spread: float) -> Target:
        config = device.config
        assert config.live is not None
        poller, driver, registers = device.bus.tenant, device.driver, config.live.registers
        if isinstance(poller, ModbusPoller) and isinstance(driver, ModbusDriver) and not driver.tears(registers):
            series = LiveSeries(config, modbus_rows(registers, driver.plan(registers)), self._cuts.append, spread)
            return ModbusTarget(poller, device, driver, series)
        series = LiveSeries(config, integer_rows(registers), self._cuts.append, spread)
        return JobTarget(device, series, self._clock)

    def _drop(self, target: Target) -> None:
        self._timetable.remove(target)
        target.series.cut()
        del self._targets[target.device.config.id]

    async def _store(self) -> None:
        """Store what was cut, about `GROUP_BLOCKS` blocks in a deposit. What cannot be stored is counted as missed."""
        async with self._one_at_a_time:
            while self._cuts:
                await self._store_group()

    async def _store_group(self) -> None:
        group: list[Cut] = []
        blocks: list[Block] = []
        records: list[Record] = []
        marks: list[tuple[str, int]] = []
        while self._cuts and len(blocks) < GROUP_BLOCKS:
            cut = self._cuts.pop(0)
            device = cut.series.device.id
            found, told = live_blocks(cut, self._holes.setdefault(device, Holes()))
            blocks += found
            records += told
            marks.append((device, cut.end))
            group.append(cut)
            await asyncio.sleep(0)
        lane = Lane.LIVE if self._keeps_up() else Lane.BACKFILL
        try:
            await self._outbox.deposit(Deposit(blocks, records, lane, live=marks, worth=Worth.MEASUREMENT))
        except OutboxError as error:
            self._log.error("live series not stored", blocks=len(blocks), reason=str(error))
            for cut in group:
                cut.series.not_stored(cut)
            return
        for cut in group:
            self._note_success(cut)

    def _note_success(self, cut: Cut) -> None:
        device = self._devices.get(cut.series.device.id)
        if device is not None:
            device.last_success = EPOCH + timedelta(milliseconds=cut.end)

    def status(self) -> dict[str, Any]:
        """By device: samples taken and missed since the agent's start."""
        return {
            target.series.device.id: {
                "period_ms": target.series.period_ms,
                "samples": target.series.taken,
                "missed": target.series.missed,
            }
            for target in self._targets.values()
        }
