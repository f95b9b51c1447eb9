"""HDLC parameter negotiation: the information field of SNRM and UA (IEC 62056-46, 6.4.4.4.3.2).

81 80 LENGTH, then each: 05 largest information field sent, 06 received, 07 window sent, 08 window received
"""

from dataclasses import dataclass
from typing import Final

from shared.dlms.errors import DecodeError

MAX_INFORMATION: Final = 2030
MAX_WINDOW: Final = 7
_FORMAT: Final = 0x81
_GROUP: Final = 0x80


@dataclass(frozen=True, slots=True)
class HdlcParameters:
    """Limits as seen by the station that states them. The defaults hold where nothing is said."""

    send_information: int = 128
    receive_information: int = 128
    send_window: int = 1
    receive_window: int = 1

    def __post_init__(self) -> None:
        for size in (self.send_information, self.receive_information):
            if not 8 <= size <= MAX_INFORMATION:
                raise ValueError(f"The HDLC information field {size} must be 8 to {MAX_INFORMATION} octets.")
        for window in (self.send_window, self.receive_window):
            if not 1 <= window <= MAX_WINDOW:
                raise ValueError(f"The HDLC window {window} must be 1 to {MAX_WINDOW} frames.")

    def encode(self) -> bytes:
        """The information field; sizes up to 255 in one octet, as the usual meters and clients write them."""
        items = b"".join(
            bytes((tag, size)) + value.to_bytes(size)
            for tag, value, size in (
                (0x05, self.send_information, 1 if self.send_information < 256 else 2),
                (0x06, self.receive_information, 1 if self.receive_information < 256 else 2),
                (0x07, self.send_window, 4),
                (0x08, self.receive_window, 4),
            )
        )
        return bytes((_FORMAT, _GROUP, len(items))) + items

    def agreed_with(self, peer: "HdlcParameters") -> "HdlcParameters":
        """What holds for this station when `peer` stated its own limits: the smaller of both, crosswise."""
        return HdlcParameters(
            min(self.send_information, peer.receive_information),
            min(self.receive_information, peer.send_information),
            min(self.send_window, peer.receive_window),
            min(self.receive_window, peer.send_window),
        )


def decode_parameters(information: bytes) -> HdlcParameters:
    """The limits in a SNRM or UA; nothing said means the defaults, larger than the standard means its most."""
    if not information:
        return HdlcParameters()
    if len(information) < 3 or information[0] != _FORMAT or information[1] != _GROUP:
        raise DecodeError(f"HDLC parameters must begin with 8180; this field is {information.hex()}.")
    stop = min(3 + information[2], len(information))
    found: dict[int, int] = {}
    place = 3
    while place + 2 <= stop:
        tag, size = information[place], information[place + 1]
        place += 2 + size
        if place > stop or not size:
            raise DecodeError(f"HDLC parameter {tag:02x} is cut off in {information.hex()}.")
        found[tag] = int.from_bytes(information[place - size : place])
    return HdlcParameters(
        _within(found.get(0x05, 128), 8, MAX_INFORMATION),
        _within(found.get(0x06, 128), 8, MAX_INFORMATION),
        _within(found.get(0x07, 1), 1, MAX_WINDOW),
        _within(found.get(0x08, 1), 1, MAX_WINDOW),
    )


def _within(value: int, low: int, high: int) -> int:
    return low if value < low else min(value, high)
