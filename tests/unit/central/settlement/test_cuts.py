"""Stretches of a period between changes."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from central.settlement.cuts import Held, cut, fact_on, merged, month_borders

FIRST, END = date(2026, 3, 1), date(2026, 4, 1)

days = st.one_of(st.none(), st.integers(-40, 70).map(lambda number: FIRST + timedelta(days=number)))
held = st.tuples(days, days, st.integers(0, 3)).map(lambda drawn: Held(*drawn))


@given(st.lists(st.lists(held, max_size=5), max_size=4), st.lists(days.filter(bool), max_size=5))
def test_stretches_tile_the_period_and_nothing_changes_within_one(
    timelines: list[list[Held[int]]], borders: list[date]
) -> None:
    stretches = cut(FIRST, END, *timelines, at=borders)
    assert stretches[0][0] == FIRST
    assert stretches[-1][1] == END
    assert all(first < end for first, end in stretches)
    assert all(one[1] == other[0] for one, other in pairwise(stretches))
    for first, end in stretches:
        for timeline in timelines:
            inside = [fact_on(timeline, first + timedelta(days=n)) for n in range((end - first).days)]
            assert set(inside) == {inside[0]}
        assert not any(first < border < end for border in borders)


def test_equal_neighbours_are_one() -> None:
    middle, later = date(2026, 3, 11), date(2026, 3, 21)
    timeline = [Held(None, middle, "old name"), Held(middle, later, "new name"), Held(later, None, "other")]
    assert merged(timeline, lambda name: name.endswith("name")) == [
        Held(None, later, True),
        Held(later, None, False),
    ]
    apart = [Held(None, middle, 1), Held(later, None, 1)]
    assert merged(apart, lambda fact: fact) == apart


def test_borders_of_months_lie_strictly_inside() -> None:
    assert month_borders(FIRST, END) == []
    assert month_borders(date(2026, 2, 10), date(2026, 4, 2)) == [date(2026, 3, 1), date(2026, 4, 1)]
