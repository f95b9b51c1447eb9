"""Every message of the package: its sample is what its record writes; other spellings are read; what lacks is said."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from central.market.cdsdata import IntervalData
from central.market.contents import CONTENTS, content_of, problems_of, read_any, write_any
from central.market.errors import FormatError, InboundError, OutboundError
from central.market.format_package import load_package
from central.market.mapping.model import Node
from central.market.mapping.read import ENVELOPE_ELEMENTS, read_message, told_unknown
from central.market.mapping.write import write_message
from central.market.payloads.requests import DataRequest
from central.market.response import FORMATS, Response
from central.market.sandbox.judge import judge
from central.market.sandbox.scenario import Scenario
from central.market.xml import parse_untrusted, schema_errors
from tests.unit.central.market.content_examples import PAYLOADS, envelope_of, payload_of
from tests.unit.central.market.lexical_strategies import fields_of

PACKAGE = load_package("sandbox-2026")
MAPPED = [entry for entry in PACKAGE.data.messages if entry.format in CONTENTS and entry.code != "121"]
ANSWERS = [entry for entry in PACKAGE.data.messages if entry.format in FORMATS]


STRANGE = ["9" * 20, "-" + "9" * 18, "99999999999999999999.999999999999999", "0", "0001-01-01", "9999-12-31", "", " "]


def sample_of(code: str) -> bytes:
    sample = PACKAGE.message(code).sample
    assert sample is not None
    return (PACKAGE.folder / sample).read_bytes()


def test_every_message_with_a_mapping_has_a_valid_sample() -> None:
    for entry in PACKAGE.data.messages:
        if entry.format in PACKAGE.mappings or entry.format in FORMATS:
            content = sample_of(entry.code)
            assert schema_errors(PACKAGE.schema(entry.format), parse_untrusted(content)) == [], entry.code
            read = read_any(PACKAGE, content)
            assert (read.envelope.code, read.unknown, problems_of(read)) == (entry.code, {}, [])
    assert {entry.code for entry in MAPPED} == set(PAYLOADS)


def test_what_we_send_is_answered_by_a_code_of_the_package() -> None:
    for entry in MAPPED:
        assert (entry.answer_code is not None) == (entry.direction == "out"), entry.code
        if entry.answer_code is not None:
            is_gas = "GAS" in entry.format
            assert PACKAGE.message(entry.answer_code).format == ("GASRESPONSE" if is_gas else "RESPONSE")


@pytest.mark.parametrize("code", [entry.code for entry in (*MAPPED, *ANSWERS) if entry.code != "X21"])
def test_the_golden_sample_is_what_its_record_writes(code: str) -> None:
    envelope, payload = envelope_of(PACKAGE, code), payload_of(PACKAGE, code)
    assert write_any(PACKAGE, envelope, payload) == sample_of(code)
    read = read_any(PACKAGE, sample_of(code))
    assert (read.envelope, read.payload) == (envelope, payload)


def test_no_format_is_without_a_round_trip() -> None:
    """Those of the mapping below, 121 in test_cdsdata, answers in test_response, EDIGAS and APERAK in test_edigas."""
    formats = {entry.format for entry in PACKAGE.data.messages}
    assert formats == CONTENTS.keys() | FORMATS | {"EDIGAS", "APERAK"}
    assert formats == {entry.name for entry in PACKAGE.data.formats}
    assert {entry.code for entry in PACKAGE.data.messages if entry.format == "CDSDATA"} == {"121", "122"}


@pytest.mark.parametrize("name", sorted(CONTENTS.keys() - {"CDSDATA"}))
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_back(name: str, data: st.DataObject) -> None:
    code = next(entry.code for entry in MAPPED if entry.format == name)
    drawn = data.draw(fields_of(PACKAGE, PACKAGE.mapping(name).payload))
    payload = msgspec.convert(drawn, CONTENTS[name].kind)
    content = write_message(PACKAGE, envelope_of(PACKAGE, code), payload)
    read = read_message(PACKAGE, content, CONTENTS[name].kind, name)
    assert (read.payload, read.unknown) == (payload, {})


@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_meter_states_are_read_back(data: st.DataObject) -> None:
    location = PACKAGE.mapping("CDSDATA").payload[0]
    no_profiles = msgspec.structs.replace(
        location, children=tuple(child for child in location.children if child.element != "Profile")
    )
    payload = msgspec.convert(data.draw(fields_of(PACKAGE, (no_profiles,))), CONTENTS["CDSDATA"].kind)
    content = write_message(PACKAGE, envelope_of(PACKAGE, "122"), payload)
    assert read_message(PACKAGE, content, CONTENTS["CDSDATA"].kind, "CDSDATA").payload == payload


@pytest.mark.parametrize("entry", MAPPED, ids=lambda entry: entry.code)
def test_any_prefix_is_read_and_the_unknown_is_kept(entry: Any) -> None:
    root = parse_untrusted(sample_of(entry.code))
    namespace = PACKAGE.format(entry.format).namespace
    other = etree.Element(root.tag, dict(root.attrib), nsmap={"n0": namespace})
    other.extend(list(root))
    payload = [child for child in other if etree.QName(child).localname not in ENVELOPE_ELEMENTS]
    marked = [element for child in payload for element in child.iter()]
    for element in marked:
        element.set("mood", "good")
    other.set("split-counter", "2")
    marked[-1].text = " strange "
    etree.cleanup_namespaces(other)
    content = etree.tostring(other, encoding="utf-8")
    assert f"<n0:{entry.format} ".encode() in content
    read = read_any(PACKAGE, content)
    assert read.payload == payload_of(PACKAGE, entry.code)
    assert len(read.unknown) == len(marked) + 1
    assert [path for path, text in read.unknown.items() if text != "good"] == [
        path for path, text in read.unknown.items() if path.endswith("/text()") and text == "strange"
    ]
    assert read.envelope.extra == {"split-counter": "2"}
    told, more = told_unknown(read), len(marked) + 2 - 5
    assert told.startswith("Not understood in the message: @split-counter = '2'; ")
    assert told.count("/@mood = 'good'") == min(len(marked), 4)
    assert told.endswith(f" and {more} more." if more > 0 else "'.")
    assert told_unknown(read_any(PACKAGE, sample_of(entry.code))) == ""


def test_what_stands_once_and_comes_twice_is_refused() -> None:
    content = sample_of("127")
    begin = content.index(b"<Subjects ")
    subjects = content[begin : content.index(b"/>", begin) + 2]
    with pytest.raises(InboundError, match=r"CDSINVOICE/Invoice\[1\]/Subjects on line \d+ stands twice"):
        read_any(PACKAGE, content.replace(subjects, subjects * 2, 1))


def _required(nodes: tuple[Node, ...]) -> list[tuple[str, str, str]]:
    found = [(node.element, spec.name, spec.field) for node in nodes for spec in node.attributes if spec.required]
    return found + [each for node in nodes for each in _required(node.children)]


@pytest.mark.parametrize("entry", MAPPED, ids=lambda entry: entry.code)
def test_what_is_missing_is_named(entry: Any) -> None:
    tried = 0
    for element, attribute, field in _required(PACKAGE.mapping(entry.format).payload):
        root = parse_untrusted(sample_of(entry.code))
        found = root.find(f".//{{*}}{element}")
        if found is None:
            continue
        del found.attrib[attribute]
        with pytest.raises(InboundError, match=f"missing required field `{field}`"):
            read_any(PACKAGE, etree.tostring(root))
        tried += 1
    assert tried


@pytest.mark.parametrize("entry", [entry for entry in MAPPED if entry.direction == "out"], ids=lambda entry: entry.code)
def test_the_sandbox_accepts_what_we_send(entry: Any) -> None:
    assert judge(PACKAGE, sample_of(entry.code), Scenario()).is_accepted


@pytest.mark.parametrize("entry", MAPPED, ids=lambda entry: entry.code)
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_a_place_is_read_or_refused(entry: Any, data: st.DataObject) -> None:
    root = parse_untrusted(sample_of(entry.code))
    payload = [child for child in root if etree.QName(child).localname not in ENVELOPE_ELEMENTS]
    places = [(element, str(name)) for child in payload for element in child.iter() for name in element.attrib]
    for element, name in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        element.set(name, data.draw(st.sampled_from(STRANGE) | st.text(st.characters(codec="ascii", min_codepoint=32))))
    try:
        read = read_any(PACKAGE, etree.tostring(root))
    except InboundError as error:
        assert error.message
    else:
        assert all(problems_of(read)), "sentences, and no exception"


def test_the_other_spelling_of_an_extraordinary_document_is_read() -> None:
    read = read_any(PACKAGE, sample_of("XD1").replace(b'segment="INV"', b'segment="EXT"'))
    assert [document.segment for document in read.payload.documents] == ["extraordinary", "historic", "cancel"]


def test_a_code_that_the_package_lacks_is_read_by_its_format() -> None:
    read = read_any(PACKAGE, sample_of("111").replace(b'message-code="111"', b'message-code="153"'))
    assert read.envelope.code == "153"
    assert read.payload == PAYLOADS["111"]
    assert problems_of(read) == []


def test_a_received_message_that_breaks_a_rule_is_read_and_told() -> None:
    read = read_any(PACKAGE, sample_of("127").replace(b'total-gross="3862.89"', b'total-gross="3862.99"'))
    assert "The invoice 2026000123 has a total with VAT of 3862.99, expected 3862.89." in problems_of(read)


def test_the_fast_formats_are_read_and_written_by_the_same_door() -> None:
    data = read_any(PACKAGE, sample_of("121"))
    assert isinstance(data.payload, IntervalData)
    assert write_any(PACKAGE, data.envelope, data.payload) == sample_of("121")
    assert isinstance(read_any(PACKAGE, sample_of("X21")).payload, Response)


def test_another_record_or_a_broken_rule_never_leaves() -> None:
    with pytest.raises(OutboundError, match="is given a MasterData, expected a DataRequest"):
        write_any(PACKAGE, envelope_of(PACKAGE, "XR1"), PAYLOADS["111"])
    with pytest.raises(OutboundError, match="a bulk registration takes register only"):
        write_any(PACKAGE, envelope_of(PACKAGE, "194"), PAYLOADS["111"])
    with pytest.raises(FormatError, match=r"The message 121 \(CDSDATA\) has no record"):
        content_of(PACKAGE, "121")
    assert content_of(PACKAGE, "XR3").kind is DataRequest


def test_the_page_about_messages_has_every_code() -> None:
    page = (Path(__file__).parents[4] / "docs" / "market-messages.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    told = {row[0]: row[1:4] for row in rows if len(row) == 6}
    for entry in (*MAPPED, PACKAGE.message("121")):
        assert told[entry.code] == [entry.format, entry.direction, entry.answer_code or ""]
