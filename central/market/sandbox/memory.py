"""What the sandbox remembers of accepted messages: registered points, versions, documents; and what follows from it.

Facts are read from the XML alone (`facts_of`), kept in the journal, and learned again after a restart.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import msgspec
from lxml import etree

from central.market.envelope import children
from central.market.response import Reason
from central.market.sandbox.scenario import Scenario


class Fact(msgspec.Struct, frozen=True):
    """What a message says or needs of something: `key` is the point, what has a version, or the document."""

    kind: Literal["needs", "registers", "ends", "version", "document", "refers"]
    key: str
    version: int = 0


def facts_of(root: etree._Element, code: str) -> list[Fact]:
    """The facts of a message that satisfies its schema."""
    reader = _READERS.get(etree.QName(root).localname)
    return [] if reader is None else list(reader(root, code))


class Memory:
    """What was learned, over what the scenario says from the beginning."""

    def __init__(self, scenario: Scenario, facts: Iterable[Fact] = ()) -> None:
        self._asks = scenario.points is not None or scenario.strict
        self._strict = scenario.strict
        self._points = set(scenario.points or ())
        self._versions: dict[str, int] = {}
        self._documents: set[str] = set()
        self.learn(facts)

    def learn(self, facts: Iterable[Fact]) -> None:
        """Remember the facts of an accepted message."""
        for fact in facts:
            if fact.kind == "registers":
                self._points.add(fact.key)
            elif fact.kind == "ends":
                self._points.discard(fact.key)
            elif fact.kind == "version":
                self._versions[fact.key] = max(fact.version, self._versions.get(fact.key, 0))
            elif fact.kind == "document":
                self._documents.add(fact.key)

    def reasons(self, facts: Iterable[Fact]) -> Iterator[Reason]:
        """What speaks against a message with these facts."""
        said = dict.fromkeys(facts)
        own = {fact.key for fact in said if fact.kind in ("document", "registers")}
        for fact in said:
            if fact.kind == "needs" and self._asks and fact.key not in self._points and fact.key not in own:
                yield Reason("A02", "S111", f"supply point {fact.key} is not registered")
            elif fact.kind == "registers" and self._asks and fact.key in self._points:
                yield Reason("A03", "S112", f"supply point {fact.key} was registered before")
            elif fact.kind == "version" and fact.version < self._versions.get(fact.key, 0):
                known = self._versions[fact.key]
                yield Reason("A02", "S140", f"{fact.key}: version {fact.version} comes after version {known}")
            elif fact.kind == "version" and fact.version == self._versions.get(fact.key):
                yield Reason("A03", "S142", f"{fact.key}: version {fact.version} came before; the later one holds")
            elif fact.kind == "document" and fact.key in self._documents:
                yield Reason("A03", "S142", f"{fact.key} came before; the later one holds")
            elif fact.kind == "refers" and self._strict and fact.key not in self._documents | own:
                yield Reason("A02", "S141", f"{fact.key} is not known and cannot be referred to")


def _of(parent: etree._Element, *path: str) -> list[etree._Element]:
    """Elements below a path of local names in the parent's namespace."""
    found = [parent]
    for name in path:
        found = [child for each in found for child in children(each, etree.QName(parent).namespace, name)]
    return found


def _data(root: etree._Element, code: str) -> Iterator[Fact]:
    for location in _of(root, "Location"):
        opm = location.get("opm-id", "")
        yield Fact("needs", opm)
        days = [each.get("date-time-from", "") for each in _of(location, "Profile")]
        days += [each.get("reading-date", "") for each in _of(location, "Meter")]
        version = location.get("version")
        if version is not None and days:
            yield Fact("version", f"{code} {opm} {min(days)}", int(version))


def _master_data(root: etree._Element, _code: str) -> Iterator[Fact]:
    for point in [*_of(root, "Opm"), *_of(root, "OPM")]:
        opm, action = point.get("opm-id", ""), point.get("action")
        if action == "REG":
            yield Fact("registers", opm)
        else:
            yield Fact("needs", opm)
        if action == "CAN":
            yield Fact("ends", opm)


def _documents(code: str, opm: str, number: str | None, refers: str | None) -> Iterator[Fact]:
    yield Fact("needs", opm)
    if number:
        yield Fact("document", f"{code} {opm} {number}")
    if refers:
        yield Fact("refers", f"{code} {opm} {refers}")


def _billing_data(root: etree._Element, code: str) -> Iterator[Fact]:
    for document in _of(root, "Opm"):
        yield from _documents(code, document.get("opm-id", ""), document.get("number"), document.get("sc-number"))


def _invoices(root: etree._Element, code: str) -> Iterator[Fact]:
    for document in _of(root, "Invoice"):
        for subjects in _of(document, "Subjects"):
            refers = document.get("corrects-number")
            yield from _documents(code, subjects.get("opm-id", ""), document.get("number"), refers)


def _gas_billing(root: etree._Element, code: str) -> Iterator[Fact]:
    for head in _of(root, "invoice", "head"):
        opm = next((each.get("opm", "") for each in _of(head, "subjects")), "")
        for attributes in _of(head, "attributes"):
            yield from _documents(code, opm, attributes.get("number"), attributes.get("SCNumber"))


def _network_reports(root: etree._Element, code: str) -> Iterator[Fact]:
    for report in _of(root, "Report"):
        key = f"{code} {report.get('network-area')} {report.get('month')}"
        yield Fact("version", key, int(report.get("version") or 1))


def _asked(root: etree._Element, _code: str) -> Iterator[Fact]:
    for point in [*_of(root, "Location"), *_of(root, "Claim")]:
        if opm := point.get("opm-id"):
            yield Fact("needs", opm)
    for answer in _of(root, "Answer"):
        yield Fact("refers", f"claim {answer.get('claim-id')}")
    for claim in _of(root, "Claim"):
        yield Fact("document", f"claim {claim.get('claim-id')}")


def _switch(root: etree._Element, _code: str) -> Iterator[Fact]:
    for request in _of(root, "ChangeOfSupplier"):
        yield Fact("document", f"request {request.get('request-id')}")
    for statement in _of(root, "Statement"):
        yield Fact("refers", f"request {statement.get('request-id')}")


_READERS: Final[dict[str, Callable[[etree._Element, str], Iterator[Fact]]]] = {
    "CDSDATA": _data,
    "CDSMASTERDATA": _master_data,
    "CDSGASMASTERDATA": _master_data,
    "CDSIDIS": _billing_data,
    "CDSINVOICE": _invoices,
    "CDSGASPOF": _gas_billing,
    "CDSLDSREPORT": _network_reports,
    "CDSREQ": _asked,
    "CDSGASREQ": _asked,
    "CDSEDIGASREQ": _asked,
    "CDSCLAIM": _asked,
    "CDSGASCLAIM": _asked,
    "CDSSWITCH": _switch,
}
