"""Papers of advances: the request, the tax document for a received payment, its credit note; as PDF and ISDOC.

A paper is made when it is first asked for and kept: it is never made again. What it says stands in rows that do not
change, and of parties and points in the face that was kept as of issuing.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text

from central.invoicing.advances.deposits import CREDIT_NOTE
from central.invoicing.advances.faces import Face, face_of
from central.invoicing.advances.tables import advance, advance_document, advance_file
from central.invoicing.compose_advance import AdvancePaper, AdvancePart, compose_advance
from central.invoicing.document import InvoiceDocument, Original, VatRow
from central.invoicing.rendering import make_files
from central.platform.errors import NotFound

PARTS = text("""
    -- amounts by point: of an advance, or of those that a tax document is for, weighed by what came for each
    SELECT p.supply_point, a.contract, sum(p.amount * paid.weight) AS amount
      FROM (SELECT CAST(:advance AS bigint) AS advance, 1::numeric AS weight
             WHERE CAST(:advance AS bigint) IS NOT NULL
            UNION ALL
            SELECT d.advance, d.amount / a.amount FROM advance_deposit d JOIN advance a ON a.id = d.advance
             WHERE CAST(:document AS bigint) IN (d.document, d.credit_note)) paid
      JOIN advance a ON a.id = paid.advance
      JOIN advance_part p ON p.advance = a.id
     GROUP BY p.supply_point, a.contract
""")

TIME = text("""
    SELECT min(lower(a.period)) AS first, max(upper(a.period)) AS "end", min(a.number) AS number
      FROM advance_deposit d JOIN advance a ON a.id = d.advance WHERE :document IN (d.document, d.credit_note)
""")


def paper_of_advance(connection: Connection, identifier: int, kind: str) -> bytes:
    """The request of a sent advance, as "pdf" or "isdoc"; NotFound while it has no number."""
    row = connection.execute(select(advance).where(advance.c.id == identifier).with_for_update()).one_or_none()
    if row is None or row.number is None:
        raise NotFound("advance_not_found", f"There is no advance {identifier} that was sent; see GET /v1/advances.")
    owner = {"advance": row.id}
    return _kept(connection, owner, kind) or _made(connection, owner, kind, _request(connection, row))


def paper_of_document(connection: Connection, number: str, kind: str) -> bytes:
    """A tax document or credit note by number, as "pdf" or "isdoc"; NotFound without one."""
    query = select(advance_document).where(advance_document.c.number == number).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("advance_document_not_found", f"There is no {number}; see GET /v1/advances/documents.")
    owner = {"document": row.id}
    return _kept(connection, owner, kind) or _made(connection, owner, kind, _tax(connection, row))


def _kept(connection: Connection, owner: dict[str, int], kind: str) -> bytes | None:
    ((column, identifier),) = owner.items()
    content = connection.execute(
        select(advance_file.c.content).where(advance_file.c[column] == identifier, advance_file.c.kind == kind)
    ).scalar()
    return None if content is None else bytes(content)


def _made(connection: Connection, owner: dict[str, int], kind: str, document: InvoiceDocument) -> bytes:
    files = make_files(document)
    connection.execute(
        insert(advance_file),
        [{**owner, "kind": file.kind, "content": file.content, "digest": file.digest} for file in files],
    )
    return next(file.content for file in files if file.kind == kind)


def _request(connection: Connection, row: Row[Any]) -> InvoiceDocument:
    period: Any = row.period
    face = face_of(connection, "advance", row.id)
    paper = AdvancePaper(
        kind="advance",
        number=row.number,
        variable_symbol=row.number,
        issue_date=row.issued_on,
        due_date=max(row.due, row.issued_on),
        tax_date=None,
        first=period.lower,
        end=period.upper,
        vat_rows=[VatRow(Decimal(0), row.amount, Decimal("0.00"))],
        parts=_parts(connection, face, advance=row.id),
        language=face.language,
        currency=row.currency,
    )
    return compose_advance(paper, face.seller, face.payer)


def _tax(connection: Connection, row: Row[Any]) -> InvoiceDocument:
    time = connection.execute(TIME, {"document": row.id}).one()
    original = None
    if row.original is not None:
        of = connection.execute(select(advance_document).where(advance_document.c.id == row.original)).one()
        original = Original(of.number, of.issue_date)
    first: date = time.first or row.tax_date
    face = face_of(connection, "document", row.id)
    paper = AdvancePaper(
        kind="advance_credit" if row.document_type == CREDIT_NOTE else "advance_tax",
        number=row.number,
        variable_symbol=time.number or row.number,
        issue_date=row.issue_date,
        due_date=row.issue_date,
        tax_date=row.tax_date,
        first=first,
        end=time.end or first + timedelta(days=1),
        vat_rows=[
            VatRow(Decimal(each["percent"]), Decimal(each["base"]), Decimal(each["vat"])) for each in row.vat_rows
        ],
        parts=_parts(connection, face, document=row.id),
        language=face.language,
        original=original,
        reason=row.reason,
        currency=row.currency,
    )
    return compose_advance(paper, face.seller, face.payer)


def _parts(
    connection: Connection, face: Face, *, advance: int | None = None, document: int | None = None
) -> Sequence[AdvancePart]:
    rows = connection.execute(PARTS, {"advance": advance, "document": document})
    amounts = {(row.supply_point, row.contract): row.amount for row in rows}
    return [
        AdvancePart(
            supply_point=point.supply_point,
            code=point.code,
            name=point.name,
            address=point.address,
            contract=point.contract_number,
            commodity=point.commodity,
            amount=amounts[point.supply_point, point.contract],
        )
        for point in face.points
    ]
