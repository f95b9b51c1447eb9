"""What the DLMS driver makes of the reader's rows, values and errors."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from edge.bus.line import Line
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.config import StateRegister
from edge.dlms.errors import AccessDeniedError, LinkLostError, NoAnswerError, ProtocolError
from edge.dlms.layout import ClockConvention
from edge.dlms.profile import ProfileColumn, ProfileRows
from edge.drivers.dlms import DlmsDriver, DlmsSession, _errors, profile_day, text_of
from edge.drivers.port import StateReading, Switch, rescaled
from edge.errors import DeviceGarbledError, DeviceMismatchError, DeviceRefusedError, DeviceSilentError, LineDownError
from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.meter import ClockSpec, EventRow, MBusSpec, RegisterSpec
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.testing import MemoryMeterData, meter_spec
from shared.clock import EPOCH, SystemClock
from shared.identifiers import Obis
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Unit
from tests.unit.edge.examples import config_data, device, edge_config

LU = device("LU-1")
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 1))
ACTIVE, REACTIVE = Obis.parse("1-0:1.29.0"), Obis.parse("1-0:3.29.0")


def rows(**changes: Any) -> ProfileRows:
    columns = {
        ACTIVE: ProfileColumn(ACTIVE, 1, "Wh", [5, None]),
        REACTIVE: ProfileColumn(REACTIVE, 0, "varh", [7, 8]),
    }
    return ProfileRows(
        **{"period_ms": 900_000, "start_ms": [0, 900_000], "flags": [0, 4], "columns": columns, **changes}
    )


def test_columns_by_wire_name_in_the_exponent_of_the_configuration() -> None:
    assert LU.profile is not None
    found = profile_day("LU-1", LU.profile, DAY, rows())
    assert found.columns == {"1-0:1.29.0": [50, None], "1-0:3.29.0": [7, 8]}
    assert (found.start_ms, found.flags) == ([0, 900_000], [0, 4])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"period_ms": 60_000}, "captures every 60 s, but step_s is 900"),
        ({"columns": {ACTIVE: ProfileColumn(ACTIVE, 0, "Wh", [1, 2])}}, "does not capture 1-0:3.29.0"),
        (
            {
                "columns": {
                    ACTIVE: ProfileColumn(ACTIVE, -1, "Wh", [15, 2]),
                    REACTIVE: ProfileColumn(REACTIVE, 0, "varh", [1, 2]),
                }
            },
            r"15 x 10\^-1, which is no whole number of 10\^0; set its exponent to -1",
        ),
        (
            {
                "columns": {
                    ACTIVE: ProfileColumn(ACTIVE, 0, "varh", [1, 2]),
                    REACTIVE: ProfileColumn(REACTIVE, 0, "varh", [1, 2]),
                }
            },
            "is in varh, but the configuration says Wh",
        ),
    ],
)
def test_a_meter_that_is_not_as_configured_is_told(changes: dict[str, Any], expected: str) -> None:
    assert LU.profile is not None
    with pytest.raises(DeviceGarbledError, match=expected):
        profile_day("LU-1", LU.profile, DAY, rows(**changes))


def test_what_rows_tell_beside_values_is_recorded() -> None:
    assert LU.profile is not None
    found = profile_day("LU-1", LU.profile, DAY, rows(repeated=(900_000, 900_000), irregular=(450_000,)))
    assert [(record.kind, record.at, record.data["count"]) for record in found.records] == [
        ("repeated-capture", 900_000, 2),
        ("capture-off-grid", 450_000, 1),
    ]


@pytest.mark.parametrize(
    ("value", "exponent", "wanted", "expected"),
    [(12, 0, 0, 12), (12, 3, 0, 12_000), (12_000, 0, 3, 12), (-5, 1, 0, -50), (0, -9, 9, 0), (2**62, 0, 0, 2**62)],
)
def test_rescaled_exactly(value: int, exponent: int, wanted: int, expected: int) -> None:
    assert rescaled(value, exponent, wanted, "x") == expected


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (NoAnswerError("x"), DeviceSilentError),
        (TimeoutError(), DeviceSilentError),
        (AccessDeniedError("1-0:1.8.0", 3), DeviceRefusedError),
        (ProtocolError("a", "b"), DeviceGarbledError),
        (LinkLostError("x"), DeviceGarbledError),
        (LineDownError("x"), LineDownError),
        (ConnectionResetError("x"), LineDownError),
        (EOFError(), LineDownError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_families_of_errors(raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected), _errors():
        raise raised


def test_the_conventions_of_a_meter_reach_its_reader() -> None:
    data = config_data()
    data["buses"][0]["devices"][0]["conventions"] = {
        "time": "utc", "deviation": "from-utc", "profile_access": "entry", "null_values": "repeated"
    }  # fmt: skip
    config = next(device for _, device in edge_config(data).devices() if device.id == "LU-1")
    settings = DlmsDriver(config, "hdlc", SystemClock())._settings
    assert settings.convention == ClockConvention(zone=UTC, reversed_deviation=True)
    assert (settings.profile_access, settings.null_repeats) == ("entry", True)
    assert DlmsDriver(LU, "hdlc", SystemClock())._settings.convention == ClockConvention()


class MeterLink:
    """A link to a simulated meter behind the wrapper."""

    baud = None

    def __init__(self, meter: CosemMeter) -> None:
        self._line = WrapperLine({1: meter})
        self._answer = b""

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def write(self, data: bytes) -> None:
        self._answer += self._line.receive(data)

    async def read(self, timeout: float) -> bytes:
        if not self._answer:
            raise TimeoutError
        data, self._answer = self._answer, b""
        return data

    async def flush(self) -> None:
        self._answer = b""

    def response_timeout(self, wanted: float) -> float:
        return wanted


def driver_of(**changes: Any) -> DlmsDriver:
    data = config_data()
    data["buses"][2]["devices"][0] |= {"address": {"server": 1}, **changes}
    config = next(device for _, device in edge_config(data).devices() if device.id == "GA-1")
    return DlmsDriver(config, "dlms-wrapper", SystemClock())


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ({"serial": "48211001"}, None),
        ({"serial": "48211001", "logical_name": "RZV0000048211001"}, None),
        ({"serial": "48211002"}, "it shows serial '48211001', expected '48211002'"),
        ({"logical_name": "RZV0000048211009"}, "shows logical_name 'RZV0000048211001', expected 'RZV0000048211009'"),
        ({"serial": "12345678", "serial_obis": "0-1:96.1.0"}, None),
        ({"serial": "12345679", "serial_obis": "0-1:96.1.0"}, "it shows serial '12345678'"),
    ],
)
async def test_another_meter_is_not_read(identity: dict[str, str], told: str | None) -> None:
    spec = meter_spec(mbus=(MBusSpec(1, "12345678", 3, 14),))
    line: Any = MeterLink(CosemMeter(spec, MemoryMeterData(spec, datetime(2026, 4, 1, tzinfo=UTC))))
    driver = driver_of(identity=identity)
    if told is None:
        async with driver.session(line):
            pass
        return
    with pytest.raises(DeviceMismatchError, match=told):
        async with driver.session(line):
            pytest.fail("It must not be read.")


async def test_clock_switch_and_events_through_the_port() -> None:
    spec = meter_spec(switch_mode=3, clock=ClockSpec(offset_s=7))
    data = MemoryMeterData(spec, datetime(2026, 4, 1, tzinfo=UTC))
    data.logged = [EventRow(data.clock, 2)]
    line: Any = MeterLink(CosemMeter(spec, data))
    async with driver_of().session(line) as meter:
        assert isinstance(meter, DlmsSession)
        assert (await meter.read_clock()) - data.clock == timedelta(seconds=7)
        await meter.set_clock(data.clock)
        assert (await meter.read_clock()) == data.clock
        await meter.disconnect()
        assert await meter.read_switch() == Switch(False, "disconnected")
        await meter.reconnect()
        assert await meter.read_switch() == Switch(False, "ready_for_reconnection")
        found = await meter.read_events("0-0:99.98.0", None)
        assert [event.code for event in found.events] == [2, 4, 5]
        assert not (await meter.read_events("0-0:99.98.0", found.mark)).events
        with pytest.raises(DeviceRefusedError, match=r"0-0:99\.98\.9"):
            await meter.read_events("0-0:99.98.9", None)


def test_names_as_text() -> None:
    assert [text_of(value) for value in (b"RZV1\0", b"\x01\x02", "A", 5)] == ["RZV1", "0102", "A", "5"]


async def test_a_register_with_its_own_time() -> None:
    gas = Obis(0, 1, 24, 2, 1)
    spec = meter_spec(registers=(RegisterSpec(gas, 14, -3, class_id=4),))
    data = MemoryMeterData(spec, datetime(2026, 4, 1, tzinfo=UTC))
    data.registers[gas] = 4711
    line: Any = MeterLink(CosemMeter(spec, data))
    register = StateRegister(unit=Unit.M3, register="7-0:3.0.0", exponent=-3, obis=str(gas), class_id=4)
    async with driver_of().session(line) as meter:
        (reading,) = await meter.read_states([register])
    read_at = (data.clock - timedelta(minutes=3) - EPOCH) // timedelta(milliseconds=1)
    assert reading == StateReading(register, 4711, read_at, captured=True)


@pytest.mark.parametrize(("size", "octets"), [(None, "02 23"), (4, "00 02 00 23")])
async def test_an_address_as_long_as_the_meter_demands(size: int | None, octets: str) -> None:
    data = config_data()
    data["buses"][0]["devices"][0].update(
        address={"server": 1, "physical": 17, "size": size}, retries=0, timeout_s=0.001
    )
    link = ScriptedLink()
    line = Line(link, LineTiming(), time.monotonic)
    with pytest.raises(DeviceSilentError):
        async with DlmsDriver(edge_config(data).buses[0].devices[0], "hdlc", SystemClock()).session(line):
            pass
    assert link.written[0][1][3:].startswith(bytes.fromhex(octets))
