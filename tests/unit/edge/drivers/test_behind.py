"""A gas meter on M-Bus behind an electricity meter: states at their own times, none twice, none made up."""

from dataclasses import replace
from datetime import date

import pytest

from edge.blocks import ms, profile_read
from edge.config import DeviceConfig, ProfileConfig
from edge.dlms.profile import ProfileColumn, ProfileRows
from edge.drivers.dlms import profile_day
from edge.drivers.port import ProfileDay
from edge.errors import DeviceGarbledError
from edge.schedule import RowsDue, RowsWanted
from shared.identifiers import Obis
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Kind
from shared.wire import Block, Record
from tests.unit.edge.examples import config_data, edge_config

GAS = Obis(0, 1, 24, 2, 1)
DAY = MeteringDay(Commodity.GAS, date(2026, 3, 28))  # 23 hours
HOUR = 3_600_000
FIRST = ms(DAY.start)


def device(kind: str = "state") -> DeviceConfig:
    data = config_data()
    meter = data["buses"][2]["devices"][0]
    meter["profile"] |= {
        "obis": "0-1:24.3.0",
        "registers": [{"obis": str(GAS), "unit": "m3", "exponent": -3, "register": "7-0:3.0.0", "kind": kind}],
    }
    return next(device for _, device in edge_config(data).devices() if device.id == "GA-1")


def profile_of(device: DeviceConfig) -> ProfileConfig:
    assert device.profile is not None
    return device.profile


def rows(captured: list[int | None], values: list[int | None]) -> ProfileRows:
    starts = [FIRST + n * HOUR for n in range(len(values))]
    return ProfileRows(HOUR, starts, [0] * len(values), {GAS: ProfileColumn(GAS, -3, "m3", values, captured)})


def blocks_of(device: DeviceConfig, read: ProfileDay) -> tuple[list[Block], list[Record]]:
    """What goes to central of the whole day, long after it."""
    due = RowsDue(DAY, {"7-0:3.0.0": (RowsWanted((FIRST, ms(DAY.end))),)})
    told = profile_read(device, due, read, ms(DAY.end) + 30 * HOUR)
    return told.blocks, told.records


def test_each_hour_is_a_state_at_its_own_time() -> None:
    gas = device()
    captured: list[int | None] = [FIRST + (n + 1) * HOUR - 20_000 for n in range(23)]
    read = profile_day("GA-1", profile_of(gas), DAY, rows(captured, list(range(1000, 1023))))
    blocks, records = blocks_of(gas, read)
    assert [(block.start_ms, block.step_ms, list(block.values)) for block in blocks] == [
        (captured[n], 0, [1000 + n]) for n in range(23)
    ]
    assert {block.key.kind for block in blocks} == {Kind.STATE}
    assert records == []


def test_a_meter_behind_that_did_not_answer_is_a_hole_and_not_its_old_value_again() -> None:
    gas = device()
    old = FIRST + HOUR - 20_000
    read = profile_day("GA-1", profile_of(gas), DAY, rows([old, old, None, FIRST + 4 * HOUR], [5, 5, 5, 9]))
    blocks, records = blocks_of(gas, read)
    assert [(block.start_ms, list(block.values)) for block in blocks] == [(old, [5]), (FIRST + 4 * HOUR, [9])]
    assert [(record.at, record.data["count"]) for record in records] == [(FIRST + HOUR, 2), (FIRST + 4 * HOUR, 19)]


def test_without_capture_times_a_state_is_of_the_end_of_its_interval() -> None:
    gas = device()
    without = rows([None], [7])
    without = replace(without, columns={GAS: replace(without.columns[GAS], captured_ms=None)})
    blocks, _ = blocks_of(gas, profile_day("GA-1", profile_of(gas), DAY, without))
    assert [(block.start_ms, list(block.values)) for block in blocks] == [(FIRST + HOUR, [7])]


def test_a_counter_is_not_taken_for_quantities_of_intervals() -> None:
    with pytest.raises(DeviceGarbledError, match='call its kind "state"'):
        profile_day("GA-1", profile_of(device("interval")), DAY, rows([FIRST + HOUR], [7]))
