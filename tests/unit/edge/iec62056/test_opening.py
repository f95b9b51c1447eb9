"""An HDLC meter behind mode E, read as any other; and one that a lost client left in HDLC."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import DeviceConfig, KeySource, SecurityConfig, StateRegister, parse_config
from edge.drivers.dlms import DlmsDriver
from edge.drivers.keyring import KeyRing, counters_path
from edge.errors import DeviceSilentError
from edge.iec62056 import reader as reader_module
from edge.iec62056.opening import opened
from firmware_sims.dlms.link import HdlcAddress, HdlcLine
from firmware_sims.dlms.meter import INVOCATION_COUNTER, MeterSecurity
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.iec62056.mode_e import ModeELine
from firmware_sims.testing import ENERGY, MemoryMeterData, meter_spec
from shared.clock import SystemClock
from shared.dlms.ciphering import Keys
from shared.iec62056.characters import add_parity
from shared.iec62056.messages import Identification
from shared.quantities import Unit
from tests.unit.edge.examples import config_data
from tests.unit.edge.iec62056.meters import NOW, SimLink, line_to

KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))
REGISTER = StateRegister(unit=Unit.WH, register="1-0:1.8.0", obis="1-0:1.8.0", exponent=1)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "PAUSE_S", 0.0)
    monkeypatch.setattr(reader_module, "SPEED_CHANGE_S", 0.0)


def sleeping_meter(*, confirms: bool = True, **changes: Any) -> ModeELine:
    spec = meter_spec(**changes)
    data = MemoryMeterData(spec, NOW)
    data.registers = {ENERGY.obis: 4711}
    line = HdlcLine({HdlcAddress(1, 17): CosemMeter(spec, data)})
    return ModeELine(line, {"48211001": Identification("RZV", "5", "SIM", "\\2")}, lambda: 0.0, confirms=confirms)


def device(opening: str) -> DeviceConfig:
    data = config_data()
    data["buses"][0]["devices"][0].update(opening=opening, timeout_s=0.02, retries=0)
    if opening != "hdlc":
        data["buses"][0]["devices"][0]["address"]["device"] = "48211001"
    return parse_config(json.dumps(data).encode(), "test.json").buses[0].devices[0]


async def read(sims: ModeELine, opening: str) -> int:
    driver = DlmsDriver(device(opening), "hdlc", SystemClock())
    async with driver.session(line_to(SimLink(sims))) as session:
        (reading,) = await session.read_states([REGISTER])
    sims.answered()
    return reading.value


@pytest.mark.parametrize("opening", ["mode-e", "mode-e-or-hdlc"])
@pytest.mark.parametrize("confirms", [True, False])
async def test_a_meter_behind_mode_e(opening: str, confirms: bool) -> None:
    sims = sleeping_meter(confirms=confirms)
    assert await read(sims, opening) == 4711
    assert sims.baud == 300
    assert await read(sims, opening) == 4711


async def test_a_meter_that_was_left_in_hdlc() -> None:
    sims = sleeping_meter()
    sims.receive(add_parity(b"/?48211001!\r\n"))
    sims.receive(add_parity(b"\x06252\r\n"))
    with pytest.raises(DeviceSilentError, match="opening request"):
        await read(sims, "mode-e")
    assert await read(sims, "mode-e-or-hdlc") == 4711


async def test_a_meter_that_must_be_woken() -> None:
    with pytest.raises(DeviceSilentError):
        await read(sleeping_meter(), "hdlc")


async def test_a_ciphered_meter_is_woken_for_each_of_its_sessions(tmp_path: Path) -> None:
    """The public session that looks at the invocation counter ends with DISC, and the meter sleeps after it."""
    sources = {}
    for name, octets in (("encryption_key", KEYS.encryption), ("authentication_key", KEYS.authentication)):
        path = tmp_path / name
        path.write_bytes(octets)
        path.chmod(0o600)
        sources[name] = KeySource(file=str(path))
    security = SecurityConfig(client_title="525A560000000001", counter=str(INVOCATION_COUNTER), **sources)
    found = device("mode-e")
    address = msgspec.structs.replace(found.address, client=1)
    config = msgspec.structs.replace(found, address=address, security=security)
    keyring = KeyRing(counters_path(tmp_path / "outbox.sqlite"), SystemClock())
    driver = DlmsDriver(config, "hdlc", SystemClock(), keyring)
    sims = sleeping_meter(security={1: MeterSecurity(KEYS)})
    link = SimLink(sims)
    link.after_answer = sims.answered
    async with driver.session(line_to(link)) as session:
        (reading,) = await session.read_states([REGISTER])
    assert reading.value == 4711
    requests = [octets for _, octets in link.written if octets == add_parity(b"/?48211001!\r\n")]
    assert len(requests) == 2


async def test_without_opening_nothing_is_said() -> None:
    link = SimLink(sleeping_meter())
    async with opened(line_to(link), None):
        assert link.written == []
        assert link.speeds == []
