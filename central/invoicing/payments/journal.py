"""The journal for the accounting: entries of a seller's period in double entry, handed over once.

Entries are made of what happened: documents issued (their VAT beside), movements of the bank, allocations of advances,
set-offs, write-offs of the open items that were closed, accruals. A thing is marked with the export that it went with;
the files are stored, so asking again gives the same octets. What came late into a period that was handed over goes with
the next one, under its own day. Accounts are data (`accounts.json`, marked assumed): an accountant sets them.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, text
from sqlalchemy.dialects.postgresql import Range

from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.pohoda import Document, VatPart, write_pohoda
from central.invoicing.payments.reminder_tables import journal_export, journal_file, journal_mark
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.registry.tables import party

ZERO: Final = Decimal("0.00")

# What has not been handed over of each kind, until the end of the period.
ADVANCE_DOCUMENTS = text("""
    SELECT d.id, CASE d.document_type WHEN 5 THEN 'advance_tax' ELSE 'advance_credit' END AS kind, d.number,
           d.issue_date, d.tax_date, d.issue_date AS due_date, d.number AS variable_symbol, d.currency, d.net, d.vat,
           d.vat_rows, p.code AS payer_code, p.name AS payer_name, p.ico, p.dic, p.street, p.city, p.postal_code
      FROM advance_document d JOIN party p ON p.id = d.payer
     WHERE d.seller = :seller AND d.issue_date < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'advance_document' AND m.item = d.id)
     ORDER BY d.issue_date, d.number
""")

DOCUMENTS = text("""
    SELECT i.id, i.kind, i.number, i.issue_date, i.tax_date, i.due_date, i.variable_symbol, i.currency, i.net, i.vat,
           i.vat_rows, p.code AS payer_code, p.name AS payer_name, p.ico, p.dic, p.street, p.city, p.postal_code
      FROM invoice i JOIN party p ON p.id = i.payer
     WHERE i.supplier = :seller AND i.issue_date < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = 'invoice' AND m.item = i.id)
     ORDER BY i.issue_date, i.number
""")

DEDUCTIONS = text("""
    SELECT d.invoice, sum(d.vat) AS vat, sum(d.amount) AS gross
      FROM advance_deduction d WHERE d.invoice = ANY (:ids) AND d.undone_at IS NULL GROUP BY d.invoice
""")

OWN_ITEMS = text("""
    SELECT r.id, r.kind, r.number, r.issued_on, r.amount, r.currency, p.code AS payer_code
      FROM receivable r JOIN party p ON p.id = r.payer
     WHERE r.seller = :seller AND r.issued_on < :until AND r.kind IN ('fee', 'penalty')
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
    -- what was paid or set off; a released one is taken back under the day of its release
    SELECT a.id, :kind AS mark, CASE :kind WHEN 'allocation' THEN a.made_on ELSE a.released_on END AS day,
           CASE :kind WHEN 'allocation' THEN a.amount ELSE -a.amount END AS amount,
           coalesce(r.currency, f.currency) AS currency, a.payment IS NOT NULL AS money, r.kind AS item_kind,
           coalesce(r.number, f.number) AS number, a.refund IS NOT NULL AS refunded, s.number AS set_off,
           p.code AS payer_code
      FROM allocation a
      LEFT JOIN receivable r ON r.id = a.receivable
      LEFT JOIN refund f ON f.id = a.refund
      LEFT JOIN set_off s ON s.id = a.set_off
      JOIN party p ON p.id = coalesce(r.payer, f.payer)
     WHERE coalesce(r.seller, f.seller) = :seller
       AND CASE :kind WHEN 'allocation' THEN a.made_on ELSE a.released_on END < :until
       AND NOT EXISTS (SELECT FROM journal_mark m WHERE m.kind = :kind AND m.item = a.id)
     ORDER BY day, a.id
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
class Entry:
    """One line of the journal: an amount (never 0) from the credit account to the debit account; negative: red."""

    day: date
    document: str
    kind: str
    text: str
    debit: str
    credit: str
    amount: Decimal
    currency: str
    party: str
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """An export with its sums."""

    id: int
    entries: int
    debit: Decimal
    credit: Decimal


