"""Judges a message as the market operator would: schema, sender, points, days, periods, the rules of its content.

Pure: bytes in, reasons and facts out; what follows from earlier messages says `memory`. Schema, points, days and
periods are read here by themselves; the content's rules (sums, documented conditions) are those of
`contents.problems_of`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from central.market.cdsdata import INTERVAL_DATA
from central.market.contents import CONTENTS, problems_of, read_any
from central.market.envelope import Envelope, check_message_id, children, parse_instant, read_envelope
from central.market.errors import FormatError, InboundError, OutboundError
from central.market.format_package import FormatPackage
from central.market.gas import edigas
from central.market.response import ACCEPTED_CODE, Reason
from central.market.sandbox import gas_data
from central.market.sandbox.memory import Fact, facts_of
from central.market.sandbox.scenario import Scenario
from central.market.xml import parse_untrusted, schema_errors
from shared.identifiers import IdentifierError, parse_ean13, parse_ean18, parse_eic
from shared.metering_day import day_of
from shared.quantities import Commodity

MOST_REASONS = 20
ACCEPTED = Reason("A01", ACCEPTED_CODE, "zpráva úspěšně přijata")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the sandbox thinks of one message by itself; `opms` are the supply points it is about."""

    envelope: Envelope
    opms: frozenset[str]
    reasons: tuple[Reason, ...]
    facts: tuple[Fact, ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Whether every reason is A01."""
        return all(reason.type == "A01" for reason in self.reasons)


def judge(package: FormatPackage, content: bytes, scenario: Scenario) -> Judgement:
    """The judgement; InboundError if the envelope is such that nobody could be answered."""
    root = parse_untrusted(content)
    is_gas_data = edigas.is_data(package, root)
    if is_gas_data:
        format_name, envelope = edigas.FORMAT, edigas.read_head(package, root)
    else:
        format_name, envelope = read_envelope(root, package)
    try:
        parse_ean13(envelope.sender.id)
        check_message_id(package, envelope.id)
    except (IdentifierError, OutboundError) as error:
        raise InboundError("not_answerable", str(error)) from None
    points = [] if is_gas_data else list(_points(root))
    reasons = list(_envelope_reasons(package, format_name, envelope, scenario))
    facts: list[Fact] = []
    if not reasons:
        reasons = [
            Reason("A02", "S100", error) for error in schema_errors(package.schema(format_name), root, MOST_REASONS)
        ]
    if not reasons and is_gas_data:
        return _judge_gas_data(envelope, package, root)
    if not reasons:
        reasons = list(_content_reasons(package, root, points))[:MOST_REASONS]
    if not reasons:
        facts = facts_of(root, envelope.code)
        reasons = list(_rule_reasons(package, format_name, envelope.code, content))[:MOST_REASONS]
    found = tuple(reasons) or (ACCEPTED,)
    return Judgement(envelope, frozenset(opm for opm, _ in points), found, tuple(facts))


def _judge_gas_data(envelope: Envelope, package: FormatPackage, root: etree._Element) -> Judgement:
    try:
        data = edigas.read(package, root).payload
    except InboundError as error:
        return Judgement(envelope, frozenset(), (Reason("A02", "S150", error.message),))
    reasons = list(gas_data.reasons_of(data))[:MOST_REASONS]
    facts = () if reasons else tuple(gas_data.facts_of(data))
    return Judgement(envelope, frozenset(series.opm for series in data.series), tuple(reasons) or (ACCEPTED,), facts)


def _points(root: etree._Element) -> Iterator[tuple[str, bool]]:
    """Codes of the supply points that a message is about, and whether they are gas points."""
    is_gas = "GAS" in etree.QName(root).localname
    for element in root.iterdescendants(etree.Element):
        opm = element.get("opm-id") or (element.get("opm") if is_gas else None)
        if opm is not None:
            yield opm, is_gas


def _rule_reasons(package: FormatPackage, format_name: str, code: str, content: bytes) -> Iterator[Reason]:
    """Rules of the content beyond the schema; interval data are judged by their days alone."""
    if format_name not in CONTENTS or code == INTERVAL_DATA:
        return
    try:
        problems = problems_of(read_any(package, content))
    except InboundError as error:
        problems = [error.message]
    for problem in problems:
        yield Reason("A02", "S150", problem)


def _envelope_reasons(
    package: FormatPackage, format_name: str, envelope: Envelope, scenario: Scenario
) -> Iterator[Reason]:
    try:
        kind = package.message(envelope.code)
        if kind.format != format_name or kind.direction != "out" or package.format(format_name).schema is None:
            yield Reason("A02", "S103", f"message code {envelope.code} does not belong to {format_name}")
    except FormatError:
        yield Reason("A02", "S103", f"unknown message code {envelope.code}")
    if scenario.senders is not None and envelope.sender.id not in scenario.senders:
        yield Reason("A02", "S101", f"sender {envelope.sender.id} is not registered")
    if envelope.receiver.id != package.envelope.market_operator:
        yield Reason("A02", "S102", f"receiver {envelope.receiver.id} is not {package.envelope.market_operator}")


def _content_reasons(package: FormatPackage, root: etree._Element, points: list[tuple[str, bool]]) -> Iterator[Reason]:
    for opm, is_gas in dict.fromkeys(points):
        try:
            parse_eic(opm) if is_gas else parse_ean18(opm)
        except IdentifierError as error:
            yield Reason("A02", "S110", str(error))
    namespace = etree.QName(root).namespace
    for location in children(root, namespace, "Location"):
        opm = location.get("opm-id", "")
        seen: set[tuple[str | None, str | None]] = set()
        for profile in children(location, namespace, "Profile"):
            key = profile.get("value-type"), profile.get("date-time-from")
            if key in seen:
                yield Reason("A02", "S122", f"{opm}: value type {key[0]} from {key[1]} stands twice")
            seen.add(key)
            yield from _profile_reasons(package, opm, profile)


def _profile_reasons(package: FormatPackage, opm: str, profile: etree._Element) -> Iterator[Reason]:
    value_type = profile.get("value-type", "")
    what = f"{opm} {value_type} from {profile.get('date-time-from')}"
    base = {code: unit.base for code, unit in package.units.items()}
    if base[profile.get("unit", "")] != base[package.value_types_by_code[value_type].unit]:
        yield Reason("A02", "S123", f"{what}: unit {profile.get('unit')} does not belong to the value type")
    start, end = parse_instant(profile.get("date-time-from", "")), parse_instant(profile.get("date-time-to", ""))
    try:
        day = day_of(Commodity.ELECTRICITY, start)
        is_whole_day = (day.start, day.end) == (start, end) and profile.get("resolution") == "PT15M"
    except OverflowError:
        is_whole_day = False
    if not is_whole_day:
        yield Reason("A04", "S120", f"{what}: not exactly one metering day in quarter-hours")
        return
    periods = [int(data.get("period", "0")) for data in profile]
    if periods != list(range(1, day.length + 1)):
        yield Reason("A02", "S121", f"{what}: {len(periods)} periods, expected 1 to {day.length} in order")
    letters = {data.get("status") for data in profile} - set(package.qualities)
    if letters:
        yield Reason("A02", "S130", f"{what}: unknown status {', '.join(sorted(str(letter) for letter in letters))}")
