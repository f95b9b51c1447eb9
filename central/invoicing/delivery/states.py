"""The states of a delivery, and what leads from one to another, as a table."""

from collections.abc import Mapping
from typing import Final

QUEUED, SENDING, DEFERRED, SENT = "queued", "sending", "deferred", "sent"
REFUSED, BOUNCED, WITHDRAWN = "refused", "bounced", "withdrawn"

STATES: Final = (QUEUED, SENDING, DEFERRED, SENT, REFUSED, BOUNCED, WITHDRAWN)
"""Waiting; handed to the mail server now; put off by it; taken by it (or printed); refused for good; came back; taken
back before it left."""

UNDER_WAY: Final = (QUEUED, SENDING, DEFERRED)
"""A document has at most one delivery of a kind in one of these."""

TRANSITIONS: Final[Mapping[tuple[str, str], str]] = {
    (QUEUED, "begin"): SENDING,
    (DEFERRED, "begin"): SENDING,
    # whoever was sending was killed: the same message goes again under its old Message-ID
    (SENDING, "begin"): SENDING,
    (SENDING, "taken"): SENT,
    (SENDING, "put off"): DEFERRED,
    (SENDING, "refused"): REFUSED,
    (QUEUED, "withdraw"): WITHDRAWN,
    (DEFERRED, "withdraw"): WITHDRAWN,
    (QUEUED, "print"): SENT,
    (SENT, "bounce"): BOUNCED,
}


def following(state: str, event: str) -> str | None:
    """The state after an event; None where the event cannot happen in this state."""
    return TRANSITIONS.get((state, event))
