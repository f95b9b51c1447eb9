"""Write an invoice as ISDOC 6.0.2 and check it against the official schema that comes with the product."""

import uuid
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from central.documents.texts import clean
from central.invoicing.account import parse_iban
from central.invoicing.document import DocumentLine, InvoiceDocument, PartyDetails, PointSection, VatRow
from central.invoicing.wording import wording
from central.platform.errors import BadInput

NAMESPACE = "http://isdoc.cz/namespace/2013"
METERING = "urn:rozvodna:metering:1"
"""Own namespace of the metering data in the document's extensions."""

BANK_TRANSFER = "42"
RECEIVED = "advance_tax"
"""The kind of a tax document for a received payment."""
ORIGINAL = "original"
"""How the reference to the original document is named within a document."""
VERSION = "6.0.2"
SCHEMA = Path(__file__).parent / "schema" / "isdoc-invoice-6.0.2.xsd"

ZERO = Decimal("0.00")
FROM_BASE, FROM_GROSS = "0", "1"
"""VATCalculationMethod: taxed from the base (zdola), or from a sum with VAT (shora)."""

UNIT_CODES = {"MWh": "MWH", "kW": "KWT", "MW": "MAW", "měs": "MON", "MVArh": "MVArh", "A": "AMP"}
"""UN/ECE recommendation 20 where it has a code; else the unit as printed."""

_NAMESPACES: Any = {None: NAMESPACE, "m": METERING}
"""The stubs of lxml do not know the default namespace."""

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def write_isdoc(document: InvoiceDocument) -> bytes:
    """The invoice as ISDOC, UTF-8. The UUID follows from supplier and number, so writing again gives the same bytes."""
    root = etree.Element(_q("Invoice"), nsmap=_NAMESPACES, version=VERSION)
    supplier = document.supplier
    _put(root, "DocumentType", str(document.document_type))
    _put(root, "ID", document.number)
    _put(root, "UUID", _uuid(supplier, document.number))
    _put(root, "IssuingSystem", "Rozvodna")
    _put(root, "IssueDate", document.issue_date.isoformat())
    if document.tax_date is not None:
        _put(root, "TaxPointDate", document.tax_date.isoformat())
    _put(root, "VATApplicable", "false" if document.tax_date is None else "true")
    _put(root, "ElectronicPossibilityAgreementReference", "")
    _put(root, "Note", _note(document))
    _put(root, "LocalCurrencyCode", document.currency)
    _put(root, "CurrRate", "1")
    _put(root, "RefCurrRate", "1")
    extensions = _add(root, "Extensions")
    for point in document.points:
        _metering(extensions, point)
    for key, value in (("Kind", document.kind), ("Reason", document.reason)):
        if value:
            _write(etree.SubElement(extensions, f"{{{METERING}}}{key}"), value)
    _party(_add(root, "AccountingSupplierParty"), supplier)
    _party(_add(root, "AccountingCustomerParty"), document.customer)
    if document.original is not None:
        reference = _add(_add(root, "OriginalDocumentReferences"), "OriginalDocumentReference")
        reference.set("id", ORIGINAL)
        _put(reference, "ID", document.original.number)
        _put(reference, "IssueDate", document.original.issue_date.isoformat())
        _put(reference, "UUID", _uuid(supplier, document.original.number))
    lines = _add(root, "InvoiceLines")
    for line in document.lines:
        _line(lines, line)
    _deposits(root, document)
    _totals(root, document)
    _payment(root, document)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def problems_of(isdoc: bytes) -> list[str]:
    """Where a document breaks the schema: empty for a valid one."""
    try:
        root = etree.fromstring(isdoc, _PARSER)
    except etree.XMLSyntaxError as error:
        return [str(error)]
    schema = _schema()
    if schema.validate(root):
        return []
    errors: Any = schema.error_log  # iterable, though its stubs do not say so
    return [f"line {entry.line}: {entry.message}" for entry in errors]


def require_valid(isdoc: bytes, number: str) -> None:
    """Raise BadInput where a written document breaks the schema, so that it never leaves."""
    problems = problems_of(isdoc)
    if problems:
        raise BadInput(
            "isdoc_invalid", f"The ISDOC of invoice {number} breaks the schema {VERSION}: {'; '.join(problems[:3])}."
        )


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(SCHEMA), _PARSER))


