"""Intervals of meters without memory, for every device map: cumulative energy sampled at the quarter-hour, each sample
at its own time; late is flagged, missed is a gap, nothing is made up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge import inspect
from edge.blocks import ms
from edge.bus.owner import Bus
from edge.collector import Collector
from edge.config import IdentityConfig, StateRegister, StatesConfig
from edge.device_state import DeviceState
from edge.outbox.outbox import Outbox
from edge.schedule import DeviceProgress
from shared.quantities import Flag, Kind, Unit
from tests.unit.edge.examples import MARCH
from tests.unit.edge.modbus.simulated import STEPS_WH, Place

QUARTER = timedelta(minutes=15)
REGISTERS = [
    StateRegister(item="import", unit=Unit.WH, register="1-0:1.8.0"),
    StateRegister(item="export", unit=Unit.WH, register="1-0:2.8.0"),
]


@pytest.fixture(autouse=True)
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.health.FIRST_S", 0.01)
    monkeypatch.setattr("edge.collector.TICK_S", 0.002)


@asynccontextmanager
async def collecting(place: Place, path: Path) -> AsyncIterator[DeviceState]:
    """The place's meter, read by a collector into the outbox at `path`."""
    outbox = await Outbox.open(path)
    bus = Bus("modbus", place.line, place.driver.exchange.reset)
    config = msgspec.structs.replace(place.config, states=StatesConfig(registers=REGISTERS, at="quarter-hour"))
    device = DeviceState(config, bus, place.driver, DeviceProgress())
    collector = Collector({"M": device}, outbox, place.clock)
    tasks = [asyncio.create_task(run()) for run in (bus.run, collector.run)]
    try:
        yield device
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await outbox.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5.0):
        while not holds():
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("model", sorted(STEPS_WH))
async def test_samples_late_samples_and_gaps(model: str, tmp_path: Path) -> None:
    place = Place(model)
    path = tmp_path / "outbox.sqlite"
    place.clock.set(MARCH)

    async with collecting(place, path) as device:

        def sampled(instant: datetime) -> bool:
            return device.progress.sample is not None and device.progress.sample.sampled == instant

        await until(lambda: sampled(MARCH))
        late = MARCH + QUARTER + timedelta(seconds=90)
        place.clock.set(late)
        await until(lambda: sampled(MARCH + QUARTER))
        place.silent = True
        place.clock.set(MARCH + 2 * QUARTER)
        await until(lambda: device.failures > 0)
        place.silent = False
        back = MARCH + 4 * QUARTER + timedelta(seconds=5)
        place.clock.set(back)
        await until(lambda: sampled(MARCH + 4 * QUARTER))

    blocks = [each.block for each in inspect.committed_blocks(path)]
    assert {block.key.kind for block in blocks} == {Kind.STATE}
    for register, item in (("1-0:1.8.0", "import"), ("1-0:2.8.0", "export")):
        found = [
            (block.start_ms, list(block.values), block.quality and list(block.quality))
            for block in blocks
            if block.key.register == register
        ]
        expected = [
            (ms(at), [place.truth.state_at("M-63011", item, at) * STEPS_WH[model]], quality)
            for at, quality in ((MARCH, None), (late, [int(Flag.LATE)]), (back, None))
        ]
        assert found == expected
        assert all(values[0] > 0 for _, values, _ in found)
    gaps = [(r.at, r.data["until"], r.data["count"]) for r in inspect.committed_records(path) if r.kind == "gap"]
    assert gaps == [(ms(MARCH + 2 * QUARTER), ms(MARCH + 3 * QUARTER), 2)]


async def test_another_meter_is_never_sampled_and_the_right_one_is(tmp_path: Path) -> None:
    place = Place("abb-b23", config={"identity": IdentityConfig(serial="63011")}, serial=999)
    right = Place("abb-b23").meter
    path = tmp_path / "outbox.sqlite"
    place.clock.set(MARCH)
    async with collecting(place, path) as device:
        await until(lambda: device.failures > 1)
        assert device.mismatch.startswith("Unit 5 is not M: it shows serial '999', expected '63011'.")
        assert inspect.committed_blocks(path) == []
        place.stand_in(right)
        await until(lambda: device.last_success is not None)
        assert device.mismatch == ""
    assert len(inspect.committed_blocks(path)) == 2
