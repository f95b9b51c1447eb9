"""Days that intervals cover, counted once however they overlap."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from central.checks.cover import covered_days
from central.checks.frame import Frame

INTERVALS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 12)), max_size=9)


def frame(rows: list[tuple[int, int, int]]) -> tuple[list[np.ndarray], Frame]:
    key, first, length = (np.array([row[part] for row in rows], dtype=np.int64) for part in range(3))
    return [key], Frame({"first": first, "end_": first + length})


@given(INTERVALS, INTERVALS)
def test_as_many_as_days_by_day(asked: list[tuple[int, int, int]], others: list[tuple[int, int, int]]) -> None:
    days = covered_days(*frame(asked), *frame(others))
    covered = [{(key, first + day) for day in range(length)} for key, first, length in others]
    there = set().union(*covered)
    expected = [sum((key, first + day) in there for day in range(length)) for key, first, length in asked]
    assert days.tolist() == expected
