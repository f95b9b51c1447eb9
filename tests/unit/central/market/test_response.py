"""RESPONSE: written by the schema, read with any prefix, its reasons weighed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.market.envelope import Envelope, Participant
from central.market.errors import InboundError, OutboundError
from central.market.format_package import load_package
from central.market.response import Reason, Response, read_response, verdict, write_response
from tests.unit.central.market.examples import AT, OPERATOR, SENDER

PACKAGE = load_package("sandbox-2026")
ENVELOPE = Envelope(
    "R-1", "X21", AT, Participant(OPERATOR), Participant(SENDER), ("121-20260401060000-0badcafe",), None, "CS"
)

PREFIXED = """<?xml version="1.0" encoding="utf-8"?>
<n0:RESPONSE xmlns:n0="http://www.ote-cr.cz/schema/response" xmlns:prx="urn:sap.com:proxy:CDP:/1SAI/TAS:740"
  xmlns:ds="http://www.w3.org/2000/09/xmldsig#" id="20220907165313" message-code="812" date-time="2022-09-07T16:53:13Z"
  dtd-version="1" dtd-release="1" prx:colour="none" novelty="7">
  <n0:SenderIdentification id="8591824000007" coding-scheme="14"/>
  <n0:ReceiverIdentification id="8591824900017" coding-scheme="14" role="D"/>
  <n0:Reference id="A"/><n0:Reference id="B"/>
  <n0:Reason code="0200" type="A01"> zpráva úspěšně přijata </n0:Reason>
</n0:RESPONSE>
""".encode()


def test_any_prefix_and_unknown_attributes_are_read() -> None:
    response = read_response(PACKAGE, PREFIXED)
    assert response.envelope.references == ("A", "B")
    assert response.envelope.at == datetime(2022, 9, 7, 16, 53, 13, tzinfo=UTC)
    assert response.envelope.receiver.role == "D"
    assert response.envelope.extra == {"{urn:sap.com:proxy:CDP:/1SAI/TAS:740}colour": "none", "novelty": "7"}
    assert response.reasons == [Reason("A01", "0200", "zpráva úspěšně přijata")]


codes = st.from_regex(r"[0-9A-Z]{4}", fullmatch=True)
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=40
).map(str.strip)


@given(
    st.lists(
        st.builds(
            Reason, st.sampled_from(["A01", "A02", "A03", "A04"]), st.from_regex(r"[0-9A-Z]{4}", fullmatch=True), texts
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read(reasons: list[Reason]) -> None:
    response = Response(ENVELOPE, reasons)
    assert read_response(PACKAGE, write_response(PACKAGE, response)) == response


@pytest.mark.parametrize(
    ("types", "state"),
    [
        (["A01"], "accepted"),
        (["A03"], "accepted_with_reservation"),
        (["A02"], "rejected"),
        (["A04"], "rejected"),
        (["A01", "A03"], "accepted_with_reservation"),
        (["A03", "A02", "A01"], "rejected"),
    ],
)
def test_the_worst_reason_decides(types: list[str], state: str) -> None:
    assert verdict(PACKAGE, [Reason(kind, "0200", "") for kind in types]) == state


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("schema/response", "schema/answer", "wrong_namespace"),
        ("n0:RESPONSE", "n0:ANSWER", "unknown_format"),
        ('id="20220907165313"', "", "missing_attribute"),
        ('id="20220907165313"', 'id=""', "missing_attribute"),
        ("2022-09-07T16:53:13Z", "yesterday", "bad_instant"),
        ("2022-09-07T16:53:13Z", "0001-01-01T00:00:00+10:00", "bad_instant"),
        ("2022-09-07T16:53:13Z", '2022-09-07T16:53:13Z" answer-required="maybe', "bad_flag"),
        ('<n0:Reference id="A"/><n0:Reference id="B"/>', "", "no_reference"),
        ('<n0:Reason code="0200" type="A01"> zpráva úspěšně přijata </n0:Reason>', "", "no_reason"),
        ('type="A01"', 'type="A09"', "unknown_reason_type"),
        ('code="0200"', "", "missing_attribute"),
        ('<n0:SenderIdentification id="8591824000007" coding-scheme="14"/>', "", "bad_envelope"),
    ],
)
def test_what_cannot_be_understood_is_refused(old: str, new: str, code: str) -> None:
    content = PREFIXED.decode().replace(old, new).encode()
    assert content != PREFIXED
    with pytest.raises(InboundError) as refusal:
        read_response(PACKAGE, content)
    assert refusal.value.code == code


def test_the_writer_is_strict() -> None:
    with pytest.raises(OutboundError, match="does not satisfy the schema of RESPONSE"):
        write_response(PACKAGE, Response(ENVELOPE, []))
    with pytest.raises(OutboundError, match="U\\+0001, which XML cannot carry"):
        write_response(PACKAGE, Response(ENVELOPE, [Reason("A01", "0200", "a\x01")]))
