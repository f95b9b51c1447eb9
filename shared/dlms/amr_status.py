"""AMR profile status, the status octet of each load-profile row (IDIS, DSMR; 0-0:96.10.x), and our quality mask."""

from typing import Final

from shared.quantities import Flag

CRITICAL_ERROR: Final = 0x01
CLOCK_INVALID: Final = 0x02
DATA_NOT_VALID: Final = 0x04
SUMMER_TIME: Final = 0x08
CLOCK_ADJUSTED: Final = 0x20
POWER_DOWN: Final = 0x80

_MEANING: Final = {
    CRITICAL_ERROR: Flag.CRITICAL,
    CLOCK_INVALID: Flag.CLOCK_INVALID,
    DATA_NOT_VALID: Flag.DATA_INVALID,
    SUMMER_TIME: Flag.DST,
    CLOCK_ADJUSTED: Flag.CLOCK_ADJUSTED,
    POWER_DOWN: Flag.POWER_DOWN,
}
FLAGS: Final = tuple(sum(int(flag) for bit, flag in _MEANING.items() if status & bit) for status in range(256))
"""Quality mask (shared.quantities.Flag) by status octet; reserved bits mean nothing."""


def status_of(flags: int) -> int:
    """The status octet for a quality mask; flags that a meter cannot express are left out."""
    return sum(bit for bit, flag in _MEANING.items() if flags & flag)
