"""How a value of a day profile came about, beside its quality: the code in `day_profile.method`."""

from enum import IntEnum


class Method(IntEnum):
    """Method of a value; NONE: as delivered. The codes are stored for ever: never renumber, only add."""

    NONE = 0
    REREAD = 1
    """Read from the meter's memory again after a first reading failed."""
    CHECK_METER = 2
    """The check meter's value of the same interval (kontrolní měřidlo)."""
    LINEAR = 3
    """Linear between the neighbours of a short gap."""
    LIKE_DAY = 4
    """Mean of comparable days."""
    LOAD_PROFILE = 5
    """Shape of the load-profile class (TDD)."""
    NODE_BALANCE = 6
    """What the node's other meters leave over."""
    MANUAL = 7
    """Entered by a person."""
    STATES = 8
    """Difference of register states."""
    IMPORTED = 9
    """From another system's file, which did not call it measured."""
    FORMULA = 10
    """Result of a formula (virtuální měřidlo)."""

    SCALED = 64
    """Added to another code: the shape was scaled to the difference of register states, exactly."""
