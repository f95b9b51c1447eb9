"""The simulation's memory: states are initial plus intervals, tariffs share the total, days have their length."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sims.scenario_model import Scenario, Tariff
from firmware_sims.truth import Truth, UnknownRegisterError, in_low_tariff, interval_values, state_at
from shared.metering_day import MeteringDay, day_of, month_bounds, month_days
from shared.quantities import Commodity

Month = tuple[datetime, datetime]
QUARTER = timedelta(minutes=15)
ALL = [
    ("LU-1", "1-0:1.29.0", "1-0:1.8.0", 123_456),
    ("LU-1", "1-0:3.29.0", "1-0:3.8.0", 0),
    ("LU-2", "1-0:1.29.0", "1-0:1.8.0", 1000),
    ("FVE-1", "1-0:2.29.0", "1-0:2.8.0", 0),
    ("VST-1", "1-0:1.29.0", "1-0:1.8.0", 0),
    ("NN-5", "import", "import", 1_234_567),
]


@pytest.mark.parametrize(("meter", "register", "state", "initial"), ALL)
def test_states_are_initial_plus_intervals(
    truth: Truth, march: Month, meter: str, register: str, state: str, initial: int
) -> None:
    start, end = march
    before = truth.interval_values(meter, register, truth.origin, start)
    during = truth.interval_values(meter, register, start, end)
    assert len(during) == 2972
    assert truth.state_at(meter, state, truth.origin) == initial
    assert truth.state_at(meter, state, start) == initial + sum(before)
    assert truth.state_at(meter, state, end) == initial + sum(before) + sum(during)


def test_gas_month_has_743_hours(truth: Truth) -> None:
    start, end = month_bounds(Commodity.GAS, 2026, 3)
    values = truth.interval_values("PM-1", "7-0:13.29.0", start, end)
    assert len(values) == 743
    assert sum(values) == truth.state_at("PM-1", "7-0:13.2.0", end) - truth.state_at("PM-1", "7-0:13.2.0", start)


@pytest.mark.parametrize("commodity", list(Commodity))
def test_days_make_the_month(truth: Truth, commodity: Commodity) -> None:
    meter, register = ("LU-1", "1-0:1.29.0") if commodity is Commodity.ELECTRICITY else ("PM-1", "7-0:13.29.0")
    whole = truth.interval_values(meter, register, *month_bounds(commodity, 2026, 3))
    days = month_days(commodity, 2026, 3)
    parts = [truth.interval_values(meter, register, day.start, day.end) for day in days]
    assert [len(part) for part in parts] == [day.length for day in days]
    assert sorted({len(part) for part in parts}) == ([92, 96] if commodity is Commodity.ELECTRICITY else [23, 24])
    assert [value for part in parts for value in part] == whole


def test_the_long_day(truth: Truth) -> None:
    day = day_of(Commodity.ELECTRICITY, datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert len(truth.interval_values("LU-1", "1-0:1.29.0", day.start, day.end)) == 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.integers(0, 120 * 96 * 900))
def test_tariffs_add_up_at_any_second(truth: Truth, seconds: int) -> None:
    instant = truth.origin + timedelta(seconds=seconds)
    high, low, total = (
        truth.state_at("LU-2", register, instant) for register in ("1-0:1.8.1", "1-0:1.8.2", "1-0:1.8.0")
    )
    assert high + low == total


def test_tariffs_switch_by_the_clock_on_the_wall(truth: Truth) -> None:
    # 30 March 2026 is in summer time: NT ends at 06:00 CEST = 04:00 UTC and comes again at 13:15 CEST = 11:15 UTC.
    for begin, register, other in [
        (datetime(2026, 3, 30, 3, 45, tzinfo=UTC), "1-0:1.8.2", "1-0:1.8.1"),
        (datetime(2026, 3, 30, 4, 0, tzinfo=UTC), "1-0:1.8.1", "1-0:1.8.2"),
        (datetime(2026, 3, 30, 11, 15, tzinfo=UTC), "1-0:1.8.2", "1-0:1.8.1"),
        (datetime(2026, 3, 30, 13, 0, tzinfo=UTC), "1-0:1.8.1", "1-0:1.8.2"),
    ]:
        (energy,) = truth.interval_values("LU-2", "1-0:1.29.0", begin, begin + QUARTER)
        assert energy > 0
        assert truth.interval_values("LU-2", register, begin, begin + QUARTER) == [energy]
        assert truth.interval_values("LU-2", other, begin, begin + QUARTER) == [0]
    assert truth.state_at("LU-2", "1-0:1.8.2", truth.origin) == 400
    assert truth.state_at("LU-2", "1-0:1.8.1", truth.origin) == 600


def test_low_tariff_of_a_day() -> None:
    minutes = np.arange(0, 1440, 15, dtype=np.int64)
    assert in_low_tariff(Tariff(("22:00", "06:00")), minutes).sum() == 8 * 4
    assert in_low_tariff(Tariff(("00:00", "24:00")), minutes).all()
    assert not in_low_tariff(Tariff(()), minutes).any()


def test_the_entry_meter_balances(truth: Truth, march: Month) -> None:
    """What comes in and goes out is what is taken and delivered behind, plus 2 % of what is taken."""
    taken = np.zeros(2972, dtype=np.int64)
    for meter in ("LU-1", "LU-2"):
        values = np.array(truth.interval_values(meter, "1-0:1.29.0", *march))
        taken += values + values * 20 // 1000
    shop = np.array(truth.interval_values("NN-5", "import", *march)) * 10
    delivered = np.array(truth.interval_values("FVE-1", "1-0:2.29.0", *march))
    inward, outward = (
        np.array(truth.interval_values("VST-1", register, *march)) for register in ("1-0:1.29.0", "1-0:2.29.0")
    )
    assert np.minimum(inward, outward).max() == 0
    assert outward.max() > 0, "the sun brings more than is taken at some time"
    assert abs((inward - outward) - (taken + shop * 1020 // 1000 - delivered)).max() <= 12, "10 Wh of the SDM630"


def test_a_state_grows_evenly_inside_an_interval(truth: Truth, march: Month) -> None:
    start = march[0]
    begin, end = (truth.state_at("LU-1", "1-0:1.8.0", at) for at in (start, start + QUARTER))
    middle = truth.state_at("LU-1", "1-0:1.8.0", start + QUARTER / 2)
    assert middle == begin + (end - begin) // 2
    shown = [truth.state_at("NN-5", "import", start + timedelta(seconds=s)) for s in range(0, 1800, 7)]
    assert shown == sorted(shown)


def test_two_truths_agree(scenario: Scenario, march: Month) -> None:
    late, early = Truth(scenario), Truth(scenario)
    at = march[1]
    assert late.state_at("VST-1", "1-0:1.8.0", at) == state_at(scenario, "VST-1", "1-0:1.8.0", at)
    day = MeteringDay(Commodity.ELECTRICITY, march[0].date())
    early.state_at("LU-1", "1-0:1.8.0", at + timedelta(days=200))
    assert early.interval_values("LU-1", "1-0:1.29.0", day.start, day.end) == interval_values(
        scenario, "LU-1", "1-0:1.29.0", day.start, day.end
    )


def test_golden_values(truth: Truth, march: Month) -> None:
    assert truth.interval_values("LU-1", "1-0:1.29.0", march[0], march[0] + 4 * QUARTER) == GOLDEN_SHIFT
    assert truth.state_at("NN-5", "import", march[1]) == GOLDEN_STATE


GOLDEN_SHIFT = [4466, 4284, 4219, 4198]
GOLDEN_STATE = 1_871_832


def test_a_month_of_everything_is_quick(truth: Truth, scenario: Scenario, march: Month) -> None:
    began = time.process_time()
    for meter in scenario.meters:
        for channel in meter.channels:
            truth.interval_values(meter.id, channel.register, *march)
    assert time.process_time() - began < 1.0


def test_what_is_not_known_is_refused(truth: Truth, march: Month) -> None:
    with pytest.raises(UnknownRegisterError, match='no meter "LU-7"'):
        truth.state_at("LU-7", "1-0:1.8.0", march[0])
    with pytest.raises(UnknownRegisterError, match=r"LU-1 has no register .*1-0:9\.8\.0"):
        truth.state_at("LU-1", "1-0:9.8.0", march[0])
    with pytest.raises(ValueError, match="are not known"):
        truth.interval_values("LU-1", "1-0:1.29.0", truth.origin - QUARTER, march[0])
    with pytest.raises(ValueError, match="No interval of LU-1"):
        truth.interval_values("LU-1", "1-0:1.29.0", march[0] + QUARTER / 3, march[1])
    assert truth.state_at("LU-1", "1-0:1.8.0", truth.origin - QUARTER) == 123_456
