"""Ciphering of application messages (Green Book 9.2): suites 0 and 1, both AES-128-GCM with a tag of 12 octets.

    security header: security control, invocation counter 4
    initialisation vector: system title of the sender 8, invocation counter 4
    additional data: security control, authentication key, and what is authenticated only

Security control: bits 0-3 suite, 4 authentication, 5 encryption, 6 broadcast key, 7 compression.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from shared.dlms import axdr
from shared.dlms.errors import CipherError, DecodeError

AUTHENTICATED: Final = 0x10
ENCRYPTED: Final = 0x20
_SUITE: Final = 0x0F
_NOT_OURS: Final = 0xC0  # broadcast key, compression
SUITES: Final = (0, 1)
KEY_SIZE: Final = 16
TITLE_SIZE: Final = 8
TAG_SIZE: Final = 12
HEADER_SIZE: Final = 5
MAX_COUNTER: Final = 0xFFFFFFFF
OVERHEAD: Final = 1 + 3 + HEADER_SIZE + TAG_SIZE
"""Octets that global or dedicated ciphering adds to a message of up to 65,535 octets, at most."""
GENERAL_OVERHEAD: Final = OVERHEAD + 1 + TITLE_SIZE

GENERAL_GLOBAL_TAG: Final = 0xDB
GENERAL_DEDICATED_TAG: Final = 0xDC
_INITIATE: Final = {0x01: 0x21, 0x08: 0x28, 0x0E: 0x2E}
_SERVICES: Final = (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC7)
GLOBAL_TAGS: Final = {**_INITIATE, **{tag: tag + 0x08 for tag in _SERVICES}}
"""Tag of a message ciphered with the global key, by its plain tag."""
DEDICATED_TAGS: Final = {tag: tag + 0x10 for tag in _SERVICES}
"""The same with the dedicated key."""
_PLAIN_OF_GLOBAL: Final = {ciphered: plain for plain, ciphered in GLOBAL_TAGS.items()}
_PLAIN_OF_DEDICATED: Final = {ciphered: plain for plain, ciphered in DEDICATED_TAGS.items()}


@dataclass(frozen=True, slots=True)
class Keys:
    """What both sides hold: the key that encrypts (global unicast or dedicated), and the authentication key."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for name, key in (("encryption", self.encryption), ("authentication", self.authentication)):
            if len(key) != KEY_SIZE:
                raise ValueError(f"The {name} key of suites 0 and 1 has {KEY_SIZE} octets, not {len(key)}.")


class Unprotected(NamedTuple):
    """A message out of its protection: how it was protected, the sender's counter, the plain octets."""

    control: int
    counter: int
    plain: bytes


class CipheredApdu(NamedTuple):
    """A ciphered message, closed: `tag` that its content must have (None where the tag does not say), whether the
    dedicated key is meant, the sender's title where it says it, security header and what follows.
    """

    tag: int | None
    dedicated: bool
    title: bytes | None
    body: bytes


def protect(control: int, title: bytes, counter: int, keys: Keys, plain: bytes) -> bytes:
    """Security header and protected octets. `title` is the sender's, 8 octets; `counter` never used with it before."""
    header = bytes((control,)) + counter.to_bytes(4)
    match control & (AUTHENTICATED | ENCRYPTED):
        case 0:
            return header + plain
        case 0x10:
            return header + plain + _tag(control, title, counter, keys, plain)
        case 0x20:
            return header + Cipher(AES(keys.encryption), GCM(title + header[1:])).encryptor().update(plain)
    encryptor = Cipher(AES(keys.encryption), GCM(title + header[1:])).encryptor()
    encryptor.authenticate_additional_data(header[:1] + keys.authentication)
    return header + encryptor.update(plain) + encryptor.finalize() + encryptor.tag[:TAG_SIZE]