@lru_cache(maxsize=1)
def accounts() -> dict[str, Any]:
    """The accounts by what they stand for, as shipped."""
    content: dict[str, Any] = json.loads((Path(__file__).parent / "accounts.json").read_text(encoding="utf-8"))
    return content


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
        entries += document_entries(row, None, accounts()["accounts"])
    total = sum((entry.amount for entry in entries), ZERO)
    made = connection.execute(
        insert(journal_export)
        .values(
            seller=owner.id,
            period=Range(since, until),
            entries=len(entries),
            debit=_side(entries, "debit"),
            credit=_side(entries, "credit"),
            made_at=now,
            made_by=person.name,
        )
        .returning(journal_export.c.id)
    ).scalar_one()
    files = {
        "csv": write_csv(entries),
        "pohoda": write_pohoda(
            f"ROZ{made}", owner.ico or "", [_pohoda(row) for row in (*documents, *taxed) if row.tax_date]
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
    details = {"seller": seller, "since": str(since), "until": str(until), "entries": len(entries), "sum": str(total)}
    audit.record(connection, person, "journal.export", f"journal_export/{made}", details, now)
    return Made(made, len(entries), _side(entries, "debit"), _side(entries, "credit"))


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
            journal_export.c.debit,
            journal_export.c.credit,
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


def _side(entries: Sequence[Entry], side: str) -> Decimal:
    by_account: dict[str, Decimal] = {}
    for entry in entries:
        account = getattr(entry, side)
        by_account[account] = by_account.get(account, ZERO) + entry.amount
    return sum(by_account.values(), ZERO)


def _entries(
    connection: Connection, documents: Sequence[Row[Any]], values: dict[str, Any], marks: list[tuple[str, int]]
) -> Iterator[Entry]:
    of = accounts()["accounts"]
    deducted = {row.invoice: row for row in connection.execute(DEDUCTIONS, {"ids": [row.id for row in documents]})}
    for row in documents:
        marks.append(("invoice", row.id))
        yield from document_entries(row, deducted.get(row.id), of)
    for row in connection.execute(OWN_ITEMS, values):
        marks.append(("receivable", row.id))
        yield Entry(
            row.issued_on, row.number, row.kind, "Poplatek za upomínku" if row.kind == "fee" else "Smluvní pokuta",
            of["customers"], of[row.kind], row.amount, row.currency, row.payer_code,
        )  # fmt: skip
    for row in connection.execute(MOVEMENTS, values):
        marks.append(("payment", row.id))
        debit, credit = (of["bank"], of["payments"]) if row.amount > 0 else (of["payments"], of["bank"])
        yield Entry(
            row.booked_on, f"VYP{row.id}", "bank", row.counter_name or "Bankovní pohyb", debit, credit, abs(row.amount),
            row.currency, "", row.variable_symbol or "",
        )  # fmt: skip
    for kind in ("allocation", "release"):
        for row in connection.execute(ALLOCATIONS, {**values, "kind": kind}):
            marks.append((kind, row.id))
            entry = allocation_entry(row, of)
            if entry is not None:
                yield entry
    types = accounts()["accrual_statement_types"]
    for row in connection.execute(ACCRUALS, {**values, "types": types}):
        marks.append(("accrual", row.id))
        if row.amount:
            yield Entry(
                row.day, f"DOH{row.id}", "accrual", row.name, of["accruals"], of["revenue"], row.amount, "CZK",
                row.payer_code,
            )  # fmt: skip


def document_entries(row: Any, deducted: Any, of: dict[str, str]) -> Iterator[Entry]:
    """Entries of one document: customers against revenue and VAT; deducted advances back; tax documents of advances."""
    day = row.tax_date or row.issue_date

    def entry(told: str, debit: str, credit: str, amount: Decimal) -> Iterator[Entry]:
        if amount:
            yield Entry(
                day, row.number, row.kind, told, debit, credit, amount, row.currency, row.payer_code,
                row.variable_symbol,
            )  # fmt: skip

    if row.kind == "advance":
        return
    if row.kind in ("advance_tax", "advance_credit"):
        yield from entry("DPH z přijaté zálohy", of["advances_vat"], of["vat"], row.vat)
        return
    yield from entry("Základ", of["customers"], of["revenue"], row.net)
    yield from entry("DPH", of["customers"], of["vat"], row.vat)
    if deducted is not None:
        yield from entry("Odpočet zálohy", of["advances"], of["customers"], deducted.gross)
        yield from entry("DPH odečtené zálohy", of["advances_vat"], of["vat"], -deducted.vat)


def allocation_entry(row: Any, of: dict[str, str]) -> Entry | None:
    """What an allocation moves: money in transit to customers or advances; a set-off stays on one account."""
    if row.refunded:
        if row.money:
            return None  # the money in transit goes out as it came in
        debit, credit, told = of["customers"], of["payments"], "Vratka dobropisu"
    elif row.money:
        target = of["advances"] if row.item_kind == "advance" else of["customers"]
        debit, credit, told = of["payments"], target, "Zápočet přeplatku" if row.set_off else "Úhrada"
    else:
        target = of["advances"] if row.item_kind == "advance" else of["customers"]
        debit, credit, told = of["customers"], target, "Zápočet"
    document = row.set_off or row.number
    return Entry(row.day, document, row.mark, told, debit, credit, row.amount, row.currency, row.payer_code)


def _pohoda(row: Any) -> Document:
    return Document(
        number=row.number,
        kind=row.kind,
        issued_on=row.issue_date,
        tax_on=row.tax_date,
        due=row.due_date,
        symbol=row.variable_symbol,
        text=f"{row.number} {row.payer_name}"[:240],
        name=row.payer_name,
        street=row.street,
        city=row.city,
        postal_code=row.postal_code,
        ico=row.ico or "",
        dic=row.dic or "",
        vat=[VatPart(Decimal(each["percent"]), Decimal(each["base"]), Decimal(each["vat"])) for each in row.vat_rows],
    )
