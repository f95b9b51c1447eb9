"""Files: store, find, require. What was stored never changes; the database checks its digest."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, func, insert, select

from central.documents.tables import LARGEST, document
from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person

MEDIA_TYPES: Final = ("application/pdf", "image/jpeg", "image/png", "image/webp", "text/plain", "text/csv")
"""What may be stored; nothing that a browser would run."""
_BEGINNINGS: Final = {
    "application/pdf": (b"%PDF-",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/webp": (b"RIFF",),
}
_FACTS = (
    document.c.id,
    document.c.name,
    document.c.media_type,
    document.c.sha256,
    func.octet_length(document.c.octets).label("size"),
    document.c.stored_at,
    document.c.stored_by,
)


def store(connection: Connection, name: str, media_type: str, octets: bytes, person: Person, now: datetime) -> int:
    """Keep a file and give its id. Raises BadInput for what is empty, too large, of no known type, or of another one
    than it says.
    """
    shown = re.sub(r"[^\w. ()-]", "_", name.strip())[:200]
    if not shown:
        raise BadInput("document_name", "A document needs a name of at least one letter; give one.")
    if media_type not in MEDIA_TYPES:
        raise BadInput(
            "media_type", f"The document {shown} is {media_type[:100]!r}; expected one of {', '.join(MEDIA_TYPES)}."
        )
    if not 1 <= len(octets) <= LARGEST:
        raise BadInput("document_size", f"The document {shown} has {len(octets)} octets; expected 1 to {LARGEST}.")
    beginnings = _BEGINNINGS.get(media_type)
    if beginnings and not octets.startswith(beginnings):
        raise BadInput("media_type", f"The document {shown} does not begin as {media_type} does; name what it is.")
    digest = hashlib.sha256(octets).digest()
    row = {
        "name": shown,
        "media_type": media_type,
        "sha256": digest,
        "octets": octets,
        "stored_at": now,
        "stored_by": person.name,
    }
    identifier: int = connection.execute(insert(document).values(row).returning(document.c.id)).scalar_one()
    details = {"name": shown, "media_type": media_type, "sha256": digest.hex(), "size": len(octets)}
    audit.record(connection, person, "document.store", f"document/{identifier}", details, now)
    return identifier


def require(connection: Connection, identifier: int) -> RowMapping:
    """A document's facts without its octets, or NotFound."""
    found = connection.execute(select(*_FACTS).where(document.c.id == identifier)).mappings().first()
    if found is None:
        raise NotFound("document_not_found", f"There is no document {identifier}.")
    return found


def find(connection: Connection, identifiers: Sequence[int]) -> Sequence[RowMapping]:
    """Facts of these documents, by id."""
    query = select(*_FACTS).where(document.c.id.in_(identifiers)).order_by(document.c.id)
    return connection.execute(query).mappings().all()


def require_octets(connection: Connection, identifier: int) -> bytes:
    """A document's octets, or NotFound."""
    found = connection.execute(select(document.c.octets).where(document.c.id == identifier)).scalar()
    if found is None:
        raise NotFound("document_not_found", f"There is no document {identifier}.")
    return bytes(found)
