"""Channels on a real database: what came is archived and read once; mail both ways; the call-back over mutual TLS."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.exc import DBAPIError

from central.api.app import create_app
from central.market.channels import quota, wss
from central.market.channels.allowed import Environment
from central.market.channels.archive import DatabaseArchive
from central.market.channels.certificates import fingerprint
from central.market.channels.mail import MailChannel
from central.market.channels.plain_http import HttpChannel
from central.market.channels.port import Direction, Exchanged, Incoming, Outgoing, Verdict
from central.market.channels.quota import Quota, admit
from central.market.channels.quota import find as find_unasked
from central.market.channels.receive import receive_all, take
from central.market.channels.tables import market_archive, market_aside
from central.market.channels.watch import drop_aside, watch
from central.market.conversation.outages import plan_outage
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.incoming import read_incoming
from central.market.messages import Draft, Subject, create
from central.market.response import Reason, Response, write_response
from central.market.send import Carried, Pace, send_due
from central.market.tables import market_inbox, market_message, market_message_event
from central.market.testing import FakeChannel
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.platform.tables import audit
from shared.testing import ManualClock
from tests.system.market_caller import Caller, client_context, fault_of, open_caller
from tests.unit.central.market.channels import pki, test_config
from tests.unit.central.market.channels.ends import HttpEnd, MailEnd, tls_files

AT = pki.AT
PACKAGE = load_package("sandbox-2026")
SENDER = "8591824900017"
READER, OTHER = "reader-token-0123456789", "other-token-0123456789"
TOKENS = (
    TokenSetting(token=SecretStr(READER), name="Jana", rights=frozenset({"read", "market"})),
    TokenSetting(token=SecretStr(OTHER), name="Technik", rights=frozenset({"work"})),
)


@dataclass
class Reads:
    """Keeps what was given to be read, and may fail."""

    contents: list[bytes] = field(default_factory=list)
    fails: bool = False

    def __call__(self, connection: Connection, incomings: Sequence[Incoming], at: datetime) -> None:
        if self.fails:
            raise RuntimeError("the reader died")
        for incoming in incomings:
            assert incoming.content is not None
            self.contents.append(incoming.content)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


def verdicts(engine: Engine) -> list[str]:
    with transaction(engine) as db:
        return list(db.execute(select(market_archive.c.verdict).order_by(market_archive.c.id)).scalars())


def test_what_comes_is_archived_and_read_once(engine: Engine, database_url: str) -> None:
    channel, reads = FakeChannel(), Reads()

    def look() -> tuple[int, int, int, int, int]:
        report = receive_all(engine, channel, lambda: AT, reads)
        return report.opened, report.duplicates, report.refused, report.aside, report.again

    channel.offer("<1@ote>", b"<RESPONSE id='1'/>")
    reads.fails = True
    assert receive_all(engine, channel, lambda: AT, reads).left == 1
    assert verdicts(engine) == [], "nothing is archived that was not read"
    reads.fails = False
    confirm, channel.confirm = channel.confirm, lambda incoming: None  # type: ignore[method-assign]  # dies first
    assert look() == (1, 0, 0, 0, 0)
    assert look() == (0, 0, 0, 0, 1), "killed before it was confirmed: it comes again and is not read again"
    channel.confirm = confirm  # type: ignore[method-assign]
    assert look() == (0, 0, 0, 0, 1)
    assert channel.waiting == {}

    channel.offer("<2@ote>", b"<RESPONSE id='1'/>")
    channel.offer("<1@ote>", b"<RESPONSE id='other'/>")
    channel.offer("<3@ote>", b"<RESPONSE id='3'/>")
    channel.waiting["<3@ote>"] = replace(channel.waiting["<3@ote>"], content=None, refusal=("wrong_signature", "No."))
    channel.offer("<4@x\0\udcff>", b"spam")
    channel.waiting["<4@x\0\udcff>"] = replace(channel.waiting["<4@x\0\udcff>"], content=None, is_aside=True)
    assert look() == (0, 1, 2, 1, 0)
    assert reads.contents == [b"<RESPONSE id='1'/>"]
    assert verdicts(engine) == ["opened", "duplicate", "refused", "refused"]

    refused = Incoming(
        "fake", Environment.SANDBOX, "<3@ote>", "?", b"<RESPONSE id='3'/>", "<3@ote>", refusal=("x", "No.")
    )
    channel.waiting["<3@ote>"] = refused
    assert look() == (0, 0, 0, 0, 1), "still refused: it is not archived again"
    channel.waiting["<3@ote>"] = replace(refused, content=b"<RESPONSE id='3'/>", refusal=None)
    assert look() == (1, 0, 0, 0, 0), "what it was refused for is mended, and somebody put it back"
    channel.waiting["<3@ote>"] = refused
    assert look() == (0, 0, 0, 0, 1)
    assert reads.contents == [b"<RESPONSE id='1'/>", b"<RESPONSE id='3'/>"]

    with transaction(engine) as db:
        assert db.execute(select(func.count()).select_from(market_aside)).scalar_one() == 1
        assert drop_aside(db, AT + timedelta(days=89)) == 0
        assert drop_aside(db, AT + timedelta(days=91)) == 1
    for statement in ("UPDATE market_archive SET verdict = 'opened'", "DELETE FROM market_archive"):
        with pytest.raises(DBAPIError), transaction(engine) as db:
            db.execute(text(statement))
    _check_routes(engine, database_url)


def test_what_the_database_does_not_take_keeps_nothing_beside_and_behind_it(engine: Engine) -> None:
    channel, reads = FakeChannel(), Reads()

    def read(connection: Connection, incomings: Sequence[Incoming], at: datetime) -> None:
        if any(incoming.identity == "<2@ote>" for incoming in incomings):
            connection.execute(text("SELECT 1 / 0"))
        reads(connection, incomings, at)

    for number in (1, 2, 3):
        channel.offer(f"<{number}@ote>", f"<RESPONSE id='{number}'/>".encode())
    report = receive_all(engine, channel, lambda: AT, read)
    assert (report.opened, report.left, list(channel.waiting)) == (2, 1, ["<2@ote>"])
    assert reads.contents == [b"<RESPONSE id='1'/>", b"<RESPONSE id='3'/>"]


def test_a_channel_knows_its_own_traffic_and_strangers_have_a_quota(engine: Engine) -> None:
    here, reads = FakeChannel(), Reads()
    there = FakeChannel(replace(here.destination, name="other"))
    for channel in (here, there):
        channel.offer("<1@ote>", b"<RESPONSE id='1'/>")
        assert receive_all(engine, channel, lambda: AT, reads).opened == 1, "another channel's traffic does not count"
    assert len(reads.contents) == 2

    small = Quota(pieces=2, octets=1000)
    with transaction(engine) as db:
        kept = [admit(db, "here", "refused", 400, AT, small) for _ in range(4)]
        assert kept == [True, True, False, False]
        assert not admit(db, "large", "refused", 1001, AT, small)
        assert admit(db, "here", "aside", 400, AT, small) and admit(db, "here", "refused", 1, AT + timedelta(1), small)
        (row, *_) = find_unasked(db, AT.date() + timedelta(1))
        assert (row["channel"], row["kept"], row["dropped"]) == ("here", 1, 0)
        found = {(row["channel"], row["kind"]): row for row in find_unasked(db, AT.date()) if row["day"] == AT.date()}
        assert found["here", "refused"]["dropped_octets"] == 800
        over = db.execute(select(audit.c.subject).where(audit.c.act == "market.unasked.over")).scalars().all()
        assert over == ["market_channel/here", "market_channel/large"], "on record once a day"


def test_what_strangers_bring_over_the_quota_is_counted_and_ours_is_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota.admit, "__defaults__", (Quota(pieces=1),))
    channel, reads = FakeChannel(), Reads()
    for number in range(3):
        channel.offer(f"<{number}@x>", b"<x>%d</x>" % number)
        bad = replace(channel.waiting[f"<{number}@x>"], content=None, refusal=("untrusted_certificate", "No."))
        channel.waiting[f"<{number}@x>"] = bad
        channel.offer(f"<s{number}@x>", b"spam %d" % number)
        channel.waiting[f"<s{number}@x>"] = replace(bad, identity=f"<s{number}@x>", handle=f"<s{number}@x>",
                                                    octets=b"spam %d" % number, is_aside=True)  # fmt: skip
    channel.offer("<ours@ote>", b"<RESPONSE id='1'/>")
    report = receive_all(engine, channel, lambda: AT, reads)
    assert (report.refused, report.aside, report.dropped, report.opened) == (1, 1, 4, 1)
    assert channel.waiting == {} and verdicts(engine) == ["refused", "opened"]


def test_two_take_from_one_channel_at_the_same_time_unless_it_is_the_same(engine: Engine) -> None:
    channel, reads = FakeChannel(), Reads()
    for identity, content in (("<1@ote>", b"<a/>"), ("<2@ote>", b"<b/>"), ("<3@ote>", b"<a/>")):
        channel.offer(identity, content)
    first, second, third = channel.waiting.values()
    with transaction(engine) as one:
        take(one, first, AT, reads)
        with transaction(engine) as other:
            other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            assert take(other, second, AT, reads).verdict == "opened"
        for same in (first, third):
            with pytest.raises(DBAPIError, match="lock timeout"), transaction(engine) as other:
                other.execute(text("SET LOCAL lock_timeout = '100ms'"))
                take(other, same, AT, reads)
    with transaction(engine) as db:
        assert take(db, third, AT, reads).verdict == "duplicate"


def test_the_archive_gives_back_what_left_and_what_waits(engine: Engine) -> None:
    archive, channel = DatabaseArchive(engine), FakeChannel()
    channel._archive = archive
    message = Outgoing("121-9", "121", PACKAGE.name, b"<CDSDATA/>", PACKAGE.digest)
    assert archive.find_sent(channel.destination, message) is None
    for _ in range(2):
        channel.send(message)
    assert verdicts(engine) == ["sent"], "the same octets are kept once"
    found = archive.find_sent(channel.destination, message)
    assert found is not None and (found.octets, found.identity) == (message.xml, "121-9")
    for other in (replace(message, xml=b"<other/>"), replace(message, id="121-8")):
        assert archive.find_sent(channel.destination, other) is None
    assert archive.find_sent(replace(channel.destination, name="other"), message) is None

    where = channel.destination
    reply = Exchanged(
        Direction.IN, where.name, where.environment, AT, "x", "i", b"<r/>", Verdict.REPLY, certificate="c"
    )
    archive.keep_reply(reply)
    ((number, waiting),) = archive.waiting_replies(where)
    assert waiting == reply
    assert archive.waiting_replies(replace(where, name="other")) == []
    assert archive.waiting_replies(where, number) == []
    archive.reply_is_taken(number)
    archive.reply_is_taken(number)
    assert archive.waiting_replies(where) == []


def test_what_a_stranger_refuses_waits_for_a_person_who_sends_it_again(engine: Engine, database_url: str) -> None:
    make_message(engine, "121-1")
    end = HttpEnd()
    end.refuse("121-1")
    channel = HttpChannel(end.channel.destination, DatabaseArchive(engine), lambda: AT)
    app = create_app(Settings(database_url=database_url, tokens=TOKENS))
    try:
        assert len(send_due(engine, channel, ManualClock(AT), "Jana").undelivered) == 1
        end.refuses.clear()
        assert send_due(engine, channel, ManualClock(AT), "Jana").sent == [], "it waits"
        with TestClient(app) as client:

            def call(method: str, path: str, **more: Any) -> httpx.Response:
                headers = {"Authorization": f"Bearer {READER}"}
                answer: httpx.Response = client.request(method, f"/v1/market{path}", headers=headers, **more)
                return answer

            (message,) = call("GET", "/messages").json()["messages"]
            assert message["state"] == "saved"
            number = message["id"]
            assert "does not prove who it is" in call("GET", f"/messages/{number}/events").text
            assert [each["id"] for each in call("GET", "/warnings").json()["left"]] == [number]
            again = call("POST", f"/messages/{number}/send-again", json={"why": "the proxy was mended"})
            assert (again.status_code, again.json()) == (200, {"id": number, "message_id": "121-1"})
            assert call("GET", "/warnings").json()["left"] == []
            assert len(send_due(engine, channel, ManualClock(AT), "Jana").sent) == 1
            answer = call("POST", f"/messages/{number}/send-again", json={"why": "once more"})
            assert (answer.status_code, answer.json()["code"]) == (409, "not_waiting")
            assert call("POST", "/messages/99/send-again", json={"why": "x"}).status_code == 404
            assert call("GET", "/unasked").json() == []
    finally:
        channel.close()
        end.close()


def _check_routes(engine: Engine, database_url: str) -> None:
    """The archive through the API."""
    app = create_app(Settings(database_url=database_url, tokens=TOKENS))
    app.dependency_overrides[get_clock] = lambda: ManualClock(AT)
    with TestClient(app) as client:

        def get(path: str, token: str = READER) -> httpx.Response:
            answer: httpx.Response = client.get(f"/v1/market{path}", headers={"Authorization": f"Bearer {token}"})
            return answer

        first = get("/archive?verdict=opened&sort=id").json()[0]["id"]
        rows = get("/archive?verdict=refused&sort=id").json()
        assert [row["why"] for row in rows] == [
            f"identity_used_twice: Number {first} came under the same identity with other content.",
            "wrong_signature: No.",
        ]
        assert rows[0]["direction"] == "in" and rows[0]["environment"] == "sandbox" and "octets" not in rows[0]
        found = get(f"/archive/{first}/octets")
        assert found.content == b"<RESPONSE id='1'/>"
        assert found.headers["content-type"] == "application/octet-stream"
        assert get(f"/archive/{first}/signed").status_code == 404
        assert get("/archive/99/octets").status_code == 404
        assert get(f"/archive/{first}/octets", OTHER).status_code == 403
        assert get("/aside").json() == []
        assert get("/certificates").json() == []
        assert get("/metrics").status_code == 200
    with transaction(engine) as db:
        downloads = db.execute(select(audit.c.person, audit.c.subject).where(audit.c.act == "market.archive.download"))
        assert downloads.all() == [("Jana", f"market_archive/{first}")]


def test_certificates_that_run_out_are_on_record(engine: Engine, tmp_path: Path) -> None:
    settings = test_config.read(tmp_path, test_config.usual(tmp_path))
    with transaction(engine) as db:
        assert watch(db, settings, AT) == []
        late = pki.TO - timedelta(days=20)
        assert [(each.watched.name, each.days_left) for each in watch(db, settings, late)] == [
            ("ours", 20),
            (pki.OPERATOR, 20),
        ]
        rows = db.execute(select(audit.c.subject, audit.c.details).where(audit.c.act == "market.certificate.expiring"))
        found = {details["name"]: (subject, details["state"], details["roles"]) for subject, details in rows}
    ours = fingerprint(pki.world().ours.certificate)
    assert found["ours"] == (f"market_certificate/{ours}", "expiring", ["sign", "decrypt"])


DAY = timedelta(days=1)


def answer_to(message_id: str, answer_id: str) -> bytes:
    envelope = Envelope(
        answer_id, "X21", AT, Participant(pki.OPERATOR), Participant(SENDER), (message_id,), False, "CS"
    )
    return write_response(PACKAGE, Response(envelope, [Reason("A01", "0200", "zpráva úspěšně přijata")]))


def test_what_was_signed_for_another_participant_is_not_ours(engine: Engine) -> None:
    """Whoever got it could encrypt for us what the operator has signed for them."""
    content = (PACKAGE.folder / str(PACKAGE.message("111").sample)).read_bytes()
    incoming = Incoming("fake", Environment.SANDBOX, "<1@ote>", pki.OPERATOR, content, "<1@ote>", content)
    with transaction(engine) as db:
        for participants in (frozenset({"8591824009802"}), frozenset({pki.OPERATOR}), frozenset[str]()):
            read_incoming(db, [incoming], AT, participants)
        rows = db.execute(select(market_inbox.c.outcome, market_inbox.c.why).order_by(market_inbox.c.id)).all()
    assert rows[0].outcome == "refused" and f"is for {pki.OPERATOR}, and we are 8591824009802" in rows[0].why
    assert rows[1].outcome != "refused"
    assert rows[2].outcome == "duplicate"


def make_message(engine: Engine, message_id: str, code: str = "121") -> None:
    draft = Draft(
        message_id, code, PACKAGE.name, PACKAGE.digest, SENDER, pki.OPERATOR, Subject("request", message_id),
        date(2026, 3, 1), date(2026, 4, 1), 1, b"<CDSDATA></CDSDATA>", {},
    )  # fmt: skip
    with transaction(engine) as db:
        create(db, draft, AT, "test")


def test_an_outage_of_one_channel_holds_the_time_outs_of_its_messages(engine: Engine) -> None:
    here, impatient = FakeChannel(), Pace(answer=timedelta(0))
    there = FakeChannel(replace(here.destination, name="there"))
    ours, others = Carried(frozenset({"121"})), Carried(None, frozenset({"121"}))
    make_message(engine, "121-1")
    make_message(engine, "111-1", "111")
    for channel, carried in ((here, ours), (there, others)):
        assert len(send_due(engine, channel, ManualClock(AT), "Jana", impatient, carried).sent) == 1
    with transaction(engine) as db:
        plan_outage(db, AT, AT + timedelta(hours=1), "there", "announced", AT, "Jana")
    assert send_due(engine, there, ManualClock(AT), "Jana", impatient, others).timed_out == []
    assert len(send_due(engine, here, ManualClock(AT), "Jana", impatient, ours).timed_out) == 1
    with transaction(engine) as db:
        rows = db.execute(select(market_message.c.message_id, market_message.c.state)).all()
        states = {row.message_id: row.state for row in rows}
    assert states == {"121-1": "sent", "111-1": "sent"}
    later = ManualClock(AT + timedelta(hours=2))
    assert len(send_due(engine, there, later, "Jana", impatient, others).timed_out) == 1


def test_messages_that_no_channel_takes_are_warned_of(engine: Engine, database_url: str, tmp_path: Path) -> None:
    for code in ("121", "111", "GP6"):
        make_message(engine, f"{code}-1", code)
    data = test_config.usual(tmp_path)
    mail, soap, _, training = data["channels"]
    data["channels"] = [mail | {"codes": ["127"]}, soap | {"environment": "production"}, training]
    data["callback"]["environment"] = "production"
    path = tmp_path / "channels.json"
    path.write_text(json.dumps(data))
    settings = Settings(database_url=database_url, tokens=TOKENS, market_channels_file=path)
    with TestClient(create_app(settings)) as client:

        def warnings() -> Any:
            return client.get("/v1/market/warnings", headers={"Authorization": f"Bearer {READER}"}).json()

        assert warnings()["held"] == [], "the next round may take them"
        with transaction(engine) as db:
            db.execute(update(market_message).values(due_at=func.clock_timestamp() - timedelta(minutes=5)))
        assert warnings()["channels"] is None
        held = {each["message_id"]: each["why"] for each in warnings()["held"]}
        assert set(held) == {"121-1", "GP6-1"}
        assert "ote-soap, which is production" in held["121-1"] and "No channel carries GP6" in held["GP6-1"]


def test_a_message_goes_by_mail_and_its_answer_comes_back(engine: Engine) -> None:
    make_message(engine, "121-1")
    end = MailEnd()
    channel = MailChannel(end.destination, DatabaseArchive(engine), lambda: AT, end.setting)
    try:
        assert len(send_due(engine, channel, ManualClock(AT), "Jana").sent) == 1
        assert end.taken() == [("121-1", b"<CDSDATA></CDSDATA>")]
        for _ in range(2):
            end.put(end.seal("R-1", answer_to("121-1", "R-1")))
        end.put(b"From: x@example.com\r\nSubject: 812 - R-2\r\n\r\n" + answer_to("121-1", "R-2"))
        report = receive_all(engine, channel, lambda: AT, read_incoming)
        assert (report.opened, report.duplicates, report.aside, report.failed) == (1, 1, 1, None)
        assert end.folders()["INBOX"] == 0
    finally:
        channel.close()
        end.close()
    with transaction(engine) as db:
        assert db.execute(select(market_message.c.state)).scalar_one() == "accepted"
        assert db.execute(select(market_inbox.c.outcome)).scalars().all() == ["applied"]
        sent, opened, _ = db.execute(select(market_archive).order_by(market_archive.c.id)).mappings().all()
    assert (sent["direction"], sent["message_id"], sent["octets"]) == ("out", "121-1", end.mails.kept[0])
    assert sent["signed"] and opened["signed"] and opened["peer"] == pki.OPERATOR


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def caller(engine: Engine, tmp_path: Path, reads: Reads) -> Iterator[Caller]:
    with open_caller(engine, tmp_path, reads) as found:
        yield found


def test_the_operator_calls_us_back(caller: Caller, reads: Reads, engine: Engine, tmp_path: Path) -> None:
    octets = wss.seal_envelope(b"<RESPONSE id='R-1'/>", pki.world().theirs, AT)
    answer = caller.call(octets)
    assert answer.status_code == 200, answer.text
    accepted = wss.open_envelope(answer.content, pki.world().us, AT)
    assert b"Accepted" in accepted.payload
    assert caller.call(octets).status_code == 200, "it did not get our reply: it is told again that we have it"
    assert caller.call(wss.seal_envelope(b"<RESPONSE id='R-1'/>", pki.world().theirs, AT)).status_code == 200
    assert reads.contents == [b'<RESPONSE id="R-1"></RESPONSE>']

    wrapped = octets.replace(b"</soapenv:Body>", b"</soapenv:Body><soapenv:Body/>")
    assert fault_of(caller.call(wrapped)) == (500, "Client", "soap_malformed")
    entities = octets.replace(b"<soapenv:Envelope", b"<!DOCTYPE x [<!ENTITY a 'b'>]><soapenv:Envelope", 1)
    assert fault_of(caller.call(entities)) == (500, "Client", "xml_dtd")
    changed = octets.replace(b"R-1", b"R-2")
    assert fault_of(caller.call(changed)) == (500, "Server", "wrong_signature")
    assert fault_of(caller.call(wss.plain_envelope(b"<RESPONSE id='R-3'/>")))[2] == "not_signed"
    ours = wss.seal_envelope(b"<RESPONSE id='R-3'/>", pki.world().ours, AT)
    assert fault_of(caller.call(ours))[2] == "unexpected_sender"
    assert caller.call(octets, "OtherService").status_code == 404
    caller.now[0] = AT + timedelta(hours=1)
    replayed = wss.seal_envelope(b"<RESPONSE id='R-4'/>", pki.world().theirs, AT)
    assert fault_of(caller.call(replayed)) == (500, "Server", "timestamp")
    reads.fails = True
    failed = caller.call(wss.seal_envelope(b"<RESPONSE id='R-5'/>", pki.world().theirs, caller.now[0]))
    assert fault_of(failed) == (500, "Server", "It could not be taken now; try again.")
    assert len(reads.contents) == 1
    _call_over_the_quota(caller, reads)

    with transaction(engine) as db:
        rows = db.execute(select(market_archive.c.direction, market_archive.c.verdict, market_archive.c.octets)).all()
    came = [verdict for direction, verdict, _ in rows if direction == "in"]
    assert came == ["opened", "duplicate", *["refused"] * 6, "duplicate"]
    assert next(octets for direction, _, octets in rows if direction == "out") == answer.content

    nobody = client_context(tmp_path, tmp_path / "ca.pem", with_key=False)
    with httpx.Client(verify=nobody) as stranger, pytest.raises(httpx.TransportError):
        stranger.post(f"{caller.url}/ote/CDSCallbackService", content=octets)


def _call_over_the_quota(caller: Caller, reads: Reads) -> None:
    """A stranger is told to go, and nothing more of it is archived; who is known is not kept by that."""
    stranger = wss.seal_envelope(b"<RESPONSE id='R-6'/>", pki.own("stranger", pki.world().stranger), caller.now[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quota.admit, "__defaults__", (Quota(pieces=0),))
        assert fault_of(caller.call(stranger)) == (
            503,
            "Server",
            "Too many calls of strangers came today; try again later.",
        )
        reads.fails = False
        known = wss.seal_envelope(b"<RESPONSE id='R-1'/>", pki.world().theirs, caller.now[0])
        assert caller.call(known).status_code == 200


@dataclass
class Installation:
    """A settings' file with a folder channel and a call-back, and the services as processes of their own."""

    folder: Path
    settings: Settings
    port: int
    stack: ExitStack

    def start(self, service: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "ROZVODNA_DATABASE_URL": self.settings.database_url,
            "ROZVODNA_MARKET_CHANNELS_FILE": str(self.settings.market_channels_file),
            "ROZVODNA_MARKET_POLL_S": "0.05",
        }
        log = self.stack.enter_context((self.folder / f"{service}.log").open("ab"))
        process = subprocess.Popen([sys.executable, "-m", "central", service], env=environment, stderr=log, stdout=log)
        self.stack.callback(process.kill)
        return process

    def names(self, name: str) -> list[str]:
        path = self.folder / "exchange" / name
        return sorted(each.name for each in path.iterdir()) if path.is_dir() else []


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    data = test_config.usual(tmp_path)
    _, server, private = tls_files(tmp_path)
    (tmp_path / "exchange" / "in").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    data["keys"].append({"name": "tls", "roles": ["tls"], "certificate": server.name, "key": private.name})
    data["counterparties"][0]["intermediates"] = ["between.pem"]
    (tmp_path / "between.pem").write_bytes(pki.world().between.certificate.public_bytes(Encoding.PEM))
    data["channels"] = [
        {"kind": "folder", "name": "house", "environment": "sandbox", "counterparty": pki.OPERATOR, "codes": ["*"],
         "folder": "exchange"},
    ]  # fmt: skip
    data["callback"] = {**data["callback"], "channel": "house", "port": port, "tls_key": "tls"}
    # the services go by the real clock
    data["oldest_s"] = 86_400
    path = tmp_path / "channels.json"
    path.write_text(json.dumps(data))
    with ExitStack() as stack:
        yield Installation(
            tmp_path, Settings(database_url=database_url, tokens=TOKENS, market_channels_file=path), port, stack
        )


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return result


