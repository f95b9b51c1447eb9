"""Interval data to the sandbox of OTE and its answers back: real HTTP both ways on loopback, a real database."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, func, insert, select, text, update

from central.api.app import create_app
from central.market.cdsdata_reader import read_interval_data
from central.market.channels.port import UndeliveredError
from central.market.conversation.outages import plan_outage
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.response import Reason, Response, write_response
from central.market.send import Pace, send_due
from central.market.tables import market_inbox, market_message
from central.market.testing import FakeChannel
from central.network.tables import channel
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.platform.tables import audit
from central.readings.tables import day_profile
from central.registry.tables import party, supply_point
from central.workflow import market_api
from shared.identifiers import make_ean18
from shared.metering_day import month_days
from shared.quantities import MISSING_VALUE, Commodity
from shared.testing import ManualClock

PACKAGE = load_package("sandbox-2026")
OPERATOR = "8591824000007"
SENDER = "8591824900017"
NOW = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
DAYS = month_days(Commodity.ELECTRICITY, 2026, 3)
PERSON_TOKEN, CALLBACK_TOKEN = "person-token-0123456789", "callback-token-0123456789"
TOKENS = (
    TokenSetting(token=SecretStr(PERSON_TOKEN), name="Jana", rights=frozenset({"read", "market"})),
    TokenSetting(token=SecretStr(CALLBACK_TOKEN), name="OTE", rights=frozenset({"market-callback"})),
)
IMPATIENT = Pace(answer=timedelta(milliseconds=300), first_pause=timedelta(milliseconds=50))


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true result of `what`."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return result


@dataclass
class House:
    """A database with supply points A and B, our API on a port of its own, and sandboxes that are started on demand."""

    engine: Engine
    settings: Settings
    folder: Path
    clock: ManualClock
    stack: ExitStack
    eans: list[str] = field(default_factory=list)
    url: str = ""
    sandbox_port: int = 0
    sandbox: subprocess.Popen[str] | None = None

    def call(self, method: str, path: str, token: str = PERSON_TOKEN, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(method, f"{self.url}/v1/market{path}", headers=headers, timeout=30, **arguments)

    def bring(self, content: bytes, token: str = CALLBACK_TOKEN) -> httpx.Response:
        return self.call("POST", "/callback", token, content=content)

    def start_sandbox(self, **scenario: Any) -> None:
        """Start the sandbox; its port and its folder stay the same from start to start."""
        (self.folder / "scenario.json").write_text(json.dumps(scenario))
        (self.folder / "token").write_text(CALLBACK_TOKEN)
        options = {
            "--port": str(self.sandbox_port),
            "--callback": f"{self.url}/v1/market/callback",
            "--token-file": str(self.folder / "token"),
            "--scenario": str(self.folder / "scenario.json"),
            "--folder": str(self.folder / "sandbox"),
        }
        self.sandbox = subprocess.Popen(
            [sys.executable, "-m", "central", "ote-sandbox", *(word for option in options.items() for word in option)],
            stdout=subprocess.PIPE,
            stderr=(self.folder / "sandbox.log").open("a"),
            text=True,
        )
        assert self.sandbox.stdout is not None
        line = self.sandbox.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:"), (self.folder / "sandbox.log").read_text()
        self.sandbox_port = int(line.rsplit(":", 1)[1])
        self.settings.ote_url = f"sandbox+http://127.0.0.1:{self.sandbox_port}/messages"

    def kill_sandbox(self) -> None:
        """SIGKILL, if it runs."""
        if self.sandbox is not None:
            self.sandbox.send_signal(signal.SIGKILL)
            self.sandbox.wait()
            self.sandbox = None

    def received(self) -> list[dict[str, Any]]:
        deliveries: list[dict[str, Any]] = httpx.get(f"http://127.0.0.1:{self.sandbox_port}/received").json()
        return deliveries

    def states(self) -> dict[str, int]:
        states: dict[str, int] = self.call("GET", "/messages").json()["states"]
        return {state: count for state, count in states.items() if count}

    def messages(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/messages", params=query).json()["messages"]
        return found

    def acts(self, number: int) -> list[str]:
        return [event["act"] for event in self.call("GET", f"/messages/{number}/events").json()]

    def make_month(self, **query: Any) -> dict[str, Any]:
        reply = self.call("POST", "/months/2026-03", params=query)
        assert reply.status_code == 200, reply.text
        result: dict[str, Any] = reply.json()
        return result

    def send(self) -> dict[str, list[int]]:
        reply = self.call("POST", "/send")
        assert reply.status_code == 200, reply.text
        result: dict[str, list[int]] = reply.json()
        return result

    def make_all_due(self) -> None:
        """As if the pause, the lease or the time for an answer were over."""
        with transaction(self.engine) as db:
            db.execute(update(market_message).values(due_at=func.clock_timestamp() - timedelta(seconds=1)))

    def inbox(self) -> list[str]:
        with transaction(self.engine) as db:
            return [str(row.outcome) for row in db.execute(select(market_inbox.c.outcome).order_by(market_inbox.c.id))]


def add_point(db: Connection, operator: int, serial: int, metering_type: str, directions: list[str]) -> str:
    ean = make_ean18(f"859182400900{serial:05d}")
    point = db.execute(
        insert(supply_point)
        .values(
            ean=ean, name=f"Hala {serial}", object="Areál", street="Dlouhá 1", city="Brno", postal_code="60200",
            commodity="electricity", voltage_level="VN", metering_type=metering_type, operator=operator,
        )
        .returning(supply_point.c.id)
    ).scalar_one()  # fmt: skip
    for direction in directions:
        number = db.execute(
            insert(channel)
            .values(
                supply_point=point, point=f"M{serial}", direction=direction, commodity="electricity",
                unit="Wh" if direction.startswith("A") else "varh", exponent=0, kind="interval", step_ms=900_000,
            )
            .returning(channel.c.id)
        ).scalar_one()  # fmt: skip
        for day in DAYS:
            add_profile(db, number, day.date, 1, [serial + index for index in range(day.length)])
    return ean


def add_profile(db: Connection, number: int, day: date, version: int, values: list[int]) -> None:
    db.execute(
        insert(day_profile).values(
            channel=number, day=day, version=version, values=values, step_ms=900_000, made_at=NOW, made_by="test",
            missing=values.count(MISSING_VALUE), batches=[1], digest=bytes([version]),
        )
    )  # fmt: skip


def channel_of(db: Connection, ean: str, direction: str = "A+") -> int:
    number: int = db.execute(
        select(channel.c.id)
        .join(supply_point, supply_point.c.id == channel.c.supply_point)
        .where(supply_point.c.ean == ean, channel.c.direction == direction)
    ).scalar_one()
    return number


def serve(app: FastAPI, stack: ExitStack) -> str:
    """Serve the app on a free port in a thread until the test ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join()

    stack.callback(stop)
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def make_app(house: House) -> FastAPI:
    app = create_app(house.settings)
    if not any(isinstance(route, APIRoute) and route.path == "/v1/market/months/{month}" for route in app.routes):
        app.include_router(market_api.router, prefix="/v1")
    app.dependency_overrides[get_clock] = lambda: house.clock
    return app


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        engine = make_engine(database_url)
        stack.callback(engine.dispose)
        house = House(engine, Settings(database_url=database_url, tokens=TOKENS), tmp_path, ManualClock(NOW), stack)
        with transaction(engine) as db:
            operator = db.execute(
                insert(party)
                .values(
                    code="LDS", name="Areál s.r.o.", roles=["operator"], street="Dlouhá 1", city="Brno",
                    postal_code="60200", ean13=SENDER,
                )
                .returning(party.c.id)
            ).scalar_one()  # fmt: skip
            house.eans = [
                add_point(db, operator, 1, "A", ["A+", "A-", "R+", "R-"]),
                add_point(db, operator, 2, "B", ["A+", "R+"]),
                add_point(db, operator, 3, "B", ["A+"]),
            ]
            add_point(db, operator, 4, "C4", ["A+"])
        house.url = serve(make_app(house), stack)
        stack.callback(house.kill_sandbox)
        yield house


