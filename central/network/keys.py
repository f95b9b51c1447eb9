"""Keys of concentrators: enrol, get, require. Central's own key pair: load or make."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, RowMapping, insert, select, update

from central.network.control_tables import concentrator_key
from central.network.meters import require_concentrator
from central.platform import audit
from central.platform.errors import BadInput, Refused
from central.platform.identity import Person
from shared.control.keys import KeyFileError, key_id, make_key_file, parse_key, read_key_file


def enrol(connection: Connection, concentrator: str, key: str, person: Person, now: datetime) -> RowMapping:
    """Take a concentrator's public key (base64); the one before is kept as replaced. The same again changes nothing.

    Secrets that were sealed for the one before cannot be opened any more: put them into a new configuration.
    """
    require_concentrator(connection, concentrator)
    try:
        public = parse_key(key, f"The public key of {concentrator}")
    except KeyFileError as error:
        raise BadInput("public_key", str(error)) from None
    present = find_key(connection, concentrator)
    if present is not None and bytes(present["public_key"]) == public:
        return present
    connection.execute(
        update(concentrator_key)
        .where(concentrator_key.c.concentrator == concentrator, concentrator_key.c.replaced_at.is_(None))
        .values(replaced_at=now)
    )
    connection.execute(
        insert(concentrator_key).values(
            concentrator=concentrator, public_key=public, enrolled_at=now, enrolled_by=person.name
        )
    )
    details = {"key_id": key_id(public), "before": key_id(bytes(present["public_key"])) if present else None}
    audit.record(connection, person, "concentrator.enrol", f"concentrator/{concentrator}", details, now)
    found = find_key(connection, concentrator)
    assert found is not None
    return found


def find_key(connection: Connection, concentrator: str) -> RowMapping | None:
    """The present key of a concentrator, if it is enrolled."""
    query = select(concentrator_key).where(
        concentrator_key.c.concentrator == concentrator, concentrator_key.c.replaced_at.is_(None)
    )
    return connection.execute(query).mappings().first()


def require_key(connection: Connection, concentrator: str) -> bytes:
    """The present public key, or Refused."""
    found = find_key(connection, concentrator)
    if found is None:
        raise Refused(
            "not_enrolled",
            f"The concentrator {concentrator} has no key, so nothing can be sealed for it; run `rozvodna edge enrol` "
            "there and give its output to `rozvodna central enrol`.",
        )
    return bytes(found["public_key"])


def signing_key(path: Path) -> bytes:
    """Central's private key (Ed25519) in `path`, made there if it is missing. Raises BadInput."""
    try:
        return read_key_file(path) if path.exists() else make_key_file(path)
    except KeyFileError as error:
        raise BadInput("control_key", f"{error} It is named by ROZVODNA_CONTROL_KEY_FILE.") from None
