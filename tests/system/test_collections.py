"""Collections of meters over a real database: trees with validity, balances, findings on losses."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.formulas.work import compute_once
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.readings.vee.stage import validate_once
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Quality
from shared.testing import ManualClock

DEADLINE = time(10, 0)
FIRST, SECOND = (MeteringDay(Commodity.ELECTRICITY, date(2026, 10, day)) for day in (25, 26))
SINCE = "2026-01-01"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 10, 28, 12, tzinfo=UTC))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = make_engine(database_url, name="test")
    yield opened
    opened.dispose()


@pytest.fixture
async def client(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [{"token": "token-of-anna-0123", "name": "Anna", "rights": ["read", "operate"]}]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer token-of-anna-0123"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central/v1", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_tree_its_balance_and_what_is_found_on_it(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    names = ["TS", "Hala A", "Hala B", "FVE"]
    with transaction(engine) as connection:
        registers = {name: make_meter(connection, name) for name in names}
        channels = {name: make_channel(connection, name) for name in names}
        for name in names:
            map_channel(connection, registers[name], channels[name], "[2026-01-01,)")
        loads = [("TS", 100), ("Hala A", 60), ("Hala B", 50), ("FVE", 12)]
        blocks = [
            GivenBlock(registers[name], day.start, [value] * day.length)
            for name, value in loads
            for day in (FIRST, SECOND)
        ]
        evidence = Evidence(connection)
        evidence.batch(*blocks)
    consolidate_once(engine, clock, deadline=DEADLINE)

    await post(client, "/collections", {"code": "AREAL", "name": "Areál", "purpose": "settlement"})
    nodes = "/collections/AREAL/nodes"
    await post(client, nodes, {"node": "TS", "channel": channels["TS"], "since": SINCE})
    await post(client, nodes, {"node": "haly", "parent": "TS", "since": SINCE})
    for name in ("Hala A", "Hala B"):
        await post(client, nodes, {"node": name, "parent": "haly", "channel": channels[name], "since": SINCE})
    sun = {"node": "FVE", "parent": "TS", "channel": channels["FVE"], "sign": -1, "since": "2026-10-26"}
    await post(client, nodes, sun)

    answer = await client.get("/collections/AREAL/balance", params={"from": "2026-10-25", "to": "2026-10-27"})
    (balance,) = answer.json()
    assert (balance["node"], balance["tolerance"], balance["tolerance_mark"]) == ("TS", "0.03", "assumed")
    assert [(d["parent"], d["children"], d["losses"], d["within"]) for d in balance["days"]] == [
        (10_000, 11_000, -1_000, False),  # 100 quarter-hours; the plant is not in the tree yet
        (9_600, 96 * 98, 96 * 2, True),
    ]
    assert balance["parent"] == balance["children"] + balance["losses"]
    assert {d["quality"] for d in balance["days"]} == {Quality.MEASURED}

    while validate_once(engine, clock, deadline=DEADLINE).worked:
        pass
    found = "SELECT day, severity, state FROM finding WHERE rule = 'node_balance' AND channel = :ts ORDER BY day"
    with engine.connect() as connection:
        assert [row.day for row in connection.execute(text(found), {"ts": channels["TS"]})] == [FIRST.date]

    # A child's new value moves the balance: the node is judged again, though none of its own values changed.
    with transaction(engine) as connection:
        evidence = Evidence(connection, seq=7)
        evidence.batch(GivenBlock(registers["Hala A"], SECOND.start, [20] * 96))
    consolidate_once(engine, clock, deadline=DEADLINE)
    compute_once(engine, clock, deadline=DEADLINE)
    while validate_once(engine, clock, deadline=DEADLINE).worked:
        pass
    with engine.connect() as connection:
        days = [row.day for row in connection.execute(text(found), {"ts": channels["TS"]})]
    assert days == [FIRST.date, SECOND.date]

    # Moved and closed by validity.
    moved = {"since": "2026-10-26", "parent": "TS", "tolerance": "0.5", "reason": "přestavba"}
    await post(client, f"{nodes}/haly/revise", {**moved, "parent": "Hala A"}, 409)
    await post(client, f"{nodes}/Hala B/revise", moved)
    shown = (await client.get(nodes, params={"day": "2026-10-26"})).json()
    assert {n["node"]: n["parent"] for n in shown}["Hala B"] == "TS"
    shown = (await client.get(nodes, params={"day": "2026-10-25"})).json()
    assert {n["node"]: n["parent"] for n in shown}["Hala B"] == "haly"
    assert "FVE" not in {n["node"] for n in shown}
    # Another tolerance: the days of the node are judged again, though no value changed.
    await post(client, f"{nodes}/TS/revise", {"since": "2026-10-26", "tolerance": "0.99", "reason": "měření chybí"})
    while validate_once(engine, clock, deadline=DEADLINE).worked:
        pass
    held = found.replace("ORDER", "AND state = 'open' ORDER")
    with engine.connect() as connection:
        days = [row.day for row in connection.execute(text(held), {"ts": channels["TS"]})]
    assert days == [FIRST.date]
    answer = await client.get(
        "/collections/AREAL/balance", params={"from": "2026-10-26", "to": "2026-10-27", "node": "TS"}
    )
    assert answer.json()[0]["children"] == 96 * (20 + 50 - 12)
    await post(client, f"{nodes}/TS/close", {"end": "2026-11-01", "reason": "konec"}, 409)
    await post(client, f"{nodes}/FVE/close", {"end": "2026-11-01", "reason": "konec"}, 200)
    with engine.connect() as connection:
        acts = set(connection.execute(text("SELECT act FROM audit")).scalars())
    assert {"collection.create", "collection_node.add", "collection_node.revise", "collection_node.close"} <= acts


async def test_what_a_collection_refuses(client: httpx.AsyncClient, engine: Engine) -> None:
    with transaction(engine) as connection:
        make_meter(connection, "M1")
        first, second = make_channel(connection, "P1"), make_channel(connection, "P2")
        states = make_channel(connection, "P3", kind="state")
        gas = make_channel(connection, "G", commodity="gas")
    for code, purpose in (("Z", "settlement"), ("E", "records")):
        await post(client, "/collections", {"code": code, "name": code, "purpose": purpose})
    await post(client, "/collections", {"code": "Z", "name": "again", "purpose": "records"}, 409)
    await post(client, "/collections", {"code": "Y", "name": "y", "purpose": "other"}, 422)
    body = {"node": "N", "channel": first, "since": SINCE}
    await post(client, "/collections/Z/nodes", body)
    for change, status in (
        ({}, 409),  # the node
        ({"node": "O"}, 409),  # its channel
        ({"node": "O", "channel": second, "parent": "X"}, 409),
        ({"node": "O", "channel": second, "parent": "O"}, 409),
        ({"node": "O", "channel": second, "until": SINCE}, 422),
        ({"node": "O", "channel": second, "meter": "M1"}, 422),
        ({"node": "O", "channel": None, "meter": "M1"}, 422),  # a tree for settlement
        ({"node": "O", "channel": states}, 422),
        ({"node": "O", "channel": 999_999}, 404),
        ({"node": "O", "channel": second, "tolerance": "1.5"}, 422),
        ({"node": "O", "channel": second, "since": "0001-01-01"}, 422),
    ):
        await post(client, "/collections/Z/nodes", {**body, **change}, status)
    await post(client, "/collections/X/nodes", body, 404)
    await post(client, "/collections/E/nodes", {"node": "M", "meter": "M1", "since": SINCE})
    await post(client, "/collections/E/nodes", {"node": "M2", "meter": "M1", "since": SINCE}, 409)
    await post(client, "/collections/Z/nodes", {"node": "G", "parent": "N", "channel": gas, "since": SINCE})
    for path, status in (
        ("/collections/Z/balance?from=2026-01-01&to=2026-01-01", 422),
        ("/collections/Z/balance?from=2026-01-01&to=2029-01-01", 422),
        ("/collections/Z/balance?from=2026-01-01&to=2026-01-02&node=X", 404),
        ("/collections/Z/balance?from=2026-01-01&to=2026-01-02", 409),  # Wh and m3
        ("/collections/X/balance?from=2026-01-01&to=2026-01-02", 404),
    ):
        answer = await client.get(path)
        assert answer.status_code == status, (path, answer.text)