def test_kills_lose_and_double_nothing(installation: Installation, engine: Engine) -> None:
    """The first dies while it confirms what it took as a set, the second further on; each answer is taken once."""
    many = 250
    for number in range(many):
        make_message(engine, f"121-{number}")
        content = answer_to(f"121-{number}", f"R-{number}")
        (installation.folder / "exchange" / "in" / f"{number:03}.xml").write_bytes(content)
    with transaction(engine) as db:
        db.execute(update(market_message).values(state="sent", attempts=1, receipt="r", due_at=func.now() + DAY))
    for kills in (3, 120):
        process = installation.start("market-channels")
        wait_for(lambda: len(installation.names("done")) >= kills)  # noqa: B023 - called at once
        process.kill()
        process.wait()
    assert len(installation.names("done")) < many, "it was over before it was killed"
    process = installation.start("market-channels")
    wait_for(lambda: len(installation.names("done")) == many)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert verdicts(engine) == ["opened"] * many
    with transaction(engine) as db:
        inbox = db.execute(select(market_inbox.c.message_id, market_inbox.c.outcome)).all()
        accepted = list(db.execute(select(market_message_event.c.message).filter_by(act="accept")).scalars())
        states = set(db.execute(select(market_message.c.state)).scalars())
    assert sorted((row.message_id, row.outcome) for row in inbox) == sorted(
        (f"R-{number}", "applied") for number in range(many)
    )
    assert states == {"accepted"} and len(accepted) == len(set(accepted)) == many


