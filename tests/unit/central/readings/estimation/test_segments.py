"""What registers counted between two states: which states are usable, exchanges, rollover, units."""

import numpy as np
import pytest

from central.readings.estimation.plan import Segment
from central.readings.estimation.segments import Counted, Register, segments_of, usable_states

STEP = 900_000
FOREVER = 1 << 52
HOLE = np.array([False, True, False, False, True, False], np.bool_)


def register(evidence: int, factor: int = 1, power: int = 0, digits: int | None = None, since: int = 0) -> Register:
    return Register(evidence, factor, power, since, FOREVER, digits)


def states(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """(interval, value) pairs."""
    return np.array([pair[0] * STEP for pair in pairs], np.int64), np.array([pair[1] for pair in pairs], np.int64)


def find(counted: Counted, direction: str = "A+") -> list[Segment]:
    return segments_of(counted, 1, direction, 0, STEP, HOLE)


def test_only_stretches_that_miss_something_are_looked_at() -> None:
    counted = Counted({1: {"JT": [register(5)]}}, {5: states((0, 10), (3, 40), (4, 50), (6, 75))})
    assert find(counted) == [Segment(0, 3, 30, 1), Segment(4, 6, 25, 1)]


@pytest.mark.parametrize(
    ("factor", "power", "segment"),
    [
        (1, 0, Segment(0, 6, 65, 1)),
        (40, 2, Segment(0, 6, 65 * 40 * 100, 4_000)),
        (1, -1, Segment(0, 6, 7, 1)),  # 6.5 rounded half up: the register counts finer than the profile
    ],
)
def test_a_registers_units_become_the_profiles(factor: int, power: int, segment: Segment) -> None:
    counted = Counted({1: {"A+": [register(5, factor, power)]}}, {5: states((0, 10), (6, 75))})
    assert find(counted) == [segment]


def test_high_and_low_tariff_are_added_where_both_were_read() -> None:
    counted = Counted(
        {1: {"VT": [register(5)], "NT": [register(6)]}},
        {5: states((0, 10), (2, 20), (6, 40)), 6: states((0, 1), (6, 8))},
    )
    assert find(counted) == [Segment(0, 6, 37, 2)]


def test_the_single_register_wins_over_the_tariffs() -> None:
    counted = Counted(
        {1: {"VT": [register(5)], "NT": [register(5)], "JT": [register(7)]}},
        {5: states((0, 1), (6, 2)), 7: states((0, 5), (6, 9))},
    )
    assert find(counted) == [Segment(0, 6, 4, 1)]


def test_a_register_that_rolled_over() -> None:
    at = {5: states((0, 99_999_678), (6, 123))}
    assert find(Counted({1: {"A+": [register(5, digits=8)]}}, at)) == [Segment(0, 6, 445, 1)]
    assert find(Counted({1: {"A+": [register(5)]}}, at)) == []


def test_an_exchange_is_bridged_by_states_of_both_registers() -> None:
    old, new = Register(5, 1, 0, 0, 3 * STEP, None), register(6, since=3 * STEP)
    read = {5: states((0, 10), (3, 15)), 6: states((3, 0), (6, 7))}
    assert find(Counted({1: {"A+": [old, new]}}, read)) == [Segment(0, 3, 5, 1), Segment(3, 6, 7, 1)]
    assert find(Counted({1: {"A+": [old, new]}}, {5: states((0, 10)), 6: states((6, 7))})) == []


@pytest.mark.parametrize(("direction", "count"), [("A+", 1), ("A-", 0), ("V", 0)])
def test_registers_of_the_same_direction(direction: str, count: int) -> None:
    counted = Counted({1: {"A+": [register(5)]}}, {5: states((0, 10), (6, 75))})
    assert len(find(counted, direction)) == count


def test_usable_states_stand_at_beginnings_of_intervals() -> None:
    table = [
        # evidence, at, value, flags, batch
        (1, 0, 10, 0, 1),
        (1, 20_000, 11, 0, 2),  # later than the one above
        (1, STEP, 20, 4, 1),  # the clock was wrong
        (1, STEP + 30_000, 21, 0, 1),
        (1, 2 * STEP + 61_000, 30, 0, 1),  # too late
        (1, 3 * STEP, 40, 0, 1),
        (1, 3 * STEP, 41, 0, 2),  # read again
        (2, 0, 5, 0, 1),
    ]
    columns = [np.array(column, np.int64) for column in zip(*table, strict=True)]
    found = usable_states(columns[0], columns[1], columns[2], columns[3].astype(np.int32), columns[4], STEP)
    assert {key: (at.tolist(), value.tolist()) for key, (at, value) in found.items()} == {
        1: ([0, STEP, 3 * STEP], [10, 21, 41]),
        2: ([0], [5]),
    }
