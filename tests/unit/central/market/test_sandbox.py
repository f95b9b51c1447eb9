"""What the sandbox of OTE thinks of messages, what it remembers, and its scenarios."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from central.market.cdsdata import write_interval_data
from central.market.errors import FormatError, InboundError
from central.market.format_package import load_package
from central.market.response import read_response
from central.market.sandbox.command import parse_arguments
from central.market.sandbox.journal import Entry, Journal, JournalReason
from central.market.sandbox.judge import judge
from central.market.sandbox.memory import Memory
from central.market.sandbox.operator import Sandbox
from central.market.sandbox.scenario import Rule, Rules, Scenario, read_scenario
from central.market.sandbox.server import create_app
from central.market.sandbox.ways import HttpWay
from shared.testing import ManualClock
from tests.unit.central.market.examples import AT, AUTUMN, ORDINARY, POINT, SENDER, SPRING, message

PACKAGE = load_package("sandbox-2026")
GOOD = write_interval_data(PACKAGE, message(SPRING, ORDINARY, AUTUMN))
SMALL = write_interval_data(PACKAGE, message(SPRING))
OTHER_POINT = "859182400900000020"


def test_a_good_message_is_accepted() -> None:
    judgement = judge(PACKAGE, GOOD, Scenario())
    assert [(reason.type, reason.code) for reason in judgement.reasons] == [("A01", "0200")]
    assert judgement.opms == {POINT}
    assert judgement.envelope.sender.id == SENDER


@pytest.mark.parametrize(
    ("old", "new", "kind", "code"),
    [
        ('message-code="121"', 'message-code="999"', "A02", "S103"),
        ('message-code="121"', 'message-code="127"', "A02", "S103"),
        ('message-code="121"', 'message-code="X21"', "A02", "S103"),
        ('id="8591824000007"', 'id="8591824000014"', "A02", "S102"),
        ('dtd-version="1"', 'dtd-version="2"', "A02", "S100"),
        ('value="0.005"', 'value="-0.005"', "A02", "S100"),
        ('value="0.005"', 'value="0,005"', "A02", "S100"),
        ('value="0.005"', 'value="0.0000051"', "A02", "S100"),
        ('status="S"', 'status="substitute"', "A02", "S100"),
        ('unit="KWH"', 'unit="KW"', "A02", "S100"),
        (' period="6"', "", "A02", "S100"),
        ("<Profile ", '<Profile colour="red" ', "A02", "S100"),
        ('status="S"', 'status="Q"', "A02", "S130"),
        ('<Data period="92" value="0.091"/>', "", "A02", "S121"),
        ('period="5"', 'period="4"', "A02", "S121"),
        ("2026-03-29T22:00:00Z", "2026-03-29T23:00:00Z", "A04", "S120"),
        ('resolution="PT15M"', 'resolution="PT60M"', "A04", "S120"),
        ("2026-03-28T23:00:00Z", "9999-12-31T23:59:59Z", "A04", "S120"),
        ('unit="KWH"', 'unit="KVARH"', "A02", "S123"),
        ('value-type="R12" unit="KVARH"', 'value-type="A12" unit="KWH"', "A02", "S122"),
        (POINT, POINT[:-1] + "4", "A02", "S110"),
        (POINT, "123", "A02", "S100"),
    ],
)
def test_what_is_wrong_is_rejected_with_its_reason(old: str, new: str, kind: str, code: str) -> None:
    text = SMALL.decode()
    assert old in text
    judgement = judge(PACKAGE, text.replace(old, new).encode(), Scenario())
    assert {(reason.type, reason.code) for reason in judgement.reasons} == {(kind, code)}
    assert not judgement.is_accepted
    assert all(reason.code in PACKAGE.reason_codes and reason.text for reason in judgement.reasons)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (SENDER, SENDER[:-1] + "8", "not_answerable"),
        (SENDER, "me", "not_answerable"),
        ('id="121-20260401060000-0badcafe"', 'id="' + "1" * 36 + '"', "not_answerable"),
        ("schema/cds/data", "schema/cds/date", "wrong_namespace"),
        ("CDSDATA", "DATA", "unknown_format"),
        ("</Location>", "", "xml_malformed"),
    ],
)
def test_nobody_can_be_answered(old: str, new: str, code: str) -> None:
    with pytest.raises(InboundError) as refusal:
        judge(PACKAGE, SMALL.decode().replace(old, new).encode(), Scenario())
    assert refusal.value.code == code


def test_registered_senders_and_points() -> None:
    strangers = Scenario(senders=frozenset({"8591824000007"}))
    assert [reason.code for reason in judge(PACKAGE, GOOD, strangers).reasons] == ["S101"]
    facts = judge(PACKAGE, GOOD, Scenario()).facts
    elsewhere = Scenario(points=frozenset({OTHER_POINT}))
    assert [reason.code for reason in Memory(elsewhere).reasons(facts)] == ["S111"]
    assert [reason.code for reason in Memory(Scenario(strict=True)).reasons(facts)] == ["S111"]
    assert list(Memory(Scenario(points=frozenset({POINT}))).reasons(facts)) == []
    assert list(Memory(Scenario()).reasons(facts)) == []


def test_scenario_rules_are_used_as_often_as_they_say(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    rejected = {"opm": POINT, "answer": "reject", "times": 1}
    path.write_text(json.dumps({"rules": [rejected, {"code": "121", "copies": 2}]}))
    scenario = read_scenario(path)
    rules, point, other = Rules(scenario), frozenset({POINT}), frozenset({OTHER_POINT})
    assert rules.take("1", "121", point)[0].answer == "reject"
    assert rules.take("1", "121", point)[0].copies == 2
    assert rules.take("1", "122", other) == (Rule(), 0.0)
    assert read_scenario(None) == Scenario()


def test_a_scenario_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text('{"rules": [{"anser": "reject"}]}')
    with pytest.raises(FormatError, match="unknown field `anser`"):
        read_scenario(path)


def entry(number: int, digest: str = "d") -> Entry:
    return Entry(
        number, SENDER, "121-1", "121", digest, [POINT], f"receipt-{number}", "X21-1", "2026-04-01T06:00:00Z",
        [JournalReason("A01", "0200", "ano")],
    )  # fmt: skip


def test_the_journal_survives_and_forgets_a_torn_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(entry(1), b"<a/>")
    journal.add(msgspec.structs.replace(entry(1, "e"), number=2), b"<b/>")
    journal.close()
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"number": 3, "sen')
    again = Journal(tmp_path)
    assert [item.number for item in again.entries] == [1, 2]
    assert again.next_number == 3
    first = again.find(SENDER, "121-1")
    assert first is not None and first.digest == "d"
    assert again.xml(2) == b"<b/>"
    again.add(entry(3), b"<c/>")
    again.close()
    assert [item.number for item in Journal(tmp_path).entries] == [1, 2, 3]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    journal = Journal(tmp_path)
    ways = {"http": HttpWay("http://127.0.0.1:9/nowhere", "token")}
    sandbox = Sandbox(PACKAGE, Scenario(delay_s=3600), journal, ways, ManualClock(AT).now)
    transport = httpx.ASGITransport(create_app(sandbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        yield client
    journal.close()


async def test_a_repeated_message_gets_the_earlier_answer_and_a_used_id_a_rejection(client: httpx.AsyncClient) -> None:
    for content in (SMALL, SMALL, SMALL.replace(b'value="0.005"', b'value="0.006"')):
        reply = await client.post("/messages", content=content)
        assert reply.status_code == 202
        assert reply.json()["receipt"].startswith("receipt-")
    first, repeated, other = (await client.get("/received")).json()
    assert (first["repeats"], repeated["repeats"], other["repeats"]) == (None, 1, None)
    assert repeated["reasons"] == first["reasons"]
    assert [reason["code"] for reason in other["reasons"]] == ["S104"]
    assert (await client.get("/received/2")).content == SMALL
    assert (await client.get("/received/4")).status_code == 404
    assert (await client.get("/health")).json() == {"received": 3}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"<a", 400, "xml_malformed"), (b"<!DOCTYPE a><a/>", 400, "xml_dtd"), (b" " * 20_000_001, 413, "xml_too_large")],
)
async def test_what_is_no_message_gets_no_receipt(
    client: httpx.AsyncClient, content: bytes, status: int, code: str
) -> None:
    reply = await client.post("/messages", content=content)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert (await client.get("/received")).json() == []


def test_the_answer_is_the_same_for_every_repeat(tmp_path: Path) -> None:
    sandbox = Sandbox(PACKAGE, Scenario(), Journal(tmp_path), {}, ManualClock(AT).now)
    content = sandbox.response_xml(entry(1))
    assert sandbox.response_xml(entry(2)) == content
    response = read_response(PACKAGE, content)
    assert (response.envelope.code, response.envelope.references) == ("X21", ("121-1",))
    assert response.envelope.receiver.id == SENDER
    strange = sandbox.response_xml(msgspec.structs.replace(entry(1), code="999"))
    assert PACKAGE.message(read_response(PACKAGE, strange).envelope.code).format == "RESPONSE"


def test_the_command_line_names_what_it_needs() -> None:
    arguments = parse_arguments(["--port", "0", "--callback", "http://127.0.0.1:1/callback", "--token-file", "t"])
    assert (arguments.port, arguments.package, arguments.scenario) == (0, None, None)
    with pytest.raises(SystemExit):
        parse_arguments(["--port", "0"])
