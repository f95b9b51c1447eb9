"""Make the files of documents: ISDOC checked against its schema, and the PDF that holds it; many of them by a pool."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from central.invoicing.account import AccountError, parse_iban
from central.invoicing.document import InvoiceDocument, PartyDetails
from central.invoicing.isdoc import require_valid, write_isdoc
from central.invoicing.pdf import render_pdf
from central.platform.errors import BadInput
from central.platform.workers import worker_pool

WORKERS = 2
POOL_FROM = 200
"""So many documents are worth the second that a worker needs to begin."""
BATCH = 25
"""Documents handed to a worker at once."""


class File(NamedTuple):
    """A file of a document: kind "pdf" or "isdoc"."""

    kind: str
    content: bytes
    digest: str


def make_files(document: InvoiceDocument) -> list[File]:
    """The ISDOC and the PDF of one document. Raises BadInput where the ISDOC would break its schema, or where the
    seller's account is none that payment data are known for."""
    _require_account(document.supplier)
    isdoc = write_isdoc(document)
    require_valid(isdoc, document.number)
    return [
        File(kind, content, "sha256:" + hashlib.sha256(content).hexdigest())
        for kind, content in (("pdf", render_pdf(document, isdoc)), ("isdoc", isdoc))
    ]


def _require_account(supplier: PartyDetails) -> None:
    try:
        if supplier.iban is not None:
            parse_iban(supplier.iban)
    except AccountError as error:
        raise BadInput(
            "seller_account",
            f"{supplier.name} cannot issue documents with its account: {error} Give it a Czech account, or none.",
        ) from error


class Renderer:
    """Makes files of many documents, in this process or by a pool; results come in the order of the documents."""

    def __init__(self, pool: ProcessPoolExecutor | None) -> None:
        self._pool = pool

    def files(self, documents: Sequence[InvoiceDocument]) -> Iterator[list[File]]:
        """The files of each document; with a pool the work begins at once, not when it is asked for."""
        if self._pool is None:
            return map(make_files, documents)
        return self._pool.map(make_files, documents, chunksize=BATCH)


@contextmanager
def renderer(count: int) -> Iterator[Renderer]:
    """A renderer for `count` documents."""
    if count < POOL_FROM:
        yield Renderer(None)
        return
    with worker_pool(WORKERS, _use_one_core) as pool:
        yield Renderer(pool)


def _use_one_core() -> None:
    # the workers take the cores: threads of typst beside them would only wait for each other
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
