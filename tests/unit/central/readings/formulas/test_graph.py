"""The order of virtual meters, and cycles."""

import pytest

from central.readings.formulas.graph import find_cycle, levels


def test_levels_follow_the_needs() -> None:
    assert levels({10: [1, 2], 11: [10, 1], 12: [10, 11], 13: [2]}) == [[10, 13], [11], [12]]
    assert levels({}) == []


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({1: [1]}, [1, 1]),
        ({1: [2], 2: [1]}, [1, 2, 1]),
        ({1: [2, 3], 2: [9], 3: [4], 4: [1]}, [1, 3, 4, 1]),
        ({1: [2], 2: [3], 3: [2]}, None),
        ({1: [2, 3], 2: [4], 3: [4], 4: [5]}, None),
    ],
)
def test_a_cycle_is_found_with_its_path(inputs: dict[int, list[int]], path: list[int] | None) -> None:
    assert find_cycle(inputs, 1) == path
