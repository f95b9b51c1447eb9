"""Data notification (Green Book 9.4): what a meter sends unasked, to the destination of its push setup (class 40).

0F | long invoke id and priority 4 | date-time: length 0 or 12, octets | body: one Data value
"""

from dataclasses import dataclass
from typing import Final

from shared.dlms import axdr
from shared.dlms.errors import DecodeError

DATA_NOTIFICATION_TAG: Final = 0x0F
_INVOKE_MASK: Final = 0x00FFFFFF


@dataclass(frozen=True, slots=True)
class DataNotification:
    """`invoke` is the long invoke id and priority as sent, `at` a COSEM date-time or empty, `body` encoded data."""

    invoke: int
    at: bytes
    body: bytes

    @property
    def number(self) -> int:
        """The invoke id: a message that is repeated has the same."""
        return self.invoke & _INVOKE_MASK

    def encode(self) -> bytes:
        head = bytes((DATA_NOTIFICATION_TAG,)) + self.invoke.to_bytes(4)
        return head + axdr.encode_length(len(self.at)) + self.at + self.body


def decode_data_notification(apdu: bytes) -> DataNotification:
    """Raises DecodeError for another message, or one that is cut off. The body is not looked at."""
    if apdu[:1] != bytes((DATA_NOTIFICATION_TAG,)):
        raise DecodeError(f"A data notification begins with 0f; {apdu[:8].hex() or 'an empty message'} is none.")
    try:
        size, start = axdr.decode_length(apdu, 5)
    except IndexError:
        raise DecodeError(f"The data notification {apdu[:16].hex()} is cut off.") from None
    if size not in (0, 12) or start + size >= len(apdu):
        raise DecodeError(f"The data notification {apdu[:16].hex()} has a date-time of {size} octets, or no body.")
    return DataNotification(int.from_bytes(apdu[1:5]), apdu[start : start + size], apdu[start + size :])
