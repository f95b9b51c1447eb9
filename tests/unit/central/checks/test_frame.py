"""Columns: matching by keys, groups, and rows as the database copies them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.checks.frame import Frame, group, join, match, totals, unpack
from central.platform.copy_binary import HEADER, TRAILER

KEYS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-(2**62), 2**62) | st.integers(0, 2)), max_size=12)


@given(KEYS, KEYS)
def test_all_pairs_with_equal_keys_are_found(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    one = [np.array([key[part] for key in left], dtype=np.int64) for part in (0, 1)]
    other = [np.array([key[part] for key in right], dtype=np.int64) for part in (0, 1)]
    places, matched = match(one, other)
    expected = [(i, j) for i, key in enumerate(left) for j, with_ in enumerate(right) if key == with_]
    assert list(zip(places.tolist(), matched.tolist(), strict=True)) == expected
    single, with_single = match(one[:1], other[:1])
    assert len(single) == sum(key[0] == with_[0] for key in left for with_ in right) == len(with_single)


@given(KEYS)
def test_groups_sum_to_the_whole(rows: list[tuple[int, int]]) -> None:
    keys = [np.array([key[part] for key in rows], dtype=np.int64) for part in (0, 1)]
    numbers, first = group(keys)
    assert len(first) == len(set(rows))
    assert all(rows[first[number]] == row for number, row in zip(numbers.tolist(), rows, strict=True))
    assert totals(numbers, np.ones(len(rows), dtype=np.int64), len(first)).sum() == len(rows)


def array(*numbers: int) -> bytes:
    """An int8[] in COPY's binary format, with its length."""
    content = struct.pack(">iiiii", 1, 0, 20, len(numbers), 1) + b"".join(struct.pack(">iq", 8, n) for n in numbers)
    return struct.pack(">i", len(content)) + content


def test_rows_of_a_copy_become_columns() -> None:
    row = struct.pack(">h", 2) + array(1, 2**40) + array(-1, -(2**40))
    found = unpack(HEADER + row + TRAILER, ("one", "other"))
    assert (found["one"].tolist(), found["other"].tolist()) == ([1, 2**40], [-1, -(2**40)])
    nothing = struct.pack(">hii", 2, -1, -1)
    assert len(unpack(HEADER + nothing + TRAILER, ("one", "other"))) == 0
    with pytest.raises(ValueError, match="no array of whole numbers"):
        unpack(HEADER + struct.pack(">hi", 1, 25) + bytes(25) + TRAILER, ("one",))
    for odd in (row[:-1], row + b"1", struct.pack(">h", 2) + array(1) + array(1, 2)):
        with pytest.raises(ValueError, match=r"no (2 columns of equal length|array)"):
            unpack(HEADER + odd + TRAILER, ("one", "other"))


def test_frames_are_chosen_from_and_joined() -> None:
    frame = Frame({"a": np.array([1, 2, 3])}, {"a": ("x",)})
    chosen = frame.take(np.array([False, True, True]))
    assert (chosen["a"].tolist(), chosen.words, len(chosen)) == ([2, 3], {"a": ("x",)}, 2)
    assert join([frame, chosen])["a"].tolist() == [1, 2, 3, 2, 3]
    assert len(Frame({})) == 0
