"""Meter data of gas in the sandbox: judged as the operator would, answered by APERAK, repaired by the next version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from lxml import etree

from central.market.contents import read_any, write_any
from central.market.envelope import Envelope, Participant
from central.market.errors import InboundError
from central.market.format_package import FormatPackage
from central.market.gas import edigas
from central.market.gas.edigas import GasMeterData, GasSeries, GasShown, GasValue
from central.market.response import Reason, Response
from central.market.sandbox.journal import Journal
from central.market.sandbox.judge import judge
from central.market.sandbox.operator import Sandbox
from central.market.sandbox.scenario import Rule, Scenario
from central.market.xml import parse_untrusted, schema_errors
from shared.testing import ManualClock
from tests.unit.central.market.edigas_examples import package_in, take_in

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
DAY = timedelta(days=1)
ENVELOPE = Envelope("XGE-1", "XGE", AT, Participant("8591824556207"), Participant("8591824000007"))
EIC = "27ZG600Z0012345N"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> FormatPackage:
    folder = tmp_path_factory.mktemp("formats")
    take_in(folder)
    return package_in(folder)


def values(count: int = 24) -> list[GasValue]:
    hour = timedelta(hours=1)
    return [
        GasValue(
            place=place + 1, first=AT + place * hour, stop=AT + (place + 1) * hour, volume_m3=Decimal(place),
            quality="MEASURED",
        )
        for place in range(count)
    ]  # fmt: skip


DATA = GasMeterData(series=[GasSeries(opm=EIC, metering_type="A", first=AT, stop=AT + DAY, values=values())])
SHOWN = GasShown(meter="1", at=AT + DAY, state_m3=Decimal("10.5"), reading="own")
STATES = GasMeterData(series=[GasSeries(opm=EIC, metering_type="C", first=AT, stop=AT + DAY, states=[SHOWN])])


def change(data: GasMeterData = DATA, **facts: object) -> GasMeterData:
    return msgspec.structs.replace(data, series=[msgspec.structs.replace(data.series[0], **facts)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DATA, ("A01", "0200")),
        (STATES, ("A01", "0200")),
        (change(values=values(23)), ("A02", "S121")),
        (change(values=values()[1:]), ("A02", "S121")),
        (change(first=AT + timedelta(hours=1)), ("A04", "S120")),
        (change(stop=AT), ("A04", "S120")),
        (change(values=[]), ("A02", "S150")),
        (change(STATES, states=[msgspec.structs.replace(SHOWN, at=AT + 2 * DAY)]), ("A04", "S120")),
    ],
)
def test_points_days_and_hours_are_judged(package: FormatPackage, data: GasMeterData, reason: tuple[str, str]) -> None:
    judgement = judge(package, write_any(package, ENVELOPE, data), Scenario())
    assert [(each.type, each.code) for each in judgement.reasons] == [reason]
    assert judgement.opms == {EIC}
    assert bool(judgement.facts) == judgement.is_accepted


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        (EIC, EIC[:-1] + "M", {"S110"}),
        ('<Receiver v="8591824000007"/>', '<Receiver v="8591824009802"/>', {"S102"}),
        ('<Quantity pos="1"', '<Colour pos="1"', {"S100"}),
    ],
)
def test_envelope_and_schema_are_judged(package: FormatPackage, old: str, new: str, codes: set[str]) -> None:
    text = write_any(package, ENVELOPE, DATA).decode()
    assert old in text
    judgement = judge(package, text.replace(old, new).encode(), Scenario(senders=frozenset({"8591824556207"})))
    assert {each.code for each in judgement.reasons} == codes
    unsaid = text.replace('<Identification v="XGE-1"/>', "").encode()
    with pytest.raises(InboundError, match="The head of the EDIGAS is not whole"):
        judge(package, unsaid, Scenario())


def test_what_is_written_is_read_with_its_version(package: FormatPackage) -> None:
    for data in (DATA, STATES):
        content = write_any(package, ENVELOPE, edigas.with_version(data, 3))
        read = read_any(package, content)
        assert (read.envelope.id, read.envelope.sender, read.payload.version, read.unknown) == (
            "XGE-1", ENVELOPE.sender, 3, {},
        )  # fmt: skip
        assert write_any(package, read.envelope, read.payload) == content
    assert edigas.with_version("other payloads", 3) == "other payloads"


@pytest.mark.parametrize(("kind", "told"), [("A01", "A01"), ("A02", "A02"), ("A03", "A01"), ("A04", "A02")])
def test_an_aperak_says_it_by_the_nearest_code_of_its_mapping(package: FormatPackage, kind: str, told: str) -> None:
    envelope = Envelope("AP-1", "XGA", AT, ENVELOPE.receiver, ENVELOPE.sender, ("XGE-1",))
    content = edigas.write_aperak(package, Response(envelope, [Reason(kind, "S120", "den")]))
    root = parse_untrusted(content)
    assert schema_errors(package.schema("APERAK"), root) == []
    read = edigas.read_aperak(package, root)
    assert (read.envelope, read.reasons) == (envelope, [Reason(told, "S120", "den")])


class _Kept:
    """A way that keeps what goes by it."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def deliver(self, content: bytes, message_id: str, code: str) -> str:
        assert (message_id[:4], code) == ("XGA-", "XGA")
        self.contents.append(content)
        return "kept"


async def test_the_sandbox_answers_by_aperak_and_remembers(package: FormatPackage, tmp_path: Path) -> None:
    way, clock = _Kept(), ManualClock(AT + DAY)
    rules = [Rule(code="XGE", nth=2, answer="reject", reason="S900", text="nesouhlasí")]
    scenario = Scenario(points=frozenset({EIC}), rules=rules)
    journal = Journal(tmp_path)
    sandbox = Sandbox(package, scenario, journal, {"http": way}, clock.now)
    told = []
    for number, (data, version) in enumerate([(DATA, 2), (DATA, 3), (DATA, 3), (DATA, 1), (change(opm=OTHER), 1)]):
        envelope = envelope_of(number)
        await sandbox.take(write_any(package, envelope, edigas.with_version(data, version)))
        await sandbox.settled()
        answer = edigas.read_aperak(package, etree.fromstring(way.contents[-1]))
        assert answer.envelope.references == (envelope.id,)
        told.append([(each.type, each.code) for each in answer.reasons])
    journal.close()
    assert told == [[("A01", "0200")], [("A02", "S900")], [("A01", "0200")], [("A02", "S140")], [("A02", "S111")]]


OTHER = "27ZG600Z0067890H"


def envelope_of(number: int) -> Envelope:
    return Envelope(f"XGE-{number}", "XGE", AT, ENVELOPE.sender, ENVELOPE.receiver)
