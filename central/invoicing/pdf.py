"""Render invoices by typst: the template is read and the compiler made once, the data travel as one input."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst

from central.invoicing.document import InvoiceDocument
from central.invoicing.printed import printed

TEMPLATE = Path(__file__).parent / "templates" / "invoice.typ"


def render_pdf(document: InvoiceDocument) -> bytes:
    """The invoice as PDF; the same document gives the same bytes (its time stamp is the issue date)."""
    stamp = datetime.combine(document.issue_date, time(), UTC)
    return _files(_compiler().compile(format="pdf", sys_inputs=_inputs(printed(document)), timestamp=stamp))[0]


def render_pages(document: InvoiceDocument, ppi: float = 110.0) -> list[bytes]:
    """The invoice's pages as PNG pictures, for looking at and for tests."""
    return _files(_compiler().compile(format="png", ppi=ppi, sys_inputs=_inputs(printed(document))))


def _files(compiled: bytes | list[bytes] | None) -> list[bytes]:
    """What the compiler gives: one file, one for each page, or nothing where it was told to write itself."""
    if compiled is None:
        raise RuntimeError("The typst compiler returned no file for the invoice.")
    return [compiled] if isinstance(compiled, bytes) else compiled


def _inputs(data: Mapping[str, Any]) -> dict[str, str]:
    return {"data": json.dumps(data, ensure_ascii=False)}


@lru_cache(maxsize=1)
def _compiler() -> typst.Compiler:
    # only the fonts inside the wheel: a fresh machine has no others, and the result must not depend on it
    return typst.Compiler(str(TEMPLATE), root=str(TEMPLATE.parent), ignore_system_fonts=True)
