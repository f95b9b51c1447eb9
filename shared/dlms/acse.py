"""Opening and closing an association: AARQ, AARE, RLRQ, RLRE in BER (Green Book 9.4.2).

Contexts and mechanisms by the last arc of their object identifiers: 2.16.756.5.8.1.N and 2.16.756.5.8.2.N. The user
information stays octets here: it is plain (initiate.py) or ciphered, and that is another layer's matter.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from shared.dlms.errors import DecodeError

_CONTEXT_OID: Final = bytes.fromhex("608574050801")
_MECHANISM_OID: Final = bytes.fromhex("608574050802")
_AUTHENTICATION_REQUIRED: Final = b"\x07\x80"  # a bit string with its only bit set

AARQ_TAG: Final = 0x60
AARE_TAG: Final = 0x61
RLRQ_TAG: Final = 0x62
RLRE_TAG: Final = 0x63


class Context(IntEnum):
    """Application context."""

    LOGICAL_NAMES = 1
    SHORT_NAMES = 2
    LOGICAL_NAMES_CIPHERED = 3
    SHORT_NAMES_CIPHERED = 4


class Mechanism(IntEnum):
    """How the client proves who it is."""

    NONE = 0
    LOW = 1
    HIGH_GMAC = 5


class Diagnostic(IntEnum):
    """Why an association was refused (source: service user)."""

    NONE = 0
    NO_REASON = 1
    CONTEXT_NOT_SUPPORTED = 2
    MECHANISM_NOT_RECOGNISED = 11
    MECHANISM_REQUIRED = 12
    AUTHENTICATION_FAILURE = 13
    AUTHENTICATION_REQUIRED = 14


@dataclass(frozen=True, slots=True)
class Aarq:
    """Request of an association. `mechanism` and `authentication` (password or challenge) only where there is one."""

    user_information: bytes
    context: int = Context.LOGICAL_NAMES
    mechanism: int = Mechanism.NONE
    authentication: bytes = field(default=b"", repr=False)
    calling_title: bytes = b""

    def encode(self) -> bytes:
        body = _element(0xA1, _element(0x06, _CONTEXT_OID + bytes((self.context,))))
        if self.calling_title:
            body += _element(0xA6, _element(0x04, self.calling_title))
        if self.mechanism != Mechanism.NONE:
            body += _element(0x8A, _AUTHENTICATION_REQUIRED)
            body += _element(0x8B, _MECHANISM_OID + bytes((self.mechanism,)))
            body += _element(0xAC, _element(0x80, self.authentication))
        body += _element(0xBE, _element(0x04, self.user_information))
        return _element(AARQ_TAG, body)


@dataclass(frozen=True, slots=True)
class Aare:
    """Answer to an AARQ. `result` 0 accepted, 1 refused for good, 2 refused for now; `diagnostic` says why."""

    user_information: bytes
    result: int = 0
    diagnostic: int = Diagnostic.NONE
    context: int = Context.LOGICAL_NAMES
    mechanism: int = Mechanism.NONE
    authentication: bytes = field(default=b"", repr=False)
    responding_title: bytes = b""
    by_provider: bool = False
    """The diagnostic is the service provider's (another list of numbers), not the service user's."""

    def encode(self) -> bytes:
        body = _element(0xA1, _element(0x06, _CONTEXT_OID + bytes((self.context,))))
        body += _element(0xA2, _integer(self.result))
        body += _element(0xA3, _element(0xA2 if self.by_provider else 0xA1, _integer(self.diagnostic)))
        if self.responding_title:
            body += _element(0xA4, _element(0x04, self.responding_title))
        if self.mechanism != Mechanism.NONE:
            body += _element(0x88, _AUTHENTICATION_REQUIRED)
            body += _element(0x89, _MECHANISM_OID + bytes((self.mechanism,)))
            body += _element(0xAA, _element(0x80, self.authentication))
        if self.user_information:
            body += _element(0xBE, _element(0x04, self.user_information))
        return _element(AARE_TAG, body)


@dataclass(frozen=True, slots=True)
class Rlrq:
    """Request to release the association, reason normal."""

    def encode(self) -> bytes:
        return b"\x62\x03\x80\x01\x00"


@dataclass(frozen=True, slots=True)
class Rlre:
    """The association is released."""

    def encode(self) -> bytes:
        return b"\x63\x03\x80\x01\x00"


def decode_aarq(apdu: bytes) -> Aarq:
    """Raises DecodeError."""
    fields = _fields(apdu)
    return Aarq(
        user_information=_inner(fields, 0xBE, 0x04),
        context=_arc(_inner(fields, 0xA1, 0x06), _CONTEXT_OID),
        mechanism=_arc(fields[0x8B], _MECHANISM_OID) if 0x8B in fields else Mechanism.NONE,
        authentication=_inner(fields, 0xAC, 0x80),
        calling_title=_inner(fields, 0xA6, 0x04),
    )


def decode_aare(apdu: bytes) -> Aare:
    """Raises DecodeError."""
    fields = _fields(apdu)
    if 0xA2 not in fields:
        raise DecodeError(f"The AARE {apdu.hex()} has no result.")
    source = fields.get(0xA3, b"\xa1\x03\x02\x01\x00")
    source_tag, source_value, _ = _read_element(source, 0)
    return Aare(
        user_information=_inner(fields, 0xBE, 0x04),
        result=int.from_bytes(_inner(fields, 0xA2, 0x02)),
        diagnostic=int.from_bytes(_read_element(source_value, 0)[1]),
        context=_arc(_inner(fields, 0xA1, 0x06), _CONTEXT_OID),
        mechanism=_arc(fields[0x89], _MECHANISM_OID) if 0x89 in fields else Mechanism.NONE,
        authentication=_inner(fields, 0xAA, 0x80),
        responding_title=_inner(fields, 0xA4, 0x04),
        by_provider=source_tag == 0xA2,
    )


def _element(tag: int, value: bytes) -> bytes:
    size = len(value)
    length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2) if size > 0xFF else bytes((0x81, size))
    return bytes((tag,)) + length + value


def _integer(value: int) -> bytes:
    return bytes((0x02, 0x01, value))


def _read_element(octets: bytes, place: int) -> tuple[int, bytes, int]:
    """Tag, value and end of the element at `place`."""
    try:
        tag, size = octets[place], octets[place + 1]
        start = place + 2
        if size > 0x80:
            start += size & 0x7F
            size = int.from_bytes(octets[place + 2 : start])
    except IndexError:
        raise DecodeError(f"The BER element {octets.hex()} is cut off at octet {place}.") from None
    if start + size > len(octets):
        raise DecodeError(f"The BER element {octets.hex()} is cut off: octet {place} promises {size} octets.")
    return tag, octets[start : start + size], start + size


def _fields(apdu: bytes) -> dict[int, bytes]:
    """Elements of the message by tag. What follows the message is not looked at."""
    _, body, _ = _read_element(apdu, 0)
    fields: dict[int, bytes] = {}
    place = 0
    while place < len(body):
        tag, value, place = _read_element(body, place)
        fields[tag] = value
    return fields


def _inner(fields: dict[int, bytes], tag: int, inner_tag: int) -> bytes:
    """Value of the one element inside field `tag`; empty if there is no such field."""
    if tag not in fields:
        return b""
    found, value, _ = _read_element(fields[tag], 0)
    if found != inner_tag:
        raise DecodeError(f"Field {tag:02x} must hold an element {inner_tag:02x}, not {found:02x}.")
    return value


def _arc(oid: bytes, prefix: bytes) -> int:
    """Last arc of an object identifier of the DLMS association."""
    if len(oid) != len(prefix) + 1 or not oid.startswith(prefix):
        raise DecodeError(f"The object identifier {oid.hex()} must be {prefix.hex()} and one octet.")
    return oid[-1]
