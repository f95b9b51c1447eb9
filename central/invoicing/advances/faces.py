"""Faces of advance papers: what these say of both parties, the points and in which language, kept as of issuing.

A paper itself is made when it is first asked for, which may be long after. What it takes from the registry is therefore
kept with the number; equal faces share a row, so a payer's monthly advances cost one.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from central.invoicing.advances.tables import advance, advance_document, advance_face
from central.invoicing.document import PartyDetails
from central.invoicing.sources import read_languages, read_parties

Owner = Literal["advance", "document"]

TABLES: Final = {"advance": advance, "document": advance_document}
OF: Final = {
    "advance": "SELECT a.id AS owner, a.id AS advance FROM advance a WHERE a.id = ANY (:owners)",
    "document": """
        SELECT d.document AS owner, d.advance FROM advance_deposit d WHERE d.document = ANY (:owners)
         UNION
        SELECT d.credit_note, d.advance FROM advance_deposit d WHERE d.credit_note = ANY (:owners)
    """,
}
"""By owner: the advances that its papers are about."""

POINTS: Final = """
    -- the points of advances, or of those that tax documents are for, by EAN
    SELECT DISTINCT paid.owner, sp.id AS supply_point, sp.ean AS code, sp.name,
           sp.street || ', ' || sp.postal_code || ' ' || sp.city AS address, c.id AS contract,
           c.number AS contract_number, sp.commodity
      FROM ({of}) paid
      JOIN advance a ON a.id = paid.advance
      JOIN contract c ON c.id = a.contract
      JOIN advance_part p ON p.advance = a.id
      JOIN supply_point sp ON sp.id = p.supply_point
     ORDER BY paid.owner, sp.ean, c.id
"""

KEPT: Final = """
    UPDATE {table} x SET face = kept.face
      FROM unnest(CAST(:owners AS bigint[]), CAST(:faces AS bigint[])) AS kept (owner, face)
     WHERE x.id = kept.owner
"""


@dataclass(frozen=True, slots=True)
class FacePoint:
    """A supply point as it is printed, under the contract that an advance is for."""

    supply_point: int
    code: str
    name: str
    address: str
    contract: int
    contract_number: str
    commodity: str


@dataclass(frozen=True, slots=True)
class Face:
    """Both parties, the language and the points of a paper."""

    seller: PartyDetails
    payer: PartyDetails
    language: str
    points: Sequence[FacePoint]


def keep_faces(connection: Connection, owner: Owner, ids: Sequence[int]) -> None:
    """Keep the faces of advances that are sent, or of tax documents and credit notes that are issued, as of now."""
    if not ids:
        return
    contents = {identifier: msgspec.json.encode(face) for identifier, face in _read(connection, owner, ids).items()}
    digests = {identifier: hashlib.sha256(content).hexdigest() for identifier, content in contents.items()}
    # by digest, so that two acts never wait for each other in a circle
    distinct = sorted({digests[identifier]: content for identifier, content in contents.items()}.items())
    connection.execute(
        insert(advance_face).on_conflict_do_nothing(index_elements=[advance_face.c.digest]),
        [{"digest": digest, "content": msgspec.json.decode(content)} for digest, content in distinct],
    )
    query = select(advance_face.c.digest, advance_face.c.id)
    asked = query.where(advance_face.c.digest.in_([digest for digest, _ in distinct]))
    known = {row.digest: row.id for row in connection.execute(asked)}
    faces = [known[digest] for digest in digests.values()]
    connection.execute(text(KEPT.format(table=TABLES[owner].name)), {"owners": list(digests), "faces": faces})


def face_of(connection: Connection, owner: Owner, identifier: int) -> Face:
    """The face of a paper as it was kept; of one from before faces were kept, as it would be today."""
    table = TABLES[owner]
    content = connection.execute(
        select(advance_face.c.content).join(table, table.c.face == advance_face.c.id).where(table.c.id == identifier)
    ).scalar()
    if content is None:
        return _read(connection, owner, [identifier])[identifier]
    return msgspec.convert(content, Face)


def _read(connection: Connection, owner: Owner, ids: Sequence[int]) -> dict[int, Face]:
    table = TABLES[owner]
    query = select(table.c.id, table.c.seller, table.c.payer).where(table.c.id.in_(ids)).order_by(table.c.id)
    rows = connection.execute(query).all()
    parties = read_parties(connection, (side for row in rows for side in (row.seller, row.payer)))
    languages = read_languages(connection, (row.payer for row in rows))
    points: dict[int, list[FacePoint]] = defaultdict(list)
    for row in connection.execute(text(POINTS.format(of=OF[owner])), {"owners": list(ids)}).mappings():
        told = dict(row)
        points[told.pop("owner")].append(FacePoint(**told))
    return {
        row.id: Face(parties[row.seller], parties[row.payer], languages.get(row.payer, "cs"), points.get(row.id, ()))
        for row in rows
    }
