"""States of an edit: a table of transitions and the one function that applies it."""

from enum import StrEnum
from typing import Final

from central.platform.transitions import reached


class EditState(StrEnum):
    """Proposed waits for the second person; active holds; refused and undone are ends."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    REFUSED = "refused"
    UNDONE = "undone"


class EditStep(StrEnum):
    """What a person does with an edit."""

    APPROVE = "approve"
    REFUSE = "refuse"
    UNDO = "undo"


TRANSITIONS: Final = {
    (EditState.PROPOSED, EditStep.APPROVE): EditState.ACTIVE,
    (EditState.PROPOSED, EditStep.REFUSE): EditState.REFUSED,
    (EditState.ACTIVE, EditStep.UNDO): EditState.UNDONE,
}


def advance(edit: int, state: EditState, step: EditStep) -> EditState:
    """The state after a step; Refused where the table has none."""
    return reached(TRANSITIONS, state, step, "edit_state", f"The edit {edit}")
