"""Numbers of registers: words to raw values, raw values times a power of ten to integers. Integers throughout; floats
only where a double holds the result exactly; Decimal where it would not.
"""

import math
import struct
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

Type = Literal["float32", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FORMATS: Final[dict[str, str]] = {
    "float32": ">f",
    "uint16": ">H",
    "int16": ">h",
    "uint32": ">I",
    "int32": ">i",
    "uint64": ">Q",
    "int64": ">q",
}

EXACT_POWERS: Final = 12
"""A float32 times 10^12 is exact in a double: 24 bits and 28 of 5^12 fit its 53. Divided by 10^12 it is rounded, but
never onto a half that it was not, as long as it is below `EXACT_BELOW`."""
EXACT_BELOW: Final = 2.0**52


class NotAvailableError(ValueError):
    """The meter says that it has no value for an item."""


def raw_value(type: Type, words: Sequence[int], *, low_first: bool) -> int | float:
    """The number that `words` make, most significant word first unless `low_first`; octets in a word are big-endian."""
    ordered = reversed(words) if low_first else words
    value: int | float = struct.unpack(FORMATS[type], b"".join(word.to_bytes(2, "big") for word in ordered))[0]
    return value


def scaled(raw: int | float, power: int) -> int:
    """`raw` x 10^`power`, rounded half to even; raises `NotAvailableError` for a float that is no number."""
    if isinstance(raw, int):
        return raw * 10**power if power >= 0 else _divided(raw, 10**-power)
    if not math.isfinite(raw):
        raise NotAvailableError(f"it sent {raw}")
    if abs(raw) < EXACT_BELOW:
        if 0 <= power <= EXACT_POWERS:
            return round(raw * 10.0**power)
        if -EXACT_POWERS <= power < 0:
            return round(raw / 10.0**-power)
    return int(Decimal(raw).scaleb(power).to_integral_value(ROUND_HALF_EVEN))


def _divided(value: int, divisor: int) -> int:
    quotient, rest = divmod(value, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and quotient % 2):
        quotient += 1
    return quotient
