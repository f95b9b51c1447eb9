"""The journal for the accounting: entries of a seller's period in double entry, handed over once.

Entries are made of what happened (`journal_entries.py`): documents issued, advances asked for, deducted or given back,
movements of the bank, allocations and their release, set-offs, write-offs, fees, penalties, accruals. A thing is marked
with the export that it went with; the files are stored, so asking again gives the same octets. What came late into a
period that was handed over goes with the next one, under its own day.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, TextClause, func, insert, select, text
from sqlalchemy.dialects.postgresql import Range

from central.invoicing.payments.journal_entries import (
    Entry,
    accounts,
    accrual_entry,
    allocation_entry,
    asked_entry,
    closing_entry,
    deduction_entries,
    document_entries,
    item_entry,
    movement_entry,
    turnovers,
)
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.pohoda import Document, vat_left, write_pohoda
from central.invoicing.payments.reminder_tables import journal_export, journal_file, journal_mark
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.registry.tables import party

# What has not been handed over of each kind, until the end of the period.
ADVANCE_DOCUMENTS = text("""
    SELECT d.id, CASE d.document_type WHEN 5 THEN 'advance_tax' ELSE 'advance_credit' END AS kind, d.number,
           d.issue_date, d.tax_date, d.issue_date AS due_date, d.number AS variable_symbol, d.currency, d.net, d.vat,
           d.vat_rows, NULL AS claimed, p.code AS payer_code, p.name AS payer_name, p.ico, p.dic, p.street, p.city,
           p.postal_code
      FROM advance_document d JOIN party p ON p.id = d.payer
     WHERE d.seller = :seller AND d.issue_date < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'advance_document' AND m.item = d.id)
     ORDER BY d.issue_date, d.number
""")

DOCUMENTS = text("""
    SELECT i.id, i.kind, i.number, i.issue_date, i.tax_date, i.due_date, i.variable_symbol, i.currency, i.net, i.vat,
           i.vat_rows, taxed.claimed, p.code AS payer_code, p.name AS payer_name, p.ico, p.dic, p.street, p.city,
           p.postal_code
      FROM invoice i
      JOIN party p ON p.id = i.payer
      CROSS JOIN LATERAL (
           -- taxed advances that it takes off, or (with the opposite sign) gives back for the document that it cancels
           SELECT jsonb_agg(jsonb_build_object('percent', t.vat_percent::text, 'base', (t.sign * t.base)::text,
                                               'vat', (t.sign * t.vat)::text)) AS claimed
             FROM (SELECT s.vat_percent, d.amount - d.vat AS base, d.vat,
                          CASE d.invoice WHEN i.id THEN 1 ELSE -1 END AS sign
                     FROM advance_deduction d JOIN advance_deposit s ON s.id = d.deposit
                    WHERE d.invoice IN (
                          WITH RECURSIVE up AS (
                              SELECT i.id, i.original
                              UNION
                              SELECT o.id, o.original FROM up JOIN invoice o ON o.id = up.original)
                          SELECT id FROM up)
                      AND s.document IS NOT NULL
                      AND (d.invoice = i.id OR i.deducted < 0 AND d.undone_at = i.issued_at)) t) taxed
     WHERE i.supplier = :seller AND i.issue_date < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'invoice' AND m.item = i.id)
     ORDER BY i.issue_date, i.number
""")

DEDUCTIONS = text("""
    -- advances that documents took off, by the day of the document; given back by the day of the act that did
    SELECT d.id, :kind AS mark, i.number, i.variable_symbol, i.currency, d.amount AS gross, d.vat,
           CASE WHEN :kind = 'deduction' THEN coalesce(i.tax_date, i.issue_date)
                ELSE (d.undone_at AT TIME ZONE 'Europe/Prague')::date END AS day,
           p.code AS payer_code
      FROM advance_deduction d
      JOIN invoice i ON i.id = d.invoice
      JOIN party p ON p.id = i.payer
     WHERE i.supplier = :seller
       AND CASE WHEN :kind = 'deduction' THEN i.issue_date
                ELSE (d.undone_at AT TIME ZONE 'Europe/Prague')::date END < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = :kind AND m.item = d.id)
     ORDER BY day, d.id
""")

OWN_ITEMS = text("""
    SELECT r.id, r.kind, r.number, r.issued_on, r.amount, r.currency, r.variable_symbol, p.code AS payer_code
      FROM receivable r JOIN party p ON p.id = r.payer
     WHERE r.seller = :seller AND r.issued_on < :until AND r.kind IN ('fee', 'penalty', 'advance')
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'receivable' AND m.item = r.id)
     ORDER BY r.id
