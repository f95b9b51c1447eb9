"""Keys from files and sealed, and a ciphered meter through the driver."""

import base64
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from central.network.configuration_body import complete
from edge.config import ControlConfig, DeviceConfig, EdgeConfig, KeySource, SecurityConfig, parse_config
from edge.dlms.testing import AnsweringTransport
from edge.drivers.dlms import DlmsDriver
from edge.drivers.keyring import KeyRing, counters_path, key_reader, read_meter_key
from edge.drivers.port import DayPart
from edge.errors import ConfigError, DeviceRefusedError
from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.meter import MeterSecurity
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.testing import MemoryMeterData, meter_spec
from shared.control.keys import key_text, make_key_file, sealing_public
from shared.control.sealing import seal
from shared.dlms.ciphering import Keys
from shared.metering_day import MeteringDay
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH, config_data, device, edge_config

GUEK, GAK = bytes(range(16)), bytes(range(0xD0, 0xE0))
CLIENT: Final = 1


@pytest.fixture
def files(tmp_path: Path) -> dict[str, KeySource]:
    found = {}
    for name, octets in (("encryption_key", GUEK), ("authentication_key", GAK.hex().encode() + b"\n")):
        path = tmp_path / name
        path.write_bytes(octets)
        path.chmod(0o600)
        found[name] = KeySource(file=str(path))
    return found


def secured(files: dict[str, KeySource], **changes: Any) -> DeviceConfig:
    security = SecurityConfig(client_title="525A560000000001", **files, **changes)
    found = device("LU-1")
    address = msgspec.structs.replace(found.address, client=CLIENT, server=1, physical=None)
    return msgspec.structs.replace(found, address=address, security=security)


def test_keys_from_files(files: dict[str, KeySource]) -> None:
    assert read_meter_key(files["encryption_key"], "x") == GUEK
    assert read_meter_key(files["authentication_key"], "x") == GAK


@pytest.mark.parametrize("octets", [b"", b"00", b"zz" * 16, bytes(17), b"00" * 17])
def test_files_that_hold_no_key(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(octets)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"key of LU must hold 16 octets or 32 hexadecimal digits"):
        read_meter_key(KeySource(file=str(path)), "of LU")


def test_files_that_are_not_there_or_open_to_all(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_meter_key(KeySource(file=str(path)), "of LU")
    path.write_bytes(GUEK)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="may be read by everybody"):
        read_meter_key(KeySource(file=str(path)), "of LU")


def test_sealed_keys(tmp_path: Path, files: dict[str, KeySource]) -> None:
    private = make_key_file(tmp_path / "edge.key")
    config: EdgeConfig = edge_config()
    with pytest.raises(ConfigError, match=r"control\.key_file, which opens it, is not set"):
        key_reader(config)(KeySource(sealed="AA=="), "LU-1.security.encryption_key")
    control = ControlConfig(central_key="x", key_file=str(tmp_path / "edge.key"))
    config = msgspec.structs.replace(config, control=control)
    field = "LU-1.security.encryption_key"
    octets = seal(GUEK, sealing_public(private), edge=config.edge, number=config.number, field=field)
    source = KeySource(sealed=base64.b64encode(octets).decode())
    assert key_reader(config)(source, field) == GUEK
    with pytest.raises(ConfigError, match="was not sealed for"):
        key_reader(config)(source, "LU-2.security.encryption_key")
    with pytest.raises(ConfigError, match="is not base64"):
        key_reader(config)(KeySource(sealed="?"), field)
    assert key_reader(config)(files["encryption_key"], field) == GUEK


def test_keys_that_central_sealed(tmp_path: Path) -> None:
    """From the operator's words to the key, in the configuration that is pushed and in a later one."""
    private = make_key_file(tmp_path / "edge.key")
    body = {**config_data(), "control": {"central_key": key_text(bytes(32)), "key_file": str(tmp_path / "edge.key")}}
    body["buses"][0]["devices"][0]["security"] = {
        "client_title": "525A560000000001",
        "encryption_key": {"secret": f"hex:{GUEK.hex()}"},
        "authentication_key": {"secret": f"hex:{GAK.hex()}"},
    }

    def sealed(secret: bytes, field: str) -> bytes:
        return seal(secret, sealing_public(private), edge=body["edge"], number=body["number"], field=field)

    pushed = complete(body, body["edge"], body["number"], sealed)
    assert GUEK.hex() not in pushed
    config = parse_config(pushed.encode(), "pushed")
    for number in (config.number, config.number + 1):
        read_key = key_reader(msgspec.structs.replace(config, number=number))
        found = config.buses[0].devices[0]
        assert found.security is not None
        keyring = KeyRing(counters_path(tmp_path / "outbox.sqlite"), ManualClock(MARCH))
        settings, _ = keyring.settings(found, found.security, read_key)
        assert (settings.keys.encryption, settings.keys.authentication) == (GUEK, GAK)


