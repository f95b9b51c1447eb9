"""Our driver with our maps reads the simulated meters, whose maps were written apart: a wrong address in one of them
shows. Energies are the truth's to the meter's last step; what is of the moment agrees with itself and with the truth.
"""

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from edge.bus.line import Line
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.config import DeviceConfig, IdentityConfig, StateRegister
from edge.config.model import Address
from edge.drivers.modbus import ModbusDriver
from edge.errors import DeviceGarbledError, DeviceMismatchError, DeviceRefusedError
from edge.modbus.exchange import Exchange
from edge.modbus.maps import find_map
from firmware_sims.modbus_link import ModbusCounts, ModbusTcpLine, RtuLine
from firmware_sims.modbus_meter import MappedMeter
from firmware_sims.scenario import parse_scenario
from firmware_sims.scenario_model import ModbusMeter
from firmware_sims.truth import Truth
from shared.quantities import Unit
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH

STEPS_WH = {
    "sdm630": 10, "abb-b23": 10, "abb-b24": 10, "iem3155": 1, "umg96rm": 1, "sunspec-int": 10, "sunspec-float": 1,
}  # fmt: skip
"""What each family shows energy to."""
FLOAT_TOLERANCE = 2e-6
"""Of a float32, beside a double."""


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
        line = ModbusTcpLine({5: self.meter}, self.counts) if tcp else RtuLine({5: self.meter})
        link = ScriptedLink(lambda octets: [(0.0, answer)] if (answer := line.receive(octets)) else [])
        self.line = Line(link, LineTiming(), self.clock.monotonic)
        device = DeviceConfig(id="M", model=model, address=Address(unit=5), timeout_s=0.02, **config or {})
        self.driver = ModbusDriver(device, Exchange(tcp=tcp), self.clock)

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


@pytest.fixture(params=sorted(STEPS_WH))
def model(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "rtu"])
async def test_every_family_shows_the_truth(model: str, tcp: bool) -> None:
    place = Place(model, tcp=tcp)
    found = await place.read_all()
    step, now = STEPS_WH[model], place.clock.now()
    for name in ("import", "export"):
        assert found[name] == place.truth.state_at("M-63011", name, now) * step
        phases = [found[f"{name}-{phase}"] for phase in ("L1", "L2", "L3") if f"{name}-{phase}" in found]
        assert not phases or math.isclose(sum(phases), found[name], abs_tol=3 * step)
    watts = 0.0
    for name, sign in (("import", 1), ("export", -1)):
        energy, length = place.truth.interval_at("M-63011", name, now)
        watts += sign * energy * 3600 / length.total_seconds()
    coarse = 10.0 if model == "sunspec-int" else 0.05
    """SunSpec: the power's scale factor is 1."""
    assert found["power"] == pytest.approx(watts, abs=coarse, rel=FLOAT_TOLERANCE)
    assert 49.9 < found["frequency"] < 50.1
    for phase, share in (("L1", 0.41), ("L2", 0.33), ("L3", 0.26)):
        volts, amperes = found[f"voltage-{phase}"], found[f"current-{phase}"]
        assert 227 < volts < 235
        assert volts * amperes * 0.97 == pytest.approx(abs(watts) * share, rel=2e-3)
        if f"power-{phase}" in found:
            assert found[f"power-{phase}"] == pytest.approx(watts * share, abs=coarse, rel=FLOAT_TOLERANCE)
        if f"power-factor-{phase}" in found:
            assert found[f"power-factor-{phase}"] == pytest.approx(0.97)
    for name in found:
        if name.startswith("voltage-") and name.count("L") == 2:
            assert 393 < found[name] < 407
    assert found.get("apparent-power", watts / 0.97) == pytest.approx(watts / 0.97, abs=coarse, rel=FLOAT_TOLERANCE)
    assert found.get("reactive-power", watts / 4) == pytest.approx(watts / 4, abs=coarse, rel=FLOAT_TOLERANCE)
    reactive = found.get("reactive-import", found.get("reactive-import-Q1"))
    assert reactive == pytest.approx(found["import"] / 4, abs=step)
    assert place.counts.refused == 0


