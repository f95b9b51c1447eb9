"""The market operator's public SOAP service: envelopes, answers and faults.

Documented: the addresses, the namespace, the operations with their fields (service description of PublicDataService).
Names are compared by their local part, so that another prefix or namespace does not hide an answer.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from lxml import etree

from central.market.errors import InboundError
from central.market.xml import XmlLimits, parse_untrusted
from central.workflow.external.adapter import Part, UnreadableError
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

NAMESPACE: Final = "http://www.ote-cr.cz/schema/service/public"
ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
ADDRESSES: Final = (
    "https://www.ote-cr.cz/services/PublicDataService",
    "https://www.ote-cr.cz/pw-data/services/PublicDataService",
)
LONGEST_ASKED: Final = 31
"""Days that one question may ask for."""
_LIMITS: Final = XmlLimits(20_000_000, 8)
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{0,12})?")
_TRUE: Final = frozenset({"1", "true"})
HOURS: Final = "PT60M"
QUARTERS: Final = "PT15M"
_STEPS: Final = {HOURS: timedelta(hours=1), QUARTERS: timedelta(minutes=15)}


def question(operation: str, fields: Mapping[str, str]) -> Part:
    """The part of a run that calls an operation; named after it and what it asks for."""
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soapenv": ENVELOPE, "pub": NAMESPACE})
    etree.SubElement(envelope, f"{{{ENVELOPE}}}Header")
    call = etree.SubElement(etree.SubElement(envelope, f"{{{ENVELOPE}}}Body"), f"{{{NAMESPACE}}}{operation}")
    for name, value in fields.items():
        etree.SubElement(call, f"{{{NAMESPACE}}}{name}").text = value
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NAMESPACE}/{operation}"'}
    body = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
    return Part(" ".join((operation, *fields.values())), body=body, headers=headers)


def by_days(
    operation: str, first: date, last: date, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Part]:
    """Calls that ask for the days from `first` to `last`, both included, as many in each as the service takes.

    Fields stand `before` and `after` the days: their order is the service's own.
    """
    while first <= last:
        end = min(last, first + timedelta(days=LONGEST_ASKED - 1))
        yield question(operation, {**before, "StartDate": first.isoformat(), "EndDate": end.isoformat(), **after})
        first = end + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an answer: texts by the local names of its elements."""

    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field that must be there; UnreadableError."""
        found = self.fields.get(name, "")
        if not found:
            raise UnreadableError(f"An item of the answer has no {name}: {dict(self.fields)}"[:300] + ".")
        return found

    def day(self, name: str = "Date") -> date:
        """A day; a zone after it means nothing for a calendar day."""
        written = self.text(name)
        try:
            return date.fromisoformat(written[:10])
        except ValueError:
            raise UnreadableError(f"The {name} {written[:40]!r} of an item is not a day.") from None

    def whole(self, name: str) -> int:
        """A whole number from 0 on."""
        written = self.text(name)
        if not (written.isascii() and written.isdigit() and len(written) <= 9):
            raise UnreadableError(f"The {name} {written[:40]!r} of an item is not a whole number.")
        return int(written)

    def number(self, *names: str) -> Decimal | None:
        """A number under the first of the names that is there; None where none is."""
        for name in names:
            if written := self.fields.get(name, ""):
                return number(written, name)
        return None

    def flag(self, *names: str) -> bool:
        """Whether one of the flags is set."""
        return any(self.fields.get(name, "").lower() in _TRUE for name in names)


def number(written: str, name: str) -> Decimal:
    """A decimal number with a point; UnreadableError otherwise."""
    if not _DECIMAL.fullmatch(written):
        raise UnreadableError(f"The {name} {written[:40]!r} of an item is not a number.")
    return Decimal(written)


def read_answer(octets: bytes) -> tuple[str, list[Item]]:
    """The operation that is answered, and its items; UnreadableError for a fault or anything else."""
    try:
        root = parse_untrusted(octets, _LIMITS)
    except InboundError as error:
        raise UnreadableError(f"The answer is not XML of the service: {error}") from None
    if etree.QName(root).localname != "Envelope":
        raise UnreadableError(f"The answer is {etree.QName(root).localname!r}, no SOAP envelope.")
    content = next((each for each in root if etree.QName(each).localname == "Body"), None)
    answered = None if content is None else next(iter(content), None)
    if answered is None:
        raise UnreadableError("The SOAP envelope of the answer has no body.")
    name = etree.QName(answered).localname
    if name == "Fault":
        said = next((each.text for each in answered.iter() if etree.QName(each).localname == "faultstring"), None)
        raise UnreadableError(f"The service answers with a fault: {(said or 'without text').strip()[:400]}.")
    if not name.endswith("Response"):
        raise UnreadableError(f"The SOAP body of the answer holds {name}, no response.")
    result = next((each for each in answered if etree.QName(each).localname == "Result"), None)
    items = [] if result is None else [Item(_texts(each)) for each in result]
    return name.removesuffix("Response"), items


def _texts(item: etree._Element) -> dict[str, str]:
    return {etree.QName(each).localname: (each.text or "").strip() for each in item}


def begins(day: date, index: int, resolution: str) -> datetime:
    """When the interval `index` (from 1) of a day begins: 92, 96 or 100 quarter-hours, 23, 24 or 25 hours in a day."""
    step = _STEPS.get(resolution)
    if step is None:
        raise UnreadableError(f"The resolution {resolution[:20]!r} is neither {QUARTERS} nor {HOURS}.")
    metering_day = MeteringDay(Commodity.ELECTRICITY, day)
    length = (metering_day.end - metering_day.start) // step
    if not 1 <= index <= length:
        raise UnreadableError(f"The day {day} has the intervals 1 to {length} of {resolution}, not {index}.")
    return metering_day.start + (index - 1) * step
