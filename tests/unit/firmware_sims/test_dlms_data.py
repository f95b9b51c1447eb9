"""A scenario's DLMS meters: type plate, registers, rows and events on the truth."""

from datetime import UTC, datetime, timedelta

import pytest

from firmware_sims.dlms.logs import CLOCK_SET_NEW, CLOCK_SET_OLD
from firmware_sims.dlms_data import TruthMeterData, meter_spec
from firmware_sims.events import POWER_UP, SUMMER_TIME_CHANGED, events_of
from firmware_sims.scenario_model import DlmsMeter, Scenario
from firmware_sims.truth import Truth
from shared.dlms.amr_status import SUMMER_TIME
from shared.identifiers import Obis
from shared.testing import ManualClock

NOW = datetime.fromisoformat("2026-04-01T00:07:00+02:00")
QUARTER = timedelta(minutes=15)
PROFILE = Obis.parse("1-0:99.1.0")


def find(scenario: Scenario, id: str) -> DlmsMeter:
    (meter,) = [each for each in scenario.meters if each.id == id]
    assert isinstance(meter, DlmsMeter)
    return meter


@pytest.fixture
def data(scenario: Scenario, truth: Truth) -> TruthMeterData:
    return TruthMeterData(find(scenario, "LU-1"), truth, ManualClock(NOW))


def test_type_plates(scenario: Scenario) -> None:
    spec = meter_spec(find(scenario, "LU-1"))
    assert (spec.serial, spec.logical_name) == ("1", "RZV0000000000001")
    assert [str(each.obis) for each in spec.registers] == [
        "1-0:1.8.0",
        "1-0:2.8.0",
        "1-0:3.8.0",
        "1-0:1.6.0",
        "1-0:1.4.0",
    ]
    assert [each.unit for each in spec.profiles[0].channels] == [30, 30, 32, 32]
    assert (spec.profiles[0].period_s, spec.profiles[0].entries) == (900, 45 * 96)
    two_tariffs = meter_spec(find(scenario, "LU-2"))
    assert [str(each.obis) for each in two_tariffs.registers][:3] == ["1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.2"]
    gas = meter_spec(find(scenario, "PM-1"))
    assert str(gas.profiles[0].obis) == "7-0:99.99.3"
    assert (gas.profiles[0].period_s, gas.profiles[0].channels[0].scaler) == (3600, -3)


def test_rows_end_when_their_interval_is_over(data: TruthMeterData, truth: Truth) -> None:
    after = datetime.fromisoformat("2026-03-29T00:00:00+01:00")
    rows = data.rows(PROFILE, after, after + timedelta(hours=23))
    assert len(rows) == 92
    assert rows[0].end == after + QUARTER
    expected = truth.interval_values("LU-1", "1-0:3.29.0", after, after + timedelta(hours=23))
    assert [row.values[2] for row in rows] == expected
    before_summer = [row for row in rows if row.end < datetime(2026, 3, 29, 1, tzinfo=UTC)]
    assert len(before_summer) == 7
    assert {row.status for row in before_summer} == {0}
    assert {row.status for row in rows[7:]} == {SUMMER_TIME}


def test_bounds_of_rows(data: TruthMeterData, truth: Truth) -> None:
    quarter = NOW - timedelta(minutes=7)
    assert [row.end for row in data.rows(PROFILE, quarter - QUARTER, NOW)] == [quarter]
    assert data.rows(PROFILE, quarter, NOW) == []
    assert [row.end for row in data.rows(PROFILE, quarter - timedelta(seconds=1), quarter)] == [quarter]
    first = data.rows(PROFILE, truth.origin - timedelta(days=9), truth.origin + 2 * QUARTER)
    assert [row.end for row in first] == [truth.origin + QUARTER, truth.origin + 2 * QUARTER]


def test_registers_show_the_present(data: TruthMeterData, truth: Truth) -> None:
    assert data.register(Obis.parse("1-0:1.8.0")) == truth.state_at("LU-1", "1-0:1.8.0", NOW)
    quarter = NOW - timedelta(minutes=7)
    assert [data.register(Obis.parse("1-0:1.29.0"))] == truth.interval_values(
        "LU-1", "1-0:1.29.0", quarter - QUARTER, quarter
    )


def test_events(data: TruthMeterData, truth: Truth) -> None:
    events = data.events(truth.origin - QUARTER, NOW)
    assert events == sorted(events)
    assert events[0] == (truth.origin, POWER_UP)
    assert (datetime(2026, 3, 29, 1, tzinfo=UTC), SUMMER_TIME_CHANGED) in events
    codes = [event.code for event in events]
    assert codes.count(CLOCK_SET_OLD) == codes.count(CLOCK_SET_NEW) >= 3
    assert data.events(truth.origin, NOW) == events[1:]
    assert events_of("LU-1", truth.origin, NOW) != events_of("LU-2", truth.origin, NOW)
    later = events_of("LU-1", truth.origin, NOW + timedelta(days=200))
    assert later[: len(events)] == events