def answer_to(message: dict[str, Any], answer_id: str = "R-1", kind: str = "A01", code: str = "0200") -> bytes:
    envelope = Envelope(
        answer_id, "X21", NOW, Participant(OPERATOR), Participant(SENDER), (message["message_id"],), None, "CS"
    )
    return write_response(PACKAGE, Response(envelope, [Reason(kind, code, "proto")]))


def test_a_month_is_sent_and_answered_for_every_point_of_type_a_and_b(house: House) -> None:
    rejected = {"opm": house.eans[1], "answer": "reject", "text": "nelze"}
    house.start_sandbox(
        senders=[SENDER], rules=[rejected, {"opm": house.eans[2], "answer": "reserve", "delay_s": 0.3, "copies": 3}]
    )
    made = house.make_month()
    assert [item["ean"] for item in made["made"]] == sorted(house.eans)
    assert (made["unchanged"], made["incomplete"]) == ([], [])
    sent = house.send()
    assert len(sent["sent"]) == 3
    wait_for(lambda: "sent" not in house.states())
    assert house.states() == {"accepted": 1, "accepted_with_reservation": 1, "rejected": 1}
    (message,) = house.messages(ean=house.eans[1], state="rejected", month="2026-03")
    assert message["reasons"] == [{"type": "A02", "code": "S900", "text": "nelze"}]
    assert (message["first_day"], message["end_day"], message["version"]) == ("2026-03-01", "2026-04-01", 1)
    assert house.acts(message["id"]) == ["save", "send", "reject"]
    # What left is what is kept, and it is what the profiles say: 31 days, four directions.
    first = house.messages(ean=house.eans[0])[0]
    kept = house.call("GET", f"/messages/{first['id']}/xml").content
    delivery = next(item for item in house.received() if item["id"] == first["message_id"])
    assert httpx.get(f"http://127.0.0.1:{house.sandbox_port}/received/{delivery['number']}").content == kept
    assert kept.count(b"<Data ") == 4 * 2972
    detail = house.call("GET", f"/messages/{first['id']}").json()
    assert len(detail["basis"]["profiles"]) == 4 * 31
    # The answer that came three times was applied once.
    wait_for(lambda: len(house.inbox()) == 5)
    assert sorted(house.inbox()) == ["applied"] * 3 + ["duplicate"] * 2
    assert house.acts(house.messages(ean=house.eans[2])[0]["id"]) == ["save", "send", "reserve"]
    with transaction(house.engine) as db:
        acts = db.execute(select(audit.c.person, audit.c.act).order_by(audit.c.id)).all()
    assert [tuple(row) for row in acts[:1]] == [("Jana", "market.report_month")]
    assert {tuple(row) for row in acts[1:]} == {("Jana", "market.send"), ("OTE", "market.receive")}


