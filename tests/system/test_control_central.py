"""Central's side of control on a real database: keys, versions, commands with their rights, what is answered."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from central.api.app import create_app
from central.network import commands, configurations
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from shared.control.keys import key_text, sealing_public
from shared.control.messages import CommandResult
from shared.testing import ManualClock
from tests.unit.edge.examples import config_data

ANNA, BOB, EVA = "token-of-anna-0123", "token-of-bob-01234", "token-of-eva-01234"
PRIVATE = bytes(range(32))
NOW = datetime(2026, 3, 5, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def engine(database_url: str) -> Any:
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
async def client(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [
        {"token": ANNA, "name": "Anna", "rights": ["read", "operate", "switch"]},
        {"token": BOB, "name": "Bob", "rights": ["read", "operate", "switch"]},
        {"token": EVA, "name": "Eva", "rights": ["read", "operate"]},
    ]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as opened:
        await call(opened, "POST", "/v1/concentrators", {"id": "CONC-1", "name": "1", "place": "x"}, 201)
        await call(opened, "POST", "/v1/concentrators", {"id": "CONC-2", "name": "2", "place": "x"}, 201)
        meter = {"id": "LU-1", "serial": "1", "model": "m", "commodity": "electricity", "concentrator": "CONC-1"}
        await call(opened, "POST", "/v1/meters", meter, 201)
        yield opened
    app.state.engine.dispose()


async def call(
    client: httpx.AsyncClient, method: str, path: str, body: Any = None, status: int = 200, token: str = ANNA
) -> Any:
    answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status, answer.text
    return answer.json()


def order(act: str = "disconnect", **more: Any) -> dict[str, Any]:
    return {"concentrator": "CONC-1", "act": act, "device": "LU-1", "reason": "neplatí", **more}


async def test_configurations_are_numbered_kept_and_refused_with_a_sentence(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    path = "/v1/concentrators/CONC-1/configuration"
    body = {"reason": "první", "configuration": {"buses": config_data()["buses"]}}
    first = await call(client, "PUT", path, body, 201)
    assert (first["number"], first["made_by"]) == (1, "Anna")
    with transaction(engine) as connection:
        configurations.heard_birth(connection, "CONC-1", online=True, agent="a", runs=8, now=NOW)
        configurations.heard_birth(connection, "CONC-1", online=False, agent="a", runs=3, now=NOW)
        configurations.heard_birth(connection, "NOBODY", online=True, agent="a", runs=8, now=NOW)
    assert (await call(client, "PUT", path, body, 201))["number"] == 9, "above what runs there"
    wrong = {"reason": "chyba", "configuration": {"buses": [{"name": "x"}]}}
    refused = await call(client, "PUT", path, wrong, 422)
    assert "at buses[0]: 'link' is a required property" in refused["message"]
    assert [each["number"] for each in await call(client, "GET", f"{path}s")] == [9, 1]
    assert (await call(client, "GET", f"{path}s/1"))["configuration"]["number"] == 1
    await call(client, "GET", f"{path}s/5", status=404)
    with transaction(engine) as connection:
        configurations.heard_answer(connection, "CONC-1", number=9, runs=8, reason="Ne.", now=NOW)
    state = await call(client, "GET", "/v1/concentrators/CONC-1/state")
    assert (state["newest"], state["runs"], state["online"]) == (9, 8, False)
    assert (state["refused_number"], state["refused_reason"]) == (9, "Ne.")
    with transaction(engine) as connection:
        configurations.heard_answer(connection, "CONC-1", number=9, runs=9, reason="", now=NOW)
    state = await call(client, "GET", "/v1/concentrators/CONC-1/state")
    assert (state["runs"], state["refused_number"]) == (9, None)


async def test_secrets_are_sealed_for_who_is_enrolled(client: httpx.AsyncClient) -> None:
    buses = config_data()["buses"]
    buses[0]["devices"][0]["keys"] = {"secret": "text:tajné"}
    body = {"reason": "klíče", "configuration": {"buses": buses}}
    path = "/v1/concentrators/CONC-1"
    refused = await call(client, "PUT", f"{path}/configuration", body, 409)
    assert refused["code"] == "not_enrolled"
    await call(client, "PUT", f"{path}/key", {"key": "short"}, 422)
    enrolled = await call(client, "PUT", f"{path}/key", {"key": key_text(sealing_public(PRIVATE))})
    assert (await call(client, "GET", f"{path}/key")) == enrolled
    assert (await call(client, "PUT", f"{path}/key", {"key": enrolled["key"]})) == enrolled
    refused = await call(client, "PUT", f"{path}/configuration", body, 422)  # no such field: nothing of it is stored
    assert "tajné" not in refused["message"]


async def test_a_disconnect_takes_a_right_a_reason_and_two_people(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    await call(client, "POST", "/v1/commands", order(), 403, token=EVA)
    await call(client, "POST", "/v1/commands", order(reason=" "), 422)
    await call(client, "POST", "/v1/commands", order(bus="rtu-1"), 422)
    await call(client, "POST", "/v1/commands", order(device="XX-1"), 404)
    await call(client, "POST", "/v1/commands", order(concentrator="CONC-2"), 409)
    issued = await call(client, "POST", "/v1/commands", order(), 201)
    assert issued["state"] == "proposed"
    path = f"/v1/commands/{issued['id']}"
    assert (await call(client, "POST", f"{path}/confirm", status=409))["code"] == "four_eyes"
    await call(client, "POST", f"{path}/confirm", status=403, token=EVA)
    confirmed = await call(client, "POST", f"{path}/confirm", token=BOB)
    assert (confirmed["state"], confirmed["confirmed_by"]) == ("queued", "Bob")
    await call(client, "POST", f"{path}/confirm", status=409, token=BOB)
    steps = (await call(client, "GET", path))["steps"]
    assert [(step["person"], step["step"]) for step in steps] == [("Bob", "confirm")]
    withdrawn = await call(client, "POST", f"{path}/withdraw", {"reason": "zaplatil"})
    assert withdrawn["state"] == "withdrawn"
    late = await call(client, "POST", "/v1/commands", order(expires_in_s=10), 201)
    clock.advance(timedelta(seconds=10))
    expired = await call(client, "POST", f"/v1/commands/{late['id']}/confirm", status=409, token=BOB)
    assert expired["code"] == "expired"
    reconnect = await call(client, "POST", "/v1/commands", order("reconnect"), 201)
    assert reconnect["state"] == "queued", "only a disconnect needs four eyes"
    await call(client, "POST", "/v1/commands", order("read_now"), 201, token=EVA)


async def test_answers_move_a_command_and_late_ones_are_taken(client: httpx.AsyncClient, engine: Engine) -> None:
    issued = await call(client, "POST", "/v1/commands", order("reconnect"), 201)
    identifier = issued["id"]

    def answer(outcome: Any, concentrator: str = "CONC-1", data: Any = None) -> bool:
        with transaction(engine) as connection:
            result = CommandResult(id=identifier, outcome=outcome, at=0, reason=f"r-{outcome}", data=data or {})
            return commands.record_answer(connection, concentrator, result, NOW)

    assert not answer("done"), "it was not sent"
    with transaction(engine) as connection:
        (row,) = commands.find_to_send(connection, NOW)
        assert commands.message_of(row).work.__class__.__name__ == "Reconnect"
        assert commands.mark_sent(connection, identifier, NOW)
    assert not answer("done", concentrator="CONC-2"), "another's command"
    assert answer("accepted") and not answer("accepted")
    with transaction(engine) as connection:
        assert commands.expire(connection, NOW + timedelta(seconds=300)) == 1
        assert len(commands.find_to_send(connection, NOW + timedelta(days=6))) == 1, "asked for again"
        assert commands.find_to_send(connection, NOW + timedelta(days=8)) == []
    assert (await call(client, "GET", f"/v1/commands/{identifier}"))["state"] == "unknown"
    assert answer("unknown", data={"closed": False}) and not answer("unknown")
    assert answer("done", data={"closed": True}) and not answer("failed")
    found = await call(client, "GET", f"/v1/commands/{identifier}")
    assert (found["state"], found["result"], found["why"]) == ("done", {"closed": True}, "r-done")
    assert [step["step"] for step in found["steps"]] == ["send", "accept", "lose", "complete"]


async def test_what_was_never_sent_expires(client: httpx.AsyncClient, engine: Engine) -> None:
    issued = await call(client, "POST", "/v1/commands", order("reconnect"), 201)
    with transaction(engine) as connection:
        commands.expire(connection, NOW + timedelta(seconds=300))
        assert not commands.mark_sent(connection, issued["id"], NOW)
    assert (await call(client, "GET", f"/v1/commands/{issued['id']}"))["state"] == "expired"
    assert [each["id"] for each in await call(client, "GET", "/v1/commands?concentrator=CONC-1")] == [issued["id"]]
