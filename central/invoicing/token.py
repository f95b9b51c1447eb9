"""The token of a preview: a digest of all that it showed. Pure."""

import hashlib
from collections.abc import Iterable

import msgspec

from central.invoicing.document import InvoiceDocument
from central.invoicing.selection import Order


def token_of(orders: Iterable[Order], documents: Iterable[InvoiceDocument]) -> str:
    """Whoever issues with it gets exactly these documents, or is refused.

    `documents` are those of the orders, composed without numbers: all that is printed or exported comes from them
    (parties, language, days, lines, past consumption, deductions, VAT), and the day of issue with it. Added are the
    bases with their fingerprints, and the contracts whose period a document ends.
    """
    digest = hashlib.sha256()
    for order, document in zip(orders, documents, strict=True):
        bases = [[row.id, row.stamp] for row in order.bases]
        sides = [order.supplier, order.payer, order.original, sorted(order.settles)]
        digest.update(msgspec.json.encode([sides, bases, document]))
    return "sha256:" + digest.hexdigest()