def test_the_same_profiles_make_no_second_message_and_changed_ones_a_correction(house: House) -> None:
    house.start_sandbox()
    house.make_month()
    assert house.make_month()["unchanged"] == sorted(house.eans)
    house.send()
    wait_for(lambda: house.states() == {"accepted": 3})
    with transaction(house.engine) as db:
        add_profile(db, channel_of(db, house.eans[0]), date(2026, 3, 29), 2, [7] * 92)
    made = house.make_month()
    assert [(item["ean"], item["version"]) for item in made["made"]] == [(house.eans[0], 2)]
    house.send()
    wait_for(lambda: house.states() == {"accepted": 4})
    first, second = house.messages(ean=house.eans[0])
    assert (first["state"], second["state"]) == ("accepted", "accepted")
    assert first["message_id"] != second["message_id"]
    assert b'version="2"' in house.call("GET", f"/messages/{second['id']}/xml").content


def test_a_rejected_message_is_repaired_by_the_next_version(house: House) -> None:
    house.start_sandbox(rules=[{"opm": house.eans[0], "answer": "reject", "times": 1}])
    house.make_month()
    house.send()
    wait_for(lambda: house.states() == {"accepted": 2, "rejected": 1})
    assert house.make_month()["made"] == []
    assert [item["version"] for item in house.make_month(again=True)["made"]] == [2]
    house.send()
    wait_for(lambda: house.states() == {"accepted": 3, "repaired": 1})
    assert house.acts(house.messages(ean=house.eans[0])[0]["id"]) == ["save", "send", "reject", "replace"]


