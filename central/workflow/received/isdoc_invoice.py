"""An ISDOC of another issuer as a received invoice. Pure.

Read by local names, whatever namespace and version; what its schema would not allow is a problem and not a refusal. The
days that the invoice is for stand in no element of ISDOC: our own documents have them in their extensions, for others
they are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from lxml import etree

from central.invoicing.isdoc import METERING, problems_of
from central.market.errors import MarketError
from central.market.xml import XmlLimits, parse_untrusted
from central.platform.errors import BadInput
from central.workflow.received.invoice import CROWNS, ReceivedInvoice, ReceivedItem, arithmetic, rates
from shared.metering_day import PRAGUE

LIMITS: Final = XmlLimits(size_bytes=5_000_000, depth=20)
MOST_LINES: Final = 10_000
_KINDS: Final = {
    "1": "regular", "2": "correction", "3": "correction", "4": "advance", "5": "advance", "6": "correction",
}  # fmt: skip
"""By DocumentType: invoice, credit note, debit note, advance, tax document for a payment, credit note of that one."""
_MOST: Final = Decimal(10) ** 12
_MOST_DIGITS: Final = 30
_BEGINS: Final = {time(), time(6)}
_CENT: Final = Decimal("0.01")
_HUNDRED: Final = Decimal(100)
_TEXT: Final = 1000
_RATE_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Given:
    """What the ISDOC does not say: days [first, stop), point, commodity; parties' EAN by company number (IČO)."""

    commodity: Literal["electricity", "gas"]
    first: date | None = None
    stop: date | None = None
    point: str | None = None
    ean_of: Mapping[str, str] | None = None


def company_numbers(root: etree._Element) -> list[str]:
    """Company numbers of issuer and recipient, as far as they are there."""
    found = (_company_number(root, f"Accounting{side}Party") for side in ("Supplier", "Customer"))
    return [each for each in found if each is not None]


def parse_isdoc(content: bytes) -> etree._Element:
    """The root; BadInput where it is no ISDOC invoice, too large, or has declarations that could define entities."""
    try:
        root = parse_untrusted(content, LIMITS)
    except MarketError as error:
        raise BadInput(error.code, error.message, 413 if error.code == "xml_too_large" else 422) from None
    if _local(root) != "Invoice":
        raise BadInput("isdoc", f"The document is <{_local(root)[:100]}>, expected the <Invoice> of an ISDOC.")
    return root


def read_isdoc(content: bytes, given: Given) -> ReceivedInvoice:
    """The invoice; BadInput names the element that is missing or cannot be read."""
    root = parse_isdoc(content)
    points, first, stop = _points(root)
    first, stop = given.first or first, given.stop or stop
    if first is None or stop is None:
        raise BadInput("period", "An ISDOC does not say the days that it is for: give `first` and `stop` (exclusive).")
    if not first < stop:
        raise BadInput("period", f"The invoice is for the days from {first} to before {stop}: that is no day.")
    number = _require(root, "ID")
    kind = _KINDS.get(_text(root, "DocumentType") or "", "")
    if not kind:
        raise BadInput("isdoc", f"The invoice {number} has a DocumentType that is not 1 to 6.")
    point = given.point or (points[0] if len(points) == 1 else None)
    invoice = ReceivedInvoice(
        issuer=_party(root, "AccountingSupplierParty", given),
        recipient=_party(root, "AccountingCustomerParty", given, needed=False) or None,
        number=number,
        kind=kind,
        commodity=given.commodity,
        corrects=_text(root, "OriginalDocumentReferences/OriginalDocumentReference/ID"),
        point=point,
        first=first,
        stop=stop,
        issued=_day(root, "IssueDate", needed=True) or first,
        tax_point=_day(root, "TaxPointDate"),
        due=_day(root, "PaymentMeans/Payment/Details/PaymentDueDate"),
        variable_symbol=_text(root, "PaymentMeans/Payment/Details/VariableSymbol"),
        net=_amount(root, "LegalMonetaryTotal/TaxExclusiveAmount"),
        gross=_amount(root, "LegalMonetaryTotal/TaxInclusiveAmount"),
        vat=_amount(root, "TaxTotal/TaxAmount"),
        to_pay=_amount(root, "LegalMonetaryTotal/PayableAmount"),
        currency=_currency(root, number),
        items=_items(root, first, stop, number),
    )
    return replace(invoice, problems=[*problems_of(content)[:10], *arithmetic(invoice)[:50]])


def _items(root: etree._Element, first: date, stop: date, number: str) -> list[ReceivedItem]:
    lines = _all(root, "InvoiceLines/InvoiceLine")
    if len(lines) > MOST_LINES:
        raise BadInput("isdoc", f"The invoice {number} has {len(lines)} lines; at most {MOST_LINES} are taken.")
    return [_item(line, first, stop) for line in lines]


