"""States of a command as a table, and the one rule over it.

*proposed* waits for a second person. *sent* has gone out at least once; it goes out again until it is answered.
*unknown* is a command that was sent and has no last word: its expiry passed, or the concentrator itself cannot say.
It is asked for again, slowly, because the concentrator keeps what became of it; a late answer is taken. What is not in
the table is no step.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """State of a command."""

    PROPOSED = "proposed"
    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    """The concentrator is at work."""
    DONE = "done"
    FAILED = "failed"
    """It was tried, and the meter or the line did not do it."""
    REFUSED = "refused"
    """The concentrator did nothing, and said why."""
    EXPIRED = "expired"
    """It was never sent."""
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """What happens to a command."""

    CONFIRM = "confirm"
    WITHDRAW = "withdraw"
    SEND = "send"
    ACCEPT = "accept"
    COMPLETE = "complete"
    FAIL = "fail"
    REFUSE = "refuse"
    EXPIRE = "expire"
    LOSE = "lose"
    """No last word: by expiry after it was sent, or by the concentrator's own."""


class TransitionError(ValueError):
    """A step that the command's state does not allow."""


_ANSWERS: Final = {
    Step.COMPLETE: State.DONE,
    Step.FAIL: State.FAILED,
    Step.REFUSE: State.REFUSED,
    Step.LOSE: State.UNKNOWN,
}

TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    State.PROPOSED: {Step.CONFIRM: State.QUEUED, Step.WITHDRAW: State.WITHDRAWN, Step.EXPIRE: State.EXPIRED},
    State.QUEUED: {Step.SEND: State.SENT, Step.WITHDRAW: State.WITHDRAWN, Step.EXPIRE: State.EXPIRED},
    State.SENT: {Step.ACCEPT: State.ACCEPTED, **_ANSWERS},
    State.ACCEPTED: dict(_ANSWERS),
    State.UNKNOWN: {Step.COMPLETE: State.DONE, Step.FAIL: State.FAILED, Step.REFUSE: State.REFUSED},
    State.DONE: {},
    State.FAILED: {},
    State.REFUSED: {},
    State.EXPIRED: {},
    State.WITHDRAWN: {},
}

OPEN: Final = (State.PROPOSED, State.QUEUED, State.SENT, State.ACCEPTED, State.UNKNOWN)
STEP_OF_OUTCOME: Final = {
    "accepted": Step.ACCEPT,
    "done": Step.COMPLETE,
    "failed": Step.FAIL,
    "refused": Step.REFUSE,
    "unknown": Step.LOSE,
}
"""What a concentrator's answer means."""


def advance(state: State, step: Step) -> State:
    """The state after `step`; TransitionError where the table has none."""
    if step not in TRANSITIONS[state]:
        allowed = ", ".join(TRANSITIONS[state]) or "nothing"
        raise TransitionError(f"A command that is {state} cannot {step}; it can: {allowed}.")
    return TRANSITIONS[state][step]
