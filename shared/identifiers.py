"""Identifiers of the Czech energy market and of meters' registers, checked where they enter.

Sources: GS1 general specifications (modulo 10), ENTSO-E EIC reference manual (modulo 37), IEC 62056-61 (OBIS).
"""

import re
from dataclasses import dataclass
from typing import NewType

from stdnum.eu import eic as stdnum_eic
from stdnum.exceptions import ValidationError

EdgeId = NewType("EdgeId", str)
"""Concentrator's id: what stands in MQTT topics and is its account at the broker."""
Ean13 = NewType("Ean13", str)
"""EAN of a market participant (EAN účastníka, GLN): 13 digits, the last a check digit."""
Ean18 = NewType("Ean18", str)
"""EAN of an electricity supply point (EAN OPM): 18 digits, the last a check digit."""
Eic = NewType("Eic", str)
"""EIC of a gas supply point or a participant: 16 characters, the last a check character."""

_EDGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OBIS = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[.*](\d{1,3}))?")


class IdentifierError(ValueError):
    """A text that is not the identifier it should be."""


def parse_edge_id(text: str) -> EdgeId:
    """An id that is safe as one level of an MQTT topic and as a file name: letters, digits, `-`, `_`, at most 64."""
    if not _EDGE_ID.fullmatch(text):
        raise IdentifierError(
            f"The concentrator id {text!r} must be 1 to 64 letters, digits, '-' or '_', the first a letter or digit."
        )
    return EdgeId(text)


def ean_check_digit(digits: str) -> str:
    """GS1 check digit (modulo 10, weight 3 next to the check digit) of `digits` without it."""
    if not digits.isascii() or not digits.isdigit():
        raise IdentifierError(f"An EAN has digits only; {digits!r} has others.")
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _parse_ean(text: str, length: int, what: str) -> str:
    if len(text) != length or not text.isascii() or not text.isdigit():
        raise IdentifierError(f"{what} {text!r} must have {length} digits.")
    expected = ean_check_digit(text[:-1])
    if text[-1] != expected:
        raise IdentifierError(
            f"{what} {text} ends with check digit {text[-1]}, expected {expected}: one of its digits is wrong."
        )
    return text


def parse_ean13(text: str) -> Ean13:
    """A participant's EAN with a right check digit."""
    return Ean13(_parse_ean(text, 13, "The participant's EAN"))


def parse_ean18(text: str) -> Ean18:
    """A supply point's EAN with a right check digit."""
    return Ean18(_parse_ean(text, 18, "The supply point's EAN"))


def make_ean18(digits: str) -> Ean18:
    """The EAN of a supply point from its first 17 digits."""
    if len(digits) != 17:
        raise IdentifierError(f"A supply point's EAN is made from 17 digits; {digits!r} has {len(digits)}.")
    return Ean18(digits + ean_check_digit(digits))


def parse_eic(text: str) -> Eic:
    """An EIC with a right check character."""
    try:
        stdnum_eic.validate(text)
    except ValidationError:
        raise IdentifierError(
            f"The EIC {text!r} must have 16 characters 0-9, A-Z or '-' and a right check character at the end."
        ) from None
    return Eic(text)


def make_eic(characters: str) -> Eic:
    """The EIC from its first 15 characters; refuses those whose check character would be `-`."""
    if len(characters) != 15:
        raise IdentifierError(f"An EIC is made from 15 characters; {characters!r} has {len(characters)}.")
    return parse_eic(characters + stdnum_eic.calc_check_digit(characters))


@dataclass(frozen=True, slots=True, order=True)
class Obis:
    """Name of a meter's register, `A-B:C.D.E` (F is 255 where not said)."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = 255

    def __post_init__(self) -> None:
        for group in (self.a, self.b, self.c, self.d, self.e, self.f):
            if not 0 <= group <= 255:
                raise IdentifierError(f"The OBIS code {self} has the group {group}; each must be 0 to 255.")

    @classmethod
    def parse(cls, text: str) -> "Obis":
        """From `1-0:1.8.0` or `1-0:1.8.0.255` (or `*255`)."""
        found = _OBIS.fullmatch(text)
        if not found:
            raise IdentifierError(f"The OBIS code {text!r} must look like 1-0:1.8.0 or 1-0:1.8.0.255.")
        groups = [int(group) for group in found.groups(default="255")]
        return cls(*groups)

    @classmethod
    def from_bytes(cls, octets: bytes) -> "Obis":
        """From a COSEM logical name of 6 octets."""
        if len(octets) != 6:
            raise IdentifierError(f"A logical name has 6 octets; {octets.hex()} has {len(octets)}.")
        return cls(*octets)

    @property
    def bytes(self) -> bytes:
        """The COSEM logical name, 6 octets."""
        return bytes((self.a, self.b, self.c, self.d, self.e, self.f))

    def __str__(self) -> str:
        short = f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}"
        return short if self.f == 255 else f"{short}.{self.f}"
