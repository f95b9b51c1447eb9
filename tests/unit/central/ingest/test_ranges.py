"""Numbers as ranges, and what a birth leaves open."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from central.ingest.ack import ranges
from central.ingest.births import limited, subtract

NUMBERS = st.sets(st.integers(1, 60))


def numbers_of(found: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in found for number in range(first, last + 1)}


@given(NUMBERS)
def test_ranges_hold_the_numbers_and_never_touch(numbers: set[int]) -> None:
    found = ranges(sorted(numbers))
    assert numbers_of(found) == numbers
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(found))


@given(NUMBERS, NUMBERS)
def test_what_is_held_is_never_closed(missing: set[int], held: set[int]) -> None:
    left = subtract(ranges(sorted(missing)), ranges(sorted(held)))
    assert numbers_of(left) == missing - held


@given(NUMBERS, st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=5))
def test_held_ranges_may_overlap(missing: set[int], held: list[tuple[int, int]]) -> None:
    spans = sorted((first, first + more) for first, more in held)
    assert numbers_of(subtract(ranges(sorted(missing)), spans)) == missing - numbers_of(spans)


@given(NUMBERS, st.integers(0, 70))
def test_a_limit_takes_the_lowest_numbers(numbers: set[int], most: int) -> None:
    kept = numbers_of(limited(ranges(sorted(numbers)), most))
    assert kept == set(sorted(numbers)[:most])
