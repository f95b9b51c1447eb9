"""Keys of the control channel: 32 octets each, in files as one line of base64, public ones in text as base64.

Central signs with Ed25519; secrets are sealed for a concentrator's X25519 key.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_OCTETS: Final = 32


class KeyFileError(ValueError):
    """A key that cannot be read or made."""


def key_text(public: bytes) -> str:
    """A public key as configurations and requests carry it."""
    return base64.b64encode(public).decode()


def parse_key(text: str, what: str) -> bytes:
    """The public key of `text`; `what` is named in the error."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_OCTETS:
        raise KeyFileError(f"{what} is {text!r}; expected the base64 text of {KEY_OCTETS} octets, 44 characters.")
    return key


def key_id(public: bytes) -> str:
    """A public key's short name in messages and lists: the first 8 octets of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def make_key_file(path: Path | str) -> bytes:
    """A new private key in `path`, readable by its owner only; refused where the file is there already."""
    path = Path(path)
    private = secrets.token_bytes(KEY_OCTETS)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(private) + b"\n")
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise KeyFileError(f"The key file {path} is there already; a key is replaced by removing it first.") from None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}.") from None
    return private


def read_key_file(path: Path | str) -> bytes:
    """The private key in `path`; refused where others may read it."""
    path = Path(path)
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii")
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"The key file {path} is not one line of base64.") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(f"The key file {path} may be read by others (mode {stat.S_IMODE(mode):o}); chmod 600 it.")
    try:
        private = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        private = b""
    if len(private) != KEY_OCTETS:
        # What stands there may be a key with a slip: it is not repeated.
        raise KeyFileError(f"The key file {path} must hold one line, the base64 text of {KEY_OCTETS} octets.")
    return private


def signing_public(private: bytes) -> bytes:
    """The public key of an Ed25519 private key."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sealing_public(private: bytes) -> bytes:
    """The public key of an X25519 private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