async def test_a_float32_of_wh_above_16_777_216_loses_its_last_steps() -> None:
    """The trap of the UMG 96RM: what it shows is the truth's nearest float, so the error never adds up."""
    place = Place("umg96rm")
    channel = place.truth.state_at("M-63011", "import", place.clock.now())
    while channel < 2**24:
        place.clock.advance(timedelta(days=30))
        channel = place.truth.state_at("M-63011", "import", place.clock.now())
    for _ in range(20):
        place.clock.advance(timedelta(minutes=15))
        shown = (await place.read(["import"], {"import": 0}))["import"]
        assert abs(shown - place.truth.state_at("M-63011", "import", place.clock.now())) <= 1


async def test_word_order_of_the_device(model: str) -> None:
    usual = await Place(model).read_all()
    swapped = await Place(model, word_order="low-first", config={"word_order": "low-first"}).read_all()
    assert swapped == usual


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("sdm630", "112"),
        ("abb-b23", "B23 112-100"),
        ("iem3155", "iEM3155"),
        ("sunspec-int", "RZV-SUN"),
        ("sunspec-float", "RZV-SUN"),
    ],
)
async def test_identity(model: str, code: str) -> None:
    right = IdentityConfig(serial="63011", code=code)
    place = Place(model, config={"identity": right})
    assert (await place.read(["import"], {"import": 1}))["import"] > 1000
    wrong = Place(model, config={"identity": right}, serial=63_012)
    with pytest.raises(DeviceMismatchError, match="serial '63012', expected '63011'"):
        await wrong.read(["import"], {"import": 1})


async def test_device_identification() -> None:
    identity = IdentityConfig(vendor="Schneider Electric", product="A9MEM3155")
    for tcp in (True, False):
        place = Place("iem3155", tcp=tcp, config={"identity": identity})
        assert await place.read(["import"], {"import": 0})
    with pytest.raises(DeviceRefusedError, match="device identification of function 43: exception 1, illegal function"):
        await Place("abb-b23", config={"identity": identity}).read(["import"], {"import": 0})


@pytest.mark.parametrize(
    ("model", "shown", "name"),
    [
        ("abb-b23", "voltage-L2", "voltage-L2"),
        ("abb-b24", "import", "import"),
        ("abb-b23", "power-L3", "power-L3"),
        ("abb-b23", "power-factor", "power-factor"),
        ("abb-b23", "frequency", "frequency"),
        ("iem3155", "import", "import"),
        ("iem3155", "line-voltage-L1", "voltage-L1-L2"),
        ("umg96rm", "current-L3", "current-L3"),
        ("sunspec-int", "import", "import"),
        ("sunspec-int", "power-L2", "power-L2"),
        ("sunspec-float", "export-L1", "export-L1"),
    ],
)
async def test_what_a_meter_does_not_have_is_no_value(model: str, shown: str, name: str) -> None:
    with pytest.raises(DeviceGarbledError, match=f"no value for {name}"):
        await Place(model, unavailable=[shown]).read([name], {name: 0})


@pytest.mark.parametrize("base", [0, 40_000, 50_000])
async def test_sunspec_bases_and_models(base: int) -> None:
    place = Place("sunspec-int", sunspec_base=base, sunspec_model=201)
    assert (await place.read(["import"], {"import": 1}))["import"] > 1000
    with pytest.raises(DeviceMismatchError, match="has the models 1, 211; expected 1 and one of 201, 202, 203, 204"):
        other = Place("sunspec-float", sunspec_base=base, sunspec_model=211)
        other.driver.map = find_map("sunspec-int")
        await other.read(["import"], {"import": 1})


def test_units_of_live_quantities(model: str) -> None:
    found = find_map(model)
    units = {"voltage": {Unit.V}, "current": {Unit.A}, "power": {Unit.W, Unit.VAR, Unit.VA}, "power-factor": {Unit.ONE}}
    for item in found.items:
        assert item.unit in units.get(item.group, {item.unit})
