"""How much of an answer is still to come, by the length that its frame states: pure.

Only a hint for pacing: a line that knows it need not wake for every few octets of a frame. What is wrong here (noise
before a frame) costs a little time, never an octet.
"""

from collections.abc import Callable
from typing import Final

RTU_OVERHEAD: Final = 5
"""Unit, function, byte count or exception code, two of CRC."""
COUNTED: Final = (1, 2, 3, 4)
"""Functions whose answer has a byte count."""
FLAG: Final = 0x7E
FORMAT_TYPE: Final = 0xA0


def rtu_missing(heard: bytes) -> int:
    """Octets missing from the Modbus RTU frame at the beginning of `heard`; 0 if that cannot be told."""
    if len(heard) < 3:
        return 0
    if heard[1] & 0x80:
        return max(RTU_OVERHEAD - len(heard), 0)
    if heard[1] not in COUNTED:
        return 0
    return max(RTU_OVERHEAD + heard[2] - len(heard), 0)


def hdlc_missing(heard: bytes) -> int:
    """Octets missing from the last HDLC frame begun in `heard`; 0 if that cannot be told."""
    begin = 0
    while begin + 3 <= len(heard) and heard[begin] == FLAG:
        if heard[begin + 1] == FLAG:
            begin += 1
            continue
        if heard[begin + 1] & 0xF0 != FORMAT_TYPE:
            return 0
        # The length counts from the format field to the check sequence; a flag at either end.
        end = begin + 2 + ((heard[begin + 1] & 0x07) << 8 | heard[begin + 2])
        if end > len(heard):
            return end - len(heard)
        begin = end - 1  # the closing flag may open the next frame
    return 0


RULES: Final[dict[str, Callable[[bytes], int]]] = {"modbus-rtu": rtu_missing, "hdlc": hdlc_missing}
"""By protocol of a line; others say nothing of their length."""
