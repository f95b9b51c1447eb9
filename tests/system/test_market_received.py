"""What the market sends us and what becomes of it: through the API, on a real database, by the effects of all kinds."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from threading import Event
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, update

from central.market.answers import Brought
from central.market.channels.allowed import Environment
from central.market.channels.port import Outgoing, Receipt, Sealed
from central.market.contents import write_any
from central.market.envelope import Envelope, Participant
from central.market.incoming import take_message
from central.market.messages import Draft, Subject, create
from central.market.payloads.master_data import MasterData, PointData, PointParty
from central.market.payloads.supplier_switch import ChangeOfSupplier, Statement, SupplierSwitch
from central.market.send import Pace, send_due
from central.market.tables import market_message, received_invoice, received_invoice_item, received_tariff
from central.market.testing import FakeChannel
from central.platform.database import transaction
from central.platform.errors import Refused
from central.platform.tables import audit
from central.registry.tables import party, supply_point
from tests.system.market_desk import NEW_SUPPLIER, NOW, PACKAGE, TOKEN, Desk, message, open_desk
from tests.unit.central.market.content_examples import OPERATOR, PAYLOADS, POINT, POINT_DATA, SUPPLIER, US


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    with open_desk(database_url) as opened:
        yield opened


def make(desk: Desk, message_id: str, code: str = "111", version: int = 1, deadline: datetime | None = None) -> int:
    envelope = Envelope(message_id, code, NOW, Participant(US), Participant(OPERATOR))
    xml = write_any(PACKAGE, envelope, PAYLOADS[code])
    draft = Draft(
        message_id, code, PACKAGE.name, PACKAGE.digest, US, OPERATOR, Subject("supply_point", POINT),
        date(2026, 3, 1), None, version, xml, {"supply_point": POINT}, deadline=deadline,
    )  # fmt: skip
    with transaction(desk.engine) as db:
        return create(db, draft, NOW, "test")


def test_every_kind_of_message_has_an_effect_and_is_taken_once(desk: Desk) -> None:
    outcomes = {}
    for code in ("XD1", "127", "240", "XM1", "XC3", "XS1", "249", "XR1"):
        content = message(code, PAYLOADS[code], f"IN-{code}")
        outcomes[code] = desk.bring(content)
        assert desk.bring(content) == "duplicate"
        assert desk.bring(
            content.replace(b'language="', b'language="E').replace(b"2026-04-01T08", b"2026-04-01T09")
        ) == ("conflict")
    assert outcomes == {
        "XD1": "proposed", "127": "applied", "240": "applied", "XM1": "proposed", "XC3": "proposed", "XS1": "proposed",
        "249": "proposed", "XR1": "proposed",
    }  # fmt: skip
    with transaction(desk.engine) as db:
        counted = [
            db.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (received_invoice, received_invoice_item, received_tariff)
        ]
    assert all(counted), counted
    stranger = message("249", PAYLOADS["249"], "IN-249-2").replace(b"<Finding ", b'<Finding mood="good" ', 1)
    assert desk.bring(stranger) == "proposed"
    (told,) = (each["why"] for each in desk.get("/received") if each["message_id"] == "IN-249-2")
    assert told.endswith("Not understood in the message: CDSMONITOR/Finding[1]/@mood = 'good'.")
    assert desk.bring(b"<CDSDATA/>") == "refused"
    assert desk.bring(b"no xml at all") == "refused"
    assert len(desk.get("/received", outcome="refused")) == 2


def test_an_answer_is_believed_from_whom_the_message_was_sent_to_once_it_was_sent(desk: Desk) -> None:
    number = make(desk, "M-1")
    answer = desk.answer("M-1", "R-1")
    assert desk.bring(answer) == "refused", "it was never sent"
    assert desk.send() == [number]
    assert desk.bring(answer.replace(OPERATOR.encode(), SUPPLIER.encode())) == "refused", "a stranger's answer"
    with transaction(desk.engine) as db:
        db.execute(update(market_message).values(environment="production"))
    assert desk.bring(answer) == "refused", "it was sent to another world"
    with transaction(desk.engine) as db:
        db.execute(update(market_message).values(environment="sandbox"))
    assert (desk.bring(answer), desk.bring(answer)) == ("applied", "duplicate")
    assert desk.get(f"/messages/{number}")["state"] == "accepted"


def test_a_rejected_message_shows_where_it_is_wrong_and_its_repair_replaces_it(desk: Desk) -> None:
    number = make(desk, "M-1")
    desk.send()
    assert desk.bring(desk.answer("M-1", "R-1", "A02", f"OPM {POINT} neni registrovano", "S111")) == "applied"
    rejection = desk.get(f"/messages/{number}/rejection")
    (offence,) = rejection["offences"]
    assert (offence["attribute"], offence["value"], offence["found_by"]) == ("opm-id", POINT, "value")
    assert offence["path"].startswith("/CDSMASTERDATA/") and offence["line"] > 1
    assert rejection["basis"] == {"supply_point": POINT}
    made = desk.post(f"/messages/{number}/repair", {"why": "registered meanwhile"})["id"]
    assert desk.post(f"/messages/{number}/repair", {"why": "again"}, status=409)["code"] == "not_rejected"
    assert desk.get(f"/messages/{number}")["state"] == "repaired"
    again = desk.get(f"/messages/{made}")
    assert (again["version"], again["basis"]["repairs"]) == (2, "M-1")
    assert desk.send() == [made]
    assert desk.bring(desk.answer(again["message_id"], "R-2")) == "applied"
    (process,) = desk.get("/processes", scenario="change_of_data")
    assert (process["state"], process["id"]) == ("done", again["process"])
    acts = [line["act"] for line in desk.get(f"/processes/{process['id']}")["time_line"] if line["kind"] == "step"]
    assert acts == ["-> sent", "sent -> rejected", "rejected -> sent", "sent -> done"]


def test_a_registration_is_a_conversation_that_is_warned_of_until_it_is_done(desk: Desk) -> None:
    number = make(desk, "M-1", "194", deadline=NOW + timedelta(days=1))
    desk.send()
    assert {each["kind"] for each in desk.get("/warnings", within_days=2)["deadlines"]} == {"message", "process"}
    assert desk.bring(desk.answer("M-1", "R-1", "A02", "Chybí třída TDD.", "S194")) == "applied"
    (process,) = desk.get("/processes", scenario="registration", only_open=True)
    assert process["state"] == "rejected"
    desk.clock.set(NOW + timedelta(days=2))
    past = desk.get("/warnings", within_days=0)["deadlines"]
    assert [(each["kind"], each["is_past"]) for each in past] == [("message", True), ("process", True)]
    made = desk.post(f"/messages/{number}/repair", {"why": "doplněno"})["id"]
    assert desk.send() == [made]
    assert desk.bring(desk.answer(desk.get(f"/messages/{made}")["message_id"], "R-2")) == "applied"
    assert desk.get("/warnings", within_days=0)["deadlines"] == []
    detail = desk.get(f"/processes/{process['id']}")
    assert (detail["state"], detail["closed_at"] is not None) == ("done", True)
    lines = [line["kind"] for line in detail["time_line"]]
    assert lines.count("message_in") == 2 and {"message_out", "step", "deadline"} < set(lines)


def test_a_late_answer_counts_and_an_outage_holds_everything_back(desk: Desk) -> None:
    number = make(desk, "M-1", deadline=NOW + timedelta(days=1))
    body = {"first": "2026-04-01T07:00:00Z", "end": "2026-04-01T10:00:00Z", "why": "odstavka"}
    outage = desk.post("/outages", body)["id"]
    assert desk.send() == []
    warned = desk.get("/warnings")
    assert [each["id"] for each in warned["outages"]] == [outage]
    assert {(each["kind"], each["is_past"]) for each in warned["deadlines"]} == {("message", False), ("process", False)}
    desk.clock.set(NOW + timedelta(hours=3))
    assert desk.send() == [number]
    with transaction(desk.engine) as db:
        db.execute(update(market_message).values(due_at=func.clock_timestamp() - timedelta(seconds=1)))
    send_due(desk.engine, FakeChannel(), desk.clock, "Jana", Pace(most_attempts=1))
    assert desk.get(f"/messages/{number}")["state"] == "timed_out"
    assert desk.bring(desk.answer("M-1", "R-1", "A03")) == "applied"
    assert desk.get("/warnings")["deadlines"] == []


class KeylessForFirst(FakeChannel):
    """Cannot seal four messages: a key is missing."""

    def _seal(self, message: Outgoing) -> Sealed:
        if message.id < "M-5":
            raise Refused("no_key", "There is no key.")
        return super()._seal(message)


def test_what_cannot_be_sealed_does_not_hold_up_the_others(desk: Desk) -> None:
    numbers = [make(desk, f"M-{count}", version=count) for count in range(1, 7)]
    with transaction(desk.engine) as db:
        db.execute(update(market_message).values(subject=market_message.c.message_id, version=1))
    report = send_due(desk.engine, KeylessForFirst(), desk.clock, "Jana")
    assert (report.undelivered, report.sent) == (numbers[:4], numbers[4:])


class TwoAtOnce(FakeChannel):
    """Its first delivery gives the second one time to overtake it."""

    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.second = Event()
        self.done: list[str] = []

    def _transmit(self, message: Outgoing, sealed: Sealed) -> Receipt:
        if message.id == "M-1":
            self.second.wait(0.2)
        else:
            self.second.set()
        receipt = super()._transmit(message, sealed)
        self.done.append(message.id)
        return receipt


def test_what_concerns_one_point_leaves_in_its_order(desk: Desk) -> None:
    numbers = [make(desk, "M-1"), make(desk, "M-2", "127")]
    channel = TwoAtOnce()
    assert send_due(desk.engine, channel, desk.clock, "Jana").sent == numbers
    assert channel.done == ["M-1", "M-2"]


def test_a_change_of_supplier_is_a_conversation_from_the_request_to_the_assignment(desk: Desk) -> None:
    change = ChangeOfSupplier(
        request="REQ-7", opm=POINT, kind="standard", first_day=date(2026, 4, 8), new_supplier=NEW_SUPPLIER,
        balance_party=NEW_SUPPLIER, old_supplier=SUPPLIER,
    )  # fmt: skip
    assert desk.bring(message("XS1", SupplierSwitch(changes=[change]), "IN-1")) == "proposed"
    (process,) = desk.get("/processes", scenario="supplier_change", only_open=True)
    # Tuesday 7 April is the last working day before Wednesday the 8th; Friday 3rd and Monday 6th are Easter.
    assert process["deadline"] == "2026-04-07T13:00:00Z"
    (warning,) = desk.get("/warnings", within_days=2)["deadlines"] or [None]
    assert warning["kind"] == "process"
    (proposal,) = desk.get("/proposals", state="waiting")
    taken = desk.post(f"/proposals/{proposal['id']}/take", {"why": "smlouva je v pořádku"})
    assert (taken["state"], taken["decided_by"]) == ("taken", "Jana")
    assert desk.post(f"/proposals/{proposal['id']}/refuse", {"why": "x"}, status=409)["code"] == "decided"
    number = taken["result"]["market_message"]
    statement = desk.get(f"/messages/{number}")
    assert (statement["message_code"], statement["receiver"]) == ("XS2", OPERATOR)
    assert desk.send() == [number]
    assert desk.bring(desk.answer(statement["message_id"], "R-1")) == "applied"
    heard = Statement(request="REQ-7", party="balance_party", result="accept")
    assert desk.bring(message("XS1", SupplierSwitch(statements=[heard]), "IN-2")) == "applied"
    assigned = MasterData(
        points=[
            replace_point(parties=[PointParty(role="supplier", id=NEW_SUPPLIER, first_day=date(2026, 4, 8))]),
        ]
    )
    assert desk.bring(message("XM1", assigned, "IN-3")) == "proposed"
    (proposal,) = desk.get("/proposals", state="waiting")
    changes = proposal["proposed"]["changes"]
    assert changes["supplier_ean"] == {"from": SUPPLIER, "to": NEW_SUPPLIER}
    desk.post(f"/proposals/{proposal['id']}/take", {"why": "přiřazeno", "confirmed": True})
    detail = desk.get(f"/processes/{process['id']}")
    assert (detail["state"], detail["closed_at"] is not None) == ("assigned", True)
    kinds = [line["kind"] for line in detail["time_line"]]
    assert {"message_in", "message_out", "step", "decision", "deadline"} == set(kinds)
    with transaction(desk.engine) as db:
        acts = db.execute(select(audit.c.act).order_by(audit.c.id)).scalars().all()
        supplier = db.execute(
            select(party.c.code).join(supply_point, supply_point.c.supplier == party.c.id)
        ).scalar_one()
    assert acts.count("market.proposal.take") == 2 and "supply_point.revise" in acts
    assert supplier == "NEW"


def replace_point(**changes: Any) -> PointData:
    return msgspec.structs.replace(POINT_DATA, action="change", first_day=date(2026, 4, 8), last_day=None, **changes)


def test_a_refused_request_is_objected_to_with_a_reason(desk: Desk) -> None:
    desk.bring(message("XS1", PAYLOADS["XS1"], "IN-1"))
    proposal = desk.get("/proposals", state="waiting")[0]
    body = {"why": "nemá smlouvu", "reason": "no_contract"}
    refused = desk.post(f"/proposals/{proposal['id']}/refuse", body)
    number = refused["result"]["market_message"]
    assert "nemá smlouvu" in desk.xml(number)
    process = f"/processes/{proposal['process']}"
    assert desk.get(process)["state"] == "objected"
    # the statement itself is rejected: it is warned of, mended, and the conversation goes on to its end
    desk.send()
    told = desk.answer(desk.get(f"/messages/{number}")["message_id"], "R-1", "A02", "chybí důvod", "S111")
    assert desk.bring(told) == "applied"
    assert desk.get(process)["state"] == "objection_rejected"
    desk.clock.set(datetime.fromisoformat(desk.get(process)["deadline"]))
    assert proposal["process"] in {
        each["id"] for each in desk.get("/warnings")["deadlines"] if each["kind"] == "process"
    }
    made = desk.post(f"/messages/{number}/repair", {"why": "doplněno"})["id"]
    assert desk.get(process)["state"] == "objected"
    desk.send()
    assert desk.bring(desk.answer(desk.get(f"/messages/{made}")["message_id"], "R-2")) == "applied"
    detail = desk.get(process)
    assert (detail["state"], detail["closed_at"] is not None) == ("refused", True)


def test_our_answer_to_a_claim_goes_on_behind_its_rejection(desk: Desk) -> None:
    desk.bring(message("XC3", PAYLOADS["XC3"], "IN-1"))
    proposal = desk.get("/proposals", state="waiting", kind="claim")[0]
    number = desk.post(f"/proposals/{proposal['id']}/take", {"why": "oprava"})["result"]["market_message"]
    desk.send()
    desk.bring(desk.answer(desk.get(f"/messages/{number}")["message_id"], "R-1", "A02", "chyba", "S111"))
    made = desk.post(f"/messages/{number}/repair", {"why": "znovu"})["id"]
    desk.send()
    desk.bring(desk.answer(desk.get(f"/messages/{made}")["message_id"], "R-2", "A03", "s výhradou"))
    assert desk.get(f"/processes/{proposal['process']}")["state"] == "recognised"


def test_what_is_made_to_harm_is_refused_recorded_and_never_processed(desk: Desk) -> None:
    good = message("XD1", PAYLOADS["XD1"], "IN-1")
    root = good.index(b"<CDSIDIS")
    laughs = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("message.xml", b"<a>" + b" " * 10_000_000 + b"</a>")
    harmful = {
        "entities that grow": good[:root] + laughs + good[root:],
        "an entity of a file": good[:root] + b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/hosts">]>' + good[root:],
        "a definition elsewhere": good[:root] + b'<!DOCTYPE l SYSTEM "http://127.0.0.1:9/l.dtd">' + good[root:],
        "hidden in another encoding": good.decode().encode("utf-16"),
        "nested without end": b"<a>" * 100_000 + b"</a>" * 100_000,
        "a zip that grows": packed.getvalue(),
        "a compressed stream": gzip.compress(b"<a/>" * 1_000_000),
        "cut off": good[:-200],
        "no message": b"\0" * 1000,
        "a number without end": good.replace(b'breaker-amps="25"', b'breaker-amps="' + b"9" * 200_000 + b'"'),
        "too large": good + b" " * 1_000_000,
    }
    for what, content in harmful.items():
        assert content != good
        assert desk.bring(content) == "refused", what
    told = desk.get("/received")
    assert [each["outcome"] for each in told] == ["refused"] * len(harmful), "each is recorded"
    assert all(each["why"].strip() for each in told)
    with transaction(desk.engine) as db:
        for peer, outcome in ((SUPPLIER, "refused"), (OPERATOR, "proposed"), (OPERATOR, "duplicate")):
            taken = take_message(db, Brought(good, peer, Environment.SANDBOX), NOW, "channel mail")
            assert taken.outcome == outcome, f"{peer} brought it: {taken.why}"
        again = good.replace(b'message-code="XD1"', b'message-code="XD1" ')
        assert (
            take_message(db, Brought(again, OPERATOR, Environment.SANDBOX), NOW, "channel mail").outcome == "conflict"
        )
        assert db.execute(select(func.count()).select_from(received_tariff)).scalar_one() == 3, "once"
    for each in told:
        kept = desk.client.get(f"/v1/market/received/{each['id']}/xml", headers={"Authorization": f"Bearer {TOKEN}"})
        assert kept.headers["content-type"] == "application/octet-stream"
