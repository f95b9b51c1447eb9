"""What must be told arises by itself: acts and closed days become duties, messages, and done when accepted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, insert, select, text, update

from central.api.app import create_app
from central.market import answers, messages
from central.market.answers import Brought
from central.market.contents import read_any
from central.market.conversation.repair import repair
from central.market.duties import settle_answered
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.incoming import take_message
from central.market.response import Reason, Response, write_response
from central.market.states import Act
from central.market.tables import market_duty, market_message
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.registry.tables import party, supply_point
from central.workflow.telling import tell as telling
from central.workflow.telling.far import earlier_months, in_turn
from central.workflow.telling.tell import Told, tell
from shared.quantities import MISSING_VALUE
from shared.testing import ManualClock
from tests.system.test_market import NOW, OPERATOR, SENDER, add_point, add_profile, channel_of

TOKEN = "person-token-0123456789"
MARCH = date(2026, 3, 1)
PACKAGE = load_package("sandbox-2026")


@dataclass
class Desk:
    """A database with one point of type A, one of B and one of C1, all registered on 2 March; the API over it."""

    engine: Engine
    clock: ManualClock
    client: TestClient
    eans: list[str]

    def tell(self, **query: Any) -> dict[str, Any]:
        reply = self.client.post("/v1/market/tell", params=query)
        assert reply.status_code == 200, reply.text
        result: dict[str, Any] = reply.json()
        return result

    def duties(self, **filters: Any) -> list[dict[str, Any]]:
        reply = self.client.get("/v1/market/duties", params={"limit": 1000, **filters})
        assert reply.status_code == 200, reply.text
        result: list[dict[str, Any]] = reply.json()
        return result

    def month(self) -> dict[str, Any]:
        state: dict[str, Any] = self.client.get("/v1/market/months/2026-03").json()
        return state

    def code(self, code: str) -> dict[str, int]:
        found: dict[str, int] = next(each for each in self.month()["codes"] if each["message_code"] == code)
        return {name: found[name] for name in ("open", "told", "accepted", "rejected", "waived")}

    def answer(self, act: Act, *conditions: Any) -> None:
        """All messages that wait are sent and answered."""
        with transaction(self.engine) as db:
            query = select(market_message.c.id).where(market_message.c.state == "saved", *conditions)
            numbers = list(db.execute(query).scalars())
            for number in numbers:
                messages.move(db, number, Act.SEND, self.clock.now(), "test", "sent")
                reasons = [{"type": "A02", "code": "S900", "text": "nelze"}] if act is Act.REJECT else []
                now = self.clock.now()
                messages.move(db, number, act, now, "test", "answered", answered_at=now, reasons=reasons)
            settle_answered(db, numbers)

    def later(self) -> None:
        self.clock.set(self.clock.now() + timedelta(minutes=5))


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    engine = make_engine(database_url)
    clock = ManualClock(NOW)
    with transaction(engine) as db:
        operator = db.execute(
            insert(party)
            .values(
                code="LDS", name="Areál s.r.o.", roles=["operator"], street="Dlouhá 1", city="Brno",
                postal_code="60200", ean13=SENDER,
            )
            .returning(party.c.id)
        ).scalar_one()  # fmt: skip
        eans = [
            add_point(db, operator, 1, "A", ["A+"]),
            add_point(db, operator, 2, "B", ["A+", "R+"]),
            add_point(db, operator, 3, "C1", []),
        ]
        db.execute(update(supply_point).values(since=date(2026, 3, 2)))
    settings = Settings(
        database_url=database_url,
        market_since=MARCH,
        tokens=(TokenSetting(token=SecretStr(TOKEN), name="Jana", rights=frozenset({"read", "market"})),),
    )
    app = create_app(settings)
    app.dependency_overrides[get_clock] = lambda: clock
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield Desk(engine, clock, client, eans)
    engine.dispose()


def test_acts_and_closed_days_become_messages_and_a_month_is_done_when_all_are_accepted(desk: Desk) -> None:
    told = desk.tell()
    # Three registrations, 30 days of the point of type A from its registration on, the month of the one of type B.
    assert (told["arose"], told["made"], told["problems"]) == (34, 34, [])
    assert desk.code("111") == {"open": 0, "told": 3, "accepted": 0, "rejected": 0, "waived": 0}
    assert desk.code("121") == {"open": 0, "told": 31, "accepted": 0, "rejected": 0, "waived": 0}
    with transaction(desk.engine) as db:
        row = db.execute(
            select(market_message).where(market_message.c.message_code == "111").order_by(market_message.c.subject)
        ).first()
    assert row is not None
    (point,) = read_any(PACKAGE, bytes(row.xml)).payload.points
    assert (point.opm, point.action, point.first_day) == (desk.eans[0], "register", date(2026, 3, 2))
    assert (point.metering.kind, point.consumption.category) == ("A", "VO")
    duty = next(each for each in desk.duties(message_code="111") if each["subject"] == desk.eans[0])
    assert (duty["why"], duty["state"], duty["month"]) == ("registration", "told", "2026-03-01")
    # Five working days after Monday 2 March end with Monday the 9th; two before that it is warned of.
    assert datetime.fromisoformat(duty["deadline"]) == datetime(2026, 3, 9, 23, tzinfo=UTC)
    assert datetime.fromisoformat(duty["warn_from"]) == datetime(2026, 3, 4, 23, tzinfo=UTC)
    # Nothing is doubled.
    again = desk.tell()
    assert (again["arose"], again["changed"], again["waived"], again["made"]) == (0, 0, 0, 0)
    assert desk.month()["done"] is False
    desk.later()
    desk.answer(Act.ACCEPT)
    assert desk.code("121")["accepted"] == 31
    assert desk.month()["done"] is True


def test_a_correction_after_acceptance_is_a_new_version_and_the_month_is_undone(desk: Desk) -> None:
    desk.tell()
    desk.answer(Act.ACCEPT)
    desk.later()
    with transaction(desk.engine) as db:
        add_profile(db, channel_of(db, desk.eans[1]), date(2026, 3, 29), 2, [7] * 92)
    told = desk.tell()
    assert (told["arose"], told["changed"], told["made"]) == (0, 1, 1)
    with transaction(desk.engine) as db:
        versions = db.execute(
            select(market_message.c.version, market_message.c.state)
            .where(market_message.c.subject == desk.eans[1], market_message.c.message_code == "121")
            .order_by(market_message.c.version)
        ).all()
    assert [tuple(row) for row in versions] == [(1, "accepted"), (2, "saved")]
    assert desk.month()["done"] is False
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is True


def test_a_rejected_message_waits_for_another_cause_or_a_person(desk: Desk) -> None:
    desk.tell()
    desk.answer(Act.REJECT, market_message.c.message_code == "111")
    assert desk.code("111") == {"open": 3, "told": 0, "accepted": 0, "rejected": 3, "waived": 0}
    problems = {each["problem"] for each in desk.duties(message_code="111")}
    assert problems == {"The message was rejected: A02 S900 nelze"}
    desk.later()
    assert desk.tell()["made"] == 0
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[0]).values(name="Nová hala"))
    assert desk.tell()["made"] == 1
    desk.later()
    assert desk.tell(again=True)["made"] == 2
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is True


def test_what_a_channel_refused_is_open_again_with_the_next_pass(desk: Desk) -> None:
    desk.tell()
    with transaction(desk.engine) as db:
        number = db.execute(
            select(market_message.c.id).where(market_message.c.message_code == "111").limit(1)
        ).scalar_one()
        messages.move(db, number, Act.SEND, desk.clock.now(), "test", "sent")
        reasons = [{"type": "A02", "code": "HTTP", "text": "413"}]
        messages.move(db, number, Act.REFUSE, desk.clock.now(), "test", "refused", reasons=reasons)
    desk.later()
    assert desk.tell()["made"] == 0
    assert desk.code("111") == {"open": 1, "told": 2, "accepted": 0, "rejected": 1, "waived": 0}


def test_what_lacks_something_is_named_and_stops_nothing_else(desk: Desk) -> None:
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(metering_type="C4"))
        add_profile(db, channel_of(db, desk.eans[0]), date(2026, 3, 9), 2, [MISSING_VALUE] * 96)
    told = desk.tell()
    assert (told["made"], len(told["problems"])) == (32, 2)
    named = {each["subject"]: each["problem"] for each in desk.duties(state="open")}
    assert "is metered by C4 and has no load-profile class" in named[desk.eans[2]]
    assert "96 values are missing" in named[desk.eans[0]]
    with transaction(desk.engine) as db:
        add_profile(db, channel_of(db, desk.eans[0]), date(2026, 3, 9), 3, [5] * 96)
    desk.later()
    assert (desk.tell()["made"], len(desk.duties(state="open"))) == (1, 1)


def test_a_cause_that_is_withdrawn_need_not_be_told_and_an_act_makes_a_change(desk: Desk) -> None:
    with transaction(desk.engine) as db:
        db.execute(
            text("""
                INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
                SELECT id, 'year', 250, daterange('2026-03-15', NULL) FROM supply_point WHERE ean = :ean
            """),
            {"ean": desk.eans[0]},
        )
    desk.tell()
    (duty,) = desk.duties(why="change_of_capacity")
    assert (duty["subject"], duty["first_day"], duty["state"]) == (desk.eans[0], "2026-03-15", "told")
    with transaction(desk.engine) as db:
        db.execute(text("DELETE FROM reserved_capacity"))
    desk.later()
    assert desk.tell()["waived"] == 1
    assert desk.duties(why="change_of_capacity")[0]["state"] == "waived"
    # What was to be sent for it stays here; told again, it is the next version.
    of_duty = market_message.c.duty == duty["id"]
    with transaction(desk.engine) as db:
        states = select(market_message.c.state).where(of_duty).order_by(market_message.c.version)
        assert list(db.execute(states).scalars()) == ["repaired"]
    reports = market_message.c.message_code == "121"
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[1]).values(since=date(2026, 4, 1)))
    desk.later()
    assert desk.tell()["waived"] == 2
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[1]).values(since=date(2026, 3, 2)))
    desk.later()
    assert desk.tell()["problems"] == []
    with transaction(desk.engine) as db:
        month = select(market_message.c.state).where(reports, market_message.c.subject == desk.eans[1])
        assert list(db.execute(month.order_by(market_message.c.version)).scalars()) == ["repaired", "saved"]


SPLIT = """
    INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code,
           voltage_level, metering_type, category, operator, state)
    SELECT id, commodity, daterange('2026-03-02', '2026-03-15'), name, object, street, city, postal_code,
           voltage_level, metering_type, category, operator, state
      FROM supply_point WHERE ean = :ean
