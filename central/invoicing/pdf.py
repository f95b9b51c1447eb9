"""Render invoices: what is printed, laid out by templates/invoice.typ."""

from datetime import UTC, datetime, time
from pathlib import Path

from central.documents import pdf
from central.invoicing.document import InvoiceDocument
from central.invoicing.printed import printed

TEMPLATE = Path(__file__).parent / "templates" / "invoice.typ"


def render_pdf(document: InvoiceDocument) -> bytes:
    """The invoice as PDF; the same document gives the same bytes (its time stamp is the issue date)."""
    stamp = datetime.combine(document.issue_date, time(), UTC)
    return pdf.render_pdf(TEMPLATE, printed(document), stamp)


def render_pages(document: InvoiceDocument, ppi: float = 110.0) -> list[bytes]:
    """The invoice's pages as PNG pictures, for looking at and for tests."""
    return pdf.render_pages(TEMPLATE, printed(document), ppi)