def test_what_was_overtaken_is_not_repeated_after_its_correction(house: House) -> None:
    """The last version that is accepted holds: an old one must not come behind it."""
    house.make_month()
    fake, nobody_answers = FakeChannel(), Pace(answer=timedelta(0))
    send_due(house.engine, fake, house.clock, "Jana", nobody_answers)
    with transaction(house.engine) as db:
        add_profile(db, channel_of(db, house.eans[0]), date(2026, 3, 2), 2, [9] * 96)
    house.make_month()
    old, new = house.messages(ean=house.eans[0])
    assert (old["state"], new["state"]) == ("sent", "saved"), "an answer may still come"
    taken = len(fake.taken)
    send_due(house.engine, fake, house.clock, "Jana", nobody_answers)
    again = {message.id for message in fake.taken[taken:]}
    assert new["message_id"] in again and old["message_id"] not in again
    assert len(again) == 3
    assert house.acts(old["id"]) == ["save", "send", "expire", "replace"]


def test_a_correction_replaces_what_was_not_sent_yet(house: House) -> None:
    house.make_month()
    with transaction(house.engine) as db:
        add_profile(db, channel_of(db, house.eans[0]), date(2026, 3, 2), 2, [9] * 96)
    house.make_month()
    assert house.states() == {"saved": 3, "repaired": 1}
    house.start_sandbox()
    assert len(house.send()["sent"]) == 3
    wait_for(lambda: house.states() == {"accepted": 3, "repaired": 1})