""")

MOVEMENTS = text("""
    SELECT p.id, p.booked_on, p.amount, p.currency, p.variable_symbol, p.state, p.counter_name, p.iban
      FROM payment p
     WHERE p.seller = :seller AND p.booked_on < :until AND p.parent IS NULL
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'payment' AND m.item = p.id)
     ORDER BY p.booked_on, p.id
""")

ALLOCATIONS = text("""
    -- what was paid or set off; a released one is taken back under the day of its release. "asked" and "asked_release"
    -- are the same of advances, as what is asked for
    SELECT a.id, :kind AS mark, CASE WHEN :made THEN a.made_on ELSE a.released_on END AS day,
           CASE WHEN :made THEN a.amount ELSE -a.amount END AS amount,
           coalesce(r.currency, f.currency) AS currency, a.payment IS NOT NULL AS money, r.kind AS item_kind,
           coalesce(r.number, f.number) AS number, a.refund IS NOT NULL AS refunded, s.number AS set_off,
           p.code AS payer_code
      FROM allocation a
      LEFT JOIN receivable r ON r.id = a.receivable
      LEFT JOIN refund f ON f.id = a.refund
      LEFT JOIN set_off s ON s.id = a.set_off
      JOIN party p ON p.id = coalesce(r.payer, f.payer)
     WHERE coalesce(r.seller, f.seller) = :seller AND (:all OR r.kind = 'advance')
       AND CASE WHEN :made THEN a.made_on ELSE a.released_on END < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = :kind AND m.item = a.id)
     ORDER BY day, a.id
""")

CLOSINGS = text("""
    SELECT c.id, c.closed_on AS day, c.amount, c.reason, r.number, r.kind AS item_kind, r.currency,
           p.code AS payer_code
      FROM receivable_closing c
      JOIN receivable r ON r.id = c.receivable
      JOIN party p ON p.id = r.payer
     WHERE r.seller = :seller AND c.closed_on < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'closing' AND m.item = c.id)
     ORDER BY c.closed_on, c.id
