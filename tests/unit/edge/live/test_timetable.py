"""Each series is fired once a slot, at its phase."""

from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.device_state import DeviceState
from edge.live.series import LiveSeries
from edge.live.timetable import Timetable, phase_of
from tests.unit.edge.live.examples import NOON, Bench


@dataclass
class Recorder:
    series: LiveSeries
    device: DeviceState
    slots: list[int] = field(default_factory=list)

    def poll(self, slot: int) -> None:
        if self.series.passed(slot):
            self.slots.append(slot - NOON)


def recorder(period_ms: int) -> Recorder:
    bench = Bench(period_ms)
    bench.series.begin((NOON // period_ms + 1) * period_ms, None)
    return Recorder(bench.series, cast(DeviceState, None))


@given(st.integers(0, 5000), st.sampled_from([10, 20, 50, 200, 1000, 60_000, 900_000]))
def test_phases_lie_in_the_first_half(place: int, period_ms: int) -> None:
    assert 0 <= phase_of(place, period_ms) <= period_ms // 2


def test_phases_spread_devices() -> None:
    phases = [phase_of(place, 1000) for place in range(50)]
    fullest = max(sum(begin <= phase < begin + 100 for phase in phases) for begin in range(0, 500, 100))
    assert fullest <= 13, "of 50 in a fifth of the half period"


def test_every_slot_once_whatever_the_period() -> None:
    timetable, fast, slow = Timetable(), recorder(100), recorder(250)
    for target in (fast, slow):
        timetable.add(target, NOON)
    now = NOON
    while now <= NOON + 1000:
        due = timetable.next_due()
        assert due is not None and due > now
        now = due
        timetable.fire(now)
    assert fast.slots == list(range(100, 1001, 100))
    assert slow.slots == list(range(250, 1001, 250))


def test_after_a_pause_only_the_present_slot() -> None:
    timetable, target = Timetable(), recorder(100)
    timetable.add(target, NOON)
    timetable.fire(NOON + 100)
    timetable.fire(NOON + 570)
    timetable.fire(NOON + 600)
    assert target.slots == [100, 500, 600]


def test_without_room_slots_pass_unsampled() -> None:
    timetable, target = Timetable(), recorder(100)
    timetable.add(target, NOON)
    timetable.fire(NOON + 100, poll=False)
    timetable.fire(NOON + 200)
    assert target.slots == [200]


def test_a_clock_that_goes_back() -> None:
    timetable, target = Timetable(), recorder(100)
    timetable.add(target, NOON)
    timetable.fire(NOON + 1000)
    timetable.clock_went_back(NOON + 340)
    assert timetable.next_due() == NOON + 400
    timetable.fire(NOON + 400)
    assert target.slots == [1000, 400]


@pytest.mark.parametrize("count", [1, 3])
def test_who_leaves_is_not_fired(count: int) -> None:
    timetable, targets = Timetable(), [recorder(10) for _ in range(count)]
    for target in targets:
        timetable.add(target, NOON)
    timetable.remove(targets[0])
    timetable.fire(NOON + 15)
    assert targets[0].slots == []
    assert all(target.slots == [10] for target in targets[1:])
    assert (timetable.next_due() is None) == (count == 1)