class SecuredLine(AnsweringTransport):
    """A line with one ciphered meter, as a driver sees it."""

    def __init__(self, **agreed: Any) -> None:
        spec = meter_spec(registers=(), security={CLIENT: MeterSecurity(Keys(GUEK, GAK), **agreed)})
        self.meter = CosemMeter(spec, MemoryMeterData(spec, MARCH))
        super().__init__(WrapperLine({1: self.meter}).receive)

    async def flush(self) -> None:
        """Nothing is left over here."""

    def response_timeout(self, own: float) -> float:
        return own


def driver_of(config: DeviceConfig, folder: Path) -> DlmsDriver:
    keyring = KeyRing(counters_path(folder / "outbox.sqlite"), ManualClock(MARCH))
    return DlmsDriver(config, "dlms-wrapper", ManualClock(MARCH), keyring)


async def read_a_day(driver: DlmsDriver, line: SecuredLine, config: DeviceConfig) -> None:
    assert config.profile is not None
    day = MeteringDay(config.profile.commodity, MARCH.date())
    async with driver.session(line) as meter:
        rows = await meter.read_day(config.profile, DayPart.whole(day))
    assert set(rows.columns) == {register.register for register in config.profile.registers}


async def test_a_ciphered_meter_is_read(tmp_path: Path, files: dict[str, KeySource]) -> None:
    config, line = secured(files), SecuredLine()
    driver = driver_of(config, tmp_path)
    await read_a_day(driver, line, config)
    first = line.meter.counters[CLIENT].received
    await read_a_day(driver, line, config)
    second = line.meter.counters[CLIENT].received
    assert second > first > 0
    await read_a_day(driver_of(config, tmp_path), line, config)  # after a restart
    assert line.meter.counters[CLIENT].received > second


async def test_the_meters_counter_is_followed(tmp_path: Path, files: dict[str, KeySource]) -> None:
    far = 1 << 28
    config, line = secured(files, counter="0-0:43.1.0"), SecuredLine(last_counter=far)
    await read_a_day(driver_of(config, tmp_path), line, config)
    assert line.meter.counters[CLIENT].received > far


async def test_a_refused_counter_is_mended_for_the_next_session(tmp_path: Path, files: dict[str, KeySource]) -> None:
    config, line = secured(files), SecuredLine(last_counter=1 << 28)
    driver = driver_of(config, tmp_path)
    with pytest.raises(DeviceRefusedError, match="does not accept the client's invocation counter; it expects"):
        await read_a_day(driver, line, config)
    await read_a_day(driver, line, config)


async def test_a_counter_that_is_not_to_be_believed(tmp_path: Path, files: dict[str, KeySource]) -> None:
    config, line = secured(files, counter="0-0:43.1.0"), SecuredLine(last_counter=(1 << 32) - 10)
    with pytest.raises(DeviceRefusedError, match="too far ahead to be believed"):
        await read_a_day(driver_of(config, tmp_path), line, config)
    assert line.meter.counters[CLIENT].received == (1 << 32) - 10


def test_wrong_keys_stop_the_configuration_not_the_agent(tmp_path: Path, files: dict[str, KeySource]) -> None:
    short = msgspec.structs.replace(files["encryption_key"], file=str(tmp_path / "no-such-file"))
    config = secured({**files, "encryption_key": short})
    with pytest.raises(ConfigError, match=r"LU-1\.security\.encryption_key cannot be read"):
        driver_of(config, tmp_path)
    with pytest.raises(ValueError, match="no key ring"):
        DlmsDriver(secured(files), "dlms-wrapper", ManualClock(MARCH))
