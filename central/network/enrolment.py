"""An enrolment as a file: what `rozvodna edge enrol` printed."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection

from central.network.keys import enrol
from central.platform.errors import BadInput
from central.platform.identity import Person


class Enrolment(msgspec.Struct, forbid_unknown_fields=True):
    """Concentrator and public key."""

    concentrator: str
    key: str
    key_id: str


def enrol_from(connection: Connection, octets: bytes, person: Person, now: datetime) -> dict[str, str]:
    """Enrol what the file says; raises BadInput."""
    try:
        found = msgspec.json.decode(octets, type=Enrolment)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(
            "enrolment", f"This is no enrolment: {error}. Give what `rozvodna edge enrol` printed."
        ) from None
    enrol(connection, found.concentrator, found.key, person, now)
    return {"concentrator": found.concentrator, "key_id": found.key_id}
