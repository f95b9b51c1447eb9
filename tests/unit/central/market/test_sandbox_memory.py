"""What the sandbox makes of every message that we send, what it remembers of them, and how chance repeats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from lxml import etree

from central.market.format_package import load_package
from central.market.response import read_response
from central.market.sandbox.journal import Journal
from central.market.sandbox.judge import judge
from central.market.sandbox.memory import Fact, Memory, facts_of
from central.market.sandbox.operator import Sandbox
from central.market.sandbox.scenario import Rule, Rules, Scenario, read_scenario
from central.market.sandbox.server import create_app
from shared.testing import ManualClock
from tests.unit.central.market.examples import AT

PACKAGE = load_package("sandbox-2026")
OUT = [kind for kind in PACKAGE.data.messages if kind.direction == "out" and kind.sample is not None]


def sample(code: str) -> bytes:
    kind = PACKAGE.message(code)
    assert kind.sample is not None
    return (PACKAGE.folder / kind.sample).read_bytes()


def facts(code: str) -> list[Fact]:
    return facts_of(etree.fromstring(sample(code)), code)


@pytest.mark.parametrize("code", [kind.code for kind in OUT])
def test_every_message_of_ours_is_judged_and_broken_ones_are_rejected(code: str) -> None:
    content = sample(code)
    judgement = judge(PACKAGE, content, Scenario())
    assert judgement.is_accepted, judgement.reasons
    assert judgement.facts
    broken = content.replace(
        b"</" + PACKAGE.message(code).format.encode(), b"<Colour/></" + PACKAGE.message(code).format.encode()
    )
    assert {reason.code for reason in judge(PACKAGE, broken, Scenario()).reasons} == {"S100"}


@pytest.mark.parametrize(
    ("code", "old", "new", "reason"),
    [
        ("111", "859182400211637793", "859182400211637794", "S110"),
        ("111", ' category="MOP" distribution-rate="C25d"', "", "S150"),
        ("111", ' tdd-class="4"', "", "S150"),
        ("122", 'multiplier="20"', 'multiplier="0"', "S150"),
        ("XD1", 'consumption="1205"', 'consumption="1206"', "S150"),
        ("127", 'amount-net="2711.99"', 'amount-net="2711.98"', "S150"),
        ("GP6", "27ZG600Z0012345N", "27ZG600Z0012345M", "S110"),
        ("XR1", "859182400211637793", "859182400211637794", "S110"),
    ],
)
def test_rules_beyond_the_schema(code: str, old: str, new: str, reason: str) -> None:
    text = sample(code).decode()
    assert old in text
    judgement = judge(PACKAGE, text.replace(old, new).encode(), Scenario())
    assert {each.code for each in judgement.reasons} == {reason}
    assert judgement.facts == () or not judgement.is_accepted


def test_points_are_registered_by_messages() -> None:
    first, second, third = "859182400211637793", "859182400211958560", "859182400221784180"
    register = Fact("registers", first)
    assert {register, Fact("needs", second), Fact("needs", third)} <= set(facts("111"))
    memory = Memory(Scenario(points=frozenset({second})))
    assert [reason.text for reason in memory.reasons(facts("111"))] == [f"supply point {third} is not registered"]
    memory.learn([register])
    assert [(reason.type, reason.code) for reason in memory.reasons([register])] == [("A03", "S112")]
    assert list(memory.reasons([Fact("needs", first)])) == []
    memory.learn([Fact("ends", first)])
    assert [reason.code for reason in memory.reasons([Fact("needs", first)])] == ["S111"]


def test_versions_and_documents_are_remembered() -> None:
    memory = Memory(Scenario(strict=True, points=frozenset({"P"})))
    assert [fact.version for fact in facts("277")] == [1]
    memory.learn([Fact("version", "121 P 2026-03-01", 2), Fact("document", "XD1 P 7")])
    found = [
        [(reason.type, reason.code) for reason in memory.reasons([fact])]
        for fact in (
            Fact("version", "121 P 2026-03-01", 1),
            Fact("version", "121 P 2026-03-01", 2),
            Fact("version", "121 P 2026-03-01", 3),
            Fact("document", "XD1 P 7"),
            Fact("refers", "XD1 P 7"),
            Fact("refers", "XD1 P 8"),
        )
    ]
    assert found == [[("A02", "S140")], [("A03", "S142")], [], [("A03", "S142")], [], [("A02", "S141")]]
    assert list(Memory(Scenario()).reasons([Fact("refers", "XD1 P 8")])) == [], "only a strict one asks"
    assert all(code in PACKAGE.reason_codes for code in ("S112", "S140", "S141", "S142", "S150"))


def test_chance_repeats_in_whatever_order_messages_come(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('seed = 7\ndelay_s = 1\nspread_s = 2\n[[rules]]\nchance = 0.3\nnth = 1\nanswer = "reject"\n')
    scenario = read_scenario(path)
    points = [frozenset({f"{number:018d}"}) for number in range(300)]

    def draw(order: list[frozenset[str]], scenario: Scenario) -> dict[frozenset[str], tuple[Rule, float]]:
        rules = Rules(scenario)
        return {point: rules.take("any", "121", point) for point in order}

    drawn = draw(points, scenario)
    assert draw(points[::-1], scenario) == drawn
    rejected = [rule.answer for rule, _ in drawn.values()].count("reject")
    assert 60 < rejected < 120
    assert all(1 <= delay < 3 for _, delay in drawn.values())
    assert len({delay for _, delay in drawn.values()}) > 250
    other = Scenario(seed=8, delay_s=1, spread_s=2, rules=scenario.rules)
    assert draw(points, other) != drawn
    again = Rules(scenario, earlier=[("121", point) for point in points])
    assert all(again.take("any", "121", point)[0] == Rule() for point in points), "the second delivery is not the first"


class Kept:
    """A way that keeps what is delivered."""

    def __init__(self) -> None:
        self.delivered: list[bytes] = []

    async def deliver(self, content: bytes, message_id: str, code: str) -> str:
        self.delivered.append(content)
        return "kept"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Kept, Sandbox]]:
    journal, way = Journal(tmp_path), Kept()
    place = "/CDSDATA/Location/@opm-id"
    rules = [
        Rule(code="111", lose="message"),
        Rule(code="122", lose="receipt"),
        Rule(code="127", refuse="not today"),
        Rule(code="XD1", doubled=True),
        Rule(code="XR1", answer="reject", type="A04", reason="S120", text="no", element=place),
        Rule(code="277", copies=3),
        Rule(code="GP6", lose="answer"),
    ]

    async def no_sleep(_: float) -> None:
        """Nothing is waited for."""

    sandbox = Sandbox(PACKAGE, Scenario(rules=rules), journal, {"http": way}, ManualClock(AT).now, no_sleep)
    transport = httpx.ASGITransport(create_app(sandbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        yield client, way, sandbox
    journal.close()


@pytest.mark.parametrize(
    ("code", "status", "kept", "answers"),
    [
        ("111", 202, 0, 0),
        ("122", 503, 1, 1),
        ("127", 400, 0, 0),
        ("XD1", 202, 2, 2),
        ("XR1", 202, 1, 1),
        ("277", 202, 1, 3),
        ("GP6", 202, 1, 0),
        ("XG1", 202, 1, 1),
    ],
)
async def test_what_a_scenario_does(
    desk: tuple[httpx.AsyncClient, Kept, Sandbox], code: str, status: int, kept: int, answers: int
) -> None:
    client, way, sandbox = desk
    reply = await client.post("/messages", content=sample(code))
    assert reply.status_code == status, reply.text
    await sandbox.settled()
    received = (await client.get("/received")).json()
    assert [each["repeats"] for each in received] == [None, 1][:kept]
    assert len(way.delivered) == answers and len(set(way.delivered)) <= 1
    if answers:
        answer = read_response(PACKAGE, way.delivered[0])
        assert answer.envelope.references == (f"{code}-1",)
        assert answer.envelope.code == PACKAGE.message(code).answer_code
    if code == "XR1":
        (reason,) = answer.reasons
        assert (reason.type, reason.code, reason.text) == ("A04", "S120", "no (/CDSDATA/Location/@opm-id)")


async def test_a_message_of_the_operator_is_brought(desk: tuple[httpx.AsyncClient, Kept, Sandbox]) -> None:
    client, way, sandbox = desk
    reply = await client.post("/bring?way=http", content=sample("XS1"))
    assert (reply.status_code, reply.json()) == (202, {"id": "XS1-1"})
    await sandbox.settled()
    assert way.delivered == [sample("XS1")]
    refused = await client.post("/bring?way=mail", content=sample("249"))
    assert (refused.status_code, refused.json()["code"]) == (422, "no_way")
    assert (await client.post("/bring", content=b"<a/>")).status_code == 422
