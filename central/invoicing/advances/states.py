"""The life of an advance, as a table. A state that is not listed under an act does not allow it."""

from central.platform.errors import Refused

TRANSITIONS = {
    "send": {"prescribed": "sent"},
    "pay": {"sent": "paid"},
    "release": {"sent": "sent", "paid": "sent"},
    "deduct": {"sent": "deducted", "paid": "deducted"},
    "restore": {"deducted": "paid"},
    "cancel": {"prescribed": "cancelled", "sent": "cancelled"},
}
"""By act: from which state to which. An advance is paid when all of it came; it is deducted when a statement took off
what came and the rest is no longer asked for; when that statement is cancelled it is as it was."""

SAID = {
    "prescribed": "předepsána",
    "sent": "odeslána",
    "paid": "zaplacena",
    "deducted": "odečtena",
    "cancelled": "zrušena",
}


def advanced(state: str, act: str, name: str) -> str:
    """The state after an act, or Refused with what would be allowed."""
    following = TRANSITIONS[act].get(state)
    if following is None:
        allowed = ", ".join(TRANSITIONS[act])
        raise Refused("advance_state", f"The advance {name} is {state}; to {act} it, it must be {allowed}.")
    return following
