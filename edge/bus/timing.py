"""Times on a line, in wall seconds. Source: Modbus over Serial Line 1.02, 2.5.1.1; IEC 62056-46."""

from dataclasses import dataclass
from typing import Final

RTU_CHARACTER_BITS: Final = 11
FAST_GAP_S: Final = 0.00175
"""Above 19,200 Bd the silent interval is fixed."""
FAST_BAUD: Final = 19_200
QUIET_S: Final = 0.1
"""Longer than gateways and USB adapters hold octets back (FTDI: 16 ms)."""


@dataclass(frozen=True, slots=True)
class LineTiming:
    """What a line must be given. TCP to the meter itself: all zero."""

    character_s: float = 0.0
    gap_s: float = 0.0
    """Silence before each request."""
    quiet_s: float = 0.0
    """After a fault the line is drained until it has been silent so long; 0 for streams, whose frames carry numbers."""


def line_timing(protocol: str, baud: int | None, character_bits: int = 10) -> LineTiming:
    """Timing of a line that speaks `protocol` at `baud` (None: unknown, behind a serial server, or no serial line)."""
    if protocol in ("dlms-wrapper", "modbus-tcp"):
        return LineTiming()
    character = character_bits / baud if baud else 0.0
    if protocol != "modbus-rtu":
        return LineTiming(character, 0.0, QUIET_S)
    gap = 3.5 * RTU_CHARACTER_BITS / baud if baud and baud <= FAST_BAUD else FAST_GAP_S
    return LineTiming(character, gap, max(QUIET_S, 2 * gap))
