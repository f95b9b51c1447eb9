"""Batches for print: the PDFs of many documents as one, each beginning on a sheet of its own."""

from collections.abc import Iterable
from datetime import datetime
from io import BytesIO

import pikepdf
from sqlalchemy import Connection, insert, select, text, update

from central.invoicing.delivery.tables import delivery, print_batch
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person

MOST = 500
"""Documents of a batch: its file is put together in memory."""

_INVOICES = text("""
    -- the invoices that wait, locked before their deliveries: who cancels one holds it and withdraws these
    SELECT i.id FROM invoice i
     WHERE i.id IN (SELECT d.invoice FROM delivery d WHERE d.kind = 'print' AND d.state = 'queued'
                     ORDER BY d.number LIMIT :most)
     ORDER BY i.id FOR UPDATE
""")
_WAITING = text("""
    SELECT d.id FROM delivery d
     WHERE d.kind = 'print' AND d.state = 'queued'
       AND (d.invoice IS NULL OR d.invoice = ANY (CAST(:invoices AS bigint[])))
     ORDER BY d.number LIMIT :most FOR UPDATE SKIP LOCKED
""")
_FILES = text("""
    SELECT coalesce(f.content, a.content) AS content
      FROM delivery d
      LEFT JOIN invoice_file f ON f.invoice = d.invoice AND f.kind = 'pdf'
      LEFT JOIN advance_file a ON (a.advance = d.advance OR a.document = d.advance_document) AND a.kind = 'pdf'
     WHERE d.batch = :batch ORDER BY d.number
""")
_SENT = text("""
    UPDATE invoice SET state = 'sent' FROM delivery d
     WHERE d.batch = :batch AND invoice.id = d.invoice AND invoice.state = 'issued'
""")


def make_batch(connection: Connection, person: Person, at: datetime) -> dict[str, int]:
    """Put the queued documents, at most MOST, into a new batch. Refused where none waits."""
    invoices = list(connection.execute(_INVOICES, {"most": MOST}).scalars())
    ids = connection.execute(_WAITING, {"most": MOST, "invoices": invoices}).scalars().all()
    if not ids:
        raise Refused("nothing_to_print", "No document waits for print; order it by POST /v1/deliveries first.")
    row = {"documents": len(ids), "made_at": at, "made_by": person.name}
    batch: int = connection.execute(insert(print_batch).values(row).returning(print_batch.c.id)).scalar_one()
    sent = {"state": "sent", "sent_at": at, "batch": batch}
    connection.execute(update(delivery).where(delivery.c.id.in_(ids)).values(sent))
    connection.execute(_SENT, {"batch": batch})
    audit.record(connection, person, "delivery.print", f"print_batch/{batch}", {"documents": len(ids)}, at)
    return {"batch": batch, "documents": len(ids)}


def batch_pdf(connection: Connection, batch: int) -> bytes:
    """The batch as one PDF; the same batch gives the same bytes."""
    known = connection.execute(select(print_batch.c.id).where(print_batch.c.id == batch)).one_or_none()
    if known is None:
        raise NotFound("batch_not_found", f"There is no print batch {batch}; see GET /v1/print-batches.")
    return merged(connection.execute(_FILES, {"batch": batch}).scalars())


def merged(files: Iterable[bytes]) -> bytes:
    """PDFs one after another; after an odd number of pages a blank one, so that double-sided print keeps them apart."""
    with pikepdf.new() as whole:
        for content in files:
            with pikepdf.open(BytesIO(content)) as document:
                whole.pages.extend(document.pages)
                if len(document.pages) % 2:
                    box = document.pages[-1].mediabox
                    whole.add_blank_page(page_size=(float(box[2]), float(box[3])))
        out = BytesIO()
        whole.save(out, deterministic_id=True)
        return out.getvalue()
