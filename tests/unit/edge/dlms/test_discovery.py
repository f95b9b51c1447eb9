"""A configuration proposed from a meter, and taken by the configuration's own rules."""

from datetime import UTC, datetime

from edge.dlms.discovery import discover, propose_device
from edge.dlms.reader import DlmsReader, LinkSettings
from edge.dlms.testing import AnsweringTransport
from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.meter import LOAD_PROFILE, MBusSpec, ProfileSpec, RegisterSpec
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.testing import CHANNELS, ENERGY, MemoryMeterData, meter_spec
from shared.identifiers import Obis
from tests.unit.edge.examples import config_data, edge_config

NOW = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
TEMPERATURE = RegisterSpec(Obis(0, 0, 96, 9, 0), 9, -1)


async def test_a_meter_is_discovered_and_its_proposal_is_a_configuration() -> None:
    gas = MBusSpec(1, "12345678", 3, 14)
    hourly = ProfileSpec(gas.profile, 3600, (RegisterSpec(gas.value, 14, -3, class_id=4),), status=None)
    spec = meter_spec(registers=(ENERGY, TEMPERATURE), switch_mode=4, mbus=(gas,))
    spec = meter_spec(registers=spec.registers, switch_mode=4, mbus=(gas,), profiles=(*spec.profiles, hourly))
    transport = AnsweringTransport(WrapperLine({1: CosemMeter(spec, MemoryMeterData(spec, NOW))}).receive)
    async with DlmsReader(transport, LinkSettings("dlms-wrapper")) as meter:
        found = await discover(meter)
    assert (found.serial, found.logical_name) == ("48211001", "RZV0000048211001")
    assert [(each.obis, each.period_s, len(each.registers)) for each in found.load_profiles] == [
        (LOAD_PROFILE, 900, 4),
        (gas.profile, 3600, 1),
    ]
    assert [str(each.obis) for each in found.event_logs] == ["0-0:99.98.0", "0-0:99.98.2"]
    assert (found.mbus_channels, [str(each) for each in found.switches]) == ([1], ["0-0:96.3.10"])
    assert any("°C" in remark for remark in found.remarks)

    proposal = propose_device(found, "LU-1", {"client": 16, "server": 1}, "2026-03-01T00:00:00+01:00")
    data = config_data()
    data["buses"][2]["devices"] = [proposal]
    data["buses"][0]["devices"] = []
    device = next(device for _, device in edge_config(data).devices() if device.id == "LU-1")
    assert device.profile is not None
    assert [register.obis for register in device.profile.registers] == [str(each.obis) for each in CHANNELS]
    assert device.identity is not None
    assert device.identity.serial == "48211001"
    assert device.states is not None
    assert [(each.obis, each.exponent) for each in device.states.registers] == [("1-0:1.8.0", 1)]
    assert device.event_logs == ["0-0:99.98.0", "0-0:99.98.2"]
