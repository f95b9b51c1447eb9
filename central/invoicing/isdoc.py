"""Write an invoice as ISDOC 6.0.2 and check it against the official schema that comes with the product."""

import uuid
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from central.invoicing.account import parse_iban
from central.invoicing.document import DocumentLine, InvoiceDocument, PartyDetails, PointSection
from central.platform.errors import BadInput

NAMESPACE = "http://isdoc.cz/namespace/2013"
METERING = "urn:rozvodna:metering:1"
"""Own namespace of the metering data in the document's extensions."""

BANK_TRANSFER = "42"
VERSION = "6.0.2"
SCHEMA = Path(__file__).parent / "schema" / "isdoc-invoice-6.0.2.xsd"

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
    _put(root, "UUID", str(uuid.uuid5(uuid.NAMESPACE_URL, f"isdoc:{supplier.ico}:{document.number}")).upper())
    _put(root, "IssuingSystem", "Rozvodna")
    _put(root, "IssueDate", document.issue_date.isoformat())
    if document.tax_date is not None:
        _put(root, "TaxPointDate", document.tax_date.isoformat())
    _put(root, "VATApplicable", "true")
    _put(root, "ElectronicPossibilityAgreementReference", "")
    _put(root, "Note", "Vyúčtování distribuce" + (" – příklad podle vzorového ceníku" if document.example else ""))
    _put(root, "LocalCurrencyCode", document.currency)
    _put(root, "CurrRate", "1")
    _put(root, "RefCurrRate", "1")
    extensions = _add(root, "Extensions")
    for point in document.points:
        _metering(extensions, point)
    _party(_add(root, "AccountingSupplierParty"), supplier)
    _party(_add(root, "AccountingCustomerParty"), document.customer)
    lines = _add(root, "InvoiceLines")
    for line in document.lines:
        _line(lines, line)
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
    element.text = text
    return element


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
    # line tax is exact (not rounded): rounding happens once, in the recapitulation
    tax = line.amount * line.vat_percent / 100
    _put(element, "ID", str(line.number))
    quantity = _put(element, "InvoicedQuantity", format(line.quantity, "f"))
    quantity.set("unitCode", UNIT_CODES.get(line.unit, line.unit))
    _put(element, "LineExtensionAmount", format(line.amount, "f"))
    _put(element, "LineExtensionAmountTaxInclusive", format(line.amount + tax, "f"))
    _put(element, "LineExtensionTaxAmount", format(tax, "f"))
    _put(element, "UnitPrice", format(line.unit_price, "f"))
    _put(element, "UnitPriceTaxInclusive", format(line.unit_price * (100 + line.vat_percent) / 100, "f"))
    category = _add(element, "ClassifiedTaxCategory")
    _put(category, "Percent", format(line.vat_percent, "f"))
    _put(category, "VATCalculationMethod", "0")
    _put(element, "Note", " ".join((f"{line.source}.", *line.assumptions)) if line.assumptions else line.source)
    item = _add(element, "Item")
    _put(item, "Description", line.name)
    _put(_add(item, "SellersItemIdentification"), "ID", str(line.rate))


def _totals(root: etree._Element, document: InvoiceDocument) -> None:
    total = _add(root, "TaxTotal")
    for row in document.vat_rows:
        sub = _add(total, "TaxSubTotal")
        amounts = (row.base, row.vat, row.gross)
        for prefix, values in (("", amounts), ("AlreadyClaimed", ("0", "0", "0")), ("Difference", amounts)):
            for name, value in zip(("TaxableAmount", "TaxAmount", "TaxInclusiveAmount"), values, strict=True):
                _put(sub, prefix + name, str(value))
        category = _add(sub, "TaxCategory")
        _put(category, "Percent", format(row.percent, "f"))
        _put(category, "VATApplicable", "true")
    _put(total, "TaxAmount", str(document.vat))
    money = _add(root, "LegalMonetaryTotal")
    for prefix, net, gross in (
        ("", str(document.net), str(document.gross)),
        ("AlreadyClaimed", "0", "0"),
        ("Difference", str(document.net), str(document.gross)),
    ):
        _put(money, f"{prefix}TaxExclusiveAmount", net)
        _put(money, f"{prefix}TaxInclusiveAmount", gross)
    _put(money, "PaidDepositsAmount", "0")
    _put(money, "PayableAmount", str(document.gross))


def _payment(root: etree._Element, document: InvoiceDocument) -> None:
    if document.supplier.iban is None:
        return
    account = parse_iban(document.supplier.iban)
    payment = _add(_add(root, "PaymentMeans"), "Payment")
    _put(payment, "PaidAmount", str(document.gross))
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
    element.set("code", point.code)
    element.set("contract", point.contract)
    element.set("from", point.start.isoformat())
    element.set("to", point.end.isoformat())
    for register in point.registers:
        states = etree.SubElement(element, f"{{{METERING}}}Register")
        states.set("meter", register.meter)
        states.set("register", register.register)
        states.set("start", str(register.start))
        states.set("end", str(register.end))
        states.set("consumption", str(register.consumption))
        states.set("unit", register.unit)
    for fact in point.facts:
        value = etree.SubElement(element, f"{{{METERING}}}Fact")
        value.set("label", fact.label)
        value.text = fact.value
