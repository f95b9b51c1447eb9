"""Timelines: whatever is painted, they say of each instant what was painted last."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.timeline import ASK_AFTER_MS, HOUR_MS, Known, Stretch, Timeline, hole, next_ask, paint, reconciled, wanted

LENGTH = 24
SPANS = st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 8)).map(lambda each: (each[0], min(LENGTH, sum(each))))
STRETCHES = st.one_of(
    st.builds(lambda span, known: Stretch(*span, known), SPANS, st.sampled_from([Known.READ, Known.AGAIN])),
    st.builds(lambda span, asked: Stretch(*span, Known.HOLE, asked, 10 * asked), SPANS, st.integers(1, 2)),
)
TIMELINES = st.lists(STRETCHES, max_size=8)


def painted(stretches: list[Stretch]) -> Timeline:
    timeline: Timeline = []
    for each in stretches:
        timeline = paint(timeline, each)
    return timeline


def cells(timeline: Timeline) -> list[tuple[Known, int] | None]:
    """What a timeline says, instant by instant."""
    found: list[tuple[Known, int] | None] = [None] * LENGTH
    for each in timeline:
        for at in range(each.start_ms, each.end_ms):
            assert found[at] is None, "stretches overlap"
            found[at] = each.known, each.asked
    return found


@given(TIMELINES)
def test_the_last_coat_is_seen(stretches: list[Stretch]) -> None:
    expected: list[tuple[Known, int] | None] = [None] * LENGTH
    for each in stretches:
        expected[each.start_ms : each.end_ms] = [(each.known, each.asked)] * (each.end_ms - each.start_ms)
    timeline = painted(stretches)
    assert cells(timeline) == expected
    assert timeline == sorted(timeline, key=lambda each: each.start_ms)
    for before, after in pairwise(timeline):
        met = before.end_ms == after.start_ms
        assert not met or (before.known, before.asked) != (after.known, after.asked), "equal neighbours are one"


@given(TIMELINES, SPANS, st.integers(0, 25))
def test_wanted_is_what_is_neither_read_nor_a_hole_that_waits(
    stretches: list[Stretch], span: tuple[int, int], now: int
) -> None:
    timeline = painted(stretches)
    asked_for: set[int] = set()
    last = span[0]
    for (start, end), stretch in wanted(timeline, *span, now):
        assert span[0] <= last <= start < end <= span[1], "oldest first, within bounds"
        last = end
        asked_for.update(range(start, end))
        assert stretch is None or stretch in timeline
    due = {at for at, cell in enumerate(cells(timeline)) if _due(cell, now)}
    assert asked_for == due & set(range(*span))


def _due(cell: tuple[Known, int] | None, now: int) -> bool:
    return cell is None or cell[0] is Known.AGAIN or (cell[0] is Known.HOLE and 10 * cell[1] <= now)


@given(TIMELINES, SPANS, st.lists(SPANS, max_size=3), st.booleans())
def test_after_a_comparison_with_central_only_what_is_sure_counts_as_read(
    stretches: list[Stretch], window: tuple[int, int], covered: list[tuple[int, int]], doubtful: bool
) -> None:
    before = cells(painted(stretches))
    after = cells(reconciled(painted(stretches), window, covered, doubtful=doubtful))
    sure = {at for start, end in covered for at in range(start, end)}
    for at in range(LENGTH):
        if at in sure:
            assert after[at] == (Known.READ, 0)
        elif not window[0] <= at < window[1]:
            assert after[at] == before[at], "what central was not asked for stays"
        elif before[at] is None:
            assert after[at] == ((Known.AGAIN, 0) if doubtful else None)
        else:
            known, asked = before[at] or (Known.AGAIN, 0)
            assert after[at] == ((Known.AGAIN, 0) if known is Known.READ else (known, asked))


def test_a_hole_is_asked_for_a_few_times_ever_later() -> None:
    now, asked = 0, 1
    asks = []
    while (each := hole(0, 1, asked, now)).ask_ms is not None:
        assert next_ask([each], now) == each.ask_ms
        asks.append(each.ask_ms - now)
        now, asked = each.ask_ms, asked + 1
    assert tuple(asks) == ASK_AFTER_MS
    assert next_ask([each], now) is None


def test_a_hole_that_a_clock_found_which_was_ahead_is_due_at_once() -> None:
    found = hole(0, 1, 1, 365 * 24 * HOUR_MS)
    assert list(wanted([found], 0, 1, 5 * HOUR_MS)) == [((0, 1), found)]
    assert list(wanted([found], 0, 1, 365 * 24 * HOUR_MS)) == []
