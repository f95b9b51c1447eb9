"""Bases as columns: the row of the payment calendar that each ends in, and how many points are read at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from central.checks.bases import CHUNK, _next_step, row_of
from central.checks.frame import MISSING, Frame

NAMES = ("calendar_row", "contract", "first", "end_")
ROWS = st.lists(st.tuples(st.integers(1, 4), st.sets(st.integers(-20, 40), min_size=2, max_size=6)), max_size=4)
ASKED = st.lists(st.tuples(st.integers(0, 5), st.integers(-25, 45)), max_size=10)


@given(ROWS, ASKED)
def test_the_row_that_holds_the_day_is_found(
    given_rows: list[tuple[int, set[int]]], asked: list[tuple[int, int]]
) -> None:
    borders = {contract: sorted(days) for contract, days in given_rows}
    spans = [
        (contract, *span) for contract, days in borders.items() for span in zip(days[::2], days[1::2], strict=False)
    ]
    rows = [(100 + place, *span) for place, span in enumerate(reversed(spans))]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    frame = Frame({name: columns[:, place] for place, name in enumerate(NAMES)})
    contracts, days = (np.array([each[part] for each in asked], dtype=np.int64) for part in (0, 1))
    expected = [
        next((row for row, owner, first, end in rows if owner == contract and first <= day < end), MISSING)
        for contract, day in asked
    ]
    assert row_of(contracts, days, frame).tolist() == expected


def test_chunks_grow_to_the_size_that_was_meant() -> None:
    assert _next_step(1_000, 10_000) == 10_000
    assert _next_step(1_000, 0) == 10_000
    assert _next_step(10_000, 1_200_000) == 10_000 * CHUNK // 1_200_000
    assert _next_step(1, 10 * CHUNK) == 1
