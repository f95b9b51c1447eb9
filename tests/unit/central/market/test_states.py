"""The table of states is whole: every pair of state and act is either in it or refused."""

import itertools

import pytest

from central.market.states import ANSWER_ACTS, ANSWERED, TRANSITIONS, Act, State, TransitionError, advance

ALLOWED = {
    ("generated", "save"): "saved",
    ("generated", "replace"): "repaired",
    ("saved", "send"): "sent",
    ("saved", "replace"): "repaired",
    ("saved", "accept"): "accepted",
    ("saved", "reserve"): "accepted_with_reservation",
    ("saved", "reject"): "rejected",
    ("sent", "send"): "sent",
    ("sent", "undelivered"): "saved",
    ("sent", "refuse"): "rejected",
    ("sent", "expire"): "timed_out",
    ("sent", "accept"): "accepted",
    ("sent", "reserve"): "accepted_with_reservation",
    ("sent", "reject"): "rejected",
    ("timed_out", "send"): "sent",
    ("timed_out", "replace"): "repaired",
    ("timed_out", "accept"): "accepted",
    ("timed_out", "reserve"): "accepted_with_reservation",
    ("timed_out", "reject"): "rejected",
    ("rejected", "replace"): "repaired",
}


@pytest.mark.parametrize(("state", "act"), list(itertools.product(State, Act)))
def test_every_pair(state: State, act: Act) -> None:
    expected = ALLOWED.get((state.value, act.value))
    if expected is None:
        with pytest.raises(TransitionError, match=f"A message that is {state} cannot {act}"):
            advance(state, act)
    else:
        assert advance(state, act) == expected


def test_every_state_has_a_row_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {State.GENERATED}
    while more := {target for state in reached for target in TRANSITIONS[state].values()} - reached:
        reached |= more
    assert reached == set(State)


def test_an_answer_brings_into_the_state_it_means() -> None:
    for state, act in ANSWER_ACTS.items():
        assert advance(State.SENT, act) == state
    assert set(ANSWER_ACTS) == ANSWERED
