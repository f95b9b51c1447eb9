"""States of a work order, and which follows which.

| state | |
|---|---|
| proposed | a service case or a periodic activity asks for it; nobody has looked at it |
| planned | it will be done, there is a day |
| assigned | a technician has it on a route |
| under way | the technician is there |
| done | with a result |
| failed | the technician came and could not do it; may be planned again |
| cancelled | will not be done |
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from central.platform.errors import Refused


class OrderState(StrEnum):
    """State of a work order (pracovní příkaz)."""

    PROPOSED = "proposed"
    PLANNED = "planned"
    ASSIGNED = "assigned"
    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Final = MappingProxyType(
    {
        OrderState.PROPOSED: (OrderState.PLANNED, OrderState.ASSIGNED, OrderState.CANCELLED),
        OrderState.PLANNED: (OrderState.PLANNED, OrderState.ASSIGNED, OrderState.CANCELLED),
        OrderState.ASSIGNED: (OrderState.PLANNED, OrderState.ASSIGNED, OrderState.UNDER_WAY, OrderState.CANCELLED),
        OrderState.UNDER_WAY: (OrderState.ASSIGNED, OrderState.DONE, OrderState.FAILED),
        OrderState.DONE: (),
        OrderState.FAILED: (OrderState.PLANNED, OrderState.CANCELLED),
        OrderState.CANCELLED: (),
    }
)
"""From a state to those that may follow. Planned to planned is another day, assigned to assigned another technician."""

FINISHED: Final = (OrderState.DONE, OrderState.FAILED, OrderState.CANCELLED)


def advance(number: str, present: str, wanted: str) -> OrderState:
    """The state that follows, or Refused."""
    following = TRANSITIONS[OrderState(present)]
    if wanted not in following:
        allowed = " or ".join(following) or "nothing: it is the last state"
        raise Refused("order_state", f"The work order {number} is {present}; after that comes {allowed}, not {wanted}.")
    return OrderState(wanted)
