"""Signed messages: an array [version, kind, key id, payload, signature] in MessagePack.

The signature covers the payload's octets as they are sent, so nobody needs to agree on a canonical form of their
meaning: Ed25519 over `rozvodna/1/<kind>`, a zero octet, the payload. One message has one encoding; another one of the
same content is refused.
"""

from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.control.keys import key_id, signing_public

VERSION: Final = 1


class SignatureError(ValueError):
    """A message that is not what the trusted key has signed: nothing of it may be used."""


class Signed(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A payload with its signature."""

    version: int
    kind: str
    key: str
    payload: bytes
    signature: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Signed)


def sign(kind: str, payload: bytes, private: bytes) -> bytes:
    """The message of `payload`, signed with the Ed25519 key `private`."""
    signature = Ed25519PrivateKey.from_private_bytes(private).sign(_covered(kind, payload))
    return _encoder.encode(Signed(VERSION, kind, key_id(signing_public(private)), payload, signature))


def verify(message: bytes, kind: str, public: bytes) -> bytes:
    """The payload of a message of this kind that the owner of `public` signed; raises `SignatureError`."""
    try:
        signed = _decoder.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SignatureError(f"The {kind} of {len(message)} octets is no signed message: {error}.") from None
    if signed.version != VERSION or signed.kind != kind:
        raise SignatureError(
            f"The message is a {signed.kind!r} of version {signed.version}; expected a {kind} of version {VERSION}."
        )
    if signed.key != key_id(public):
        raise SignatureError(
            f"The {kind} is signed with the key {signed.key!r}, but {key_id(public)} is trusted here; "
            "enrol this concentrator with central's present key."
        )
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signed.signature, _covered(kind, signed.payload))
    except InvalidSignature:
        raise SignatureError(f"The signature of the {kind} is wrong: it was changed on the way, or forged.") from None
    if _encoder.encode(signed) != message:
        raise SignatureError(f"The {kind} is not encoded in its shortest form.")
    return signed.payload


def _covered(kind: str, payload: bytes) -> bytes:
    return f"rozvodna/{VERSION}/{kind}".encode() + b"\0" + payload
