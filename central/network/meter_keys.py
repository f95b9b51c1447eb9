"""Keys of meters: set, find (never the key itself), open for a configuration, encrypt anew under another store key.

At rest: ChaCha20-Poly1305 under a key derived from the store key's file (ROZVODNA_STORE_KEY_FILE), as
nonce (12) | ciphertext and tag, with meter, field and version as associated data: a row that was put in another's place
does not open. No route and no log shows a key; a concentrator gets it sealed for itself.
"""

import hashlib
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, RowMapping, func, insert, select, update

from central.network.line_tables import KEY_FIELDS, meter_key
from central.network.meters import require_meter
from central.platform import audit
from central.platform.errors import BadInput, Refused
from central.platform.identity import Person
from shared.control.keys import KeyFileError, make_key_file, read_key_file

KEY_OCTETS: Final = 16
"""Of a DLMS key of suites 0 and 1."""
_NONCE: Final = 12


@dataclass(frozen=True)
class KeyStore:
    """What encrypts keys at rest; its file is read, or made where it is missing, when it is needed first."""

    path: Path

    @cached_property
    def _master(self) -> bytes:
        try:
            return read_key_file(self.path) if self.path.exists() else make_key_file(self.path)
        except KeyFileError as error:
            raise BadInput("store_key", f"{error} It is named by ROZVODNA_STORE_KEY_FILE.") from None

    @cached_property
    def _cipher(self) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(_derived(self._master, b"rozvodna/meter-key/1"))

    @cached_property
    def name(self) -> str:
        """Short name of the store key, by which a row says what it was encrypted with; tells nothing of the key."""
        return hashlib.sha256(_derived(self._master, b"rozvodna/meter-key-name/1")).hexdigest()[:16]

    def encrypt(self, secret: bytes, meter: str, field: str, version: int) -> bytes:
        """`secret` for a row."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, _context(meter, field, version))

    def decrypt(self, row: RowMapping) -> bytes:
        """The key of a row; Refused where it was encrypted with another store key, or was changed."""
        what = f"The key {row['field']} of {row['meter']}, version {row['version']},"
        if row["store_key"] != self.name:
            raise Refused(
                "store_key",
                f"{what} is encrypted with the store key {row['store_key']}; {self.path} holds {self.name}. Put the "
                "right file there, or set the key anew.",
            )
        octets = bytes(row["ciphertext"])
        context = _context(row["meter"], row["field"], row["version"])
        try:
            return self._cipher.decrypt(octets[:_NONCE], octets[_NONCE:], context)
        except InvalidTag:
            raise Refused("store_key", f"{what} was changed in the database; set it anew.") from None


def set_key(
    connection: Connection, store: KeyStore, meter: str, field: str, secret: str, person: Person, now: datetime
) -> int:
    """Set a meter's key (`hex:` and 32 digits); the one before stays as replaced. Gives the new version's number.

    Raises BadInput without repeating what was given.
    """
    require_meter(connection, meter)
    if field not in KEY_FIELDS:
        raise BadInput("key_field", f"A meter has no key {field!r}; it may have {', '.join(KEY_FIELDS)}.")
    octets = _parsed(secret, f"The key {field} of {meter}")
    connection.execute(select(meter_key.c.id).where(meter_key.c.meter == meter).with_for_update()).all()
    newest = connection.execute(
        select(func.max(meter_key.c.version)).where(meter_key.c.meter == meter, meter_key.c.field == field)
    ).scalar()
    version = (newest or 0) + 1
    connection.execute(
        update(meter_key)
        .where(meter_key.c.meter == meter, meter_key.c.field == field, meter_key.c.replaced_at.is_(None))
        .values(replaced_at=now)
    )
    connection.execute(
        insert(meter_key).values(
            meter=meter,
            field=field,
            version=version,
            ciphertext=store.encrypt(octets, meter, field, version),
            store_key=store.name,
            set_at=now,
            set_by=person.name,
        )
    )
    details = {"field": field, "version": version}
    audit.record(connection, person, "meter_key.set", f"meter/{meter}", details, now)
    return version


def find_keys(connection: Connection, meter: str) -> Sequence[RowMapping]:
    """What is known of a meter's keys: field, version, when and by whom; never the key."""
    table = meter_key.c
    query = (
        select(table.field, table.version, table.set_at, table.set_by, table.replaced_at)
        .where(table.meter == meter)
        .order_by(table.field, table.version.desc())
    )
    return connection.execute(query).mappings().all()


def present_versions(connection: Connection, meters: Sequence[str]) -> dict[str, dict[str, int]]:
    """Versions of the present keys: by meter and field."""
    query = select(meter_key.c.meter, meter_key.c.field, meter_key.c.version).where(
        meter_key.c.meter.in_(meters), meter_key.c.replaced_at.is_(None)
    )
    found: dict[str, dict[str, int]] = {}
    for meter, field, version in connection.execute(query):
        found.setdefault(meter, {})[field] = version
    return found


def open_key(connection: Connection, store: KeyStore, meter: str, field: str, version: int) -> bytes:
    """A key itself, to be sealed for a concentrator and for nothing else."""
    query = select(meter_key).where(
        meter_key.c.meter == meter, meter_key.c.field == field, meter_key.c.version == version
    )
    return store.decrypt(connection.execute(query).mappings().one())


def rotate(connection: Connection, old: KeyStore, new: KeyStore) -> int:
    """Encrypt all keys under another store key, replaced ones too; gives their number. All or none."""
    rows = connection.execute(select(meter_key).order_by(meter_key.c.id).with_for_update()).mappings().all()
    for row in rows:
        octets = new.encrypt(old.decrypt(row), row["meter"], row["field"], row["version"])
        connection.execute(
            update(meter_key).where(meter_key.c.id == row["id"]).values(ciphertext=octets, store_key=new.name)
        )
    return len(rows)


def _parsed(secret: str, what: str) -> bytes:
    try:
        octets = bytes.fromhex(secret.removeprefix("hex:")) if secret.startswith("hex:") else b""
    except ValueError:
        octets = b""
    if len(octets) != KEY_OCTETS:
        raise BadInput("key", f"{what} must be `hex:` and {2 * KEY_OCTETS} hexadecimal digits.")
    return octets


def _context(meter: str, field: str, version: int) -> bytes:
    parts = (meter.encode(), field.encode())
    return b"".join(struct.pack(">H", len(part)) + part for part in parts) + struct.pack(">I", version)


def _derived(master: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, info).derive(master)
