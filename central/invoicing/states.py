"""The life of an invoice as a table: what may be done to it in which state, and the state that follows."""

from central.platform.errors import Refused

TRANSITIONS: dict[tuple[str, str], str] = {
    ("issued", "send"): "sent",
    ("sent", "send"): "sent",
    ("corrected", "send"): "corrected",
    ("issued", "correct"): "corrected",
    ("sent", "correct"): "corrected",
    ("corrected", "correct"): "corrected",
    ("corrected", "restore"): "issued",
    ("issued", "cancel"): "cancelled",
    ("sent", "cancel"): "cancelled",
    ("corrected", "cancel"): "cancelled",
}
"""(state, act) -> next state; what is not here is refused. A cancelled invoice stays as it is."""


def advance(state: str, act: str, number: str) -> str:
    """The state after an act; Refused where the table has none."""
    following = TRANSITIONS.get((state, act))
    if following is None:
        allowed = sorted({done for _, done in TRANSITIONS if (state, done) in TRANSITIONS})
        raise Refused(
            "invoice_state",
            f"Invoice {number} is {state} and cannot {act}; in this state it may {', '.join(allowed) or 'not change'}.",
        )
    return following
