"""A simulated mode C meter at the end of a scripted link."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from edge.bus.line import Line
from edge.bus.testing import Reaction, ScriptedLink
from edge.bus.timing import LineTiming
from firmware_sims.iec62056.line import IecLine
from firmware_sims.iec62056.meter import IecMeter, IecMeterSpec, IecRegister
from firmware_sims.iec62056.mode_e import ModeELine
from firmware_sims.testing import MemoryMeterData, meter_spec
from shared.identifiers import Obis
from shared.iec62056.messages import Identification

NOW = datetime(2026, 3, 30, 10, 7, tzinfo=UTC)
PROFILE = Obis.parse("1-0:99.1.0")
IMPORT, EXPORT = Obis.parse("1-0:1.8.0"), Obis.parse("1-0:2.8.0")


def iec_spec(**changes: Any) -> IecMeterSpec:
    settings: dict[str, Any] = {
        "serial": "12345678",
        "identification": Identification("RZV", "5", "SIM"),
        "registers": (IecRegister(IMPORT, "kWh"), IecRegister(EXPORT, "kWh")),
        "channels": tuple(IecRegister(Obis(1, 0, c, 29, 0), "kWh" if c < 3 else "kvarh") for c in (1, 2, 3, 4)),
        "profile": PROFILE,
        "period_s": 900,
        "entries": 40 * 96,
        **changes,
    }
    return IecMeterSpec(**settings)


class FixedLink(ScriptedLink):
    """A link whose speed is not ours to set, as behind a serial server."""

    async def set_speed(self, baud: int) -> bool:
        await super().set_speed(baud)
        return False


class SimLink(FixedLink):
    """Octets go to the simulated line at once."""

    def __init__(self, line: IecLine | ModeELine) -> None:
        super().__init__(self._react)
        self.sims = line
        self.after_answer: Callable[[], None] = lambda: None

    def _react(self, data: bytes) -> Reaction:
        answer = self.sims.receive(data)
        self.after_answer()
        return [(0.0, answer)] if answer else []


def meter_data() -> MemoryMeterData:
    data = MemoryMeterData(meter_spec(), NOW)
    data.registers = {IMPORT: 1_234_567, EXPORT: 42}
    return data


def sim_line(*, software_parity: bool = True, data: MemoryMeterData | None = None, **changes: Any) -> IecLine:
    meter = IecMeter(iec_spec(**changes), data or meter_data())
    return IecLine({"12345678": meter}, software_parity=software_parity)


def line_to(link: ScriptedLink) -> Line:
    return Line(link, LineTiming(), time.monotonic)
