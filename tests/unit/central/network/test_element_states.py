"""States of network elements: the table, and what is said of a step that it has not."""

import pytest

from central.network.element_states import TRANSITIONS, ElementState, advance
from central.platform.errors import Refused


@pytest.mark.parametrize(
    ("before", "after"),
    [("planned", "built"), ("built", "in_service"), ("in_service", "withdrawn"), ("in_service", "built")],
)
def test_a_step_of_the_table(before: str, after: str) -> None:
    assert advance("TS1", before, after) == after


@pytest.mark.parametrize(("before", "after"), [("planned", "in_service"), ("withdrawn", "built"), ("built", "built")])
def test_any_other_is_refused_with_both_states(before: str, after: str) -> None:
    with pytest.raises(Refused, match=rf"TS1 is {before}.*not {after}"):
        advance("TS1", before, after)


def test_every_state_but_the_last_can_be_left_and_reached() -> None:
    assert set(TRANSITIONS) == set(ElementState)
    assert [state for state, following in TRANSITIONS.items() if not following] == [ElementState.WITHDRAWN]
    assert {each for following in TRANSITIONS.values() for each in following} == set(ElementState) - {"planned"}
