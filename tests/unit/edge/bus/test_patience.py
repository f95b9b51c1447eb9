"""Time-outs follow what a meter does, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bus.patience import ENOUGH, WINDOW, Patience


def patience(*times: float) -> Patience:
    result = Patience()
    for time in times:
        result.answered(time)
    return result


def test_an_unknown_meter_is_given_all_the_time() -> None:
    assert patience().timeout_s(0.3, 1.5) == 1.5
    assert patience(*[0.02] * (ENOUGH - 1)).timeout_s(0.3, 1.5) == 1.5


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0.02] * 10, 0.3),
        ([0.2] * 10, 0.4),
        ([0.2] * 9 + [0.5], 1.0),
        ([0.2] * 99 + [0.5], 0.4),  # one of a hundred is beyond the 99th
        ([0.2] * 98 + [0.5] * 2, 1.0),
        ([5.0] * 10, 1.5),
    ],
)
def test_twice_what_99_of_100_took(times: list[float], expected: float) -> None:
    assert patience(*times).timeout_s(0.3, 1.5) == pytest.approx(expected)


def test_in_vain_it_doubles_until_an_answer() -> None:
    meter = patience(*[0.2] * 10)
    assert [(meter.gave_up(), meter.timeout_s(0.1, 1.5))[1] for _ in range(3)] == [0.8, 1.5, 1.5]
    meter.answered(0.2)
    assert meter.timeout_s(0.1, 1.5) == pytest.approx(0.4)


def test_a_meter_that_became_slow_is_learnt_from_its_late_answers() -> None:
    meter = patience(*[0.02] * WINDOW)
    for _ in range(3):
        meter.gave_up()
        meter.answered_late(0.5)
    meter.answered(0.5)
    assert meter.timeout_s(0.1, 1.5) == pytest.approx(1.0)


@given(
    st.lists(st.one_of(st.floats(0, 100), st.none()), max_size=300),
    st.floats(0.01, 5),
    st.floats(0.01, 5),
)
def test_bounds_hold_whatever_happens(events: list[float | None], least: float, most: float) -> None:
    meter = Patience()
    for event in events:
        if event is None:
            meter.gave_up()
        else:
            meter.answered(event)
        assert min(least, most) <= meter.timeout_s(least, most) <= most
