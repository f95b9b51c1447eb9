"""Manual edits through the interface, on a real database: effect, second person, later data, undo."""

import io
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import pytest
from fastapi.testclient import TestClient
from openpyxl import Workbook
from sqlalchemy import func, select, text, update

from central.api.app import create_app
from central.network.tables import channel_mapping
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.settings import Settings
from central.readings.closing import close_days
from central.readings.consolidate import consolidate_once
from central.readings.edits.service import Limits, Wanted, propose
from central.readings.estimation.order import EstimationOrder, EstimationStep, StepMethod
from central.readings.estimation.orders import install_orders
from central.readings.method import Method
from central.readings.tables import day_profile
from central.readings.testing import QUARTER, Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.readings.vee.stage import validate_once
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity, Quality
from shared.testing import ManualClock

ALWAYS = "[2025-01-01 00:00+00,)"
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 9))
ANNA, BOB, EVA = "token-of-anna-0123", "token-of-bob-01234", "token-of-eva-01234"
RIGHTS = {ANNA: ["read", "operate"], BOB: ["read", "operate"], EVA: ["read"]}


class Site:
    """A channel with two days of 100 Wh a quarter-hour, the first without its intervals 10 to 12."""

    def __init__(self, url: str, client: TestClient) -> None:
        self.engine = make_engine(url)
        self.clock = ManualClock(datetime(2026, 4, 2, tzinfo=UTC))
        self.client = client
        self.seq = 0
        with transaction(self.engine) as connection:
            self.register = make_meter(connection, "M1")
            map_channel(connection, self.register, make_channel(connection, "P1"), ALWAYS)
            connection.execute(update(channel_mapping).values(consolidated_at=func.now()))
        self.deliver((0, [100] * 10), (13, [100] * 83), (96, [100] * 96))

    def deliver(self, *parts: tuple[int, list[int]]) -> None:
        """A batch of values by interval of DAY, consolidated."""
        blocks = [GivenBlock(self.register, DAY.start + first * QUARTER, values) for first, values in parts]
        with transaction(self.engine) as connection:
            Evidence(connection, seq=self.seq).batch(*blocks)
        self.seq += 1
        self.work()

    def work(self) -> None:
        """Consolidate and validate until nothing is left."""
        while consolidate_once(self.engine, self.clock).worked or validate_once(self.engine, self.clock).worked:
            pass

    def versions(self) -> list[tuple[list[int], list[int] | None, list[int] | None, bool]]:
        """Values 9 to 13 with qualities and methods of the versions of DAY, and whether they are late."""
        table = day_profile.c
        query = select(table["values"], table.quality, table.method, table.late).where(table.day == DAY.date)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(table.version)).all()
        return [(*(None if part is None else part[9:14] for part in row[:3]), row.late) for row in rows]

    def post(self, path: str, body: object = None, token: str = ANNA) -> httpx.Response:
        """As a person."""
        return self.client.post(f"/v1{path}", json=body, headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str) -> httpx.Response:
        """As Eva, who may read."""
        return self.client.get(f"/v1{path}", headers={"Authorization": f"Bearer {EVA}"})


