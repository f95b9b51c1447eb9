"""Stretches of days of points: cutting, what holds, bits of covers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from central.checks.frame import MISSING, Frame
from central.checks.segments import cut, holding, masks, taken, within


def rows(*given_: tuple[int, int, int]) -> Frame:
    columns = np.array(given_, dtype=np.int64).reshape(-1, 3)
    return Frame({"supply_point": columns[:, 0], "first": columns[:, 1], "end_": columns[:, 2]})


def plain(frame: Frame) -> list[tuple[int, int, int]]:
    names = ("supply_point", "first", "end_")
    return list(zip(*(frame[name].tolist() for name in names), strict=True))


def test_rows_are_cut_to_the_month_and_open_ends_are_closed() -> None:
    frame = rows((1, MISSING, MISSING), (2, 90, 101), (3, 130, 140), (4, 105, 110), (5, 90, 100), (6, 131, 140))
    assert plain(within(frame, 100, 131)) == [(1, 0, 31), (2, 0, 1), (3, 30, 31), (4, 5, 10)]


def test_days_are_cut_where_anything_changes() -> None:
    base = rows((1, 0, 31), (2, 0, 10), (2, 20, 31))
    others = [rows((1, 5, 31)), rows((2, 0, 31), (3, 0, 31))]
    assert plain(cut(base, others, [15])) == [
        (1, 0, 5), (1, 5, 15), (1, 15, 31), (2, 0, 10), (2, 20, 31),
    ]  # fmt: skip
    assert plain(cut(rows(), others)) == []


def test_what_holds_on_the_first_day() -> None:
    frame = rows((2, 0, 10), (1, 5, 31))
    segments = rows((1, 0, 5), (1, 5, 31), (2, 0, 10), (2, 10, 31), (3, 0, 31))
    places = holding(segments, frame)
    assert places.tolist() == [-1, 1, 0, -1, -1]
    assert taken(frame["end_"], places, 7).tolist() == [7, 31, 10, 7, 7]
    assert holding(segments, rows()).tolist() == [-1] * 5


def test_bits_of_covers() -> None:
    covers = Frame({**rows((1, 0, 31), (1, 0, 5), (2, 5, 9)).columns, "mask": np.array([1, 2, 4])})
    assert masks(rows((1, 0, 5), (1, 5, 31), (2, 0, 5)), covers).tolist() == [3, 1, 0]


intervals = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 30), st.integers(1, 31)).filter(lambda each: each[1] < each[2]),
    max_size=8,
)


@given(intervals)
def test_segments_cover_the_days_of_the_base_once(others: list[tuple[int, int, int]]) -> None:
    segments = plain(cut(rows((1, 0, 31), (2, 3, 20)), [rows(*others)]))
    days = [(point, day) for point, first, end in segments for day in range(first, end)]
    assert sorted(days) == [(1, day) for day in range(31)] + [(2, day) for day in range(3, 20)]
