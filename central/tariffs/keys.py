"""Keys that packages may be signed with: the product's own, and those that the operator trusts."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert

from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person
from central.tariffs.seal import PRODUCT_KEYS
from central.tariffs.tables import package_key
from shared.control.keys import KeyFileError, key_id, key_text, parse_key


def trusted_keys(connection: Connection) -> Mapping[str, str]:
    """Public keys by id: the product's and the operator's, without those that the operator trusts no more."""
    keys = dict(PRODUCT_KEYS)
    for row in find_keys(connection):
        if row.trusted:
            keys[row.id] = row.public_key
        else:
            keys.pop(row.id, None)
    return keys


def find_keys(connection: Connection) -> Sequence[Row[tuple[object, ...]]]:
    """What the operator has decided of keys, by id."""
    return connection.execute(select(package_key).order_by(package_key.c.id)).all()


def trust(connection: Connection, public_key: str, name: str, reason: str, person: Person | str, at: datetime) -> str:
    """Trust the owner of a public key (base64 of 32 octets): packages that it signed may be installed; its id."""
    try:
        public = parse_key(public_key.strip(), "The public key")
    except KeyFileError as error:
        raise BadInput("public_key", str(error)) from error
    identifier = key_id(public)
    _decide(connection, identifier, key_text(public), name, reason, person, at, trusted=True)
    return identifier


def distrust(connection: Connection, identifier: str, reason: str, person: Person | str, at: datetime) -> None:
    """Trust a key no more: nothing is installed or settled by packages that it signed."""
    keys = {**PRODUCT_KEYS, **{row.id: row.public_key for row in find_keys(connection)}}
    if identifier not in keys:
        raise NotFound(
            "key_not_found", f"There is no key {identifier}; known keys are {', '.join(sorted(keys)) or 'none'}."
        )
    names = {row.id: row.name for row in find_keys(connection)}
    name = names.get(identifier, "product")
    _decide(connection, identifier, keys[identifier], name, reason, person, at, trusted=False)


def _decide(
    connection: Connection,
    identifier: str,
    public_key: str,
    name: str,
    reason: str,
    person: Person | str,
    at: datetime,
    *,
    trusted: bool,
) -> None:
    values = {
        "name": name,
        "public_key": public_key,
        "trusted": trusted,
        "reason": reason,
        "changed_at": at,
        "changed_by": person.name if isinstance(person, Person) else person,
    }
    statement = insert(package_key).values(id=identifier, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    act = "package.trust" if trusted else "package.distrust"
    audit.record(connection, person, act, f"package_key/{identifier}", {"name": name, "reason": reason}, at)
