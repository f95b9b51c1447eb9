"""States of a service case, and which follows which.

| state | |
|---|---|
| open | the cause is there, no work is under way |
| ordered | a work order follows it |
| closed | the cause is gone, or a person said why it needs nothing; a new cause makes a new case |
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from central.platform.errors import Refused


class CaseState(StrEnum):
    """State of a service case (servisní případ)."""

    OPEN = "open"
    ORDERED = "ordered"
    CLOSED = "closed"


TRANSITIONS: Final = MappingProxyType(
    {
        CaseState.OPEN: (CaseState.ORDERED, CaseState.CLOSED),
        CaseState.ORDERED: (CaseState.OPEN, CaseState.CLOSED),
        CaseState.CLOSED: (),
    }
)
"""Ordered back to open: the work ended and the cause is still there."""


def advance(case: int, present: str, wanted: str) -> CaseState:
    """The state that follows, or Refused."""
    following = TRANSITIONS[CaseState(present)]
    if wanted not in following:
        allowed = " or ".join(following) or "nothing: it is the last state"
        raise Refused("case_state", f"The service case {case} is {present}; after that comes {allowed}, not {wanted}.")
    return CaseState(wanted)
