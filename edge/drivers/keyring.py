"""Keys and invocation counters of an agent's DLMS meters, from what their configurations name."""

import base64
import binascii
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge.config import DeviceConfig, EdgeConfig, KeySource, SecurityConfig
from edge.dlms.counters import CounterStore, InvocationCounter
from edge.dlms.errors import CounterLostError
from edge.dlms.security import SecuritySettings
from edge.errors import ConfigError
from shared.clock import Clock
from shared.control.keys import KeyFileError, read_key_file
from shared.control.sealing import SealError, unseal
from shared.dlms.acse import Mechanism
from shared.dlms.ciphering import AUTHENTICATED, ENCRYPTED, KEY_SIZE, Keys
from shared.identifiers import Obis

MECHANISMS: Final = {"none": Mechanism.NONE, "low": Mechanism.LOW, "gmac": Mechanism.HIGH_GMAC}
PROTECTIONS: Final = {
    "none": 0,
    "authenticated": AUTHENTICATED,
    "encrypted": ENCRYPTED,
    "authenticated-encrypted": AUTHENTICATED | ENCRYPTED,
}
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)

KeyReader = Callable[[KeySource, str], bytes]
"""Gives the secret that a source names; `field` (a place in the configuration) is for errors, and what a sealed secret
is bound to. Raises ConfigError, without the secret.
"""


def read_meter_key(source: KeySource, field: str) -> bytes:
    """A key from its file: 16 octets, or 32 hexadecimal digits as text. Refused where everybody may read it."""
    if source.file is None:
        raise ConfigError(f"The key {field} is sealed, and there is nothing to open it with; name a file.")
    path, expected = Path(source.file), f"{KEY_SIZE} octets or {2 * KEY_SIZE} hexadecimal digits"
    try:
        mode, octets = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The file {path} of the key {field} cannot be read: {error.strerror}.") from None
    if mode & 0o007:
        raise ConfigError(f"The file {path} of the key {field} may be read by everybody (mode {mode:o}); chmod 600 it.")
    if len(octets) == KEY_SIZE:
        return octets
    try:
        key = binascii.unhexlify(b"".join(octets.split()))
    except binascii.Error:
        key = b""
    if len(key) != KEY_SIZE:
        raise ConfigError(f"The file {path} of the key {field} must hold {expected}.")
    return key


def key_reader(config: EdgeConfig) -> KeyReader:
    """Reads keys from files, and those sealed for the concentrator of `config`, with its private key."""

    def read(source: KeySource, field: str) -> bytes:
        if source.sealed is None:
            return read_meter_key(source, field)
        if config.control is None or config.control.key_file is None:
            raise ConfigError(f"The key {field} is sealed, but control.key_file, which opens it, is not set.")
        try:
            sealed = base64.b64decode(source.sealed, validate=True)
            private = read_key_file(config.control.key_file)
            return unseal(sealed, private, edge=config.edge, number=config.number, field=field)
        except binascii.Error:
            raise ConfigError(f"The sealed key {field} is not base64.") from None
        except (KeyFileError, SealError) as error:
            raise ConfigError(str(error)) from None

    return read


class KeyRing:
    """Makes the security settings of meters. The file of counters is opened with the first of them."""

    def __init__(self, counters: Path | str, clock: Clock) -> None:
        self._path = counters
        self._clock = clock
        self._store: CounterStore | None = None

    def settings(
        self, device: DeviceConfig, security: SecurityConfig, read_key: KeyReader = read_meter_key
    ) -> tuple[SecuritySettings, InvocationCounter]:
        """Settings of `device`, and the counter in them. Raises ConfigError."""
        keys = Keys(
            _key(read_key, security.encryption_key, f"{device.id}.security.encryption_key"),
            _key(read_key, security.authentication_key, f"{device.id}.security.authentication_key"),
        )
        client_title = bytes.fromhex(security.client_title)
        counter = self._counter(client_title, keys)
        settings = SecuritySettings(
            client_title=client_title,
            keys=keys,
            counter=counter,
            suite=security.suite,
            mechanism=MECHANISMS[security.mechanism],
            protection=PROTECTIONS[security.protection],
            meter_title=None if security.meter_title is None else bytes.fromhex(security.meter_title),
            dedicated=security.dedicated,
            general=security.general,
            association=Obis.parse(security.association),
        )
        return settings, counter

    def close(self) -> None:
        """Close the file of counters."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _counter(self, title: bytes, keys: Keys) -> InvocationCounter:
        # Seconds go faster than messages: should the file be lost, a key does not begin again where it was used.
        start = max(0, int((self._clock.now() - _BEGINNING).total_seconds()))
        try:
            if self._store is None:
                self._store = CounterStore(self._path)
            return self._store.counter(title, keys.encryption, start)
        except CounterLostError as error:
            raise ConfigError(str(error)) from None


def _key(read_key: KeyReader, source: KeySource, field: str) -> bytes:
    key = read_key(source, field)
    if len(key) != KEY_SIZE:
        raise ConfigError(f"The key {field} has {len(key)} octets, but suites 0 and 1 need {KEY_SIZE}.")
    return key


def counters_path(outbox: Path | str) -> Path:
    """Where an agent keeps its counters: beside its outbox."""
    outbox = Path(outbox)
    return outbox.with_name(f"{outbox.stem}-counters.sqlite")
