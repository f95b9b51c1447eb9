"""Look at issued invoices: lists, one with its lines, its files."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text
from sqlalchemy.dialects.postgresql import insert

from central.invoicing.tables import KINDS, STATES, document_language, invoice, invoice_file
from central.platform import audit
from central.platform.errors import NotFound
from central.platform.identity import Person
from central.platform.overview import Column, Kind, Overview
from central.registry.tables import party

OVERVIEW = Overview(
    name="invoices",
    source=invoice,
    key=invoice.c.id,
    joined=invoice.join(party, party.c.id == invoice.c.payer),
    columns=(
        Column("id", invoice.c.id, Kind.INTEGER),
        Column("number", invoice.c.number, searched=True),
        Column("kind", invoice.c.kind, Kind.CHOICE, KINDS),
        Column("state", invoice.c.state, Kind.CHOICE, STATES),
        Column("issue_date", invoice.c.issue_date, Kind.DATE),
        Column("tax_date", invoice.c.tax_date, Kind.DATE),
        Column("due_date", invoice.c.due_date, Kind.DATE),
        Column("payer_code", party.c.code, through=(invoice.c.payer, party.c.id)),
        Column("payer", party.c.name, through=(invoice.c.payer, party.c.id)),
        Column("net", invoice.c.net, Kind.DECIMAL),
        Column("vat", invoice.c.vat, Kind.DECIMAL),
        Column("gross", invoice.c.gross, Kind.DECIMAL),
        Column("deducted", invoice.c.deducted, Kind.DECIMAL),
        Column("payable", invoice.c.payable, Kind.DECIMAL),
        Column("reason", invoice.c.reason),
    ),
    default_sort=(("number", False),),
)

LISTED = text("""
    SELECT i.number, i.state, i.document_type, i.issue_date, i.tax_date, i.due_date, i.variable_symbol, i.currency,
           i.net, i.vat, i.gross, i.deducted, i.payable, i.kind, i.language, payer.name AS payer,
           payer.code AS payer_code,
           array(SELECT DISTINCT sp.ean FROM invoice_line l JOIN supply_point sp ON sp.id = l.supply_point
                  WHERE l.invoice = i.id ORDER BY sp.ean) AS supply_points
      FROM invoice i
      JOIN party payer ON payer.id = i.payer
     WHERE (CAST(:run AS bigint) IS NULL OR EXISTS (
               SELECT FROM invoice_line l JOIN billing_basis b ON b.id = l.basis
                WHERE l.invoice = i.id AND b.run = :run))
       AND (CAST(:month AS date) IS NULL OR date_trunc('month', i.tax_date) = :month)
     ORDER BY i.number
     LIMIT :limit
""")

LINES = text("""
    -- lines with how sure each is: of a basis from its explanation, of information from the input that tells it
    SELECT l.line_no, l.basis, sp.ean, l.rate, l.name, l.quantity, l.unit, l.unit_price, l.price_unit, l.amount,
           l.vat_percent, l.information, coalesce(told.why ->> 'mark', 'documented') AS mark,
           coalesce(told.why -> 'assumptions', '[]') AS assumptions
      FROM invoice_line l
      LEFT JOIN supply_point sp ON sp.id = l.supply_point
      LEFT JOIN settlement_input si ON si.id = l.input
      LEFT JOIN billing_basis b ON b.id = l.basis
     CROSS JOIN LATERAL (
           SELECT coalesce(b.why, jsonb_path_query_first(
                      si.information, '$[*] ? (@.rate == $rate)', jsonb_build_object('rate', l.rate))) AS why) told
     WHERE l.invoice = :invoice
     ORDER BY l.line_no
""")


def find_invoices(
    connection: Connection, run: int | None = None, month: date | None = None, limit: int = 1_000
) -> Sequence[Row[Any]]:
    """Documents by number: of one settlement run (with a basis of it), or one month of tax point."""
    return connection.execute(LISTED, {"run": run, "month": month, "limit": limit}).all()


def require_invoice(connection: Connection, number: str) -> Row[Any]:
    """The invoice's row, or NotFound."""
    row = connection.execute(select(invoice).where(invoice.c.number == number)).one_or_none()
    if row is None:
        raise NotFound("invoice_not_found", f"There is no invoice {number}; see GET /v1/invoices.")
    return row


def get_lines(connection: Connection, invoice_id: int) -> Sequence[Row[Any]]:
    """The lines of an invoice in their order."""
    return connection.execute(LINES, {"invoice": invoice_id}).all()


def require_file(connection: Connection, number: str, kind: str) -> bytes:
    """The issued document itself: "pdf" or "isdoc"."""
    content = connection.execute(
        select(invoice_file.c.content)
        .join(invoice, invoice.c.id == invoice_file.c.invoice)
        .where(invoice.c.number == number, invoice_file.c.kind == kind)
    ).scalar()
    if content is None:
        raise NotFound("invoice_not_found", f"There is no invoice {number}; see GET /v1/invoices.")
    return bytes(content)


def set_language(connection: Connection, payer: str, language: str, person: Person, at: datetime) -> None:
    """Say in which language a payer (code) gets documents from now on. NotFound where there is no such party."""
    identifier = connection.execute(select(party.c.id).where(party.c.code == payer)).scalar()
    if identifier is None:
        raise NotFound("party_not_found", f"There is no party {payer}; see the overview of parties.")
    row = insert(document_language).values(party=identifier, language=language)
    connection.execute(
        row.on_conflict_do_update(index_elements=[document_language.c.party], set_={"language": language})
    )
    audit.record(connection, person, "document.language", f"party/{identifier}", {"language": language}, at)
