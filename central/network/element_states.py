"""States of a network element, and which step leads from which to which.

| state | |
|---|---|
| planned | in a project only |
| built | stands there, is not under voltage |
| in service | feeds what hangs behind it |
| withdrawn | taken out of use; nothing leads from here |
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from central.platform.errors import Refused


class ElementState(StrEnum):
    """State of a node, feeder or transformer."""

    PLANNED = "planned"
    BUILT = "built"
    IN_SERVICE = "in_service"
    WITHDRAWN = "withdrawn"


TRANSITIONS: Final = MappingProxyType(
    {
        ElementState.PLANNED: (ElementState.BUILT, ElementState.WITHDRAWN),
        ElementState.BUILT: (ElementState.IN_SERVICE, ElementState.WITHDRAWN),
        ElementState.IN_SERVICE: (ElementState.BUILT, ElementState.WITHDRAWN),
        ElementState.WITHDRAWN: (),
    }
)
"""From a state to those that may follow; in service and back to built is what a switching-off for good work is."""


def advance(name: str, present: str, wanted: str) -> ElementState:
    """The state that follows, or Refused."""
    following = TRANSITIONS[ElementState(present)]
    if wanted not in following:
        allowed = " or ".join(following) or "nothing: it is the last state"
        raise Refused("element_state", f"The element {name} is {present}; after that comes {allowed}, not {wanted}.")
    return ElementState(wanted)
