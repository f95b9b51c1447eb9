"""Our driver with our maps reads the simulated meters, whose maps were written apart: a wrong address in one of them
shows. Energies are the truth's to the meter's last step; what is of the moment agrees with itself and with the truth.
"""

import math
from collections.abc import Iterator
from datetime import timedelta

import pytest

from edge.config import IdentityConfig
from edge.errors import DeviceGarbledError, DeviceMismatchError, DeviceRefusedError
from shared.modbus.maps import find_map
from shared.quantities import Unit
from tests.unit.edge.modbus.simulated import STEPS_WH, Place

FLOAT_TOLERANCE = 2e-6
"""Of a float32, beside a double."""


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