def test_the_api_sends_by_the_channel_of_the_code_and_the_call_back_is_served(
    installation: Installation, engine: Engine
) -> None:
    make_message(engine, "121-1")
    callback = installation.start("market-callback")
    app = create_app(installation.settings)
    app.dependency_overrides[get_clock] = lambda: ManualClock(AT)
    with TestClient(app) as client:
        headers = {"Authorization": f"Bearer {READER}"}
        sent = client.post("/v1/market/send", headers=headers).json()
        assert len(sent["sent"]) == 1
        certificates = client.get("/v1/market/certificates?within_days=36500", headers=headers).json()
        assert {(each["holder"], each["state"]) for each in certificates} == {
            ("ours", "valid"),
            (pki.OPERATOR, "valid"),
        }
        assert client.get("/v1/market/certificates?within_days=1", headers=headers).json() == []
        warnings = client.get("/v1/market/warnings", headers=headers).json()
        assert (warnings["certificates"], warnings["channels"]) == ([], None)
        app.dependency_overrides[get_clock] = lambda: ManualClock(pki.TO - timedelta(days=5))
        warnings = client.get("/v1/market/warnings", headers=headers).json()
        assert {each["name"]: each["days_left"] for each in warnings["certificates"]}["ours"] == 5
        path = installation.settings.market_channels_file
        assert path is not None
        text = path.read_text()
        path.write_text("{")
        assert "not in the expected form" in client.get("/v1/market/warnings", headers=headers).json()["channels"]
        path.write_text(text)
        assert b"rozvodna_market_certificate_days_left{" in client.get("/v1/market/metrics", headers=headers).content
    assert installation.names("out") == ["121-121-1.xml"]

    now = datetime.now(UTC)
    octets = wss.seal_envelope(answer_to("121-1", "R-1"), pki.world().theirs, now)
    authority = installation.folder / "ca.pem"
    url = f"https://127.0.0.1:{installation.port}/ote/CDSCallbackService"
    with httpx.Client(verify=client_context(installation.folder, authority, with_key=True), timeout=20) as caller:

        def call() -> httpx.Response | None:
            try:
                return caller.post(url, content=octets)
            except httpx.TransportError:
                assert callback.poll() is None, (installation.folder / "market-callback.log").read_text()
                return None

        answer = wait_for(call)
        assert answer.status_code == 200, answer.text
        assert caller.get(f"https://127.0.0.1:{installation.port}/v1/health").status_code == 404
    with transaction(engine) as db:
        assert db.execute(select(market_message.c.state)).scalar_one() == "accepted"
    callback.send_signal(signal.SIGTERM)
    callback.wait(20)
