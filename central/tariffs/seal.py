"""Seal packages and check seals: the checksum and an Ed25519 signature over the canonical content.

A signature stands in the file as "ed25519:<key id>:<base64>". It covers `rozvodna/1/package`, a zero octet, and the
canonical content without checksum and signature, so that no other message of the product can pass for a package.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from central.tariffs.load import PackageInvalidError, bare, canonical, checksum_of
from central.tariffs.package import Package
from shared.control.keys import key_id, parse_key, signing_public

PRODUCT_KEYS: Mapping[str, str] = {
    "90baea046ceca8c6": "VxRJPtSf0wEOzxEFIbHwVm5p7RD+qE7YDKGAkCIc1dQ=",
    "687e57a4ad4c0a65": "ke2iAla9zo6P1N6wRpUZnguoAVDo62FdO53mHcC4jDQ=",
}
"""Public keys that signed packages shipped with the product, by key id; a later release adds its own."""

_ALGORITHM = "ed25519"
_SIGNATURE_OCTETS = 64


def seal(content: Mapping[str, Any], private: bytes | None) -> dict[str, Any]:
    """`content` with its checksum and, where there is a private key, its signature."""
    unsealed = bare(content)
    signature = None
    if private is not None:
        octets = Ed25519PrivateKey.from_private_bytes(private).sign(_covered(unsealed))
        signature = f"{_ALGORITHM}:{key_id(signing_public(private))}:{base64.b64encode(octets).decode()}"
    return {**unsealed, "checksum": checksum_of(unsealed), "signature": signature}


def require_signer(package: Package, keys: Mapping[str, str]) -> str | None:
    """The id of the key that signed the package; None for an unsigned one.

    `keys` are the trusted public keys by id. Raises PackageInvalidError for a bad signature or a key not trusted.
    """
    signature = package.file.signature
    if signature is None:
        return None
    label = f"Package {package.name} {package.version}"
    named, octets = _parsed(signature, label)
    public = keys.get(named)
    if public is None:
        raise PackageInvalidError(
            f"{label} is signed with the key {named}, which is not trusted here "
            f"(trusted: {', '.join(sorted(keys)) or 'none'}). Have its public key added if you trust its owner."
        )
    try:
        verifier = Ed25519PublicKey.from_public_bytes(parse_key(public, f"The public key {named}"))
        verifier.verify(octets, _covered(bare(package.content)))
    except (InvalidSignature, ValueError):
        raise PackageInvalidError(
            f"The signature of {label[0].lower()}{label[1:]} is bad: its content is not what the owner of the key "
            f"{named} signed. Fetch it again from its publisher."
        ) from None
    return named


def _parsed(signature: str, label: str) -> tuple[str, bytes]:
    algorithm, _, rest = signature.partition(":")
    named, _, encoded = rest.partition(":")
    try:
        octets = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if algorithm != _ALGORITHM or len(octets) != _SIGNATURE_OCTETS:
        raise PackageInvalidError(
            f"{label} carries the signature {signature[:40]!r}; "
            f"{_ALGORITHM}:<key id>:<base64 of 64 octets> is expected."
        )
    return named, octets


def _covered(unsealed: Mapping[str, Any]) -> bytes:
    return b"rozvodna/1/package\0" + canonical(unsealed)
