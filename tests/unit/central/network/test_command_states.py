"""The table of a command's states."""

import pytest

from central.network.command_states import OPEN, STEP_OF_OUTCOME, TRANSITIONS, State, Step, TransitionError, advance


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([Step.SEND, Step.ACCEPT, Step.COMPLETE], State.DONE),
        ([Step.SEND, Step.COMPLETE], State.DONE),
        ([Step.SEND, Step.REFUSE], State.REFUSED),
        ([Step.SEND, Step.LOSE, Step.COMPLETE], State.DONE),
        ([Step.SEND, Step.ACCEPT, Step.LOSE, Step.FAIL], State.FAILED),
        ([Step.WITHDRAW], State.WITHDRAWN),
        ([Step.EXPIRE], State.EXPIRED),
    ],
)
def test_a_queued_command_goes_its_way(steps: list[Step], state: State) -> None:
    found = State.QUEUED
    for step in steps:
        found = advance(found, step)
    assert found is state


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (State.PROPOSED, Step.SEND),
        (State.SENT, Step.WITHDRAW),
        (State.SENT, Step.EXPIRE),
        (State.DONE, Step.REFUSE),
        (State.EXPIRED, Step.SEND),
        (State.ACCEPTED, Step.ACCEPT),
    ],
)
def test_what_is_not_in_the_table_is_no_step(state: State, step: Step) -> None:
    with pytest.raises(TransitionError, match=f"A command that is {state} cannot {step}; it can: "):
        advance(state, step)


def test_every_state_is_there_and_the_open_ones_are_those_that_go_on() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {state for state in State if TRANSITIONS[state]} == set(OPEN)
    assert set(STEP_OF_OUTCOME.values()) == {Step.ACCEPT, Step.COMPLETE, Step.FAIL, Step.REFUSE, Step.LOSE}
