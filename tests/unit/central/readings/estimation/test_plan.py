"""The order of estimation on one channel: each step, each limit, scaling that is exact, and days that stay open."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.readings.estimation.order import EstimationStep, OrderInForce, StepMethod, StepQuality
from central.readings.estimation.plan import Estimates, Helps, Segment, Window, estimate_window
from central.readings.method import Method
from shared.holidays import day_type
from shared.metering_day import PRAGUE, days_between
from shared.quantities import MISSING_VALUE, Commodity, Quality

MONDAY = date(2026, 3, 2)
LATER = datetime(2027, 1, 1, tzinfo=UTC)
LINEAR = EstimationStep(StepMethod.LINEAR, longest_gap_minutes=120)
CHECK = EstimationStep(StepMethod.CHECK_METER, StepQuality.SUBSTITUTE)
LIKE_DAY = EstimationStep(StepMethod.LIKE_DAY)
LOAD_PROFILE = EstimationStep(StepMethod.LOAD_PROFILE)
ALL = (CHECK, LINEAR, LIKE_DAY, LOAD_PROFILE)


def order(*steps: EstimationStep, most: int = 31, scaled: bool = True) -> OrderInForce:
    return OrderInForce("electricity", "", "active", date.min, date.max, steps, most, 31, scaled)


def window(
    first: date = MONDAY,
    days: int = 1,
    *,
    holes: Sequence[tuple[int, int]] = (),
    absent: Sequence[int] = (),
    commodity: Commodity = Commodity.ELECTRICITY,
    value: Any = 100,
) -> Window:
    calendar = days_between(commodity, first, first + timedelta(days=days))
    offset = np.concatenate([[0], np.cumsum([day.length for day in calendar])])
    values = np.full(int(offset[-1]), value, np.int32) if np.isscalar(value) else np.array(value, np.int32)
    for low, high in holes:
        values[low:high] = MISSING_VALUE
    present = np.ones(days, np.bool_)
    present[list(absent)] = False
    day_of = np.repeat(np.arange(days), np.diff(offset))
    values[~present[day_of]] = MISSING_VALUE
    missing = values == MISSING_VALUE
    sound = present & ~np.array([missing[day_of == place].any() for place in range(days)])
    quality = np.where(missing, Quality.MISSING, Quality.MEASURED).astype(np.int16)
    deadlines = [datetime.combine(day.date + timedelta(days=1), time(10), PRAGUE) for day in calendar]
    types = [day_type(day.date) for day in calendar]
    return Window(calendar, offset, values, quality, present, sound, deadlines, types)


def run(base: Window, rule: OrderInForce | None, helps: Helps | None = None, now: datetime = LATER) -> Estimates:
    return estimate_window(base, [rule] * len(base.days), helps or Helps(), now)


def filled(result: Estimates) -> list[int]:
    return result.values[result.filled].tolist()


def test_without_an_order_nothing_is_estimated() -> None:
    result = run(window(holes=[(3, 4)]), None)
    assert (filled(result), result.left[0].reason) == ([], "no_order")


def test_a_whole_day_is_left_alone() -> None:
    result = run(window(), order(*ALL))
    assert (filled(result), result.left) == ([], {})


def test_a_short_gap_is_interpolated_and_marked() -> None:
    base = window(value=[0] * 10 + [100] * 86, holes=[(10, 13)])
    result = run(base, order(LINEAR))
    assert filled(result) == [25, 50, 75]
    assert set(result.quality[result.filled].tolist()) == {Quality.ESTIMATED}
    assert set(result.method[result.filled].tolist()) == {Method.LINEAR}
    assert result.left == {}


def test_a_gap_over_midnight_is_one_gap() -> None:
    base = window(days=2, value=[0] * 96 + [90] * 96, holes=[(92, 100)])
    assert filled(run(base, order(LINEAR))) == [10, 20, 30, 40, 50, 60, 70, 80]
    longer = window(days=2, holes=[(92, 101)])
    result = run(longer, order(LINEAR))
    assert filled(result) == []
    assert [result.left[place].reason for place in (0, 1)] == ["limit", "limit"]
    assert "135 min are missing, at most 120 may be" in result.left[0].detail


def test_before_the_next_day_has_come_the_line_is_flat() -> None:
    base = window(days=2, holes=[(94, 96)], absent=[1])
    assert filled(run(base, order(LINEAR))) == [100, 100]


def test_the_check_meter_goes_first_and_what_it_lacks_goes_to_the_next_step() -> None:
    check = np.full(96, 7, np.int64)
    check[12:14] = MISSING_VALUE
    result = run(window(holes=[(10, 16)]), order(CHECK, LINEAR), Helps(check=check))
    assert filled(result) == [7] * 6
    assert result.method[10:16].tolist() == [Method.CHECK_METER] * 2 + [Method.LINEAR] * 2 + [Method.CHECK_METER] * 2
    assert result.quality[10:13].tolist() == [Quality.SUBSTITUTE, Quality.SUBSTITUTE, Quality.ESTIMATED]


def test_a_node_gives_what_its_other_meters_leave() -> None:
    step = EstimationStep(StepMethod.NODE_BALANCE)
    result = run(window(holes=[(0, 96)]), order(step), Helps(balance=np.arange(96, dtype=np.int64)))
    assert filled(result) == list(range(96))


def test_a_lost_day_is_the_mean_of_three_like_days() -> None:
    # Tuesday to Monday; the Monday after is lost: Friday, Thursday, Wednesday have 96 x (4, 3, 2)
    value = np.repeat([1, 2, 3, 4, 50, 60, 0], 96)
    base = window(date(2026, 3, 3), 7, value=value, holes=[(576, 672)])
    result = run(base, order(LINEAR, LIKE_DAY))
    assert filled(result) == [3] * 96
    assert set(result.method[result.filled].tolist()) == {Method.LIKE_DAY}


def test_too_few_like_days_leave_the_day_open_with_the_reason() -> None:
    result = run(window(days=3, holes=[(192, 288)]), order(LINEAR, LIKE_DAY))
    assert filled(result) == []
    assert "like_day: 2 of 3 sound days of the type workday" in result.left[2].detail


def test_a_day_is_filled_whole_or_not_at_all() -> None:
    result = run(window(holes=[(1, 3), (40, 60)]), order(LINEAR))
    assert filled(result) == []
    assert result.left[0].reason == "limit"


def test_a_load_profile_has_its_level_from_what_was_measured() -> None:
    weights = np.concatenate([np.full(96, 1.0), np.full(96, 2.0)])
    result = run(window(days=2, holes=[(96, 192)]), order(LOAD_PROFILE), Helps(weights=weights))
    assert filled(result) == [200] * 96
    assert set(result.method[result.filled].tolist()) == {Method.LOAD_PROFILE}


@pytest.mark.parametrize("low", [1e-3, 1e-12])
def test_a_load_profile_that_would_give_what_no_value_is_leaves_the_day(low: float) -> None:
    weights = np.concatenate([np.full(96, low), np.full(96, 1e9)])
    result = run(window(days=2, holes=[(96, 192)]), order(LOAD_PROFILE), Helps(weights=weights))
    assert (filled(result), result.left[1].reason) == ([], "too_large")


def test_a_load_profile_without_a_level_needs_register_states() -> None:
    weights = np.repeat([1.0, 3.0], 48)
    base = window(holes=[(0, 96)])
    result = run(base, order(LOAD_PROFILE), Helps(weights=weights))
    assert (filled(result), result.left[0].reason) == ([], "level")
    result = run(base, order(LOAD_PROFILE), Helps(weights=weights, segments=[Segment(0, 96, 960, 1)]))
    assert filled(result) == [5] * 48 + [15] * 48
    assert set(result.method[result.filled].tolist()) == {Method.LOAD_PROFILE | Method.SCALED}


def test_scaling_takes_what_was_measured_from_the_register_difference() -> None:
    result = run(window(holes=[(10, 13)]), order(LINEAR), Helps(segments=[Segment(0, 96, 93 * 100 + 400, 1)]))
    assert filled(result) == [134, 133, 133]
    assert set(result.method[result.filled].tolist()) == {Method.LINEAR | Method.SCALED}


@pytest.mark.parametrize(
    ("difference", "resolution", "expected", "reason"),
    [
        (93 * 100 - 200, 100, [100] * 3, None),  # within twice the last digit: the states do not tell, unscaled
        (93 * 100 - 201, 100, [], "states"),
        (93 * 100, 1, [0] * 3, None),
    ],
)
def test_states_that_disagree(difference: int, resolution: int, expected: list[int], reason: str | None) -> None:
    result = run(window(holes=[(10, 13)]), order(LINEAR), Helps(segments=[Segment(0, 96, difference, resolution)]))
    assert filled(result) == expected
    assert (result.left[0].reason if result.left else None) == reason


def test_states_over_a_day_that_is_not_there_scale_nothing() -> None:
    base = window(days=2, holes=[(10, 13)], absent=[1])
    assert filled(run(base, order(LINEAR), Helps(segments=[Segment(0, 192, 50_000, 1)]))) == [100] * 3


def test_the_meter_is_asked_first() -> None:
    steps = (EstimationStep(StepMethod.REREAD, wait_hours=24), LINEAR)
    base, deadline = window(holes=[(1, 2)]), datetime(2026, 3, 3, 10, tzinfo=PRAGUE)
    early = run(base, order(*steps), now=deadline + timedelta(hours=24, seconds=-1))
    assert (filled(early), early.left[0].reason, early.left[0].due) == ([], "reread", deadline + timedelta(hours=24))
    assert filled(run(base, order(*steps), now=deadline + timedelta(hours=24))) == [100]


def test_nothing_is_tried_after_the_manual_step() -> None:
    result = run(window(holes=[(1, 2)]), order(EstimationStep(StepMethod.MANUAL), LINEAR))
    assert filled(result) == []
    assert result.left[0].detail == "manual: a person enters the values"


def test_too_many_estimated_days_are_refused() -> None:
    holes = [(96 * day, 96 * day + 1) for day in range(1, 5)]
    result = run(window(days=5, holes=holes), order(LINEAR, most=2))
    assert [bool(result.filled[96 * day]) for day in range(1, 5)] == [True, True, False, False]
    assert {place: left.reason for place, left in result.left.items()} == {3: "too_many_days", 4: "too_many_days"}
    assert "3 of 31 days miss values; at most 2" in result.left[3].detail


def test_an_estimate_that_does_not_fit_is_not_made() -> None:
    helps = Helps(check=np.full(96, 2**31, np.int64))
    result = run(window(holes=[(1, 2)]), order(CHECK), helps)
    assert (filled(result), result.left[0].reason) == ([], "too_large")


DAYS = [
    (Commodity.ELECTRICITY, date(2026, 3, 28), 96),
    (Commodity.ELECTRICITY, date(2026, 3, 29), 92),
    (Commodity.ELECTRICITY, date(2026, 10, 25), 100),
    (Commodity.GAS, date(2026, 3, 28), 23),
    (Commodity.GAS, date(2026, 6, 1), 24),
    (Commodity.GAS, date(2026, 10, 24), 25),
]


@settings(max_examples=150, deadline=None)
@given(data=st.data(), which=st.sampled_from(DAYS), before=st.sampled_from([0, 29]))
def test_estimates_and_measured_values_sum_to_the_register_difference_exactly(
    data: st.DataObject, which: tuple[Commodity, date, int], before: int
) -> None:
    commodity, day, length = which
    first = day - timedelta(days=before)
    base = window(first, before + 1, commodity=commodity)
    begin = int(base.offset[before])
    assert int(base.offset[-1]) - begin == length
    base.values[:] = np.arange(len(base.values)) % 97
    hole = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(hole + 1, length))
    base.values[begin + hole : begin + end] = MISSING_VALUE
    base.sound[before] = False
    known = int(base.values[begin:][base.values[begin:] != MISSING_VALUE].sum())
    difference = known + data.draw(st.integers(0, 10**9))
    weights = np.linspace(0.5, 1.5, len(base.values))
    helps = Helps(weights=weights, segments=[Segment(begin, len(base.values), difference, 1)])
    result = run(base, order(*ALL), helps)
    assert result.left == {}
    assert int(result.filled.sum()) == end - hole
    assert known + int(result.values[result.filled].sum()) == difference
    again = run(base, order(*ALL), helps)
    assert (again.values == result.values).all() and (again.method == result.method).all()
