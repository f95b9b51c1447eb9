"""States of a supply point as a table: which act leads from where to where."""

from enum import StrEnum
from types import MappingProxyType

from central.platform.transitions import reached


class State(StrEnum):
    """Requested (žádost), connected (připojeno), suspended (přerušeno), ended (zrušeno)."""

    REQUESTED = "requested"
    CONNECTED = "connected"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Act(StrEnum):
    """What is done to a supply point as a whole."""

    CONNECT = "connect"
    SUSPEND = "suspend"
    RESUME = "resume"
    END = "end"


STATES = tuple(str(state) for state in State)

TRANSITIONS = MappingProxyType(
    {
        (State.REQUESTED, Act.CONNECT): State.CONNECTED,
        (State.REQUESTED, Act.END): State.ENDED,
        (State.CONNECTED, Act.SUSPEND): State.SUSPENDED,
        (State.CONNECTED, Act.END): State.ENDED,
        (State.SUSPENDED, Act.RESUME): State.CONNECTED,
        (State.SUSPENDED, Act.END): State.ENDED,
    }
)
"""What is not here is not allowed: what has ended gets a new supply point."""


def advance(ean: str, state: str, act: Act) -> State:
    """The state after the act, or Refused with the acts that are possible."""
    return reached(TRANSITIONS, State(state), act, "state", f"The supply point {ean}")
