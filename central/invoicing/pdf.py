"""Render documents as PDF/A-3b with the ISDOC inside; what is printed is laid out by templates/invoice.typ."""

from datetime import UTC, datetime, time
from pathlib import Path

from central.documents import pdf
from central.invoicing.document import InvoiceDocument
from central.invoicing.printed import printed

TEMPLATE = Path(__file__).parent / "templates" / "invoice.typ"


def render_pdf(document: InvoiceDocument, isdoc: bytes) -> bytes:
    """The document as PDF/A-3b with its ISDOC attached as "<number>.isdoc", the alternative to what is printed.

    The same document gives the same bytes: its time stamp is the issue date.
    """
    stamp = datetime.combine(document.issue_date, time(), UTC)
    return pdf.render_archive_pdf(TEMPLATE, printed(document), {"isdoc": isdoc.decode()}, stamp)


def render_pages(document: InvoiceDocument, ppi: float = 110.0) -> list[bytes]:
    """The document's pages as PNG pictures, for looking at and for tests."""
    return pdf.render_pages(TEMPLATE, printed(document), ppi)
