"""States of a message that we send, as a table, and the one rule over it.

A message is *saved* once its bytes are in the outbox; *sent* is committed before the bytes go to the channel, so that
an answer can never find a message that was not sent yet. An answer ends the conversation; it may come late (timed_out)
or after the channel lost the receipt (saved). A message in whose place a later version goes is *repaired*, and so is
one whose cause was withdrawn before it left. What is not in the table is refused.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """State of a message sent by us."""

    GENERATED = "generated"
    SAVED = "saved"
    SENT = "sent"
    ACCEPTED = "accepted"
    ACCEPTED_WITH_RESERVATION = "accepted_with_reservation"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    REPAIRED = "repaired"


class Act(StrEnum):
    """What happens to a message."""

    SAVE = "save"
    """Its bytes are written."""
    SEND = "send"
    """It is given to the channel, for the first time or again under the same id."""
    UNDELIVERED = "undelivered"
    """The channel did not get a receipt for it."""
    REFUSE = "refuse"
    """The channel's other end refused to take it in at all."""
    ACCEPT = "accept"
    RESERVE = "reserve"
    """Accepted with reservation (přijetí s výhradou)."""
    REJECT = "reject"
    EXPIRE = "expire"
    """No answer came in time."""
    REPLACE = "replace"
    """A message of the next version takes its place, or nothing does: what made it arise is gone."""


class TransitionError(ValueError):
    """An act that the message's state does not allow."""


_ANSWERS: Final = {
    Act.ACCEPT: State.ACCEPTED,
    Act.RESERVE: State.ACCEPTED_WITH_RESERVATION,
    Act.REJECT: State.REJECTED,
}

TRANSITIONS: Final[dict[State, dict[Act, State]]] = {
    State.GENERATED: {Act.SAVE: State.SAVED, Act.REPLACE: State.REPAIRED},
    State.SAVED: {Act.SEND: State.SENT, Act.REPLACE: State.REPAIRED, **_ANSWERS},
    State.SENT: {
        Act.SEND: State.SENT,
        Act.UNDELIVERED: State.SAVED,
        Act.REFUSE: State.REJECTED,
        Act.EXPIRE: State.TIMED_OUT,
        **_ANSWERS,
    },
    State.TIMED_OUT: {Act.SEND: State.SENT, Act.REPLACE: State.REPAIRED, **_ANSWERS},
    State.REJECTED: {Act.REPLACE: State.REPAIRED},
    State.ACCEPTED: {},
    State.ACCEPTED_WITH_RESERVATION: {},
    State.REPAIRED: {},
}

ANSWERED: Final = frozenset({State.ACCEPTED, State.ACCEPTED_WITH_RESERVATION, State.REJECTED})
ANSWER_ACTS: Final[dict[State, Act]] = {state: act for act, state in _ANSWERS.items()}
"""The act that brings a message into the state an answer means."""


def advance(state: State, act: Act) -> State:
    """The state after `act`; TransitionError where the table has none."""
    if act not in TRANSITIONS[state]:
        allowed = ", ".join(TRANSITIONS[state]) or "nothing"
        raise TransitionError(f"A message that is {state} cannot {act}; it can: {allowed}.")
    return TRANSITIONS[state][act]