def _q(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, _q(name))


def _put(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = _add(parent, name)
    _write(element, text)
    return element


def _write(element: etree._Element, text: str) -> None:
    """Text as it is, or without what XML forbids: a name must not stop a document."""
    try:
        element.text = text
    except ValueError:
        element.text = clean(text)


def _party(parent: etree._Element, details: PartyDetails) -> None:
    party = _add(parent, "Party")
    _put(_add(party, "PartyIdentification"), "ID", details.ico or "")
    _put(_add(party, "PartyName"), "Name", details.name)
    address = _add(party, "PostalAddress")
    street, number = _street(details.street)
    _put(address, "StreetName", street)
    _put(address, "BuildingNumber", number)
    _put(address, "CityName", details.city)
    _put(address, "PostalZone", details.postal_code.replace(" ", ""))
    country = _add(address, "Country")
    _put(country, "IdentificationCode", details.country)
    _put(country, "Name", "Česká republika" if details.country == "CZ" else "")
    if details.dic:
        scheme = _add(party, "PartyTaxScheme")
        _put(scheme, "CompanyID", details.dic)
        _put(scheme, "TaxScheme", "VAT")
    if details.registration:
        _put(_add(party, "RegisterIdentification"), "Preformatted", details.registration)
    if details.email:
        _put(_add(party, "Contact"), "ElectronicMail", details.email)


def _street(street: str) -> tuple[str, str]:
    name, _, number = street.rpartition(" ")
    return (name, number) if name and number[:1].isdigit() else (street, "")


def _line(parent: etree._Element, line: DocumentLine) -> None:
    element = _add(parent, "InvoiceLine")
    # line tax of a base is exact (not rounded): rounding happens once, in the recapitulation
    tax = line.amount * line.vat_percent / 100 if line.vat is None else line.vat
    inclusive = line.unit_price * (100 + line.vat_percent) / 100 if line.vat is None else line.unit_price + line.vat
    _put(element, "ID", str(line.number))
    quantity = _put(element, "InvoicedQuantity", format(line.quantity, "f"))
    quantity.set("unitCode", UNIT_CODES.get(line.unit) or clean(line.unit))
    _put(element, "LineExtensionAmount", format(line.amount, "f"))
    _put(element, "LineExtensionAmountTaxInclusive", format(line.amount + tax, "f"))
    _put(element, "LineExtensionTaxAmount", format(tax, "f"))
    _put(element, "UnitPrice", format(line.unit_price, "f"))
    _put(element, "UnitPriceTaxInclusive", format(inclusive, "f"))
    category = _add(element, "ClassifiedTaxCategory")
    _put(category, "Percent", format(line.vat_percent, "f"))
    _put(category, "VATCalculationMethod", FROM_BASE if line.vat is None else FROM_GROSS)
    _put(element, "Note", " ".join((f"{line.source}.", *line.assumptions)) if line.assumptions else line.source)
    item = _add(element, "Item")
    _put(item, "Description", line.name)
    if line.rate is not None:
        _put(_add(item, "SellersItemIdentification"), "ID", str(line.rate))


def _uuid(supplier: PartyDetails, number: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"isdoc:{supplier.ico}:{number}")).upper()


def _note(document: InvoiceDocument) -> str:
    words = wording(document.language)
    note = words.notes.get(document.kind, words.notes["statement"])
    if document.original is not None:
        note = f"{words.titles[document.kind]}: {document.original.number}. {document.reason or ''}"
    return note + (words.notes["example"] if document.example else "")


def _deposits(root: etree._Element, document: InvoiceDocument) -> None:
    """What was paid in advance: untaxed advances lower what is paid, taxed ones the base and the VAT as well."""
    untaxed = [advance for advance in document.deductions if not advance.taxed]
    if untaxed:
        deposits = _add(root, "NonTaxedDeposits")
        for advance in untaxed:
            deposit = _add(deposits, "NonTaxedDeposit")
            _put(deposit, "ID", advance.number)
            _put(deposit, "VariableSymbol", advance.advance_number)
            _put(deposit, "DepositAmount", str(advance.gross))
    taxed = [advance for advance in document.deductions if advance.taxed]
    if taxed:
        deposits = _add(root, "TaxedDeposits")
        for advance in taxed:
            deposit = _add(deposits, "TaxedDeposit")
            _put(deposit, "ID", advance.number)
            _put(deposit, "VariableSymbol", advance.advance_number)
            _put(deposit, "TaxableDepositAmount", str(advance.net))
            _put(deposit, "TaxInclusiveDepositAmount", str(advance.gross))
            category = _add(deposit, "ClassifiedTaxCategory")
            _put(category, "Percent", format(advance.vat_percent, "f"))
            _put(category, "VATCalculationMethod", FROM_GROSS)


