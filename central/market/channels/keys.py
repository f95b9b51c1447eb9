"""Our own keys: from PEM or PKCS#12 files, or in a PKCS#11 token; what they are used for, and which one is in force.

Passwords and PINs come from files or from the environment, never from the settings' file itself; nothing of them is
logged or shown.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from central.market.channels.certificates import is_valid, read_certificates
from central.platform.errors import BadInput, Refused

Role = Literal["sign", "decrypt", "tls"]
SMALLEST_RSA: Final = 2048


class TokenSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key in a PKCS#11 token: the library of its maker, the token's label, the key's label."""

    module: str
    token: str
    label: str


class KeySource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where one of our keys is. Paths are below the settings' file unless they are absolute.

    `certificate` and `key` (PEM), or `pkcs12`, or `certificate` and `pkcs11`; `chain`: certificates of the authorities
    between it and its root. The password or PIN stands in the file `secret_file` or the variable `secret_env`.
    """

    name: str
    roles: list[Role]
    certificate: str | None = None
    key: str | None = None
    pkcs12: str | None = None
    pkcs11: TokenSource | None = None
    chain: str | None = None
    secret_file: str | None = None
    secret_env: str | None = None


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key of ours with its certificate and the authorities above it. `files`: PEM files of certificate and key, for
    TLS, which takes keys from files only."""

    name: str
    roles: tuple[Role, ...]
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    private: RSAPrivateKey = field(repr=False)
    files: tuple[Path, Path, str | None] | None = field(default=None, repr=False)


def load_key(source: KeySource, folder: Path) -> OwnKey:
    """The key of a source; BadInput names the key and the file, never what is in it."""
    secret = _secret(source, folder)
    files = None
    if source.pkcs12 is not None:
        private, certificate, more = _from_pkcs12(source, folder / source.pkcs12, secret)
    elif source.certificate is not None:
        first, *more = read_certificates(_read(source, folder / source.certificate), source.certificate)
        certificate = first
        if source.pkcs11 is not None:
            from central.market.channels.token_keys import open_token_key

            private = open_token_key(source.name, source.pkcs11, secret, certificate)
        elif source.key is not None:
            private = _from_pem(source, folder / source.key, secret)
            files = folder / source.certificate, folder / source.key, secret
        else:
            raise _bad(source, "it has a certificate and no key: give key or pkcs11")
    else:
        raise _bad(source, "it has neither certificate nor pkcs12")
    if private.public_key().public_numbers() != _rsa_numbers(source, certificate):
        raise _bad(source, "the private key does not belong to the certificate")
    if private.key_size < SMALLEST_RSA:
        raise _bad(source, f"the key has {private.key_size} bits; at least {SMALLEST_RSA} are expected")
    if source.chain is not None:
        more = [*more, *read_certificates(_read(source, folder / source.chain), source.chain)]
    return OwnKey(source.name, tuple(source.roles), certificate, tuple(more), private, files)


def in_force(keys: Sequence[OwnKey], role: Role, at: datetime) -> OwnKey:
    """The key that serves the role at that time: of several the one named first. Refused where there is none."""
    for key in keys:
        if role in key.roles and is_valid(key.certificate, at):
            return key
    known = ", ".join(key.name for key in keys if role in key.roles) or "none"
    raise Refused(
        "no_key",
        f"No key of ours serves to {role} on {at.date().isoformat()} (there are: {known}): add a renewed certificate "
        f"to the settings of the market's channels.",
    )


def with_role(keys: Sequence[OwnKey], role: Role) -> list[OwnKey]:
    """All keys for the role, valid or not: what was encrypted for an old certificate is still opened by it."""
    return [key for key in keys if role in key.roles]


def _secret(source: KeySource, folder: Path) -> str | None:
    if source.secret_file is not None:
        return _read(source, folder / source.secret_file).decode("utf-8", "replace").rstrip("\r\n")
    if source.secret_env is not None:
        if source.secret_env not in os.environ:
            raise _bad(source, f"the environment variable {source.secret_env} with its password is not set")
        return os.environ[source.secret_env]
    return None


def _read(source: KeySource, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _bad(source, f"the file {path} cannot be read ({error.strerror})") from None


def _from_pem(source: KeySource, path: Path, secret: str | None) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(_read(source, path), None if secret is None else secret.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _bad(source, f"the file {path} is no private key (PEM), or its password is wrong or missing") from None
    return _rsa(source, key)


def _from_pkcs12(
    source: KeySource, path: Path, secret: str | None
) -> tuple[RSAPrivateKey, x509.Certificate, list[x509.Certificate]]:
    try:
        loaded = pkcs12.load_pkcs12(_read(source, path), None if secret is None else secret.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _bad(source, f"the file {path} is no PKCS#12, or its password is wrong or missing") from None
    if loaded.key is None or loaded.cert is None:
        raise _bad(source, f"the file {path} holds no key with its certificate")
    return _rsa(source, loaded.key), loaded.cert.certificate, [each.certificate for each in loaded.additional_certs]


def _rsa(source: KeySource, key: object) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey):
        raise _bad(source, "it is no RSA key")
    return key


def _rsa_numbers(source: KeySource, certificate: x509.Certificate) -> object:
    public = certificate.public_key()
    numbers = getattr(public, "public_numbers", None)
    if numbers is None:
        raise _bad(source, "its certificate is for no RSA key")
    return numbers()


def _bad(source: KeySource, why: str) -> BadInput:
    return BadInput("market_key", f"The key {source.name!r} of the market's channels cannot be used: {why}.")
