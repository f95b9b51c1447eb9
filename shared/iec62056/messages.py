"""Messages of IEC 62056-21 as characters, both directions: request, identification, acknowledgement, blocks."""

import re
from dataclasses import dataclass
from typing import Final

from shared.iec62056.characters import ACK, EOT, ETX, SOH, STX, bcc
from shared.iec62056.errors import DecodeError

BAUDS: Final = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19_200}
"""Speed by baud-rate character in mode C (and E)."""
BAUD_CODES: Final = {baud: code for code, baud in BAUDS.items()}
READOUT: Final = "0"
PROGRAMMING: Final = "1"
HDLC_MODE: Final = "2"
"""Mode character of mode E: binary, HDLC."""
HDLC_PROTOCOL: Final = "2"
"""Protocol control character that goes with it; "0" is the normal procedure."""
LONGEST_ADDRESS: Final = 32

_IDENTIFICATION: Final = re.compile(r"/([A-Za-z]{3})([0-9A-I])((?:\\.)*)([ -~]{0,64})")
_REQUEST: Final = re.compile(r"/\?([0-9A-Za-z ]{0,32})!")


@dataclass(frozen=True, slots=True)
class Identification:
    """What a meter says of itself: `/XXXZ ident`."""

    manufacturer: str
    """Three letters; the third in lower case promises a reaction within 20 ms (200 ms otherwise)."""
    baud_code: str
    text: str
    escapes: str = ""
    r"""Enhanced identification such as `\2`: the meter knows mode E."""

    @property
    def knows_hdlc(self) -> bool:
        """Whether the meter offers binary mode (mode E)."""
        return "\\2" in self.escapes

    def encode(self) -> bytes:
        """Line on the wire."""
        return f"/{self.manufacturer}{self.baud_code}{self.escapes}{self.text}\r\n".encode("ascii")


def decode_identification(line: str) -> Identification:
    """From a line without its end. Raises `DecodeError`."""
    match = _IDENTIFICATION.fullmatch(line)
    if match is None:
        raise DecodeError(f"{line[:60]!r} is no identification; expected /, three letters, a baud-rate character.")
    manufacturer, code, escapes, text = match.groups()
    return Identification(manufacturer, code, text, escapes)


def request(address: str = "") -> bytes:
    """Opening request to the meter `address` (all digits and letters, at most 32), or to whichever hears it."""
    return f"/?{address}!\r\n".encode("ascii")


def decode_request(line: str) -> str | None:
    """The address asked for by a request line, "" for any meter; None if the line is no request."""
    match = _REQUEST.fullmatch(line)
    return None if match is None else match[1]


def is_address(text: str) -> bool:
    """Whether `text` may stand in a request."""
    return _REQUEST.fullmatch(f"/?{text}!") is not None


def acknowledgement(baud_code: str, mode: str) -> bytes:
    """Acknowledgement of an identification and choice of speed and mode."""
    protocol = HDLC_PROTOCOL if mode == HDLC_MODE else "0"
    return bytes((ACK,)) + f"{protocol}{baud_code}{mode}\r\n".encode("ascii")


def command(name: str, text: str | None = None) -> bytes:
    """Programming message: `name` is P0, P1, R1, R5, W1, W5 ... ; without `text` there is no data (B0)."""
    data = b"" if text is None else bytes((STX,)) + text.encode("ascii")
    block = name.encode("ascii") + data + bytes((ETX,))
    return bytes((SOH,)) + block + bytes((bcc(block),))


def data(text: str, *, more: bool = False) -> bytes:
    """Data message; `more` follows after an acknowledgement."""
    block = text.encode("ascii") + bytes((EOT if more else ETX,))
    return bytes((STX,)) + block + bytes((bcc(block),))


BREAK: Final = command("B0")
"""Ends programming mode."""
