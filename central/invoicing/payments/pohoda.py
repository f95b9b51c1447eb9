"""Issued documents as XML for the accounting program Pohoda (dataPack 2.0 with invoices). Pure.

The form is the publisher's public schema (data.xsd, invoice.xsd, type.xsd, version 2.0); which classes of VAT and which
rates it takes by name is assumed here: 0 none, 12 low, 21 high, others into the third rate. The form has tax documents
only: what moves money or open items without one (payments, set-offs, deductions, write-offs) is in the CSV.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from lxml import etree

from central.invoicing.payments.statement import clean

DATA: Final = "http://www.stormware.cz/schema/version_2/data.xsd"
INVOICE: Final = "http://www.stormware.cz/schema/version_2/invoice.xsd"
TYPE: Final = "http://www.stormware.cz/schema/version_2/type.xsd"

KINDS: Final = {
    "regular": "issuedInvoice",
    "annual": "issuedInvoice",
    "collective": "issuedInvoice",
    "corrective": "issuedCorrectiveTax",
    "cancelling": "issuedCorrectiveTax",
    "advance_tax": "issuedInvoice",
    "advance_credit": "issuedCorrectiveTax",
}
"""Every kind of tax document -> its type there; a request of an advance is none and is not handed over.

That a tax document for a received payment goes as an issued invoice is assumed: the schema has no type of its own."""
RATES: Final = {Decimal(0): "None", Decimal(12): "Low", Decimal(21): "High"}


@dataclass(frozen=True, slots=True)
class VatPart:
    """A rate of the VAT recapitulation."""

    percent: Decimal
    base: Decimal
    vat: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """An issued document as the accounting takes it."""

    number: str
    kind: str
    issued_on: date
    tax_on: date
    due: date
    symbol: str
    text: str
    name: str
    street: str
    city: str
    postal_code: str
    ico: str
    dic: str
    vat: Sequence[VatPart]
    currency: str = "CZK"


def vat_left(rows: Iterable[Mapping[str, str]], claimed: Iterable[Mapping[str, str]]) -> list[VatPart]:
    """The VAT recapitulation without what the tax documents of deducted advances said already (below 0: given back).

    Rows of `percent`, `base`, `vat`. So the documents together say the true VAT, each haléř once.
    """
    sums: dict[Decimal, VatPart] = {}
    for sign, each in (*((1, row) for row in rows), *((-1, row) for row in claimed)):
        percent = Decimal(each["percent"])
        part = sums.get(percent, VatPart(percent, Decimal("0.00"), Decimal("0.00")))
        sums[percent] = VatPart(
            percent, part.base + sign * Decimal(each["base"]), part.vat + sign * Decimal(each["vat"])
        )
    return list(sums.values())


def write_pohoda(identifier: str, ico: str, documents: Sequence[Document]) -> bytes:
    """The dataPack in UTF-8, one item a document."""
    root = etree.fromstring(
        f'<dat:dataPack xmlns:dat="{DATA}" xmlns:inv="{INVOICE}" xmlns:typ="{TYPE}" version="2.0" id="{identifier}" '
        'application="Rozvodna" note="Vydané doklady"/>'
    )
    root.set("ico", ico)
    for document in documents:
        item = _put(root, DATA, "dataPackItem")
        item.set("version", "2.0")
        item.set("id", document.number)
        invoice = _put(item, INVOICE, "invoice")
        invoice.set("version", "2.0")
        _head(_put(invoice, INVOICE, "invoiceHeader"), document)
        summary = _put(invoice, INVOICE, "invoiceSummary")
        if document.currency == "CZK":
            _summary(_put(summary, INVOICE, "homeCurrency"), document)
        else:
            _foreign(_put(summary, INVOICE, "foreignCurrency"), document)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def _head(head: etree._Element, document: Document) -> None:
    _put(head, INVOICE, "invoiceType", KINDS[document.kind])
    _put(_put(head, INVOICE, "number"), TYPE, "numberRequested", document.number)
    _put(head, INVOICE, "symVar", document.symbol)
    _put(head, INVOICE, "date", document.issued_on.isoformat())
    _put(head, INVOICE, "dateTax", document.tax_on.isoformat())
    _put(head, INVOICE, "dateDue", document.due.isoformat())
    _put(head, INVOICE, "text", document.text)
    address = _put(_put(head, INVOICE, "partnerIdentity"), TYPE, "address")
    for name, value in (
        ("company", document.name[:255]),
        ("city", document.city[:45]),
        ("street", document.street[:64]),
        ("zip", document.postal_code[:15]),
        ("ico", document.ico[:15]),
        ("dic", document.dic[:18]),
    ):
        if value:
            _put(address, TYPE, name, value)


def _summary(summary: etree._Element, document: Document) -> None:
    sums: dict[str, list[Decimal]] = {}
    for part in document.vat:
        kept = sums.setdefault(RATES.get(part.percent.normalize() + 0, "3"), [Decimal("0.00"), Decimal("0.00")])
        kept[0] += part.base
        kept[1] += part.vat
    for rate in ("None", "Low", "High", "3"):
        if rate not in sums:
            continue
        base, vat = sums[rate]
        _put(summary, TYPE, f"price{rate}", f"{base:f}")
        if rate != "None":
            _put(summary, TYPE, f"price{rate}VAT", f"{vat:f}")
            _put(summary, TYPE, f"price{rate}Sum", f"{base + vat:f}")


def _foreign(summary: etree._Element, document: Document) -> None:
    """The sum in the document's own currency; its rate and its amounts in crowns are the accountant's."""
    _put(_put(summary, TYPE, "currency"), TYPE, "ids", document.currency)
    _put(summary, TYPE, "priceSum", f"{sum((part.base + part.vat for part in document.vat), Decimal('0.00')):f}")


def _put(parent: etree._Element, space: str, name: str, value: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{space}}}{name}")
    if value is not None:
        child.text = clean(value)
    return child
