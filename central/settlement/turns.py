"""One at a time: an act that decides what of a time is billed sees what every other has decided."""

from typing import Final

from sqlalchemy import Connection, text

_TURN: Final = text("SELECT pg_advisory_xact_lock(7238011)")


def take_turn(connection: Connection) -> None:
    """Wait until no other transaction approves a run or takes bases back; held to the end of this one.

    To be called before rows are locked: two approvals of different parts of a month, or two that take back the last
    lines of a bill, lock no row in common and would each decide without the other.
    """
    connection.execute(_TURN)