def _totals(root: etree._Element, document: InvoiceDocument) -> None:
    rows = {row.percent: row for row in document.vat_rows}
    claimed: dict[Decimal, VatRow] = {}
    for advance in document.deductions:
        if advance.taxed:
            before = claimed.get(advance.vat_percent, VatRow(advance.vat_percent, ZERO, ZERO))
            claimed[advance.vat_percent] = VatRow(
                advance.vat_percent, before.base + advance.net, before.vat + advance.vat
            )
    total = _add(root, "TaxTotal")
    for percent in sorted(rows.keys() | claimed.keys()):
        row = rows.get(percent, VatRow(percent, ZERO, ZERO))
        taken = claimed.get(percent, VatRow(percent, ZERO, ZERO))
        rest = VatRow(percent, row.base - taken.base, row.vat - taken.vat)
        sub = _add(total, "TaxSubTotal")
        for prefix, values in (("", row), ("AlreadyClaimed", taken), ("Difference", rest)):
            _put(sub, prefix + "TaxableAmount", str(values.base))
            _put(sub, prefix + "TaxAmount", str(values.vat))
            _put(sub, prefix + "TaxInclusiveAmount", str(values.gross))
        category = _add(sub, "TaxCategory")
        _put(category, "Percent", format(percent, "f"))
        _put(category, "VATApplicable", "false" if document.tax_date is None else "true")
    _put(total, "TaxAmount", str(document.vat))
    money = _add(root, "LegalMonetaryTotal")
    net = sum((row.base for row in claimed.values()), ZERO)
    gross = sum((row.gross for row in claimed.values()), ZERO)
    for prefix, exclusive, inclusive in (
        ("", document.net, document.gross),
        ("AlreadyClaimed", net, gross),
        ("Difference", document.net - net, document.gross - gross),
    ):
        _put(money, f"{prefix}TaxExclusiveAmount", str(exclusive))
        _put(money, f"{prefix}TaxInclusiveAmount", str(inclusive))
    # a tax document for a received payment tells of money that came: nothing is to be paid by it
    came = document.gross if document.kind == RECEIVED else document.deducted
    _put(money, "PaidDepositsAmount", str(came - gross))
    _put(money, "PayableAmount", str(document.gross - came))


def _payment(root: etree._Element, document: InvoiceDocument) -> None:
    if document.supplier.iban is None or document.kind == RECEIVED:
        return
    account = parse_iban(document.supplier.iban)
    payment = _add(_add(root, "PaymentMeans"), "Payment")
    _put(payment, "PaidAmount", str(document.payable))
    _put(payment, "PaymentMeansCode", BANK_TRANSFER)
    details = _add(payment, "Details")
    _put(details, "PaymentDueDate", document.due_date.isoformat())
    _put(details, "ID", account.number)
    _put(details, "BankCode", account.bank_code)
    _put(details, "Name", account.bank_name)
    _put(details, "IBAN", account.iban)
    _put(details, "BIC", account.bic)
    _put(details, "VariableSymbol", document.variable_symbol)


def _metering(parent: etree._Element, point: PointSection) -> None:
    element = etree.SubElement(parent, f"{{{METERING}}}SupplyPoint")
    element.set("code", clean(point.code))
    element.set("contract", clean(point.contract))
    element.set("from", point.start.isoformat())
    element.set("to", point.end.isoformat())
    for register in point.registers:
        states = etree.SubElement(element, f"{{{METERING}}}Register")
        states.set("meter", clean(register.meter))
        states.set("register", clean(register.register))
        states.set("start", str(register.start))
        states.set("end", str(register.end))
        states.set("consumption", str(register.consumption))
        states.set("unit", register.unit)
    for fact in point.facts:
        value = etree.SubElement(element, f"{{{METERING}}}Fact")
        value.set("label", clean(fact.label))
        _write(value, fact.value)
