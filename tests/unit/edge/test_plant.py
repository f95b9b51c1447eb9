"""A configuration that changes while buses run: who stays notices nothing."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.collector import Collector
from edge.control.difference import Difference, difference
from edge.drivers.testing import FakeMeter
from edge.errors import ConfigError, LineDownError
from edge.outbox.outbox import Outbox
from edge.plant import Plant
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH, config_data, edge_config, sdm630


def changed(**changes: Any) -> dict[str, Any]:
    """The example with `devices` on rtu-1, `hdlc` and `tcp` link fields, or buses taken out by `without`."""
    data = copy.deepcopy(config_data())
    data["number"] = 2
    hdlc, rtu, tcp = data["buses"]
    rtu["devices"] = changes.get("devices", rtu["devices"])
    hdlc["link"] |= changes.get("hdlc", {})
    tcp["link"] |= changes.get("tcp", {})
    data["buses"] = [bus for bus in data["buses"] if bus["name"] not in changes.get("without", ())]
    return data


@pytest.mark.parametrize(
    ("changes", "stopped", "started", "removed", "added"),
    [
        ({}, (), [], (), []),
        ({"devices": [sdm630("EA-1", 1), sdm630("EA-2", 2), sdm630("EA-3", 3)]}, (), [], (), [("rtu-1", "EA-3")]),
        ({"devices": [sdm630("EA-2", 2)]}, (), [], ("EA-1",), []),
        ({"devices": [sdm630("EA-1", 9), sdm630("EA-2", 2)]}, (), [], ("EA-1",), [("rtu-1", "EA-1")]),
        ({"hdlc": {"baud": 9600}}, ("hdlc-1",), ["hdlc-1"], (), []),
        ({"without": ["tcp-1"]}, ("tcp-1",), [], (), []),
    ],
)
def test_only_what_differs_is_touched(
    changes: dict[str, Any],
    stopped: tuple[str, ...],
    started: list[str],
    removed: tuple[str, ...],
    added: list[tuple[str, str]],
) -> None:
    found: Difference = difference(edge_config(), edge_config(changed(**changes)))
    assert found.stopped == stopped
    assert [bus.name for bus in found.started] == started
    assert found.removed == removed
    assert [(bus, device.id) for bus, device in found.added] == added


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[tuple[Plant, Collector, Outbox]]:
    clock = ManualClock(MARCH)
    plant = Plant(edge_config(), clock)
    for device in plant.devices.values():
        device.driver = FakeMeter(clock)
    outbox = await Outbox.open(path)
    collector = Collector(plant.devices, outbox, clock)
    plant.start()
    task = asyncio.create_task(collector.run())
    try:
        yield plant, collector, outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await plant.stop()
        await outbox.close()


async def test_buses_and_devices_that_stay_keep_their_tasks(tmp_path: Path) -> None:
    async with running(tmp_path / "outbox.sqlite") as (plant, collector, outbox):
        before = {name: (bus.bus, bus.task) for name, bus in plant.running.items()}
        states = dict(plant.devices)
        devices = [sdm630("EA-2", 2), sdm630("EA-3", 3)]
        prepared = plant.prepare(edge_config(changed(devices=devices, tcp={"port": 4060})))
        await plant.change(prepared, collector, outbox.progress)
        assert plant.config.number == 2
        assert set(plant.devices) == {"LU-1", "EA-2", "EA-3", "GA-1"}
        for name in ("hdlc-1", "rtu-1"):
            assert (plant.running[name].bus, plant.running[name].task) == before[name]
            task = plant.running[name].task
            assert task is not None and not task.done() and not task.cancelling()
        assert plant.running["tcp-1"].bus is not before["tcp-1"][0]
        old = before["tcp-1"][1]
        assert old is not None and old.cancelled()
        assert plant.devices["LU-1"] is states["LU-1"] and plant.devices["EA-2"] is states["EA-2"]
        assert plant.devices["GA-1"] is not states["GA-1"]
        assert states["EA-1"].leaving and not plant.devices["EA-2"].leaving
        assert plant.devices["EA-3"].bus is plant.running["rtu-1"].bus


async def test_a_device_that_cannot_be_made_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "outbox.sqlite") as (plant, _, _outbox):
        before, station = dict(plant.running), plant.running["hdlc-1"].bus.stations["LU-1"]
        data = changed(devices=[])
        data["buses"][0]["devices"][0] |= {"min_gap_ms": 50}
        data["buses"][2]["devices"][0]["password_file"] = str(tmp_path / "none")
        with pytest.raises(ConfigError, match=r"password file .* of GA-1 cannot be read"):
            plant.prepare(edge_config(data))
        assert plant.config.number == 1 and plant.running == before and "EA-1" in plant.devices
        assert plant.running["hdlc-1"].bus.stations["LU-1"] is station
        assert not any(device.leaving for device in plant.devices.values())


async def test_a_bus_is_restarted_alone(tmp_path: Path) -> None:
    async with running(tmp_path / "outbox.sqlite") as (plant, _, _outbox):
        tasks = {name: bus.task for name, bus in plant.running.items()}
        await plant.restart("rtu-1")
        assert plant.running["rtu-1"].task is not tasks["rtu-1"]
        assert plant.running["hdlc-1"].task is tasks["hdlc-1"]


def _owners(plant: Plant, bus: str) -> list["asyncio.Task[Any]"]:
    return [task for task in asyncio.all_tasks() if task.get_name() == f"bus {bus}" and not task.done()]


async def test_a_bus_has_one_owner_however_often_it_is_restarted(tmp_path: Path) -> None:
    async with running(tmp_path / "outbox.sqlite") as (plant, collector, outbox):
        prepared = plant.prepare(edge_config(changed(tcp={"port": 4060})))
        await asyncio.gather(
            plant.restart("tcp-1"),
            plant.restart("tcp-1"),
            plant.change(prepared, collector, outbox.progress),
            plant.restart("tcp-1"),
        )
        assert _owners(plant, "tcp-1") == [plant.running["tcp-1"].task]
        gone = plant.prepare(edge_config(changed(without=["tcp-1"])))
        changing = asyncio.create_task(plant.change(gone, collector, outbox.progress))
        await asyncio.sleep(0)
        with pytest.raises(LineDownError, match="There is no bus tcp-1 any more"):
            await plant.restart("tcp-1")
        await changing
        assert _owners(plant, "tcp-1") == []
