"""Samples gather in blocks; what nobody took ends a block and is counted."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.live.series import Missed, block_limit
from tests.unit.edge.live.examples import NOON, Bench, live_device

S = 1000


@pytest.mark.parametrize(
    ("period_ms", "live", "limit"),
    [
        (10, {}, 250),
        (50, {}, 100),
        (1000, {}, 5),
        (1000, {"block_values": 3}, 3),
        (1000, {"block_s": 3600, "block_values": 1000}, 1000),
        (900_000, {}, 1),
        (200, {"block_s": 0.1}, 1),
    ],
)
def test_a_block_is_bounded_by_number_and_by_age(period_ms: int, live: dict[str, float], limit: int) -> None:
    device = live_device(period_ms, **live)
    assert device.live is not None
    assert block_limit(device.live) == limit


def test_blocks_end_on_multiples_of_their_length() -> None:
    bench = Bench(block_s=4)
    bench.series.begin(NOON + 1 * S, None)
    bench.take(*(NOON + n * S for n in range(1, 9)))
    assert bench.runs() == [[(1 * S, 3)], [(4 * S, 4)]]
    assert [cut.missed for cut in bench.cuts] == [None, None]
    assert [cut.end - NOON for cut in bench.cuts] == [4 * S, 8 * S]


def test_series_are_cut_apart_from_one_another() -> None:
    bench = Bench(spread=0.5, block_s=4)
    bench.series.begin(NOON, None)
    bench.take(*(NOON + n * S for n in range(8)))
    assert bench.runs() == [[(0, 2)], [(2 * S, 4)]]


def test_a_missed_sample_ends_the_run_and_is_counted() -> None:
    bench = Bench(block_s=8)
    bench.series.begin(NOON, None)
    bench.take(*(NOON + n * S for n in (0, 1, 4, 5, 7)))
    assert bench.runs() == [[(0, 2), (4 * S, 2), (7 * S, 1)]]
    assert bench.cuts[0].missed == Missed(NOON + 2 * S, NOON + 6 * S, 3)
    assert bench.series.missed == 3


def test_a_silent_meter_does_not_keep_what_it_gave_before() -> None:
    bench = Bench(block_s=4)
    bench.series.begin(NOON, None)
    bench.take(NOON, NOON + S)
    assert bench.series.passed(NOON + 3 * S)
    assert bench.cuts == []
    assert bench.series.passed(NOON + 4 * S)
    assert bench.runs() == [[(0, 2)]]
    bench.series.passed(NOON + 8 * S)
    bench.take(NOON + 9 * S)
    bench.series.cut()
    assert bench.cuts[1].missed == Missed(NOON + 2 * S, NOON + 8 * S, 7)


def test_what_comes_after_the_end_of_a_block_begins_another() -> None:
    bench = Bench(block_s=4)
    bench.series.begin(NOON, None)
    bench.take(NOON, NOON + 6 * S)
    bench.series.cut()
    assert bench.runs() == [[(0, 1)], [(6 * S, 1)]]


def test_minutes_and_longer_never_span_metering_days() -> None:
    midnight = NOON + 12 * 3600 * S
    bench = Bench(60_000, block_values=1000, block_s=3600)
    bench.series.begin(midnight - 120_000, None)
    bench.take(*(midnight + n * 60_000 for n in range(-2, 3)))
    bench.series.cut()
    assert [[(run.start - midnight, run.count) for run in cut.runs] for cut in bench.cuts] == [
        [(-120_000, 2)],
        [(0, 3)],
    ]


def test_after_a_kill_what_was_in_memory_is_a_gap() -> None:
    bench = Bench(block_s=4)
    bench.series.begin(NOON + 10 * S, NOON + 4 * S)
    bench.take(NOON + 10 * S)
    bench.series.cut()
    assert bench.cuts[0].missed == Missed(NOON + 4 * S, NOON + 9 * S, 6)
    assert not bench.series.passed(NOON + 9 * S), "the slot in which the agent started is not sampled a second time"


def test_a_clock_that_went_back_marks_what_may_be_there_twice() -> None:
    bench = Bench(block_s=4)
    bench.series.begin(NOON, None)
    bench.take(NOON, NOON + S)
    bench.series.first = NOON
    bench.take(NOON, NOON + S, NOON + 2 * S, NOON + 3 * S)
    assert bench.runs() == [[(0, 2)], [(0, 4)]]
    assert [run.again for cut in bench.cuts for run in cut.runs] == [False, True]
    assert bench.series.missed == 0


def test_what_could_not_be_stored_is_missed() -> None:
    bench = Bench(block_s=4)
    bench.series.begin(NOON, None)
    bench.take(NOON, NOON + 2 * S, NOON + 3 * S)
    (cut,) = bench.cuts
    bench.series.not_stored(cut)
    bench.take(NOON + 4 * S)
    bench.series.cut()
    assert bench.cuts[1].missed == Missed(NOON, NOON + 3 * S, 4)


@given(
    st.sets(st.integers(0, 60)),
    st.integers(1, 9),
    st.floats(0, 1, exclude_max=True),
)
def test_every_slot_is_delivered_once_or_missed_once(taken: set[int], limit: int, spread: float) -> None:
    bench = Bench(spread=spread, block_values=limit, block_s=3600)
    bench.series.begin(NOON, None)
    for slot in range(61):
        bench.series.passed(NOON + slot * S)
        if slot in taken:
            bench.take(NOON + slot * S)
    bench.take(NOON + 61 * S)
    bench.series.cut()
    delivered = [run.start + n * S for cut in bench.cuts for run in cut.runs for n in range(run.count)]
    assert delivered == [NOON + slot * S for slot in sorted(taken | {61})]
    assert sum(cut.missed.count for cut in bench.cuts if cut.missed) == 61 - len(taken)
    assert all(sum(run.count for run in cut.runs) <= limit for cut in bench.cuts)


def test_missed_together() -> None:
    first = Missed(NOON, NOON + S, 2)
    assert first.and_then(None) == first
    assert first.and_then(dataclasses.replace(first, first=NOON + 5 * S, last=NOON + 5 * S, count=1)) == Missed(
        NOON, NOON + 5 * S, 3
    )
