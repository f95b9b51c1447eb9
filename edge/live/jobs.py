"""Live series as jobs of a bus: for lines on which anything but Modbus TCP is spoken. One job a sample."""

import asyncio
from collections.abc import Sequence

from edge.bus.owner import Turn
from edge.device_state import DeviceState
from edge.drivers.port import StateReading
from edge.live.rows import integer_row
from edge.live.series import LiveSeries
from edge.live.target import do_job, note_success
from shared.clock import Clock


class JobTarget:
    """One device; a sample that is still under way when the next is due makes the next one missed."""

    def __init__(self, device: DeviceState, series: LiveSeries, clock: Clock) -> None:
        self.series = series
        self.device = device
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def poll(self, slot: int) -> None:
        if self.series.passed(slot) and self._task is None:
            self._task = asyncio.create_task(self._sample(), name=f"live-{self.device.config.id}")

    async def _sample(self) -> None:
        live, slot = self.series.device.live, 0
        assert live is not None

        async def work(turn: Turn) -> Sequence[StateReading]:
            nonlocal slot
            slot = self._slot()  # the job may have waited long: the meter was failing, or others were more urgent
            async with self.device.driver.session(turn.line) as meter:
                return await meter.read_states(live.registers)

        try:
            readings = await do_job(self.device, work)
            if readings is None:
                return
            note_success(self.device)
            if self._slot() == slot:
                self.series.take(slot, integer_row([reading.value for reading in readings]))
        finally:
            self._task = None

    def _slot(self) -> int:
        return self._clock.now_ms() // self.series.period_ms * self.series.period_ms
