"""A whole conversation with the sandbox of OTE: SOAP over mutual TLS, mail over SMTP and IMAP, every process its own.

A thousand points are registered and a month is sent. What is answered, rejected, lost, doubled and reordered says the
scenario's seed; services are killed in the middle. At the end nothing is unexplained and nothing happened twice.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine, func, insert, select, text, update

from central.api.app import create_app
from central.market.channels.tables import market_archive
from central.market.format_package import load_package
from central.market.messages import Draft, Subject, create
from central.market.sandbox.journal import Entry, Journal
from central.market.tables import market_duty, market_inbox, market_message
from central.network.tables import channel
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.readings.tables import day_profile
from central.registry.tables import party, supply_point
from deploy.stack.local import LocalStack
from shared.clock import ENVIRONMENT_VARIABLE, SharedClock, SharedClockControl
from shared.identifiers import make_ean18
from shared.metering_day import month_days
from shared.quantities import Commodity
from tests.unit.central.market.content_examples import US

NOW = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
SENDER = "8591824900017"
POINTS = int(os.environ.get("ROZVODNA_CONVERSATION_POINTS", "1000"))
"""Points to register; fewer for developing."""
OF_TYPE_B = max(60, POINTS // 10)
_MESSAGES = POINTS + OF_TYPE_B
TOKEN = "person-token-0123456789"
SETTLED = {"accepted", "accepted_with_reservation", "rejected", "repaired"}
PACKAGE = load_package("sandbox-2026")
SAMPLES = PACKAGE.folder / "sandbox/samples"
SCENARIO = {
    "senders": [SENDER],
    "strict": True,
    "seed": 8,
    "spread_s": 1.5,
    "rules": [
        {"nth": 1, "chance": 0.02, "lose": "message"},
        {"nth": 1, "chance": 0.02, "lose": "receipt"},
        {"nth": 1, "chance": 0.02, "lose": "answer"},
        {"nth": 1, "chance": 0.02, "doubled": True},
        {"nth": 1, "chance": 0.02, "copies": 2},
        {"nth": 1, "chance": 0.05, "answer": "reserve", "text": "údaje budou prověřeny"},
        {"nth": 1, "chance": 0.1, "code": "121", "answer": "reject", "type": "A04", "reason": "S120",
         "text": "nesprávné období", "element": "/CDSDATA/Location/Profile/@date-time-from"},
        {"nth": 1, "chance": 0.05, "code": "111", "answer": "reject", "text": "adresa nesouhlasí",
         "element": "/CDSMASTERDATA/Opm/@name"},
    ],
}  # fmt: skip


@dataclass
class World:
    """A database, the sandbox and our services as processes, all on one clock that stands."""

    engine: Engine
    database_url: str
    folder: Path
    stack: ExitStack
    client: TestClient
    eans: list[str] = field(default_factory=list)
    sandbox: httpx.Client = field(init=False)
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            ENVIRONMENT_VARIABLE: str(self.folder / "clock"),
            "ROZVODNA_HOME": str(self.folder / "home"),
            "ROZVODNA_DATABASE_URL": self.database_url,
            "ROZVODNA_MARKET_CHANNELS_FILE": str(self.folder / "sandbox/participant/channels.json"),
            "ROZVODNA_MARKET_POLL_S": "0.1",
            "ROZVODNA_MARKET_SINCE": "2026-03-01",
        }

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        log = self.stack.enter_context((self.folder / f"{name}.log").open("a"))
        process = subprocess.Popen(
            [sys.executable, "-m", *(words or ("central", name))],
            env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        self.running[name] = process
        return process

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running.pop(name).wait()

    def start_sandbox(self, scenario: dict[str, Any]) -> str:
        """Start it as an operator would; all that it prints."""
        (self.folder / "scenario.json").write_text(json.dumps(scenario))
        ports = [f"--{each}-port=0" for each in ("soap", "smtp", "imap", "callback")]
        process = self.start(
            "sandbox", "deploy.cli", "market", "sandbox", "--port=0", *ports, "--mail-codes=121",
            "--scenario", str(self.folder / "scenario.json"), "--folder", str(self.folder / "sandbox"),
        )  # fmt: skip
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("ready "):
                self.sandbox = self.stack.enter_context(httpx.Client(base_url=line.split()[1], timeout=30))
                return told
        raise AssertionError((self.folder / "sandbox.log").read_text())

    def journal(self) -> list[Entry]:
        journal = Journal(self.folder / "sandbox")
        journal.close()
        return journal.entries

    def delivered(self) -> int:
        return int(self.sandbox.get("/health").json()["received"])

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        reply = self.client.request(method, f"/v1/market{path}", **arguments)
        assert reply.status_code < 300, reply.text
        return reply.json()

    def states(self) -> Counter[str]:
        with transaction(self.engine) as db:
            query = select(market_message.c.state, func.count()).where(market_message.c.direction == "out")
            return Counter(
                {str(state): int(count) for state, count in db.execute(query.group_by(market_message.c.state))}
            )

    def drive(self) -> Counter[str]:
        """Until every message is answered. When all stands still, the time for receipts and answers is over."""

        def done() -> Counter[str] | None:
            states = self.states()
            return states if set(states) <= SETTLED else None

        deadline, seen, since = time.monotonic() + 600, None, time.monotonic()
        while (states := done()) is None:
            assert time.monotonic() < deadline, f"waited in vain: {self.states()}"
            now = self.states(), self.delivered()
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > 2:
                with transaction(self.engine) as db:
                    db.execute(update(market_message).values(due_at=func.clock_timestamp() - timedelta(seconds=1)))
                since = time.monotonic()
            time.sleep(0.5)
        return states


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true result of `what`."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return result


def fill(engine: Engine) -> list[str]:
    """Points from 2 March on, the first of them of type B with a month of values."""
    with transaction(engine) as db:
        operator = db.execute(
            insert(party)
            .values(
                code="LDS", name="Areál s.r.o.", roles=["operator"], street="Dlouhá 1", city="Brno",
                postal_code="60200", ean13=SENDER,
            )
            .returning(party.c.id)
        ).scalar_one()  # fmt: skip
        points = [
            {
                "ean": make_ean18(f"859182400900{serial:05d}"), "name": f"Hala {serial}", "object": "Areál",
                "street": "Dlouhá 1", "city": "Brno", "postal_code": "60200", "commodity": "electricity",
                "voltage_level": "NN", "metering_type": "B" if serial < OF_TYPE_B else "C1", "operator": operator,
                "since": date(2026, 3, 2),
            }
            for serial in range(POINTS)
        ]  # fmt: skip
        db.execute(insert(supply_point), points)
        eans = [str(point["ean"]) for point in points]
        ids = {row.ean: row.id for row in db.execute(select(supply_point.c.ean, supply_point.c.id))}
        db.execute(
            insert(channel),
            [
                {
                    "supply_point": ids[ean], "point": f"M{serial}", "direction": "A+", "commodity": "electricity",
                    "unit": "Wh", "exponent": 0, "kind": "interval", "step_ms": 900_000,
                }
                for serial, ean in enumerate(eans[:OF_TYPE_B])
            ],
        )  # fmt: skip
        db.execute(
            insert(day_profile),
            [
                {
                    "channel": number, "day": day.date, "version": 1, "values": list(range(day.length)),
                    "step_ms": 900_000, "made_at": NOW, "made_by": "test", "missing": 0, "batches": [1], "digest": b"1",
                }
                for number in db.execute(select(channel.c.id)).scalars()
                for day in month_days(Commodity.ELECTRICITY, 2026, 3)
            ],
        )  # fmt: skip
    return eans


@pytest.fixture(scope="module")
def world(stack: LocalStack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = stack.create_database(name, template=migrated_template)
    folder = tmp_path_factory.mktemp("conversation")
    SharedClockControl(folder / "clock").set(NOW)
    settings = Settings(
        database_url=url,
        market_since=date(2026, 3, 1),
        tokens=(TokenSetting(token=SecretStr(TOKEN), name="Jana", rights=frozenset({"read", "market"})),),
    )
    app = create_app(settings)
    clock = SharedClock(folder / "clock")
    app.dependency_overrides[get_clock] = lambda: clock
    engine = make_engine(url)
    with ExitStack() as exits:
        client = exits.enter_context(TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}))
        made = World(engine, url, folder, exits, client)
        made.eans = fill(engine)
        yield made
        for process in made.running.values():
            process.kill()
            process.wait()
    engine.dispose()
    stack.drop_database(name)


def test_points_are_registered_and_a_month_is_sent(world: World) -> None:
    told = world.start_sandbox(SCENARIO)
    for part in (
        "web services  https://127.0.0.1:",
        "mail in       smtp+starttls://",
        "authority ca.pem",
        "channels.json",
    ):
        assert part in told
    _kill_the_telling(world)
    made = world.call("POST", "/tell")
    assert (made["made"], made["problems"]) == (_MESSAGES, [])

    world.start("market-callback")
    world.start("market-channels")
    for deliveries, name in ((_MESSAGES // 4, "market-channels"), (_MESSAGES // 2, "market-callback")):
        wait_for(lambda: world.delivered() >= deliveries, 120)  # noqa: B023 - called at once
        world.kill(name)
        world.start(name)
    states = world.drive()
    assert min(states["rejected"], states["accepted_with_reservation"]) > _MESSAGES // 40
    assert sum(states.values()) == _MESSAGES
    _check_rejections(world)

    _repair(world)
    states = world.drive()
    assert set(states) == {"accepted", "accepted_with_reservation", "repaired"}
    assert world.call("GET", "/months/2026-03")["done"] is True
    _check_nothing_is_unexplained(world)
    _check_the_sandbox_saw_everything_once(world)


def _kill_the_telling(world: World) -> None:
    """SIGKILL in the middle of the pass: it leaves nothing."""
    process = world.start("tell", "deploy.cli", "market", "tell")
    busy = text("""
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'rozvodna-market%' AND xact_start IS NOT NULL
    """)

    def is_in_the_middle() -> bool:
        with transaction(world.engine) as db:
            return bool(db.execute(busy).scalar_one())

    while not is_in_the_middle():
        assert process.poll() is None, "it was over before it was killed"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    world.running.pop("tell")
    with transaction(world.engine) as db:
        assert db.execute(select(func.count()).select_from(market_message)).scalar_one() == 0
        assert db.execute(select(func.count()).select_from(market_duty)).scalar_one() == 0


def _rejected(world: World) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = world.call("GET", "/messages", params={"state": "rejected", "limit": 1000})["messages"]
    return rows


def _check_rejections(world: World) -> None:
    """Each has a reason; those with a place show the element and the record."""
    rows = _rejected(world)
    assert all(row["reasons"] for row in rows)
    codes = {reason["code"] for row in rows for reason in row["reasons"]}
    assert {"S900", "S120", "S111"} <= codes, "by the scenario, and for want of a registration"
    for code, path in (("S900", "/CDSMASTERDATA/Opm"), ("S120", "/CDSDATA/Location/Profile")):
        row = next(row for row in rows if row["reasons"][0]["code"] == code)
        shown = json.dumps(world.call("GET", f"/messages/{row['id']}/rejection"))
        assert path in shown and row["ean"] in shown


def _repair(world: World) -> None:
    """Some go again by hand as they were, the others are made anew by the pass."""
    registrations = [row for row in _rejected(world) if row["message_code"] == "111"]
    for row in registrations[:5]:
        world.call("POST", f"/messages/{row['id']}/repair", json={"why": "adresa doložena"})
    again = world.call("POST", "/tell", params={"again": True})
    assert again["problems"] == []
    assert _rejected(world) == []


def _check_nothing_is_unexplained(world: World) -> None:
    with transaction(world.engine) as db:
        duties = db.execute(select(market_duty.c.id, market_duty.c.state)).all()
        accepted = Counter(
            db.execute(
                select(market_message.c.duty).where(
                    market_message.c.state.in_(["accepted", "accepted_with_reservation"])
                )
            ).scalars()
        )
        inbox = db.execute(select(market_inbox.c.outcome, market_inbox.c.why)).all()
        verdicts = Counter(db.execute(select(market_archive.c.verdict)).scalars())
        refused = list(db.execute(select(market_archive.c.why).where(market_archive.c.verdict == "refused")).scalars())
    assert {state for _, state in duties} == {"done"}
    assert accepted == Counter(number for number, _ in duties), "each duty by one accepted message"
    assert Counter(outcome for outcome, _ in inbox) == {"applied": verdicts["opened"]}
    assert all(why for _, why in inbox)
    assert verdicts["duplicate"] > 0, "answers that came twice are told by their content"
    assert refused and all(why.startswith("HTTP 503") for why in refused), "no receipt: what the scenario lost"
    assert set(verdicts) == {"sent", "reply", "opened", "duplicate", "refused"}


def _check_the_sandbox_saw_everything_once(world: World) -> None:
    entries = world.journal()
    firsts = Counter((entry.sender, entry.id) for entry in entries if entry.repeats is None)
    assert set(firsts.values()) == {1}, "no id was used for two contents"
    with transaction(world.engine) as db:
        sent = db.execute(
            select(market_message.c.sender, market_message.c.message_id).where(market_message.c.direction == "out")
        ).all()
    assert set(firsts) == {(row.sender, row.message_id) for row in sent}
    repeats = [entry for entry in entries if entry.repeats is not None]
    assert repeats, "something was doubled"
    by_number = {entry.number: entry for entry in entries}
    assert all(entry.digest == by_number[entry.repeats or 0].digest for entry in repeats)
    assert all(entry.reasons == by_number[entry.repeats or 0].reasons for entry in repeats)
    assert {entry.way for entry in entries} == {"soap", "mail"}
    assert {entry.way for entry in entries if entry.code == "121"} == {"mail"}


@pytest.mark.parametrize(("way", "sample"), [("soap", "XS1"), ("mail", "249"), ("soap", "240")])
def test_the_operator_brings_a_message_of_its_own(world: World, way: str, sample: str) -> None:
    # what is for another participant is refused
    content = (SAMPLES / f"{sample}.xml").read_bytes().replace(US.encode(), SENDER.encode())
    reply = world.sandbox.post("/bring", params={"way": way}, content=content)
    assert reply.status_code == 202, reply.text

    def outcome() -> str | None:
        with transaction(world.engine) as db:
            query = select(market_inbox.c.outcome).where(market_inbox.c.message_id == f"{sample}-1")
            return db.execute(query).scalar_one_or_none()

    assert wait_for(outcome) in {"applied", "proposed", "kept"}


def test_a_gas_message_is_answered_by_gasresponse(world: World) -> None:
    content = (SAMPLES / "XG4.xml").read_bytes().replace(US.encode(), SENDER.encode())
    draft = Draft(
        "XG4-1", "XG4", PACKAGE.name, PACKAGE.digest, SENDER, PACKAGE.envelope.market_operator,
        Subject("request", "XG4-1"), date(2026, 3, 1), date(2026, 4, 1), 1, content, {},
    )  # fmt: skip
    with transaction(world.engine) as db:
        number = create(db, draft, NOW, "test")
    assert world.drive()["rejected"] == 1
    (row,) = _rejected(world)
    assert row["id"] == number
    assert {reason["code"] for reason in row["reasons"]} == {"S111"}, "the sandbox knows no gas point"
