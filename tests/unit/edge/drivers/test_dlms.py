"""What the DLMS driver makes of the reader's rows, values and errors."""

from datetime import UTC, date
from typing import Any

import pytest

from edge.dlms.errors import AccessDeniedError, LinkLostError, NoAnswerError, ProtocolError
from edge.dlms.layout import ClockConvention
from edge.dlms.profile import ProfileColumn, ProfileRows
from edge.drivers.dlms import DlmsDriver, _errors, profile_day
from edge.drivers.port import rescaled
from edge.errors import DeviceGarbledError, DeviceRefusedError, DeviceSilentError, LineDownError
from shared.clock import SystemClock
from shared.identifiers import Obis
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
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
    found = profile_day(LU.profile, DAY, rows())
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
        profile_day(LU.profile, DAY, rows(**changes))


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
