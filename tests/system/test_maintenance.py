"""Maintenance on the real database: verification, rounds, cases that open and close by themselves, work orders."""

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from central.api.app import create_app
from central.network.maintenance.verification import find_periods, install_periods
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.workflow.housekeeping import service as housekeeping
from shared.testing import ManualClock

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
PERIODS = [
    ("static_direct", "statický elektroměr", 12, 4, True),
    ("transformer", "měřicí transformátor", None, None, True),
]
SITE = """
INSERT INTO concentrator (id, name, place) VALUES ('K1', 'K1', 'rozvodna A'), ('K2', 'K2', 'rozvodna B');
INSERT INTO meter (id, serial, model, commodity, concentrator) VALUES
    ('M1', '1', 'E650', 'electricity', 'K1'), ('M2', '2', 'E650', 'electricity', 'K1'),
    ('M3', '3', 'MT174', 'electricity', 'K2');
INSERT INTO channel (point, direction, commodity, unit, exponent, kind, step_ms)
    SELECT 'P' || n, 'A+', 'electricity', 'Wh', 0, 'interval', 900000 FROM generate_series(1, 3) n;
INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
    SELECT concentrator, id, '1-0:1.29.0', 'Wh', 0, 'interval', 900000 FROM meter ORDER BY id;
INSERT INTO channel_mapping (evidence_channel, channel, valid)
    SELECT e.id, c.id, tstzrange('2026-01-01', NULL) FROM evidence_channel e
    JOIN channel c ON c.point = 'P' || substr(e.device, 2);
INSERT INTO mounting (meter, measuring_point, several, valid)
    SELECT 'M' || substr(name, 2), id, false, tstzrange('2026-01-01', NULL) FROM measuring_point;
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    with transaction(made) as connection:
        connection.execute(text(SITE))
        rows = [
            {
                **dict(zip(("kind", "name", "years", "extension_years", "to_year_end"), row, strict=True)),
                "source": "test",
                "mark": "assumed",
            }
            for row in PERIODS
        ]
        assert install_periods(connection, rows, "test", date(2020, 1, 1)) == len(PERIODS)
    yield made
    made.dispose()


@pytest.fixture
async def client(
    engine: Engine, database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [{"token": "token-of-anna-0123", "name": "Anna", "rights": ["read", "operate"]}]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer token-of-anna-0123"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def call(client: httpx.AsyncClient, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = await client.request(method, path, **more)
    assert answer.status_code == status, answer.text
    return answer.json()


async def step(client: httpx.AsyncClient, number: str, act: str, body: dict[str, Any] | None = None) -> Any:
    """One step of a work order, by the tag of what it is now."""
    tag = (await client.get(f"/v1/work-orders/{number}")).headers["ETag"]
    return await call(client, "POST", f"/v1/work-orders/{number}/{act}", json=body or {}, headers={"If-Match": tag})


def deliver(engine: Engine, meter: str, start: datetime) -> None:
    with transaction(engine) as connection:
        connection.execute(
            text("""
                INSERT INTO block (start, batch_id, evidence_channel, step, marks, "values")
                SELECT :start, 1, id, 900000, 0, '{1,2,3,4}' FROM evidence_channel WHERE device = :meter
            """),
            {"start": start, "meter": meter},
        )


async def test_a_silent_meter_opens_one_case_and_data_close_it(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=3))
    assert (await call(client, "POST", "/v1/service-cases/look"))["opened"] == 0
    clock.set(NOW + timedelta(hours=30))
    deliver(engine, "M2", clock.now() - timedelta(hours=1))
    deliver(engine, "M3", clock.now() - timedelta(hours=1))
    assert await call(client, "POST", "/v1/service-cases/look") == {"opened": 1, "closed": 0, "orders": 1}
    assert await call(client, "POST", "/v1/service-cases/look") == {"opened": 0, "closed": 0, "orders": 0}
    (case,) = await call(client, "GET", "/v1/service-cases")
    assert (case["cause"], case["state"], case["measuring_point"]) == ("lost_meter/M1", "ordered", "P1")
    assert datetime.fromisoformat(case["since"]) == NOW - timedelta(hours=2)
    (order,) = await call(client, "GET", "/v1/work-orders?state=proposed")
    assert (order["number"], order["kind"], order["service_case"]) == ("P-2026-000001", "repair", case["id"])
    assert order["due"] == "2026-03-11"
    deliver(engine, "M1", clock.now() - timedelta(hours=1))
    assert await call(client, "POST", "/v1/service-cases/look") == {"opened": 0, "closed": 1, "orders": 0}
    (case,) = await call(client, "GET", "/v1/service-cases")
    assert (case["state"], case["reason"], case["closed_by"]) == ("closed", "the cause is gone", "Anna")
    (order,) = await call(client, "GET", "/v1/work-orders")
    assert order["state"] == "cancelled"
    (figure,) = await call(client, "GET", "/v1/service-cases/figures?from=2026-03-01&to=2026-04-01&by=model")
    assert (figure["name"], figure["opened"], figure["closed"], figure["orders"]) == ("E650", 1, 1, 1)
    (figure,) = await call(client, "GET", "/v1/service-cases/figures?from=2026-03-01&to=2026-04-01&by=cause")
    assert figure["name"] == "lost_meter/M1"


async def test_a_meter_that_is_read_by_files_is_not_lost_and_revoked_values_are_no_sign_of_life(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=2))
    clock.set(NOW + timedelta(hours=30))
    deliver(engine, "M2", clock.now() - timedelta(hours=1))
    with transaction(engine) as connection:
        connection.execute(
            text("INSERT INTO import_source (code, name, made_at, made_by) VALUES ('K2', 'CIZI', :at, 'test')"),
            {"at": NOW},
        )
        batch = connection.execute(
            text("""
                INSERT INTO batch (id, edge, epoch, seq, received_at, evidence_channels, revoked_at)
                OVERRIDING SYSTEM VALUE VALUES (99, 'K2', 1, 1, :at, '{}', :at) RETURNING id
            """),
            {"at": NOW},
        ).scalar_one()
        connection.execute(
            text("""
                INSERT INTO block (start, batch_id, evidence_channel, step, marks, "values")
                SELECT :start, :batch, id, 900000, 0, '{1,2,3,4}' FROM evidence_channel WHERE device = 'M1'
            """),
            {"start": clock.now() - timedelta(hours=1), "batch": batch},
        )
    await call(client, "POST", "/v1/service-cases/look")
    cases = await call(client, "GET", "/v1/service-cases")
    assert [case["cause"] for case in cases] == ["lost_meter/M1"], "M3 is of an import source"
    assert datetime.fromisoformat(cases[0]["since"]) == NOW - timedelta(hours=1)


async def test_behind_a_lost_concentrator_the_meters_are_no_cases(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=2))
    with transaction(engine) as connection:
        connection.execute(
            text("INSERT INTO concentrator_state VALUES ('K1', false, 'x', 0, :at)"), {"at": NOW - timedelta(hours=1)}
        )
    clock.set(NOW + timedelta(hours=30))
    deliver(engine, "M3", clock.now() - timedelta(hours=1))
    await call(client, "POST", "/v1/service-cases/look")
    cases = await call(client, "GET", "/v1/service-cases")
    assert [(case["cause"], case["severity"]) for case in cases] == [("lost_concentrator/K1", 3)]


async def test_a_meter_without_supply_is_not_lost(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=2))
    clock.set(NOW + timedelta(hours=30))
    with transaction(engine) as connection:
        outage = connection.execute(
            text("""
                INSERT INTO outage (planned, cause, valid, recorded_at, recorded_by)
                VALUES (true, 'výměna trafa', tstzrange(:since, NULL), :since, 'test') RETURNING id
            """),
            {"since": NOW},
        ).scalar_one()
        connection.execute(
            text("""
                INSERT INTO outage_point (outage, measuring_point, named_by)
                SELECT :outage, id, 'hand' FROM measuring_point WHERE name IN ('P1', 'P2')
            """),
            {"outage": outage},
        )
    await call(client, "POST", "/v1/service-cases/look")
    assert [case["meter"] for case in await call(client, "GET", "/v1/service-cases")] == ["M3"]


async def test_a_fraud_event_asks_for_an_inspection_until_it_was_made(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=2))
    event = text("""
        INSERT INTO edge_event (at, edge, device, kind, data, received_at)
        VALUES (:at, 'K1', 'M1', 'meter-event', CAST(:data AS jsonb), :at)
    """)
    with transaction(engine) as connection:
        for log, code in (("0.0.99.98.1.255", 40), ("0.0.99.98.1.255", 41), ("0.0.99.98.0.255", 1)):
            data = json.dumps({"log": log, "code": code})
            connection.execute(event, {"at": NOW - timedelta(hours=1), "data": data})
    await call(client, "POST", "/v1/service-cases/look")
    (case,) = await call(client, "GET", "/v1/service-cases")
    assert case["cause"] == "meter_event/M1/0.0.99.98.1.255"
    assert (case["evidence"]["count"], case["evidence"]["codes"]) == (2, [40, 41])
    (order,) = await call(client, "GET", "/v1/work-orders")
    assert order["kind"] == "inspection"
    number = order["number"]
    await step(client, number, "assign", {"assignee": "Novák", "on": "2026-03-06", "route_order": 2})
    await step(client, number, "begin")
    clock.set(NOW + timedelta(hours=1))
    done = await step(client, number, "finish", {"result": "plomba v pořádku, kryt dotažen"})
    assert (done["state"], done["finished_by"]) == ("done", "Anna")
    assert (await call(client, "POST", "/v1/service-cases/look"))["closed"] == 1
    assert (await call(client, "POST", "/v1/service-cases/look"))["opened"] == 0
    steps = await call(client, "GET", f"/v1/work-orders/{number}/steps")
    assert [each["state"] for each in steps] == ["proposed", "assigned", "under_way", "done"]


async def test_an_expiring_verification_is_planned_once_and_a_new_one_ends_it(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=2))
    body = {"meter": "M1", "kind": "static_direct", "verified_on": "2013-05-02", "certificate": "AMS K1"}
    entered = await call(client, "POST", "/v1/verifications", 201, json=body)
    assert entered["until"] == "2025-12-31"
    refused = await call(client, "POST", "/v1/verifications", 409, json=body)
    assert "M1 on 2013-05-02 is entered already" in refused["message"]
    unknown = await call(client, "POST", "/v1/verifications", 422, json={**body, "kind": "sundial"})
    assert "static_direct, transformer" in unknown["message"]
    activity = {"name": "Výměny prošlých", "kind": "exchange", "lead_days": 200}
    await call(client, "POST", "/v1/activities", 201, json=activity)
    assert (await call(client, "POST", "/v1/service-cases/look"))["opened"] == 1
    orders = await call(client, "GET", "/v1/work-orders?meter=M1")
    assert [(order["kind"], order["activity"] is None) for order in orders] == [("exchange", True)], (
        "the case's order and the activity's are one"
    )
    await call(client, "POST", "/v1/verifications", 201, json={**body, "verified_on": "2026-03-01"})
    assert (await call(client, "POST", "/v1/service-cases/look"))["closed"] == 1
    (latest,) = await call(client, "GET", "/v1/verifications")
    assert latest["until"] == "2038-12-31"


async def test_a_passed_sample_extends_the_whole_group(client: httpx.AsyncClient, engine: Engine) -> None:
    group = {"name": "E650-2014", "kind": "static_direct", "sample_size": 1}
    await call(client, "POST", "/v1/sampling-groups", 201, json=group)
    wrong = await call(client, "POST", "/v1/sampling-groups", 409, json={**group, "name": "T", "kind": "transformer"})
    assert "cannot be extended by testing samples" in wrong["message"]
    for meter in ("M1", "M2"):
        body = {"meter": meter, "kind": "static_direct", "verified_on": "2014-02-01", "sampling_group": "E650-2014"}
        await call(client, "POST", "/v1/verifications", 201, json=body)
    path = "/v1/sampling-groups/E650-2014"
    early = await call(client, "POST", f"{path}/test", 409, json={"tested_on": "2026-03-01", "passed": True})
    assert "0 of 1 samples" in early["message"]
    stranger = await call(client, "POST", f"{path}/draw", 422, json={"meters": ["M3"]})
    assert "Not in the sampling group E650-2014: M3" in stranger["message"]
    await call(client, "POST", f"{path}/draw", json={"meters": ["M2"]})
    tested = await call(client, "POST", f"{path}/test", json={"tested_on": "2026-03-01", "passed": True})
    assert tested["extended_until"] == "2030-12-31"
    found = await call(client, "GET", "/v1/verifications")
    assert [(row["meter"], row["until"], row["drawn"]) for row in found] == [
        ("M1", "2030-12-31", False),
        ("M2", "2030-12-31", True),
    ]


async def test_a_reading_round_becomes_orders_in_the_order_of_the_way(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=2))
    for name in ("západ", "východ"):
        await call(client, "POST", "/v1/reading-groups", 201, json={"name": name})
    round_ = {"points": ["P3", "P1"], "since": "2026-01-01"}
    await call(client, "POST", "/v1/reading-groups/západ/round", json=round_)
    again = await call(client, "POST", "/v1/reading-groups/východ/round", 409, json=round_)
    assert "P3 is put on a round from 2026-01-01" in again["message"]
    activity = {
        "name": "Odečet západ",
        "kind": "reading",
        "reading_group": "západ",
        "every_months": 1,
        "next_due": "2026-01-31",
        "lead_days": 10,
    }
    made = await call(client, "POST", "/v1/activities", 201, json=activity)
    await call(client, "POST", "/v1/service-cases/look")
    orders = await call(client, "GET", "/v1/work-orders?kind=reading&sort=due,route_order")
    assert [(order["due"], order["measuring_point"], order["meter"]) for order in orders] == [
        ("2026-01-31", "P3", "M3"),
        ("2026-01-31", "P1", "M1"),
        ("2026-02-28", "P3", "M3"),
        ("2026-02-28", "P1", "M1"),
    ]
    assert (await call(client, "POST", "/v1/service-cases/look"))["orders"] == 0
    shown = await client.get(f"/v1/activities/{made['id']}")
    assert shown.json()["next_due"] == "2026-03-31"
    outdated = await client.patch(f"/v1/activities/{made['id']}", json={"lead_days": 60}, headers={"If-Match": '"0"'})
    assert outdated.status_code == 412
    headers = {"If-Match": shown.headers["ETag"]}
    await call(client, "PATCH", f"/v1/activities/{made['id']}", json={"lead_days": 60}, headers=headers)
    assert (await call(client, "POST", "/v1/service-cases/look"))["orders"] == 4, "31 March and 30 April"
    moved = {"points": ["P1"], "since": "2026-04-01"}
    await call(client, "POST", "/v1/reading-groups/východ/round", json=moved)
    groups = await call(client, "GET", "/v1/reading-groups?on=2026-04-02")
    assert [(group["name"], [m["measuring_point"] for m in group["members"]]) for group in groups] == [
        ("východ", ["P1"]),
        ("západ", ["P3"]),
    ]


async def test_steps_of_a_work_order_and_who_was_late(client: httpx.AsyncClient, engine: Engine) -> None:
    body = {"kind": "inspection", "title": "Revize desky", "due": "2026-04-01"}
    nowhere = await call(client, "POST", "/v1/work-orders", 422, json=body)
    assert "needs a measuring point, meter, concentrator or network element" in nowhere["message"]
    missing = await call(client, "POST", "/v1/work-orders", 404, json={**body, "meter": "M9"})
    assert "no meter 'M9'" in missing["message"]
    order = await call(client, "POST", "/v1/work-orders", 201, json={**body, "measuring_point": "P1"})
    number = order["number"]
    tag = (await client.get(f"/v1/work-orders/{number}")).headers["ETag"]
    path = f"/v1/work-orders/{number}"
    blind = await call(client, "POST", f"{path}/plan", 428, json={"on": "2026-03-09"})
    assert "If-Match" in blind["message"]
    await call(client, "POST", f"{path}/plan", json={"on": "2026-03-09"}, headers={"If-Match": tag})
    await call(client, "POST", f"{path}/plan", 412, json={"on": "2026-03-10"}, headers={"If-Match": tag})
    tag = (await client.get(path)).headers["ETag"]
    skipped = await call(client, "POST", f"{path}/finish", 409, json={"result": "hotovo"}, headers={"If-Match": tag})
    assert f"{number} is planned; after that comes planned or assigned or cancelled, not done" in skipped["message"]
    await step(client, number, "assign", {"assignee": "Novák", "on": "2026-03-09"})
    await step(client, number, "begin")
    failed = await step(client, number, "finish", {"result": "nikdo doma", "done": False})
    assert failed["state"] == "failed"
    again = await step(client, number, "plan", {"on": "2026-03-12"})
    assert (again["state"], again["finished_at"], again["assignee"]) == ("planned", None, None)


async def test_thresholds_are_data_and_checked(client: httpx.AsyncClient, engine: Engine, clock: ManualClock) -> None:
    for meter in ("M1", "M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=5))
    shown = await client.get("/v1/service-rules/lost_meter")
    headers = {"If-Match": shown.headers["ETag"]}
    path = "/v1/service-rules/lost_meter"
    wrong = await call(client, "PATCH", path, 422, json={"why": "x", "parameters": {"hours": -1}}, headers=headers)
    assert "parameter hours of the rule lost_meter is -1" in wrong["message"]
    strange = await call(client, "PATCH", path, 422, json={"why": "x", "parameters": {"days": 1}}, headers=headers)
    assert "has the parameters hours" in strange["message"]
    change = {"why": "smlouva s odběratelem", "parameters": {"hours": 3}}
    revised = await call(client, "PATCH", path, json=change, headers=headers)
    assert (revised["parameters"], revised["mark"]) == ({"hours": 3}, "operator")
    assert (await call(client, "POST", "/v1/service-cases/look"))["opened"] == 3
    (case, *_) = await call(client, "GET", "/v1/service-cases?sort=cause")
    closed = await call(client, "POST", f"/v1/service-cases/{case['id']}/close", json={"reason": "odběratel vypnul"})
    assert closed["state"] == "closed"
    twice = await call(client, "POST", f"/v1/service-cases/{case['id']}/close", 409, json={"reason": "x"})
    assert "is closed; after that comes nothing" in twice["message"]


BROKEN = [
    (
        "INSERT INTO meter_verification (meter, kind, verified_on, until, entered_at, entered_by) "
        "VALUES ('M1', 'x', '2026-01-01', '2025-01-01', now(), 'x')",
        "meter_verification_until_check",
    ),
    (
        "INSERT INTO meter_verification (meter, kind, verified_on, drawn, entered_at, entered_by) "
        "VALUES ('M1', 'x', '2026-01-01', true, now(), 'x')",
        "meter_verification_drawn_check",
    ),
    (
        "INSERT INTO reading_group (name) VALUES ('a'), ('b'); "
        "INSERT INTO reading_group_member (reading_group, measuring_point, route_order, valid) "
        "SELECT g.id, p.id, 1, '[2026-01-01,)' FROM reading_group g, measuring_point p WHERE p.name = 'P1'",
        "reading_group_member_measuring_point_valid_excl",
    ),
    (
        "INSERT INTO activity (name, kind, lead_days, every_months, next_due) VALUES ('x', 'reading', 1, 1, now())",
        "activity_subject_check",
    ),
    (
        "INSERT INTO activity (name, kind, lead_days, every_months) VALUES ('x', 'exchange', 1, 3)",
        "activity_round_check",
    ),
    (
        "INSERT INTO service_case (kind, cause, state, severity, since, opened_at, seen_at, evidence) "
        "VALUES ('expiry', 'x', 'open', 1, now(), now(), now(), '{}')",
        "service_case_subject_check",
    ),
    (
        "INSERT INTO service_case (kind, cause, state, severity, meter, since, opened_at, seen_at, evidence) "
        "SELECT 'expiry', 'x', 'open', 1, id, now(), now(), now(), '{}' FROM meter",
        "service_case_cause_key",
    ),
    (
        "INSERT INTO work_order (number, kind, state, title, due, made_at, made_by) "
        "VALUES ('x', 'repair', 'assigned', 'x', '2026-01-01', now(), 'x')",
        "work_order_assigned_check",
    ),
    (
        "INSERT INTO work_order (number, kind, state, title, due, made_at, made_by) "
        "VALUES ('x', 'repair', 'done', 'x', '2026-01-01', now(), 'x')",
        "work_order_finished_check",
    ),
    (
        "INSERT INTO verification_period (kind, name, to_year_end, source, mark, installed_by, since, valid) "
        "VALUES ('static_direct', 'x', true, 'x', 'assumed', 'x', '2020-01-01', '[2020-01-01,)')",
        "verification_period_kind_valid_excl",
    ),
    (
        "INSERT INTO sampling_group (name, kind, sample_size, tested_on) VALUES ('x', 'x', 1, '2026-01-01')",
        "sampling_group_result_check",
    ),
]


def test_the_database_keeps_the_rules_too(engine: Engine) -> None:
    for statement, constraint in BROKEN:
        with pytest.raises(DBAPIError, match=constraint), transaction(engine) as connection:
            for part in statement.split("; "):
                connection.execute(text(part))


def test_a_newer_package_takes_over_on_its_day_and_an_older_one_does_not_undo_it(engine: Engine) -> None:
    def periods(connection: Connection) -> list[tuple[int | None, date | None, date | None]]:
        found = [row for row in find_periods(connection) if row["kind"] == "static_direct"]
        return [(row["years"], row["valid"].lower, row["valid"].upper) for row in found]

    row = {
        "kind": "static_direct",
        "name": "statický",
        "extension_years": None,
        "to_year_end": True,
        "source": "test",
        "mark": "assumed",
    }
    with transaction(engine) as connection:
        assert periods(connection) == [(12, None, None)]
        install_periods(connection, [{**row, "years": 10}], "newer", date(2027, 1, 1))
        assert periods(connection) == [(12, None, date(2027, 1, 1)), (10, date(2027, 1, 1), None)]
        install_periods(connection, [{**row, "years": 8}], "older", date(2015, 1, 1))
        expected = [(8, None, date(2020, 1, 1)), (12, date(2020, 1, 1), date(2027, 1, 1)), (10, date(2027, 1, 1), None)]
        assert periods(connection) == expected
        install_periods(connection, [{**row, "years": 10}], "newer", date(2027, 1, 1))
        assert periods(connection) == expected


def test_the_housekeeping_service_looks_by_itself(engine: Engine, clock: ManualClock) -> None:
    for meter in ("M2", "M3"):
        deliver(engine, meter, NOW - timedelta(hours=2))
    stop = threading.Event()
    thread = threading.Thread(target=housekeeping.run, args=(engine, clock, Settings(), stop))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        found: Sequence[str] = []
        while not found and time.monotonic() < deadline:
            with transaction(engine) as connection:
                found = connection.execute(text("SELECT cause FROM service_case")).scalars().all()
    finally:
        stop.set()
        thread.join(30)
    assert found == ["lost_meter/M1"]
    assert not thread.is_alive()