""")

ACCRUALS = text("""
    -- accrual bases (dohadné položky) and what cancels them, by the kinds of statements that they bear
    SELECT b.id, (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1 AS day, b.amount, b.name, b.statement_type,
           p.code AS payer_code
      FROM billing_basis b JOIN party p ON p.id = b.payer
     WHERE b.seller = :seller AND b.statement_type = ANY (:types) AND b.state IN ('approved', 'invoiced')
       AND (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date <= :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'accrual' AND m.item = b.id)
     ORDER BY day, b.id
""")


@dataclass(frozen=True, slots=True)
class Made:
    """An export; `sums` its turnover by currency, as much debit as credit."""

    id: int
    entries: int
    sums: Mapping[str, Decimal]


def export_period(connection: Connection, seller: str, since: date, until: date, person: Person, now: datetime) -> Made:
    """Hand the period over: everything of it that was not yet. Refused where it overlaps one that was."""
    if until <= since:
        raise BadInput("period", f"The period ends on {until} and begins on {since}; it must end later (exclusive).")
    lock_payments(connection)
    owner = connection.execute(select(party).where(party.c.code == seller)).one_or_none()
    if owner is None:
        raise NotFound("party_not_found", f"There is no party {seller}; see GET /v1/parties.")
    overlapping = connection.execute(
        select(journal_export.c.id, journal_export.c.period).where(
            journal_export.c.seller == owner.id, journal_export.c.period.overlaps(Range(since, until))
        )
    ).first()
    if overlapping is not None:
        raise Refused(
            "exported",
            f"The period {overlapping.period.lower} to {overlapping.period.upper} of {seller} was handed over as "
            f"export {overlapping.id}; take its files, or a period beside it.",
        )
    values = {"seller": owner.id, "until": until}
    marks: list[tuple[str, int]] = []
    documents = connection.execute(DOCUMENTS, values).all()
    taxed = connection.execute(ADVANCE_DOCUMENTS, values).all()
    entries = list(_entries(connection, documents, values, marks))
    for row in taxed:
        marks.append(("advance_document", row.id))
        entries += document_entries(row, accounts()["accounts"])
    told = turnovers(entries)
    made = connection.execute(
        insert(journal_export)
        .values(
            seller=owner.id,
            period=Range(since, until),
            entries=len(entries),
            sums={currency: f"{amount:f}" for currency, amount in sorted(told.items())},
            made_at=now,
            made_by=person.name,
        )
        .returning(journal_export.c.id)
    ).scalar_one()
    files = {
        "csv": write_csv(entries),
        "pohoda": write_pohoda(
            f"ROZ{made}", owner.ico or "", [pohoda_document(row) for row in (*documents, *taxed) if row.tax_date]
        ),
    }
    connection.execute(
        insert(journal_file),
        [
            {
                "export": made,
                "form": form,
                "content": content,
                "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            }
            for form, content in files.items()
        ],
    )
    if marks:
        connection.execute(insert(journal_mark), [{"kind": kind, "item": item, "export": made} for kind, item in marks])
    details = {"seller": seller, "since": str(since), "until": str(until), "entries": len(entries)} | {
        "sums": {currency: str(amount) for currency, amount in told.items()}
    }
    audit.record(connection, person, "journal.export", f"journal_export/{made}", details, now)
    return Made(made, len(entries), told)


def require_file(connection: Connection, export: int, form: str) -> Row[Any]:
    """The stored file, or NotFound."""
    query = select(journal_file).where(journal_file.c.export == export, journal_file.c.form == form)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("export_not_found", f"There is no export {export}; see GET /v1/journal-exports.")
    return row


def find_exports(connection: Connection) -> Sequence[Any]:
    """All exports, the newest first."""
    query = (
        select(
            journal_export.c.id,
            party.c.code.label("seller"),
            func.lower(journal_export.c.period).label("since"),
            func.upper(journal_export.c.period).label("until"),
            journal_export.c.entries,
            journal_export.c.sums,
            journal_export.c.made_at,
            journal_export.c.made_by,
        )
        .join(party, party.c.id == journal_export.c.seller)
        .order_by(journal_export.c.id.desc())
        .limit(1_000)
    )
    return connection.execute(query).mappings().all()


def write_csv(entries: Sequence[Entry]) -> bytes:
    """The journal as CSV: semicolons, decimal comma, UTF-8 with a mark, as Czech spreadsheets open it."""
    lines = ["datum;doklad;druh;text;MD;D;částka;měna;partner;symbol"]
    for entry in entries:
        fields = (
            entry.day.isoformat(), entry.document, entry.kind, entry.text, entry.debit, entry.credit,
            f"{entry.amount:f}".replace(".", ","), entry.currency, entry.party, entry.symbol,
        )  # fmt: skip
        lines.append(";".join(_field(field) for field in fields))
    return ("\r\n".join(lines) + "\r\n").encode("utf-8-sig")


def _field(value: str) -> str:
    # A text that a spreadsheet would take for a formula is quoted as text.
    guarded = (
        f"'{value}" if value[:1] in ("=", "+", "@", "\t") or (value[:1] == "-" and not value[1:2].isdigit()) else value
    )
    return '"' + guarded.replace('"', '""') + '"' if any(sign in guarded for sign in ';"\r\n') else guarded


def _entries(
    connection: Connection, documents: Sequence[Row[Any]], values: dict[str, Any], marks: list[tuple[str, int]]
) -> Iterator[Entry]:
    of = accounts()["accounts"]

    def found(mark: str, query: TextClause, **more: Any) -> Iterator[Row[Any]]:
        for row in connection.execute(query, {**values, **more}):
            marks.append((mark, row.id))
            yield row

    for row in documents:
        marks.append(("invoice", row.id))
        yield from document_entries(row, of)
    for kind in ("deduction", "deduction_undone"):
        for row in found(kind, DEDUCTIONS, kind=kind):
            yield from deduction_entries(row, of)
    for row in found("receivable", OWN_ITEMS):
        yield item_entry(row, of)
    for row in found("payment", MOVEMENTS):
        yield movement_entry(row, of)
    for kind in ("allocation", "release"):
        for row in found(kind, ALLOCATIONS, kind=kind, made=kind == "allocation", all=True):
            entry = allocation_entry(row, of)
            if entry is not None:
                yield entry
    for kind in ("asked", "asked_release"):
        for row in found(kind, ALLOCATIONS, kind=kind, made=kind == "asked", all=False):
            yield asked_entry(row, of)
    for row in found("closing", CLOSINGS):
        yield closing_entry(row, of)
    for row in found("accrual", ACCRUALS, types=accounts()["accrual_statement_types"]):
        entry = accrual_entry(row, of)
        if entry is not None:
            yield entry


def pohoda_document(row: Any) -> Document:
    """A row of documents as the accounting program takes it."""
    return Document(
        number=row.number,
        kind=row.kind,
        issued_on=row.issue_date,
        tax_on=row.tax_date,
        due=row.due_date,
        symbol=row.variable_symbol,
        currency=row.currency,
        text=f"{row.number} {row.payer_name}"[:240],
        name=row.payer_name,
        street=row.street,
        city=row.city,
        postal_code=row.postal_code,
        ico=row.ico or "",
        dic=row.dic or "",
        vat=vat_left(row.vat_rows, row.claimed or ()),
    )