@pytest.fixture
def site(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    people = [{"token": token, "name": token[9:12], "rights": rights} for token, rights in RIGHTS.items()]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    monkeypatch.setenv("ROZVODNA_EDIT_LIMIT_KWH", "1")
    app = create_app(Settings())
    with TestClient(app, raise_server_exceptions=False) as client:
        made = Site(database_url, client)
        app.dependency_overrides[get_clock] = lambda: made.clock
        yield made
        made.engine.dispose()
    app.state.engine.dispose()


def edit(first: int, values: list[int], **more: object) -> dict[str, object]:
    return {"channel": 1, "day": "2026-03-09", "first": first, "values": values, **more}


def test_a_small_edit_holds_at_once_later_data_do_not_overwrite_it_and_undo_is_a_new_version(site: Site) -> None:
    gone = MISSING_VALUE
    assert site.versions() == [([100, gone, gone, gone, 100], [0, 5, 5, 5, 0], None, False)]
    shown = site.post("/edits/preview", edit(10, [300, 100, 120])).json()
    assert (shown["version"], shown["before"], shown["after"]) == (1, [None, None, None], [300, 100, 120])
    assert (shown["sum_before"], shown["sum_after"], shown["difference"], shown["changed"]) == (9300, 9820, 520, 520)
    assert (shown["missing_before"], shown["missing_after"], shown["closed"]) == (3, 0, False)
    assert (shown["month_maximum_before"]["value"], shown["month_maximum_after"]["value"]) == (100, 300)
    assert datetime.fromisoformat(shown["month_maximum_after"]["at"]) == DAY.instant(10)
    assert shown["needs_second"] is False
    made = site.post("/edits", edit(10, [300, 100, 120], reason="porucha", based_on=1))
    assert (made.status_code, made.json()["state"]) == (201, "active")
    site.work()
    edited = ([100, 300, 100, 120, 100], [0, 4, 4, 4, 0], [0, 7, 7, 7, 0], False)
    assert (Quality.EDITED, Method.MANUAL) == (4, 7)
    assert site.versions()[1:] == [edited]
    site.deliver((10, [290]), (12, [120]))  # one of them is not what was entered
    assert site.versions()[-1][:3] == edited[:3]
    shown = site.get(f"/edits/{made.json()['id']}").json()
    assert datetime.fromisoformat(shown["contradicted_at"]) == site.clock.now()
    with site.engine.connect() as connection:
        found = connection.execute(
            text("SELECT first_index, last_index, state, evidence FROM finding WHERE rule = 'edit_contradicted'")
        ).one()
    assert tuple(found) == (10, 10, "open", {"edits": [made.json()["id"]], "intervals": [10]})
    undone = site.post(f"/edits/{made.json()['id']}/undo", {"reason": "přečteno"}, BOB).json()
    assert (undone["state"], undone["undone_by"], undone["undone_because"]) == ("undone", "bob", "přečteno")
    site.work()
    assert site.versions()[-1] == ([100, 290, gone, 120, 100], [0, 0, 5, 0, 0], None, False)
    assert site.post(f"/edits/{made.json()['id']}/undo", {"reason": "x"}).json()["code"] == "edit_state"
    assert [row["id"] for row in site.get("/edits?channel=1&state=undone").json()] == [made.json()["id"]]
    with site.engine.connect() as connection:
        acts = connection.execute(text("SELECT act, person FROM audit WHERE subject LIKE 'edit/%' ORDER BY id")).all()
    assert [tuple(act) for act in acts] == [("edit.propose", "ann"), ("edit.undo", "bob")]


def test_above_the_limit_another_person_approves(site: Site) -> None:
    body = edit(10, [500, 400, 101], reason="porucha", based_on=1)
    assert site.post("/edits/preview", body | {"reason": "x"}).status_code == 422
    made = site.post("/edits", body).json()
    assert (made["state"], made["needs_second"]) == ("proposed", True)
    number = made["id"]
    site.work()
    assert len(site.versions()) == 1
    assert site.post("/edits", edit(12, [1], reason="x", based_on=1)).json()["code"] == "edit_overlaps"
    assert site.post(f"/edits/{number}/approve").json()["code"] == "same_person"
    assert site.post(f"/edits/{number}/approve", token=EVA).status_code == 403
    approved = site.post(f"/edits/{number}/approve", token=BOB).json()
    assert (approved["state"], approved["decided_by"]) == ("active", "bob")
    site.work()
    assert site.versions()[-1][0] == [100, 500, 400, 101, 100]
    assert site.post(f"/edits/{number}/approve", token=BOB).json()["code"] == "edit_state"
    # many small ones are a large one: what one person changes alone in a month is counted together
    assert site.post("/edits", edit(20, [700], reason="x", based_on=2)).json()["state"] == "active"
    site.work()
    assert site.post("/edits", edit(21, [600], reason="x", based_on=3)).json()["state"] == "proposed"


def test_two_edits_at_once_do_not_slip_under_the_limit_together(site: Site) -> None:
    answers: list[str] = []
    thread = threading.Thread(
        target=lambda: answers.append(site.post("/edits", edit(21, [800], reason="x", based_on=1), BOB).json()["state"])
    )
    with transaction(site.engine) as connection:
        limits = Limits(Decimal(1), Decimal(1))
        first = propose(connection, Wanted(1, DAY.date, 20, [700]), 1, "x", limits, SYSTEM, site.clock.now())
        thread.start()
        deadline = time.monotonic() + 60
        while not waiting(site) and time.monotonic() < deadline and thread.is_alive():
            time.sleep(0.01)
    thread.join(20)
    assert (first["state"], answers) == ("active", ["proposed"]), "600 + 700 Wh are more than 1 kWh"


def waiting(site: Site) -> bool:
    """Whether somebody waits for a lock in this database."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with site.engine.connect() as connection:
        return bool(connection.execute(text(query)).scalar_one())


def test_refusals(site: Site) -> None:
    proposed = site.post("/edits", edit(10, [5000], reason="x", based_on=1)).json()["id"]
    site.deliver((10, [80]))
    answer = site.post(f"/edits/{proposed}/approve", token=BOB)
    assert (answer.status_code, answer.json()["code"]) == (409, "values_changed")
    refused = site.post(f"/edits/{proposed}/refuse", {"reason": "přišla data"}).json()
    assert (refused["state"], refused["decision"]) == ("refused", "přišla data")
    for body, status, code in [
        (edit(10, [1], reason=" ", based_on=2), 422, "reason"),
        (edit(10, [1], reason="x", based_on=1), 409, "version_changed"),
        (edit(95, [1, 2], reason="x", based_on=2), 422, "intervals"),
        (edit(10, [-(2**31)], reason="x", based_on=2), 422, "input"),
        (edit(10, [], reason="x", based_on=2), 422, "input"),
        (edit(10, [1], reason="x", based_on=2) | {"channel": 99}, 404, "channel_not_found"),
        (edit(10, [1], reason="x", based_on=2) | {"day": "2026-03-20"}, 409, "day_open"),
    ]:
        answer = site.post("/edits", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert site.post("/edits/99/undo", {"reason": "x"}).json()["code"] == "edit_not_found"
    with transaction(site.engine) as connection:
        close_days(connection, "settlement_run/7", [1], date(2026, 3, 1), date(2026, 4, 1), site.clock.now())
    shown = site.post("/edits/preview", edit(11, [1])).json()
    assert (shown["closed"], shown["closed_by"]) == (True, ["settlement_run/7"])
    assert site.post("/edits", edit(11, [1], reason="x", based_on=2)).status_code == 201
    site.work()
    assert site.versions()[-1][3] is True


def test_the_order_waiting_days_check_channels_and_load_profiles_are_shown(site: Site) -> None:
    with transaction(site.engine) as connection:
        make_channel(connection, "P2")
        make_channel(connection, "P3", kind="state")
    assert site.get("/estimation/orders").json() == []
    order = EstimationOrder(
        "gas", [], ["volume"], [EstimationStep(StepMethod.LINEAR, longest_gap_minutes=60)], 1, 31, True, "x", "assumed"
    )
    with transaction(site.engine) as connection:
        install_orders(connection, "test", "1", (date(2026, 1, 1), date(2027, 1, 1)), [order], site.clock.now())
    (shown,) = site.get("/estimation/orders").json()
    assert shown["steps"] == [{"method": "linear", "longest_gap_minutes": 60}]
    assert (shown["class"], shown["mark"], shown["end"]) == ("volume", "assumed", "2027-01-01")
    (waiting,) = site.get("/estimation/pending?channel=1").json()
    assert (waiting["day"], waiting["reason"], waiting["missing"]) == ("2026-03-09", "no_order", 3)
    assert site.get("/estimation/pending?after_channel=1&after_day=2026-03-09").json() == []
    check = {"channel": 1, "check_channel": 2, "since": "2026-01-01T00:00:00+01:00"}
    made = site.post("/check-channels", check)
    assert (made.status_code, made.json()["until"]) == (201, None)
    for body, status, code in [
        (check, 409, "check_overlaps"),
        (check | {"check_channel": 1}, 422, "check_channel"),
        (check | {"check_channel": 3}, 422, "check_channel"),
        (check | {"check_channel": 9}, 404, "channel_not_found"),
        (check | {"until": "2025-01-01T00:00:00Z"}, 422, "validity"),
    ]:
        answer = site.post("/check-channels", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    end = {"until": "2026-02-01T00:00:00+01:00"}
    number = made.json()["id"]
    assert site.post(f"/check-channels/{number}/close", end).status_code == 200
    assert site.post(f"/check-channels/{number}/close", end).json()["code"] == "closed"
    assert [row["id"] for row in site.get("/check-channels?channel=1").json()] == [number]
    head = {"commodity": "electricity", "kind": "normalised", "source": "test", "mark": "assumed"}
    day = {"class": "4", "day": "2026-03-09", "values": [1.0] * 24}
    first = site.post("/load-profiles", {**head, "days": [day]}).json()
    again = site.post("/load-profiles", {**head, "days": [day]}).json()
    assert (again["id"], first["repeated"], again["repeated"]) == (first["id"], False, True)
    bad = site.post("/load-profiles", {**head, "days": [day | {"values": [1.0] * 25}]})
    assert (bad.status_code, bad.json()["code"]) == (422, "load_profile_length")
    bad = site.post("/load-profiles", {**head, "days": [day | {"values": [1e308] * 24}]})
    assert (bad.status_code, bad.json()["code"]) == (422, "load_profile_weight")
    lines = "".join(f"2026-03-09;{hour};0,5\n" for hour in range(1, 25))
    answer = site.client.post(
        "/v1/load-profiles/csv",
        params=head,
        content=f"den;hodina;4\n{lines}",
        headers={"Authorization": f"Bearer {ANNA}", "Content-Type": "text/csv"},
    )
    assert answer.status_code == 201, answer.text
    shapes = site.get("/load-profiles/shape?commodity=electricity&class=4&day=2026-03-09").json()
    assert [shape["weights"] for shape in shapes] == [None, [0.125] * 96]
    book = Workbook()
    book.active.append(("den", "hodina", "4"))
    for hour in range(1, 25):
        book.active.append((DAY.date, hour, 0.25))
    into = io.BytesIO()
    book.save(into)
    answer = site.client.post(
        "/v1/load-profiles/xlsx", params=head, content=into.getvalue(), headers={"Authorization": f"Bearer {ANNA}"}
    )
    assert (answer.status_code, answer.json()["days"]) == (201, 1), answer.text
    shapes = site.get("/load-profiles/shape?commodity=electricity&class=4&day=2026-03-09").json()
    assert shapes[1]["weights"] == [0.0625] * 96
    assert len(site.get("/load-profiles").json()) == 3
