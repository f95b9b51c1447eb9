"""What is measured and how good it is: commodities, kinds of channels, quality.

Energy and volume are integers in a unit and a power of ten, never floats: 1 234 with unit Wh and exponent 1 is 12 340
Wh.
"""

from decimal import Decimal
from enum import IntEnum, IntFlag, StrEnum
from typing import Final


class Commodity(StrEnum):
    """What flows through the network (komodita)."""

    ELECTRICITY = "electricity"
    GAS = "gas"


class Kind(StrEnum):
    """What a channel's values are."""

    INTERVAL = "interval"
    """Quantity of one interval (průběhové měření), int32."""
    STATE = "state"
    """Cumulative register state (stav), int64; never differenced before central."""


class Unit(StrEnum):
    """Units that channels are kept in, before the power of ten."""

    WH = "Wh"
    VARH = "varh"
    VAH = "VAh"
    M3 = "m3"
    W = "W"
    VAR = "var"
    VA = "VA"
    V = "V"
    A = "A"
    HZ = "Hz"
    ONE = "1"
    """Without a unit: power factor, counts."""


class Flag(IntFlag):
    """The meter's own flags beside a value, as on the wire and in the block: a 16-bit mask, absent when all zero."""

    POWER_DOWN = 1
    CLOCK_ADJUSTED = 2
    CLOCK_INVALID = 4
    DATA_INVALID = 8
    LATE = 16
    DST = 32
    CRITICAL = 64
    INCOMPLETE = 128
    SUBSTITUTED = 256
    """Not measured: the device, or the system that the value came from, says that it made it up."""


class Quality(IntEnum):
    """Quality of a value in a day profile."""

    MEASURED = 0
    PROVISIONAL = 1
    ESTIMATED = 2
    SUBSTITUTE = 3
    EDITED = 4
    MISSING = 5


MISSING_VALUE: Final = -(2**31)
"""Stored in the place of a missing value: never 0, never NULL inside an array. Views show NULL."""


def scaled(value: int, exponent: int, to_exponent: int = 0) -> Decimal:
    """`value` x 10^`exponent`, expressed in 10^`to_exponent`: exact, e.g. Wh to MWh with `to_exponent` 6."""
    return Decimal(value).scaleb(exponent - to_exponent)
