"""What a scenario gives a DLMS meter beside its profile: gas behind it, demand, holes and repetitions, pushes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms_data import DEMAND, MAXIMUM_DEMAND, TruthMeterData, meter_spec
from firmware_sims.push import PUSH_SETUP, PUSHED, PushSender, notification, push_setup
from firmware_sims.scenario import ScenarioError, parse_scenario
from firmware_sims.scenario_model import DlmsMeter, Scenario
from firmware_sims.truth import Truth
from shared.dlms import axdr
from shared.dlms.get import AttributeDescriptor
from shared.dlms.notification import decode_data_notification
from shared.dlms.wrapper import WrapperParser
from shared.identifiers import Obis
from shared.testing import ManualClock

NOW = datetime(2026, 3, 3, 6, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
GAS = {
    "id": "PM-9",
    "channel": 2,
    "serial": "12345678",
    "read_before_s": 30,
    "channels": [
        {"register": "7-0:3.0.0", "load": {"kind": "heating", "mean_dm3_h": 900, "seed": 4}, "initial": 5_000_000}
    ],
}


def changed(site: dict[str, Any], **changes: Any) -> tuple[DlmsMeter, TruthMeterData, Truth]:
    site["lines"][0]["meters"][0] |= changes
    scenario = parse_scenario(json.dumps(site).encode())
    meter = next(each for each in scenario.meters if each.id == "LU-1")
    assert isinstance(meter, DlmsMeter)
    truth = Truth(scenario)
    return meter, TruthMeterData(meter, truth, ManualClock(NOW)), truth


def read(cosem: CosemMeter, class_id: int, obis: Obis, attribute: int) -> Any:
    result = cosem.read(AttributeDescriptor(class_id, obis.bytes, attribute))
    assert not result.error
    return axdr.decode(result.data)


def test_a_gas_meter_behind(site: dict[str, Any]) -> None:
    meter, data, truth = changed(site, mbus=[GAS])
    first = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
    rows = data.rows(Obis(0, 2, 24, 3, 0), first, NOW)
    assert [row.end for row in rows] == [first + n * HOUR for n in (1, 2, 3)]
    for row in rows:
        assert row.captured == row.end - timedelta(seconds=30)
        assert list(row.values) == [truth.state_at("PM-9", "7-0:3.0.0", row.captured)]
    cosem = CosemMeter(meter_spec(meter), data)
    value = Obis(0, 2, 24, 2, 1)
    assert read(cosem, 4, value, 2) == rows[-1].values[0]
    assert read(cosem, 4, value, 3) == (-3, 14)
    assert data.captured_at(value) == rows[-1].captured
    assert read(cosem, 1, Obis(0, 2, 96, 1, 0), 2) == b"12345678"
    assert read(cosem, 72, Obis(0, 2, 24, 1, 0), 6) == 0x12345678
    assert read(cosem, 72, Obis(0, 2, 24, 1, 0), 9) == 3  # gas
    captured = read(cosem, 7, Obis(0, 2, 24, 3, 0), 3)
    assert [(each[0], each[2]) for each in captured] == [(8, 2), (1, 2), (4, 2), (4, 5)]


def test_the_highest_demand_of_the_month(site: dict[str, Any]) -> None:
    _, data, truth = changed(site)
    begin = datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
    values = truth.interval_values("LU-1", "1-0:1.29.0", begin, NOW - timedelta(minutes=5))
    assert data.register(MAXIMUM_DEMAND) == 4 * max(values)
    assert data.captured_at(MAXIMUM_DEMAND) == begin + (values.index(max(values)) + 1) * QUARTER
    assert data.register(DEMAND) == 4 * values[-1]
    assert data.captured_at(DEMAND) == NOW - timedelta(minutes=5)


def test_holes_and_repeated_captures(site: dict[str, Any]) -> None:
    ends = [NOW - timedelta(minutes=5) - n * QUARTER for n in (3, 2, 1, 0)]
    faults = {"lost": {"ends": [ends[1].isoformat()]}, "repeated": {"ends": [ends[2].isoformat()]}}
    _, data, _ = changed(site, data_faults=faults)
    rows = data.rows(Obis(1, 0, 99, 1, 0), ends[0] - QUARTER, NOW)
    assert [row.end for row in rows] == [ends[0], ends[2], ends[2], ends[3]]


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        ([GAS, {**GAS, "id": "PM-8"}], "two meters are on the channel 2"),
        ([{**GAS, "id": "LU-2"}], 'two meters have the id "LU-2"'),
        ([{**GAS, "channel": 5}], "channel"),
        ([{**GAS, "chanel": 1}], 'there is no field "chanel"'),
    ],
)
def test_meters_behind_that_cannot_be(site: dict[str, Any], behind: list[Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        changed(site, mbus=behind)


def scenario_with_push(site: dict[str, Any], port: int) -> Scenario:
    pushes = [{"at": (NOW + timedelta(minutes=1)).isoformat(), "port": port, "code": 21}]
    site["lines"][0]["meters"][0] |= {"pushes": pushes}
    return parse_scenario(json.dumps(site).encode())


def test_a_push_is_what_its_setup_says(site: dict[str, Any]) -> None:
    meter = scenario_with_push(site, 4059).meters[0]
    assert isinstance(meter, DlmsMeter)
    (frame,) = WrapperParser().feed(notification(meter, meter.pushes[0], 7))
    message = decode_data_notification(frame.payload)
    assert message.number == 7
    assert axdr.decode(message.body) == (b"RZV0000000000001", 21)
    assert message.at.hex() == "07ea030302071500" + "00ffc400"
    _, data, _ = changed(site)
    cosem = CosemMeter(meter_spec(meter), data)
    cosem.add(push_setup(meter.pushes[0]))
    assert read(cosem, 40, PUSH_SETUP, 2) == [tuple(each) for each in PUSHED]
    assert read(cosem, 40, PUSH_SETUP, 3) == (0, b"127.0.0.1:4059", 0)


async def test_a_push_is_sent_when_its_time_has_come(site: dict[str, Any]) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    clock = ManualClock(NOW)
    sender = PushSender(scenario_with_push(site, server.sockets[0].getsockname()[1]), clock)
    task = asyncio.create_task(sender.run())
    await asyncio.sleep(0)
    assert not heard.done()
    clock.advance(timedelta(minutes=1))
    async with asyncio.timeout(5), server:
        assert (await heard)[:2] == b"\x00\x01"
        await task
    assert sender.sent == 1
