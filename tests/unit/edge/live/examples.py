"""A meter with a live series, and what its cuts are caught in."""

from typing import Any

from edge.config import DeviceConfig
from edge.live.rows import RowFormat, integer_row, integer_rows
from edge.live.series import Cut, LiveSeries
from tests.unit.edge.examples import config_data, edge_config

POWER = {"item": "power-L1", "unit": "W", "exponent": 0, "register": "power"}
VOLTAGE = {"item": "voltage-L3", "unit": "V", "exponent": -1, "register": "voltage"}
NOON = 1_772_362_800_000
"""1 March 2026, 12:00 in Prague, ms UTC."""


def live_device(period_ms: int = 1000, registers: Any = (POWER,), **live: Any) -> DeviceConfig:
    """SDM630 EA-9, unit 9, on Modbus TCP."""
    data = config_data()
    device = {
        "id": "EA-9",
        "model": "sdm630",
        "address": {"unit": 9},
        "timeout_s": 0.02,
        "live": {"period_ms": period_ms, "registers": list(registers), **live},
    }
    link = {"kind": "tcp", "host": "meter", "port": 502}
    data["buses"].append({"name": "tcp-9", "link": link, "protocol": "modbus-tcp", "devices": [device]})
    return next(device for _, device in edge_config(data).devices() if device.id == "EA-9")


class Bench:
    """A series of one integer register, whose sample at a slot is `value`."""

    def __init__(self, period_ms: int = 1000, spread: float = 0.0, rows: RowFormat | None = None, **live: Any) -> None:
        device = live_device(period_ms, **live)
        assert device.live is not None
        self.cuts: list[Cut] = []
        self.series = LiveSeries(device, rows or integer_rows(device.live.registers), self.cuts.append, spread)

    def take(self, *slots: int, value: int = 7) -> None:
        for slot in slots:
            self.series.take(slot, integer_row([value]))

    def runs(self) -> list[list[tuple[int, int]]]:
        """(start after NOON, samples) of each cut."""
        return [[(run.start - NOON, run.count) for run in cut.runs] for cut in self.cuts]
