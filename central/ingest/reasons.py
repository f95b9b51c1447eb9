"""Why something is refused: a stable code for programs, in the acknowledgement and in quarantine."""

from enum import IntEnum


class Reason(IntEnum):
    """Reasons of refusal; as numbers they stand in numpy columns, `code` is what is stored and sent."""

    OK = 0
    # of a whole message
    TOPIC = 1
    ADDRESS = 2
    EDGE_MISMATCH = 3
    SCHEMA = 4
    BODY = 5
    COLUMN = 6
    PACKING = 7
    CLOSED_NUMBER = 8
    STORE = 9
    # of one block
    UNKNOWN_CHANNEL = 20
    KIND = 21
    UNIT = 22
    STEP = 23
    EMPTY = 24
    TOO_LONG = 25
    TOO_EARLY = 26
    FUTURE = 27
    CROSSES_DAY = 28
    OFF_GRID = 29
    MISSING_VALUE = 30
    OUT_OF_RANGE = 31
    # of one record
    RECORD = 40

    @property
    def code(self) -> str:
        """The reason as stored in quarantine and sent in the acknowledgement, e.g. "unknown_channel"."""
        return self.name.lower()


WHOLE_BODY = -1
"""Index in the batch of a refusal that concerns the whole message."""
