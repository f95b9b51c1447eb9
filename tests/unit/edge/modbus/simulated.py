"""A simulated meter of any family and our driver, on a line in memory between them."""

import json
from datetime import timedelta
from typing import Any

from edge.bus.line import Line
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.config import DeviceConfig, StateRegister
from edge.drivers.modbus import ModbusDriver
from edge.modbus.exchange import Exchange
from firmware_sims.modbus_link import ModbusCounts, ModbusTcpLine, RtuLine
from firmware_sims.modbus_meter import MappedMeter
from firmware_sims.scenario import parse_scenario
from firmware_sims.scenario_model import ModbusMeter
from firmware_sims.truth import Truth
from shared.edge_config.model import Address
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH

STEPS_WH = {
    "sdm630": 10, "abb-b23": 10, "abb-b24": 10, "iem3155": 1, "umg96rm": 1, "sunspec-int": 10, "sunspec-float": 1,
}  # fmt: skip
"""What each family shows energy to."""


def scenario(model: str, **changes: Any) -> bytes:
    channels = [
        {"register": "import", "load": {"kind": "retail", "mean_w": 3000, "seed": 5}, "initial": 123_457},
        {"register": "export", "load": {"kind": "constant", "mean_w": 1200}, "initial": 77},
    ]
    meter = {"id": "M-63011", "model": model, "unit": 5, "channels": channels, **changes}
    line = {"name": "b", "kind": "tcp", "port": 1502, "protocol": "modbus-tcp", "meters": [meter]}
    return json.dumps({"seed": 1, "origin": "2026-01-01T00:00:00+01:00", "lines": [line]}).encode()


class Place:
    """A simulated meter and our driver on a line between them."""

    def __init__(self, model: str, *, tcp: bool = True, config: dict[str, Any] | None = None, **changes: Any) -> None:
        found = parse_scenario(scenario(model, **changes))
        (meter,) = found.meters
        assert isinstance(meter, ModbusMeter)
        self.clock = ManualClock(MARCH + timedelta(hours=11, minutes=7, seconds=3))
        self.truth = Truth(found)
        self.meter = MappedMeter(meter, self.truth, self.clock)
        self.counts = ModbusCounts()
        self.stand_in(self.meter, tcp=tcp)
        self.silent = False
        self.link = ScriptedLink(
            lambda octets: [(0.0, answer)] if (answer := self._meters.receive(octets)) and not self.silent else []
        )
        self.line = Line(self.link, LineTiming(), self.clock.monotonic)
        self.config = DeviceConfig(id="M", model=model, address=Address(unit=5), timeout_s=0.02, **config or {})
        self.driver = ModbusDriver(self.config, Exchange(tcp=tcp), self.clock)

    def stand_in(self, meter: MappedMeter, *, tcp: bool = True) -> None:
        """`meter` answers from now on."""
        self._meters = ModbusTcpLine({5: meter}, self.counts) if tcp else RtuLine({5: meter})

    async def read(self, names: list[str], exponents: dict[str, int]) -> dict[str, float]:
        """By item, in its unit."""
        items = {item.name: item for item in self.driver.map.items}
        registers = [
            StateRegister(item=name, unit=items[name].unit, exponent=exponents[name], register=f"r-{name}")
            for name in names
        ]
        async with self.driver.session(self.line) as meter:
            readings = await meter.read_states(registers)
        return {name: r.value * 10.0**r.register.exponent for name, r in zip(names, readings, strict=True)}

    async def read_all(self) -> dict[str, float]:
        """All items that the simulated meter has, energies in whole units, the rest to a thousandth."""
        items = self.driver.map.items
        exponents = {item.name: 0 if item.group == "energy" else -3 for item in items}
        return await self.read([item.name for item in items if _shown(item.name)], exponents)


def _shown(name: str) -> bool:
    """SunSpec counters that the simulated meter does not have."""
    apparent = name.startswith(("apparent-import", "apparent-export"))
    return not apparent and "-Q2" not in name and "-Q3" not in name and "-Q4" not in name and name != "voltage-LL"