"""
"""What stands from 2 March on stands before the 15th only."""


def _told_of(desk: Desk, ean: str, day: date) -> list[tuple[int, str, str]]:
    """Version, state and action of the messages 111 of a point and a day."""
    query = (
        select(market_message.c.version, market_message.c.state, market_message.c.xml)
        .where(market_message.c.message_code == "111", market_message.c.subject == ean)
        .where(text("lower(period) = :day").bindparams(day=day))
        .order_by(market_message.c.version)
    )
    with transaction(desk.engine) as db:
        return [
            (row.version, row.state, read_any(PACKAGE, bytes(row.xml)).payload.points[0].action)
            for row in db.execute(query)
        ]


def test_an_act_that_was_accepted_and_did_not_happen_is_put_right(desk: Desk) -> None:
    """A reserved capacity that was a mistake, and a registration that was moved to a later day."""
    add = """
        INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
        SELECT id, 'year', 250, daterange('2026-03-15', NULL) FROM supply_point WHERE ean = :ean
    """
    with transaction(desk.engine) as db:
        db.execute(text(add), {"ean": desk.eans[0]})
    desk.tell()
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is True
    with transaction(desk.engine) as db:
        db.execute(text("DELETE FROM reserved_capacity"))
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(since=date(2026, 3, 20)))
    desk.later()
    told = desk.tell()
    assert (told["made"], told["problems"]) == (3, [])
    assert _told_of(desk, desk.eans[0], date(2026, 3, 15)) == [(1, "accepted", "change"), (2, "saved", "change")]
    assert _told_of(desk, desk.eans[2], date(2026, 3, 2)) == [(1, "accepted", "register"), (2, "saved", "cancel")]
    assert _told_of(desk, desk.eans[2], date(2026, 3, 20)) == [(1, "saved", "register")]
    assert desk.month()["done"] is False
    desk.answer(Act.ACCEPT)
    desk.later()
    assert desk.tell()["made"] == 0
    assert desk.month()["done"] is True


def test_what_takes_back_a_message_without_an_answer_waits_until_it_leaves(desk: Desk) -> None:
    """The registration got a receipt and no answer: whoever has it must hear that it did not happen."""
    desk.tell()
    with transaction(desk.engine) as db:
        for number in db.execute(select(market_message.c.id)).scalars().all():
            for act in (Act.SEND, Act.EXPIRE):
                messages.move(db, number, act, NOW, "test", "no answer")
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(since=date(2026, 3, 20)))
    desk.later()
    assert desk.tell()["made"] == 2
    desk.later()
    again = desk.tell()
    assert (again["made"], again["waived"]) == (0, 0)
    assert _told_of(desk, desk.eans[2], date(2026, 3, 2)) == [(1, "repaired", "register"), (2, "saved", "cancel")]


def _many(desk: Desk) -> list[tuple[str, int, str]]:
    """Code, version and state of all messages of acts after a pass that registers two points together."""
    desk.later()
    with transaction(desk.engine) as db:
        tell(db, MARCH, desk.clock, "test", bulk_from=2)
        query = select(market_message.c.message_code, market_message.c.version, market_message.c.state)
        query = query.where(market_message.c.message_code != "121").order_by(market_message.c.id)
        return [(code, version, state) for code, version, state in db.execute(query)]


def _moved(desk: Desk, ean: str, day: date, **values: Any) -> None:
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == ean).values(since=day, **values))


def test_what_takes_a_point_out_of_a_registration_of_many_waits_until_it_leaves(desk: Desk) -> None:
    assert _many(desk) == [("194", 1, "saved")]
    desk.answer(Act.ACCEPT)
    _moved(desk, desk.eans[2], date(2026, 3, 20))
    first = _many(desk)
    assert sorted(first) == [("111", 1, "saved"), ("111", 1, "saved"), ("194", 1, "accepted")]
    assert _told_of(desk, desk.eans[2], date(2026, 3, 2)) == [(1, "saved", "cancel")]
    assert _many(desk) == first, "nothing is withdrawn before it left, nor told twice"
    desk.later()
    desk.answer(Act.ACCEPT)
    assert {state for _, _, state in _many(desk)} == {"accepted"}
    assert desk.month()["done"] is True
    # it happened after all: it is told by itself, and the others are not told again
    _moved(desk, desk.eans[2], date(2026, 3, 2))
    assert ("194", 1, "accepted") in _many(desk)
    assert _told_of(desk, desk.eans[2], date(2026, 3, 2)) == [(1, "accepted", "cancel"), (2, "saved", "register")]
    again = _many(desk)
    assert [(version, state) for code, version, state in again if code == "194"] == [(1, "accepted")]
    assert _many(desk) == again


def test_a_point_that_comes_back_before_it_was_taken_back_stays_registered(desk: Desk) -> None:
    assert _many(desk) == [("194", 1, "saved")]
    desk.answer(Act.ACCEPT)
    _moved(desk, desk.eans[2], date(2026, 3, 20))
    _many(desk)
    _moved(desk, desk.eans[2], date(2026, 3, 2))
    assert _many(desk) == [("194", 1, "accepted"), ("111", 1, "repaired"), ("111", 1, "repaired")]


def test_a_registration_of_many_that_did_not_leave_is_told_without_the_point(desk: Desk) -> None:
    _many(desk)
    _moved(desk, desk.eans[2], date(2026, 3, 20))
    assert sorted(_many(desk)) == [("111", 1, "saved"), ("194", 1, "repaired"), ("194", 2, "saved")]


def test_a_point_of_many_that_lacks_something_is_put_right_when_it_can_be(desk: Desk) -> None:
    """Also when the registration of the others went anew and names it no more."""
    _many(desk)
    desk.answer(Act.ACCEPT)
    # it began a day earlier, and cannot be told as it stands
    _moved(desk, desk.eans[2], date(2026, 3, 1), metering_type=None)
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[1]).values(name="Nová hala"))
    assert [each for each in _many(desk) if each[0] == "194"] == [("194", 1, "accepted"), ("194", 2, "saved")]
    for _ in range(2):
        _many(desk)
        wrong = {(each["first_day"], each["state"]) for each in desk.duties(subject=desk.eans[2], message_code="111")}
        assert wrong == {("2026-03-01", "open"), ("2026-03-02", "open")}
    assert desk.month()["done"] is False
    _moved(desk, desk.eans[2], date(2026, 3, 20), metering_type="C1")
    _many(desk)
    assert _told_of(desk, desk.eans[2], date(2026, 3, 2)) == [(1, "saved", "cancel")]


def test_what_only_a_sandbox_was_told_is_not_taken_back_from_the_operator(desk: Desk) -> None:
    desk.tell()
    desk.answer(Act.ACCEPT)
    with transaction(desk.engine) as db:
        db.execute(update(market_message).values(environment="sandbox"))
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(since=date(2026, 3, 20)))
    desk.later()
    with transaction(desk.engine) as db:
        tell(db, MARCH, desk.clock, "test", is_production=lambda code: True)
    assert _told_of(desk, desk.eans[2], date(2026, 3, 2)) == [(1, "accepted", "register")]
    assert _told_of(desk, desk.eans[2], date(2026, 3, 20)) == [(1, "saved", "register")]


def test_a_message_that_left_meanwhile_is_not_replaced(desk: Desk) -> None:
    """A pass saw it waiting; before it replaced it, another process sent it."""
    desk.tell()
    with transaction(desk.engine) as db:
        sent, waits = db.execute(select(market_message.c.id).order_by(market_message.c.id).limit(2)).scalars()
        messages.move(db, sent, Act.SEND, NOW, "test", "attempt 1")
        messages.move_all(db, {sent: "a later one", waits: "a later one"}, Act.REPLACE, NOW, "test")
        states = select(market_message.c.state).where(market_message.c.id.in_([sent, waits]))
        assert db.execute(states.order_by(market_message.c.id)).scalars().all() == ["sent", "repaired"]
        assert [each["act"] for each in messages.events(db, sent)] == ["save", "send"]


def test_an_end_that_was_accepted_and_did_not_happen_registers_the_point_again(desk: Desk) -> None:
    this = supply_point.c.ean == desk.eans[2]
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(this).values(since=date(2026, 3, 15)))
        db.execute(text(SPLIT), {"ean": desk.eans[2]})
        db.execute(update(supply_point).where(this).values(state="ended"))
    desk.tell()
    desk.answer(Act.ACCEPT)
    day = date(2026, 3, 15)
    assert _told_of(desk, desk.eans[2], day) == [(1, "accepted", "cancel")]
    with transaction(desk.engine) as db:
        db.execute(text("DELETE FROM supply_point_past"))
        db.execute(update(supply_point).where(this).values(state="connected", since=date(2026, 3, 2)))
    desk.later()
    assert desk.tell()["made"] == 1
    assert _told_of(desk, desk.eans[2], day) == [(1, "accepted", "cancel"), (2, "saved", "register")]
    desk.answer(Act.ACCEPT)
    desk.later()
    assert desk.tell()["made"] == 0


def test_what_a_sandbox_was_told_is_told_to_the_operator_anew(desk: Desk) -> None:
    desk.tell()
    desk.answer(Act.ACCEPT, market_message.c.subject != desk.eans[2])
    desk.answer(Act.REJECT)
    with transaction(desk.engine) as db:
        db.execute(update(market_message).values(environment="sandbox"))
        by_hand = {"state": "done", "handed_over_by": "Jana"}
        db.execute(update(market_duty).where(market_duty.c.subject == desk.eans[1]).values(by_hand))
    desk.later()
    with transaction(desk.engine) as db:
        assert tell(db, MARCH, desk.clock, "test").made == 0, "as long as the sandbox is meant"
        only_121 = tell(db, MARCH, desk.clock, "test", is_production=lambda code: code == "121")
        assert (only_121.made, only_121.problems) == (30, {}), "what a person handed over is not among them"
    desk.later()
    with transaction(desk.engine) as db:
        assert tell(db, MARCH, desk.clock, "test", is_production=lambda code: True).made == 2
        assert tell(db, MARCH, desk.clock, "test", is_production=lambda code: True).made == 0
    assert (desk.code("121")["told"], desk.code("111")["told"]) == (30, 2)


def test_a_duty_that_stays_open_is_made_whenever_it_can_be(desk: Desk) -> None:
    """Also long after the months that are looked at otherwise."""
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(metering_type=None))
    assert desk.tell()["made"] == 33
    desk.answer(Act.ACCEPT)
    desk.clock.set(NOW + timedelta(days=240))
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(metering_type="C1"))
    desk.tell()
    assert _told_of(desk, desk.eans[2], date(2026, 3, 2)) == [(1, "saved", "register")]


def test_an_act_that_is_entered_long_after_its_day_is_told_in_the_turn_of_its_month(desk: Desk) -> None:
    add = """
        INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
        SELECT id, 'year', 250, daterange('2026-03-15', NULL) FROM supply_point WHERE ean = :ean
    """

    def passes(*far: date) -> list[tuple[int, str, str]]:
        desk.later()
        with transaction(desk.engine) as db:
            tell(db, MARCH, desk.clock, "test", far=far)
        return _told_of(desk, desk.eans[0], date(2026, 3, 15))

    with transaction(desk.engine) as db:
        db.execute(update(supply_point).values(metering_type="C1"))
    desk.tell()
    desk.answer(Act.ACCEPT)
    desk.clock.set(datetime(2026, 12, 15, 8, tzinfo=UTC))
    months = [date(2026, month, 1) for month in (7, 6, 5, 4, 3)]
    assert earlier_months(MARCH, desk.clock.now()) == months
    turns = [in_turn(MARCH, desk.clock.now(), turn) for turn in range(6)]
    assert turns == [[month] for month in (*months, months[0])]
    with transaction(desk.engine) as db:
        db.execute(text(add), {"ean": desk.eans[0]})
    assert passes() == [], "the pass looks four months back"
    assert passes(*months) == [(1, "saved", "change")]
    desk.answer(Act.ACCEPT)
    # what was told of that day stands, whatever is written otherwise now
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).values(name="Nová hala"))
    assert passes(*months) == [(1, "accepted", "change")]
    with transaction(desk.engine) as db:
        db.execute(text("DELETE FROM reserved_capacity"))
    assert passes() == [(1, "accepted", "change")]
    assert passes(*months) == [(1, "accepted", "change"), (2, "saved", "change")]
    assert passes(*months) == [(1, "accepted", "change"), (2, "saved", "change")]
    desk.answer(Act.ACCEPT)
    assert passes(*months) == [(1, "accepted", "change"), (2, "accepted", "change")]
    assert desk.month()["done"] is True


def test_a_month_is_not_done_before_it_was_looked_for_what_is_due_after_its_end(desk: Desk) -> None:
    """In the night after its last day all that was due before is accepted, and of that day nobody knows yet."""
    desk.clock.set(datetime(2026, 3, 31, 20, tzinfo=UTC))
    desk.tell()
    desk.answer(Act.ACCEPT)
    for hour in (21, 23):
        assert (desk.month()["done"], desk.code("121")["told"]) == (False, 0)
        desk.clock.set(datetime(2026, 3, 31, hour, tzinfo=UTC))
    desk.tell()
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is False, "its last gas day ends at six"
    desk.clock.set(datetime(2026, 4, 1, 4, tzinfo=UTC))
    assert desk.month()["done"] is False
    desk.tell()
    state = desk.month()
    assert (state["done"], state["looked_at"]) == (True, "2026-04-01T04:00:00Z")


def test_the_overview_says_what_becomes_of_a_message(desk: Desk) -> None:
    """Timed out, rejected and repaired, replaced by one that was ordered, corrected and withdrawn."""
    number, day = "111", market_message.c.message_code == "121"
    desk.tell()
    desk.answer(Act.ACCEPT, day)
    with transaction(desk.engine) as db:
        ids = list(db.execute(select(market_message.c.id).where(~day).order_by(market_message.c.id)).scalars())
        for each in ids:
            for act in (Act.SEND, Act.EXPIRE):
                messages.move(db, each, act, NOW, "test", "no answer")
    assert desk.code(number) == {"open": 0, "told": 3, "accepted": 0, "rejected": 0, "waived": 0}
    assert desk.month()["done"] is False
    with transaction(desk.engine) as db:
        for each in ids:
            messages.move(db, each, Act.REJECT, NOW, "test", "answered late", answered_at=NOW, reasons=[])
        settle_answered(db, ids)
    assert desk.code(number) == {"open": 3, "told": 0, "accepted": 0, "rejected": 3, "waived": 0}
    desk.later()
    with transaction(desk.engine) as db:
        for each in ids:
            repair(db, each, None, desk.clock.now(), "Jana", "registered meanwhile")
    assert desk.code(number) == {"open": 0, "told": 3, "accepted": 0, "rejected": 0, "waived": 0}
    desk.answer(Act.ACCEPT)
    assert desk.code(number)["accepted"] == 3
    assert desk.month()["done"] is True
    # corrected: undone until the correction is accepted; withdrawn before it left: nothing is due
    with transaction(desk.engine) as db:
        add_profile(db, channel_of(db, desk.eans[0]), date(2026, 3, 9), 2, [5] * 96)
    desk.later()
    desk.tell()
    assert (desk.month()["done"], desk.code("121")) == (
        False, {"open": 0, "told": 1, "accepted": 30, "rejected": 0, "waived": 0},
    )  # fmt: skip
    desk.answer(Act.REJECT)
    assert (desk.month()["done"], desk.code("121")["rejected"]) == (False, 1)
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[0]).values(metering_type="C1"))
    desk.later()
    desk.tell()
    assert desk.code("121") == {"open": 0, "told": 0, "accepted": 30, "rejected": 0, "waived": 1}
    assert desk.code("111")["told"] == 1
    with transaction(desk.engine) as db:
        left = select(market_message.c.message_code).where(market_message.c.state.not_in(["accepted", "repaired"]))
        assert db.execute(left).scalars().all() == ["111"], "a rejected message of what is not due warns of nothing"
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is True


def test_a_message_that_was_ordered_in_place_of_another_one_fulfils_its_duty(desk: Desk) -> None:
    """It timed out, and a person ordered the month anew: the answer to that one counts."""
    desk.tell()
    desk.answer(Act.ACCEPT, market_message.c.subject != desk.eans[1])
    with transaction(desk.engine) as db:
        for number in db.execute(select(market_message.c.id).where(market_message.c.state == "saved")).scalars().all():
            for act in (Act.SEND, Act.EXPIRE):
                messages.move(db, number, act, NOW, "test", "no answer")
            db.execute(text("""
                INSERT INTO market_message (message_id, message_code, format_package, format_digest, sender, receiver,
                       supply_point, subject_kind, subject, period, version, state, xml, basis, made_at, made_by)
                SELECT 'ordered' || id, message_code, format_package, format_digest, sender, receiver, supply_point,
                       subject_kind, subject, period, 2, 'saved', xml, basis, made_at, 'Jana'
                  FROM market_message WHERE id = :number
            """), {"number": number})  # fmt: skip
            messages.move(db, number, Act.REPLACE, NOW, "test", "ordered anew")
    desk.answer(Act.ACCEPT)
    assert desk.code("121")["told"] == 1, "nobody looked yet"
    desk.later()
    desk.tell()
    desk.answer(Act.ACCEPT)
    assert desk.code("121")["accepted"] == 31


def test_a_clock_that_is_set_back_leaves_no_duty_behind(desk: Desk) -> None:
    """A pass ran with the clock a year ahead."""
    desk.tell()
    desk.answer(Act.ACCEPT, market_message.c.subject != desk.eans[2])
    desk.answer(Act.REJECT)
    with transaction(desk.engine) as db:
        ahead = {"ahead": timedelta(days=365), "ean": desk.eans[2]}
        db.execute(text("UPDATE market_duty SET arose_at = arose_at + :ahead WHERE subject = :ean"), ahead)
        db.execute(text("UPDATE market_message SET made_at = made_at + :ahead WHERE subject = :ean"), ahead)
    desk.later()
    for name, act in (("Nová hala", Act.REJECT), ("Jiná hala", Act.ACCEPT)):
        with transaction(desk.engine) as db:
            db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(name=name))
        desk.later()
        assert desk.tell()["made"] == 1
        desk.answer(act)
    assert desk.month()["done"] is True


def test_a_month_of_type_b_is_told_for_the_days_that_the_point_is_live_and_of_that_type(desk: Desk) -> None:
    with transaction(desk.engine) as db:
        operator = db.execute(select(party.c.id)).scalar_one()
        joined, parted = add_point(db, operator, 4, "B", ["A+"]), add_point(db, operator, 5, "B", ["A+"])
        first = {joined: date(2026, 3, 10), parted: date(2026, 3, 2)}
        for ean, day in first.items():
            db.execute(update(supply_point).where(supply_point.c.ean == ean).values(since=day))
        # One changes from A to B, one from B to A, one ends, all on 15 March.
        for ean, values in zip(
            [desk.eans[0], desk.eans[1], parted],
            [{"metering_type": "B"}, {"metering_type": "A"}, {"state": "ended"}],
            strict=True,
        ):
            db.execute(update(supply_point).where(supply_point.c.ean == ean).values(since=date(2026, 3, 15)))
            db.execute(text(SPLIT), {"ean": ean})
            db.execute(update(supply_point).where(supply_point.c.ean == ean).values(**values))
        # Before it was connected nothing was measured.
        for day in range(1, 10):
            add_profile(db, channel_of(db, joined), date(2026, 3, day), 2, [MISSING_VALUE] * 96)
    assert desk.tell()["problems"] == []
    months = {each["subject"]: each for each in desk.duties(why="month")}
    assert {ean: (each["first_day"], each["end_day"], each["state"]) for ean, each in months.items()} == {
        desk.eans[0]: ("2026-03-15", "2026-04-01", "told"),
        desk.eans[1]: ("2026-03-02", "2026-03-15", "told"),
        joined: ("2026-03-10", "2026-04-01", "told"),
        parted: ("2026-03-02", "2026-03-15", "told"),
    }
    days = [each["subject"] for each in desk.duties(why="day")]
    assert (days.count(desk.eans[0]), days.count(desk.eans[1]), len(days)) == (13, 17, 30)
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is True


def test_a_pass_that_dies_leaves_nothing_and_the_next_one_tells_all(desk: Desk) -> None:
    with pytest.raises(RuntimeError), transaction(desk.engine) as db:
        assert tell(db, MARCH, desk.clock, "test").made == 34
        raise RuntimeError
    assert desk.duties() == []
    assert desk.tell()["made"] == 34


def test_without_a_first_day_nothing_is_told(desk: Desk) -> None:
    desk.client.app.state.settings.market_since = None  # type: ignore[attr-defined]  # the stubs do not know the app
    refused = desk.client.post("/v1/market/tell")
    assert (refused.status_code, refused.json()["code"]) == (409, "telling_is_off")
    assert desk.client.get("/v1/market/months/2026-3").status_code == 422
    assert desk.client.get("/v1/market/months/9999-12").json()["done"] is False


def test_a_pass_and_an_answer_that_wait_for_each_other_both_come_to_their_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass has locked the duty and wants its message; the answer has locked the message and wants its duty."""
    desk.tell()
    ean = desk.eans[0]
    with transaction(desk.engine) as db:
        for number in db.execute(select(market_message.c.id)).scalars().all():
            for act in (Act.SEND, Act.EXPIRE):
                messages.move(db, number, act, NOW, "test", "no answer", **({"attempts": 1} if act is Act.SEND else {}))
        name = db.execute(
            select(market_message.c.message_id).where(
                market_message.c.message_code == "111", market_message.c.subject == ean
            )
        ).scalar_one()
        db.execute(update(supply_point).where(supply_point.c.ean == ean).values(name="Nová hala"))
    desk.later()
    at, has_duty, has_message = desk.clock.now(), threading.Event(), threading.Event()
    asked: list[str] = []

    def create_all(connection: Connection, drafts: Any, *rest: Any) -> list[int]:
        asked.append("pass")
        has_duty.set()
        assert has_message.wait(30)
        return messages.create_all(connection, drafts, *rest)

    def settle(connection: Connection, numbers: Any) -> int:
        asked.append("answer")
        has_message.set()
        assert has_duty.wait(30)
        return settle_answered(connection, numbers)

    monkeypatch.setattr(telling, "create_all", create_all)
    monkeypatch.setattr(answers, "settle_answered", settle)

    def passes() -> Told:
        with transaction(desk.engine) as db:
            return tell(db, MARCH, desk.clock, "test")

    def answered() -> str:
        envelope = Envelope("R-1", "X21", at, Participant(OPERATOR), Participant(SENDER), (name,), None, "CS")
        content = write_response(PACKAGE, Response(envelope, [Reason("A02", "S900", "nelze")]))
        with transaction(desk.engine) as db:
            return take_message(db, Brought(content), at, "test").outcome

    with ThreadPoolExecutor(2) as pool:
        told, outcome = pool.submit(passes), pool.submit(answered)
        assert told.result(60).made == 1
        assert outcome.result(60) in ("applied", "conflict")
    # whichever the database ended: the pass was made again, or the answer found its message replaced
    assert asked.count("pass") == 2 or outcome.result() == "conflict"
    found = [(version, state) for version, state, _ in _told_of(desk, ean, date(2026, 3, 2))]
    assert found == [(1, "repaired"), (2, "saved")]
    (duty,) = desk.duties(message_code="111", subject=ean)
    assert (duty["state"], duty["problem"]) == ("told", None)