def test_losses_of_the_transformer_are_in_what_the_market_gets(house: House) -> None:
    house.make_month()
    plain = house.messages(ean=house.eans[0])[0]
    with transaction(house.engine) as db:
        db.execute(
            text("""
                INSERT INTO point_condition (supply_point, kind, percent, valid, source)
                SELECT id, 'loss', 3.7, daterange('2026-03-11', NULL), 'protokol 7' FROM supply_point WHERE ean = :ean
            """),
            {"ean": house.eans[0]},
        )
    assert [(item["ean"], item["version"]) for item in house.make_month()["made"]] == [(house.eans[0], 2)]
    raised = house.messages(ean=house.eans[0])[-1]
    before, after = (taken_by_day(house, message["id"]) for message in (plain, raised))
    assert list(before) == list(after) and len(before) == 31
    for day, wh in before.items():
        # an exact product of the day, half up, from the day on which the coefficient holds
        assert after[day] == (wh if day < "2026-03-11" else (2 * wh * 1037 + 1000) // 2000)
    assert house.make_month()["made"] == []


def taken_by_day(house: House, message: int) -> dict[str, int]:
    """Wh of A+ by metering day in a message."""
    found: dict[str, int] = {}
    data = read_interval_data(PACKAGE, house.call("GET", f"/messages/{message}/xml").content)
    for profile in data.locations[0].profiles:
        if profile.direction == "A+":
            for each in profile.days:
                found[each.day.date.isoformat()] = int(Decimal(sum(each.values)).scaleb(profile.exponent))
    return found


def test_a_point_with_missing_values_gets_no_message(house: House) -> None:
    with transaction(house.engine) as db:
        values = [MISSING_VALUE, MISSING_VALUE] + [5] * 94
        add_profile(db, channel_of(db, house.eans[1], "R+"), date(2026, 3, 4), 2, values)
    made = house.make_month()
    assert [item["ean"] for item in made["made"]] == [house.eans[0], house.eans[2]]
    assert made["incomplete"] == [
        {"ean": house.eans[1], "why": "2 values are missing, the first on 2026-03-04.", "missing": 2}
    ]


def test_a_month_that_is_not_over_or_no_month_is_refused(house: House) -> None:
    house.clock.set(datetime(2026, 3, 31, 21, 59, tzinfo=UTC))
    refused = house.call("POST", "/months/2026-03")
    assert (refused.status_code, refused.json()["code"]) == (409, "month_not_over")
    assert house.call("POST", "/months/2026-3").status_code == 422
    assert house.states() == {}


def test_the_sandbox_is_down_and_comes_up(house: House) -> None:
    house.start_sandbox()
    house.kill_sandbox()
    house.make_month()
    report = house.send()
    assert (report["sent"], len(report["undelivered"])) == ([], 3)
    assert house.states() == {"saved": 3}
    assert house.send()["undelivered"] == [], "the pause before a repeat is kept"
    house.start_sandbox()
    house.make_all_due()
    assert len(house.send()["sent"]) == 3
    wait_for(lambda: house.states() == {"accepted": 3})
    assert house.acts(house.messages()[0]["id"]) == ["save", "send", "undelivered", "send", "accept"]


def test_the_sandbox_dies_between_receipt_and_answer(house: House) -> None:
    house.start_sandbox(rules=[{"opm": house.eans[0], "answer": "reject", "text": "první"}], delay_s=60)
    house.make_month()
    assert len(house.send()["sent"]) == 3
    house.kill_sandbox()
    assert house.states() == {"sent": 3}
    house.start_sandbox()
    house.make_all_due()
    report = house.send()
    assert (len(report["timed_out"]), len(report["sent"])) == (3, 3)
    # It was decided before the kill, and is answered as decided though nothing speaks against it now.
    wait_for(lambda: house.states() == {"accepted": 2, "rejected": 1})
    deliveries = house.received()
    assert [item["repeats"] for item in deliveries] == [None] * 3 + [1, 2, 3]
    message = house.messages(ean=house.eans[0])[0]
    assert message["reasons"][0]["text"] == "první"
    assert message["attempts"] == 2
    assert house.acts(message["id"]) == ["save", "send", "expire", "send", "reject"]


def test_an_answer_that_never_comes_times_out_and_waits_for_a_person_in_the_end(house: House) -> None:
    house.start_sandbox(rules=[{"lose": "answer"}])
    house.make_month()
    fake = FakeChannel()
    pace = Pace(answer=timedelta(0), most_attempts=3)
    for expected in (0, 3, 3, 3, 0):
        report = send_due(house.engine, fake, house.clock, "Jana", pace)
        assert len(report.timed_out) == expected
    assert house.states() == {"timed_out": 3}
    assert len(fake.taken) == 9
    assert len({message.id for message in fake.taken}) == 3
    assert fake.taken[0] == fake.taken[3] == fake.taken[6]
    # Even now an answer counts.
    message = house.messages()[0]
    assert house.bring(answer_to(message)).json()["outcome"] == "applied"
    assert house.states() == {"timed_out": 2, "accepted": 1}


def test_a_lost_receipt_and_an_answer_that_overtakes_it(house: House) -> None:
    house.make_month()
    fake = FakeChannel()

    class Hasty(FakeChannel):
        """The answer is there before the receipt is lost."""

        def _transmit(self, message: Any, sealed: Any) -> Any:
            assert house.bring(answer_to({"message_id": message.id}, f"R-{message.id}")).json()["outcome"] == "applied"
            return super()._transmit(message, sealed)

    hasty = Hasty()
    hasty.loses = {message["message_id"] for message in house.messages()}
    report = send_due(house.engine, hasty, house.clock, "Jana", IMPATIENT)
    assert len(report.undelivered) == 3
    assert house.states() == {"accepted": 3}
    assert send_due(house.engine, fake, house.clock, "Jana", IMPATIENT).sent == []


def test_a_delivery_that_died_is_repeated_after_its_lease(house: House) -> None:
    house.make_month()

    class Dying(FakeChannel):
        def _transmit(self, message: Any, sealed: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_due(house.engine, Dying(), house.clock, "Jana", Pace(lease=timedelta(0)))
    assert house.states() == {"sent": 1, "saved": 2}
    fake = FakeChannel()
    assert len(send_due(house.engine, fake, house.clock, "Jana").sent) == 3
    assert house.acts(house.messages()[0]["id"]) == ["save", "send", "send"]


def test_a_lease_that_runs_out_behind_another_message_sends_nothing_twice(house: House) -> None:
    """The second message of a point waits for the first; before its turn comes another process has sent it."""
    house.make_month()
    first, second, _ = house.messages()
    of_both = market_message.c.id.in_([first["id"], second["id"]])
    with transaction(house.engine) as db:
        db.execute(
            update(market_message)
            .where(of_both)
            .values(supply_point=select(func.min(supply_point.c.id)).scalar_subquery())
        )
    turn = threading.Event()

    class Slow(FakeChannel):
        at_once = 2

        def _transmit(self, message: Any, sealed: Any) -> Any:
            if message.id == first["message_id"]:
                assert turn.wait(60)
            return super()._transmit(message, sealed)

    slow, other = Slow(), FakeChannel()
    thread = threading.Thread(target=send_due, args=(house.engine, slow, house.clock, "Jana"))
    thread.start()
    wait_for(lambda: house.acts(second["id"]) == ["save", "send"])
    with transaction(house.engine) as db:
        db.execute(update(market_message).where(market_message.c.id == second["id"]).values(due_at=func.now()))
    send_due(house.engine, other, house.clock, "Jana")
    turn.set()
    thread.join()
    sent = sorted(message.id for channel in (slow, other) for message in channel.taken)
    assert sent == sorted(message["message_id"] for message in house.messages())
    assert house.states() == {"sent": 3}


def test_a_delivery_that_reports_late_does_not_stop_the_one_after_it(house: House) -> None:
    house.make_month()
    first = house.messages()[0]

    class Overtaken(FakeChannel):
        def _transmit(self, message: Any, sealed: Any) -> Any:
            if message.id == first["message_id"]:
                with transaction(house.engine) as db:
                    db.execute(update(market_message).where(market_message.c.id == first["id"]).values(attempts=2))
                raise UndeliveredError("it came to nothing")
            return super()._transmit(message, sealed)

    assert send_due(house.engine, Overtaken(), house.clock, "Jana").undelivered == [first["id"]]
    assert house.acts(first["id"]) == ["save", "send"], "another delivery is under way"


def test_an_outage_that_begins_while_messages_are_sent_holds_back_the_rest(house: House) -> None:
    house.make_month()
    begin = house.clock.now() + timedelta(hours=1)
    with transaction(house.engine) as db:
        plan_outage(db, begin, begin + timedelta(hours=1), None, "odstavka", house.clock.now(), "Jana")

    class Long(FakeChannel):
        def _transmit(self, message: Any, sealed: Any) -> Any:
            house.clock.set(begin)
            return super()._transmit(message, sealed)

    long = Long()
    assert len(send_due(house.engine, long, house.clock, "Jana").sent) == 1
    assert house.states() == {"sent": 1, "saved": 2}
    house.clock.set(begin + timedelta(hours=1))
    assert len(send_due(house.engine, FakeChannel(), house.clock, "Jana").sent) == 2


def test_what_the_other_end_refuses_to_take_in_is_rejected(house: House) -> None:
    house.make_month()
    fake = FakeChannel()
    fake.refuses = {message["message_id"] for message in house.messages()}
    assert len(send_due(house.engine, fake, house.clock, "Jana").refused) == 3
    assert house.states() == {"rejected": 3}
    assert "HTTP 400" in house.messages()[0]["reasons"][0]["text"]


def test_a_sandbox_message_never_leaves_for_production(house: House) -> None:
    house.make_month()
    house.settings.ote_url = "https://cds.example.cz/CDSService"
    report = house.send()
    assert (len(report["held_back"]), report["sent"], report["undelivered"]) == (3, [], [])
    assert house.states() == {"saved": 3}
    house.settings.ote_url = None
    refused = house.call("POST", "/send")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_market_address")


def test_every_strange_answer_is_kept_with_its_reason(house: House) -> None:
    house.make_month()
    send_due(house.engine, FakeChannel(), house.clock, "Jana")
    message = house.messages()[0]
    good = answer_to(message)
    strange = good.replace(message["message_id"].encode(), b"121-never-sent")
    for content, status, outcome, code in [
        (strange, 200, "unknown_reference", "unknown_reference"),
        (good, 200, "applied", "applied"),
        (good, 200, "duplicate", "duplicate"),
        (good.replace(b"proto", b"prosto"), 409, "conflict", "id_used_twice"),
        (answer_to(message, "R-2"), 200, "duplicate", "same_again"),
        (answer_to(message, "R-3", "A02", "S900"), 409, "conflict", "not_expected"),
        (b"<RESPONSE/>", 422, "refused", "wrong_namespace"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><RESPONSE>&b;</RESPONSE>", 422, "refused", "xml_dtd"),
        (b"<a>" * 50, 422, "refused", "xml_malformed"),
        (b"", 422, "refused", "xml_malformed"),
        (b"<" + b" " * 1_500_000, 413, "refused", "xml_too_large"),
    ]:
        reply = house.bring(content)
        assert (reply.status_code, reply.json()["outcome"], reply.json()["code"]) == (status, outcome, code), content[
            :80
        ]
    received = house.call("GET", "/received").json()
    assert len(received) == 11
    assert received[0]["why"] == f"We sent no message 121-never-sent as {SENDER}."
    assert received[5]["why"].endswith("A message that is accepted cannot reject; it can: nothing.")
    assert received[10]["size"] == 65_536
    assert len(house.call("GET", "/received", params={"outcome": "refused"}).json()) == 5
    assert house.call("GET", "/received/2/xml").content == good
    assert house.states() == {"accepted": 1, "sent": 2}


def test_an_answer_by_another_participant_is_not_ours(house: House) -> None:
    house.make_month()
    send_due(house.engine, FakeChannel(), house.clock, "Jana")
    content = answer_to(house.messages()[0]).replace(OPERATOR.encode(), b"8591824000014")
    assert house.bring(content).json()["outcome"] == "refused"
    assert house.states() == {"sent": 3}


def test_two_deliveries_of_one_answer_at_once_are_applied_once(house: House) -> None:
    house.make_month()
    send_due(house.engine, FakeChannel(), house.clock, "Jana")
    content = answer_to(house.messages()[0])
    threads = [threading.Thread(target=house.bring, args=(content,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(house.inbox()) == ["applied"] + ["duplicate"] * 5
    assert house.acts(house.messages()[0]["id"]) == ["save", "send", "accept"]


def test_rights_and_things_that_do_not_exist(house: House) -> None:
    for method, path, token, status in [
        ("POST", "/months/2026-03", CALLBACK_TOKEN, 403),
        ("POST", "/send", CALLBACK_TOKEN, 403),
        ("GET", "/messages", CALLBACK_TOKEN, 403),
        ("GET", "/received", CALLBACK_TOKEN, 403),
        ("POST", "/callback", PERSON_TOKEN, 403),
        ("POST", "/callback", "unknown-token-0123456789", 401),
        ("GET", "/messages/1", PERSON_TOKEN, 404),
        ("GET", "/messages/1/xml", PERSON_TOKEN, 404),
        ("GET", "/messages/1/events", PERSON_TOKEN, 404),
        ("GET", "/received/1/xml", PERSON_TOKEN, 404),
        ("GET", "/messages?state=lost", PERSON_TOKEN, 422),
        ("GET", "/messages?month=March", PERSON_TOKEN, 422),
    ]:
        assert house.call(method, path, token).status_code == status, (method, path)
    assert house.inbox() == []


def test_months_made_and_sent_at_once_do_not_collide(house: House) -> None:
    threads = [threading.Thread(target=house.make_month) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.states() == {"saved": 3}
    # Nor do rounds of sending, of a channel that sends several at once: every message leaves once.
    fake = FakeChannel()
    fake.at_once = 2
    senders = [threading.Thread(target=send_due, args=(house.engine, fake, house.clock, "Jana")) for _ in range(3)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    assert sorted(message.id for message in fake.taken) == sorted(item["message_id"] for item in house.messages())