def _item(line: etree._Element, first: date, stop: date) -> ReceivedItem:
    code = _text(line, "Item/SellersItemIdentification/ID")
    quantity = _one(line, "InvoicedQuantity")
    unit = None if quantity is None else quantity.get("unitCode")
    return ReceivedItem(
        code=code,
        rate=_rate(code),
        description=_text(line, "Item/Description") or _text(line, "Note") or "",
        first=first,
        stop=stop,
        quantity=_number(line, "InvoicedQuantity"),
        unit=unit[:20] if unit else None,
        unit_price=_number(line, "UnitPrice"),
        net=_amount(line, "LineExtensionAmount"),
        vat_rate=_percent(line),
    )


def _rate(code: str | None) -> int | None:
    """The item's code itself where it is a number of ours, or the rate that an item code of messages has."""
    if code is None or (code.isascii() and code.isdigit() and len(code) <= _RATE_DIGITS):
        return None if code is None else int(code)
    return rates().get(code)


def _points(root: etree._Element) -> tuple[list[str], date | None, date | None]:
    """Points and days of our own extension."""
    sections = [each for each in _all(root, "Extensions/SupplyPoint") if each.tag == f"{{{METERING}}}SupplyPoint"]
    codes = sorted({each.get("code") or "" for each in sections} - {""})
    try:
        days = [(_instant(each.get("from", "")).date(), _stop(_instant(each.get("to", "")))) for each in sections]
    except (ValueError, OverflowError):
        days = []
    if not days:
        return codes, None, None
    return codes, min(first for first, _ in days), max(stop for _, stop in days)


def _instant(text: str) -> datetime:
    given = datetime.fromisoformat(text)
    return given.replace(tzinfo=PRAGUE) if given.tzinfo is None else given.astimezone(PRAGUE)


def _stop(end: datetime) -> date:
    """The day after the last: an end that begins no day (of electricity or gas) lies in the last one."""
    return end.date() if end.time() in _BEGINS else end.date() + timedelta(days=1)


def _party(root: etree._Element, name: str, given: Given, *, needed: bool = True) -> str:
    company_number = _company_number(root, name)
    if company_number is None:
        if needed:
            raise BadInput("isdoc", f"The invoice does not say its {name}/Party/PartyIdentification/ID (IČO).")
        return ""
    return (given.ean_of or {}).get(company_number, company_number)


def _company_number(root: etree._Element, name: str) -> str | None:
    return _text(root, f"{name}/Party/PartyIdentification/ID")


def _percent(line: etree._Element) -> Decimal | None:
    percent = _number(line, "ClassifiedTaxCategory/Percent")
    if percent is not None and not 0 <= percent <= _HUNDRED:
        raise BadInput("isdoc", f"A line has {percent} % of VAT, expected 0 to 100.")
    return percent


def _amount(element: etree._Element, path: str) -> Decimal:
    found = _number(element, path)
    if found is None:
        raise BadInput("isdoc", f"The invoice has no {path}.")
    if found != found.quantize(_CENT):
        raise BadInput("isdoc", f"{path} is {found}, expected an amount with two decimal places.")
    return found.quantize(_CENT)


def _currency(root: etree._Element, number: str) -> str:
    """That of the amounts: the local one; a foreign currency stands beside it in elements that are not read."""
    code = _text(root, "LocalCurrencyCode") or CROWNS
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise BadInput("isdoc", f"The invoice {number} has the currency {code[:20]!r}, expected a code such as CZK.")
    return code


def _number(element: etree._Element, path: str) -> Decimal | None:
    text = _text(element, path)
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) >= _MOST or len(number.as_tuple().digits) > _MOST_DIGITS:
        raise BadInput("isdoc", f"{path} is {text[:50]!r}, expected a number.")
    return number


def _day(element: etree._Element, path: str, *, needed: bool = False) -> date | None:
    text = _text(element, path)
    if text is None:
        if needed:
            raise BadInput("isdoc", f"The invoice has no {path}.")
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadInput("isdoc", f"{path} is {text[:50]!r}, expected a day such as 2026-03-31.") from None


def _require(element: etree._Element, path: str) -> str:
    text = _text(element, path)
    if text is None:
        raise BadInput("isdoc", f"The invoice has no {path}.")
    return text


def _text(element: etree._Element, path: str) -> str | None:
    found = _one(element, path)
    text = (found.text or "").strip()[:_TEXT] if found is not None else ""
    return text or None


def _one(element: etree._Element, path: str) -> etree._Element | None:
    found = _all(element, path)
    return found[0] if found else None


def _all(element: etree._Element, path: str) -> Sequence[etree._Element]:
    found = [element]
    for name in path.split("/"):
        found = [child for each in found for child in each if _local(child) == name]
    return found


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
