"""Characters of IEC 62056-21: seven bits with even parity, and the block check character.

A port that runs 8N1 carries the same bits as one that runs 7E1 if the eighth bit is the parity: so the parity is
computed here, and the port never has to change its character format (a pseudo-terminal has no parity at all).
"""

from functools import reduce
from operator import xor
from typing import Final

SOH: Final = 0x01
STX: Final = 0x02
ETX: Final = 0x03
EOT: Final = 0x04
ACK: Final = 0x06
NAK: Final = 0x15
SUB: Final = 0x1A
"""Stands for a character that came with wrong parity: no message may contain it, so it damages the one it stands in."""
LF: Final = 0x0A

_EVEN: Final = bytes(octet | (octet.bit_count() & 1) << 7 for octet in range(0x80)) + bytes(0x80)
_STRIPPED: Final = bytes(octet & 0x7F if octet.bit_count() % 2 == 0 else SUB for octet in range(0x100))


def add_parity(characters: bytes) -> bytes:
    """`characters` of seven bits with even parity in the eighth."""
    return characters.translate(_EVEN)


def check_parity(octets: bytes) -> bytes:
    """The characters of `octets`; `SUB` where the parity is wrong."""
    return octets.translate(_STRIPPED)


def bcc(block: bytes) -> int:
    """Block check character over what follows SOH or STX, up to and with ETX or EOT: exclusive or (ISO/IEC 1155)."""
    return reduce(xor, block, 0)