def unprotect(octets: bytes, title: bytes, keys: Keys, *, suite: int, demanded: int) -> Unprotected:
    """Inverse of `protect`. Raises CipherError if the protection is not what it says, of another suite, or less than
    `demanded` (AUTHENTICATED, ENCRYPTED).
    """
    if len(octets) < HEADER_SIZE:
        raise CipherError(
            f"A ciphered message has a security header of {HEADER_SIZE} octets; {octets.hex()} is cut off."
        )
    control = octets[0]
    if control & _NOT_OURS or control & _SUITE != suite:
        raise CipherError(f"The security control {control:02x} must be of suite {suite}, unicast, not compressed.")
    if control & demanded != demanded:
        raise CipherError(f"The security control {control:02x} protects less than {demanded | suite:02x}, as agreed.")
    counter = int.from_bytes(octets[1:HEADER_SIZE])
    content = octets[HEADER_SIZE:]
    match control & (AUTHENTICATED | ENCRYPTED):
        case 0:
            return Unprotected(control, counter, content)
        case 0x20:
            # GCM encrypts as a key stream: the same operation both ways.
            plain = Cipher(AES(keys.encryption), GCM(title + octets[1:HEADER_SIZE])).encryptor().update(content)
            return Unprotected(control, counter, plain)
    if len(content) < TAG_SIZE:
        raise CipherError(f"An authenticated message ends with a tag of {TAG_SIZE} octets; this one is cut off.")
    content, tag = content[:-TAG_SIZE], content[-TAG_SIZE:]
    encrypted = bool(control & ENCRYPTED)
    mode = GCM(title + octets[1:HEADER_SIZE], tag, min_tag_length=TAG_SIZE)
    decryptor = Cipher(AES(keys.encryption), mode).decryptor()
    decryptor.authenticate_additional_data(octets[:1] + keys.authentication + (b"" if encrypted else content))
    try:
        plain = decryptor.update(content) + decryptor.finalize() if encrypted else content + decryptor.finalize()
    except InvalidTag:
        raise CipherError("The authentication tag is wrong: the keys differ, or the message was changed.") from None
    return Unprotected(control, counter, plain)


def gmac(suite: int, title: bytes, counter: int, keys: Keys, challenge: bytes) -> bytes:
    """The answer to a challenge (mechanism 5): security header and tag. `title` is of the side that answers."""
    control = AUTHENTICATED | suite
    return bytes((control,)) + counter.to_bytes(4) + _tag(control, title, counter, keys, challenge)


def _tag(control: int, title: bytes, counter: int, keys: Keys, authenticated: bytes) -> bytes:
    encryptor = Cipher(AES(keys.encryption), GCM(title + counter.to_bytes(4))).encryptor()
    encryptor.authenticate_additional_data(bytes((control,)) + keys.authentication + authenticated)
    encryptor.finalize()
    return encryptor.tag[:TAG_SIZE]


def encode_ciphered(apdu: CipheredApdu) -> bytes:
    """Tag, title if there is one, and body. Raises KeyError for a message that is never ciphered."""
    body = axdr.encode_length(len(apdu.body)) + apdu.body
    if apdu.title is not None:
        tag = GENERAL_DEDICATED_TAG if apdu.dedicated else GENERAL_GLOBAL_TAG
        return bytes((tag, len(apdu.title))) + apdu.title + body
    if apdu.tag is None:
        raise ValueError("A message without title is ciphered under a tag of its own.")
    tags = DEDICATED_TAGS if apdu.dedicated else GLOBAL_TAGS
    return bytes((tags[apdu.tag],)) + body


def decode_ciphered(octets: bytes) -> CipheredApdu | None:
    """The ciphered message that `octets` are; None if their first one is of another kind. Raises DecodeError."""
    if not octets:
        return None
    first = octets[0]
    if first in (GENERAL_GLOBAL_TAG, GENERAL_DEDICATED_TAG):
        title, place = _octet_string(octets, 1)
        body, end = _octet_string(octets, place)
        apdu = CipheredApdu(None, first == GENERAL_DEDICATED_TAG, title, body)
    elif first in _PLAIN_OF_GLOBAL:
        body, end = _octet_string(octets, 1)
        apdu = CipheredApdu(_PLAIN_OF_GLOBAL[first], False, None, body)
    elif first in _PLAIN_OF_DEDICATED:
        body, end = _octet_string(octets, 1)
        apdu = CipheredApdu(_PLAIN_OF_DEDICATED[first], True, None, body)
    else:
        return None
    if end != len(octets):
        raise DecodeError(f"{len(octets) - end} octets follow the ciphered message {octets[:16].hex()}.")
    return apdu


def _octet_string(octets: bytes, place: int) -> tuple[bytes, int]:
    try:
        size, start = axdr.decode_length(octets, place)
    except IndexError:
        size, start = 1, len(octets)
    if start + size > len(octets):
        raise DecodeError(f"The ciphered message {octets[:16].hex()} is cut off at octet {len(octets)}.")
    return octets[start : start + size], start + size
