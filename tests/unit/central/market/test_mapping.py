"""The mapping engine: what is written is read back; what does not fit is refused by name; the unknown is kept."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.market.envelope import Envelope, Participant
from central.market.errors import InboundError, OutboundError
from central.market.format_package import load_package
from central.market.mapping.lexical import from_text, to_text
from central.market.mapping.model import Mapping, Node, Value, problems_of
from central.market.mapping.read import read_message
from central.market.mapping.schema import schema_text
from central.market.mapping.write import write_message
from central.market.payloads.requests import FORMAT, AskedPoint, DataRequest
from shared.identifiers import make_ean18
from shared.metering_day import PRAGUE

PACKAGE = load_package("sandbox-2026")
ENVELOPE = Envelope(
    id="XR1-1",
    code="XR1",
    at=datetime(2026, 4, 1, 8, tzinfo=UTC),
    sender=Participant("8591824556207"),
    receiver=Participant("8591824000007"),
)
OPM = "859182400211637793"
GOLDEN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<CDSREQ xmlns="http://www.ote-cr.cz/schema/cds/request" id="XR1-1" message-code="XR1" '
    b'date-time="2026-04-01T08:00:00Z" dtd-version="1" dtd-release="1">\n'
    b'<SenderIdentification id="8591824556207" coding-scheme="14"/>\n'
    b'<ReceiverIdentification id="8591824000007" coding-scheme="14"/>\n'
    b'<Location opm-id="859182400211637793" date-from="2026-03-01" date-to="2026-03-31" value-type="A12"/>'
    b"</CDSREQ>\n"
)


def asked(**changes: Any) -> DataRequest:
    point = {"opm": OPM, "first_day": date(2026, 3, 1), "last_day": date(2026, 3, 31), "direction": "A+", **changes}
    return DataRequest(locations=[AskedPoint(**point)])


def test_the_golden_request() -> None:
    assert write_message(PACKAGE, ENVELOPE, asked()) == GOLDEN
    read = read_message(PACKAGE, GOLDEN, DataRequest, FORMAT)
    assert (read.envelope, read.payload, read.unknown) == (ENVELOPE, asked(), {})


@given(
    st.lists(
        st.builds(
            AskedPoint,
            opm=st.integers(0, 10**10 - 1).map(lambda n: make_ean18(f"8591824{n:010d}")),
            first_day=st.dates(date(1900, 1, 1)),
            last_day=st.dates(date(1900, 1, 1)),
            direction=st.sampled_from(["A+", "A-", "R+", "R-", None]),
            version=st.integers(1, 10**6) | st.none(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read_back(points: list[AskedPoint]) -> None:
    request = DataRequest(locations=points)
    assert read_message(PACKAGE, write_message(PACKAGE, ENVELOPE, request), DataRequest, FORMAT).payload == request


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"opm": "859182400211637794"}, "opm of Location .* check digit"),
        ({"direction": "B+"}, "direction of Location .* 'B\\+', expected one of A\\+, A-, R\\+, R-"),
        ({"first_day": datetime(2026, 3, 1, tzinfo=UTC)}, "first_day of Location .* expected a day"),
        ({"first_day": None}, "first_day of Location .* is missing"),
        ({"version": True}, "version of Location .* expected a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OutboundError, match=sentence):
        write_message(PACKAGE, ENVELOPE, asked(**changes))


def test_nothing_asked_is_refused() -> None:
    with pytest.raises(OutboundError, match="has no Location"):
        write_message(PACKAGE, ENVELOPE, DataRequest(locations=[]))


def test_another_prefix_and_the_unknown_are_read_and_kept() -> None:
    content = (
        GOLDEN.replace(b"<CDSREQ xmlns=", b"<n0:CDSREQ xmlns:n0=")
        .replace(b"</CDSREQ>", b"</n0:CDSREQ>")
        .replace(b"<SenderI", b"<n0:SenderI")
        .replace(b"<ReceiverI", b"<n0:ReceiverI")
        .replace(b"<Location", b'<n0:Colour name="red"/><n0:Location mood="good"')
    )
    read = read_message(PACKAGE, content, DataRequest, FORMAT)
    assert read.payload == asked()
    assert read.unknown["CDSREQ/Location[1]/@mood"] == "good"
    assert 'name="red"' in read.unknown["CDSREQ/Colour"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b'date-from="2026-03-01"', b'date-from="yesterday"', r"CDSREQ/Location\[1\]/@date-from is 'yesterday'"),
        (b'date-from="2026-03-01" ', b"", "missing required field `first_day`"),
        (b'value-type="A12"', b'value-type="Z99"', "code list value_type of sandbox-2026"),
        (b"<Location ", b'<Location version="1e3" ', "expected a whole number"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_place(old: bytes, new: bytes, sentence: str) -> None:
    assert old in GOLDEN
    with pytest.raises(InboundError, match=sentence):
        read_message(PACKAGE, GOLDEN.replace(old, new), DataRequest, FORMAT)


def value(kind: Any, **more: Any) -> Value:
    return Value(name="a-b", field="ab", type=kind, mark="assumed", **more)


@pytest.mark.parametrize(
    ("spec", "given_value", "text"),
    [
        (value("decimal", places=5), Decimal("12.50000"), "12.5"),
        (value("decimal", places=0), Decimal("1E+3"), "1000"),
        (value("decimal", places=2), Decimal("0.00"), "0"),
        (value("decimal", places=2, signed=True), Decimal("-0.50"), "-0.5"),
        (value("integer"), 0, "0"),
        (value("boolean"), False, "false"),
        (value("month"), date(2026, 3, 1), "2026-03"),
        (value("string", length=3), "abc", "abc"),
        (value("instant"), datetime(2026, 3, 29, 3, tzinfo=PRAGUE), "2026-03-29T01:00:00Z"),
        (value("local_instant"), datetime(2026, 3, 29, 4, tzinfo=UTC), "2026-03-29T06:00:00+02:00"),
        (value("local_instant"), datetime(2026, 1, 1, 5, tzinfo=UTC), "2026-01-01T06:00:00+01:00"),
    ],
)
def test_single_values_as_text_and_back(spec: Value, given_value: Any, text: str) -> None:
    assert to_text(PACKAGE, spec, given_value, "here") == text
    assert from_text(PACKAGE, spec, text, "here") == given_value


@pytest.mark.parametrize(
    ("spec", "given_value", "sentence"),
    [
        (value("decimal", places=2), Decimal("0.005"), "at most 2 places"),
        (value("decimal", places=2), Decimal(-1), "not negative"),
        (value("decimal", places=2), Decimal("NaN"), "decimal number"),
        (value("decimal", places=2), 1.5, "decimal number"),
        (value("month"), date(2026, 3, 2), "first day of a month"),
        (value("string", length=3), "abcd", "1 to 3 characters"),
        (value("string"), "  ", "1 to 4000 characters"),
        (value("instant"), datetime(2026, 3, 1), "with a zone"),  # noqa: DTZ001  a naive one is the case
        (value("boolean"), 1, "true or false"),
    ],
)
def test_values_that_are_not_written(spec: Value, given_value: Any, sentence: str) -> None:
    with pytest.raises(OutboundError, match=f"here .*{sentence}"):
        to_text(PACKAGE, spec, given_value, "here")


def test_every_schema_of_ours_is_what_its_mapping_says() -> None:
    assert PACKAGE.mappings
    for mapping in PACKAGE.mappings.values():
        schema = PACKAGE.format(mapping.format).schema
        assert schema is not None
        assert (PACKAGE.folder / schema).read_text(encoding="utf-8") == schema_text(PACKAGE, mapping)


def test_a_mapping_that_does_not_fit_together_is_told() -> None:
    broken = Mapping(
        format="X",
        source="a test",
        payload=(
            Node(element="A", mark="assumed", many=True),
            Node(element="B", mark="assumed", field="b", attributes=(value("decimal"), value("code", codes="none"))),
        ),
    )
    assert problems_of(broken, frozenset()) == [
        "The element A of X stands many times and has no field to hold its records.",
        "The field ab stands twice in B of X.",
        "a-b in B of X is a decimal and does not say its places.",
        "a-b in B of X is a code of the list none, which is not there.",
    ]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("date", datetime(2026, 3, 1, tzinfo=UTC), "a day"),
        ("date", "2026-03-01", "a day"),
        ("month", date(2026, 3, 2), "the first day of a month"),
        ("month", "2026-03", "the first day of a month"),
        ("integer", 10**18, "a whole number below"),
        ("integer", -(10**18), "a whole number below"),
        ("integer", 1.0, "a whole number below"),
        ("local_instant", datetime(2026, 3, 1, microsecond=1, tzinfo=UTC), "whole seconds"),
        ("local_instant", datetime(2026, 3, 1), "an instant with a zone"),  # noqa: DTZ001  the fault to be found
        ("boolean", "true", "true or false"),
        ("flag", False, "true or nothing"),
        ("string", 5, "a text"),
        ("string", "   ", "a text of 1 to"),
        ("decimal", Decimal("1.001"), "at most 2 places"),
        ("decimal", Decimal("NaN"), "a decimal number below"),
        ("decimal", Decimal(10) ** 18, "a decimal number below"),
        ("decimal", Decimal(-1), "not negative"),
    ],
)
def test_what_a_lexical_type_does_not_write(kind: Any, value: Any, expected: str) -> None:
    spec = Value(name="v", field="v", type=kind, mark="assumed", places=2)
    with pytest.raises(OutboundError, match=f"v of V \\(attribute v\\) is .*expected.*{expected}"):
        to_text(PACKAGE, spec, value, "v of V")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", " true ", True),
        ("boolean", "1", True),
        ("boolean", "0", False),
        ("boolean", "false", False),
        ("boolean", "yes", None),
        ("flag", "", True),
        ("flag", "X", True),
        ("flag", "false", None),
        ("flag", "0", None),
        ("integer", " 12 ", 12),
        ("integer", "1.0", None),
        ("integer", "9" * 19, None),
        ("decimal", " -.5 ", Decimal("-0.5")),
        ("decimal", "1.", Decimal(1)),
        ("decimal", ".", None),
        ("decimal", "1,5", None),
        ("date", " 2026-03-31+02:00 ", date(2026, 3, 31)),
        ("date", "31.3.2026", None),
        ("month", "2026-03", date(2026, 3, 1)),
        ("month", "2026-03-31", date(2026, 3, 1)),
        ("string", " as it came ", " as it came "),
    ],
)
def test_what_a_lexical_type_reads_or_refuses(kind: Any, text: str, value: Any) -> None:
    spec = Value(name="v", field="v", type=kind, mark="assumed", places=2)
    if value is not None:
        assert from_text(PACKAGE, spec, text, "V/@v") == value
        return
    with pytest.raises(InboundError, match="V/@v is"):
        from_text(PACKAGE, spec, text, "V/@v")
