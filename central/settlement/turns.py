"""One at a time: an act that decides what of a time is billed sees what every other has decided."""

from typing import Final

from sqlalchemy import Connection, text

_TURN: Final = text("SELECT pg_advisory_xact_lock(7238011)")
_NOTHING_DECIDED: Final = text("SELECT pg_advisory_xact_lock_shared(7238011)")


def take_turn(connection: Connection) -> None:
    """Wait until no other transaction approves a run or takes bases back; held to the end of this one.

    To be called before rows are locked: two approvals of different parts of a month, or two that take back the last
    lines of a bill, lock no row in common and would each decide without the other.
    """
    connection.execute(_TURN)


def hold_decisions(connection: Connection) -> None:
    """Let nobody approve or take back until the transaction ends; others may hold them off at the same time.

    What a settlement counts as settled beside it is what it pins, and what its approval compares with.
    """
    connection.execute(_NOTHING_DECIDED)
