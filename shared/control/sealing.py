"""Secrets sealed for one concentrator: who stores or carries them learns nothing.

octets = version (1) | number (8, big-endian) | ephemeral X25519 key (32) | ciphertext and tag

Key and nonce are 44 octets of HKDF-SHA256 over the X25519 secret, with `rozvodna/seal/1`, a zero octet, both public
keys and the context as info; ChaCha20-Poly1305 with the context as associated data. Context: version, number, and edge
id and field, each with its length in two octets. A key is used once, so a derived nonce is as good as a random one.

`number` is the configuration that the secret was sealed for: a later one may carry it on, an earlier one may not.
"""

import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.control.keys import sealing_public

VERSION: Final = 1
HEAD: Final = 9
OVERHEAD: Final = HEAD + 32 + 16


class SealError(ValueError):
    """A secret that was not sealed for this concentrator, number and field, or was changed."""


def seal(
    secret: bytes, recipient: bytes, *, edge: str, number: int, field: str, ephemeral: bytes | None = None
) -> bytes:
    """`secret` for the holder of the X25519 key `recipient`; `ephemeral` is for golden vectors only."""
    one_time = X25519PrivateKey.from_private_bytes(ephemeral) if ephemeral else X25519PrivateKey.generate()
    mine = one_time.public_key().public_bytes_raw()
    head = struct.pack(">BQ", VERSION, number)
    context = head + _counted(edge) + _counted(field)
    try:
        agreed = one_time.exchange(X25519PublicKey.from_public_bytes(recipient))
    except ValueError:
        raise SealError("The recipient's key is no point that a secret can be sealed for.") from None
    key, nonce = _derived(agreed, mine, recipient, context)
    return head + mine + ChaCha20Poly1305(key).encrypt(nonce, secret, context)


def unseal(sealed: bytes, private: bytes, *, edge: str, number: int, field: str) -> bytes:
    """The secret; `number` is the configuration in which it stands. Raises `SealError`."""
    if len(sealed) < OVERHEAD or sealed[0] != VERSION:
        raise SealError(f"The sealed secret of {field} has {len(sealed)} octets and is none of version {VERSION}.")
    (made_for,) = struct.unpack(">Q", sealed[1:HEAD])
    if made_for > number:
        raise SealError(f"The secret of {field} was sealed for configuration {made_for}; this one is {number}.")
    theirs, context = sealed[HEAD : HEAD + 32], sealed[:HEAD] + _counted(edge) + _counted(field)
    try:
        agreed = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(theirs))
        key, nonce = _derived(agreed, theirs, sealing_public(private), context)
        return ChaCha20Poly1305(key).decrypt(nonce, sealed[HEAD + 32 :], context)
    except (InvalidTag, ValueError):
        raise SealError(
            f"The secret of {field} was not sealed for {edge} with its present key, or was changed; seal it anew."
        ) from None


def _counted(text: str) -> bytes:
    octets = text.encode()
    return struct.pack(">H", len(octets)) + octets


def _derived(agreed: bytes, ephemeral: bytes, recipient: bytes, context: bytes) -> tuple[bytes, bytes]:
    info = f"rozvodna/seal/{VERSION}".encode() + b"\0" + ephemeral + recipient + context
    octets = HKDF(SHA256(), 44, None, info).derive(agreed)
    return octets[:32], octets[32:]
