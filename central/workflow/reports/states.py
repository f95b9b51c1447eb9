"""States of a report as a table: which act leads from where to where."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from central.platform.transitions import reached


class State(StrEnum):
    """Made (založen), filled (naplněn), closed (uzavřen), sent (odeslán), replaced (nahrazen), discarded (zahozen)."""

    MADE = "made"
    FILLED = "filled"
    CLOSED = "closed"
    SENT = "sent"
    REPLACED = "replaced"
    DISCARDED = "discarded"


class Act(StrEnum):
    """What is done to a report as a whole or to one of its cells."""

    FILL = "fill"
    OVERRIDE = "override"
    CLOSE = "close"
    SEND = "send"
    REOPEN = "reopen"
    DISCARD = "discard"


TRANSITIONS: Final = MappingProxyType(
    {
        (State.MADE, Act.FILL): State.FILLED,
        (State.FILLED, Act.FILL): State.FILLED,
        (State.MADE, Act.OVERRIDE): State.MADE,
        (State.FILLED, Act.OVERRIDE): State.FILLED,
        (State.FILLED, Act.CLOSE): State.CLOSED,
        (State.CLOSED, Act.SEND): State.SENT,
        (State.CLOSED, Act.REOPEN): State.REPLACED,
        (State.SENT, Act.REOPEN): State.REPLACED,
        (State.MADE, Act.DISCARD): State.DISCARDED,
        (State.FILLED, Act.DISCARD): State.DISCARDED,
    }
)
"""What is not here is not allowed: what was closed is never changed, a new version takes its place."""


def advance(number: int, state: str, act: Act) -> State:
    """The state of report `number` after the act, or Refused with the acts that are possible."""
    return reached(TRANSITIONS, State(state), act, "report_state", f"The report {number}")
