"""The interface over a real database: registry and network by their acts, readings as they are asked for."""

import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.testing import QUARTER, Evidence, GivenBlock
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from shared.testing import ManualClock

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
ANNA, BOB = "token-of-anna-0123", "token-of-bob-01234"
PLACE = {"street": "Průmyslová 1", "city": "Vlčí Důl", "postal_code": "517 41"}
EAN = "859182400941700019"
CHANNEL = {"point": "P2", "direction": "A+", "commodity": "electricity"}


def random_text(length: int) -> str:
    """Text that does not compress, so that it is too long for an index."""
    return random.Random(length).randbytes(length // 2).hex()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 5, tzinfo=UTC))


@pytest.fixture
async def client(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [
        {"token": ANNA, "name": "Anna", "rights": ["read", "operate", "admin"]},
        {"token": BOB, "name": "Bob", "rights": ["read"]},
    ]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {ANNA}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def register_all(client: httpx.AsyncClient) -> dict[str, Any]:
    """A customer, point, contract, meter and both channels, act by act."""
    await post(client, "/v1/parties", {"code": "LDS", "name": "Provozovatel", "role": "operator", **PLACE})
    await post(client, "/v1/parties", {"code": "C1", "name": "Odběratel", "role": "customer", **PLACE})
    point = {"ean": EAN, "name": "Hala", "object": "A", "commodity": "electricity", "operator": "LDS"}
    await post(client, "/v1/supply-points", {**point, "voltage_level": "VN", **PLACE})
    item = {"supply_point": EAN, "prices": "CEZ", "reserved_input_kw": "400"}
    contract = {"number": "S/1", "kind": "distribution", "customer": "C1", "valid_from": "2026-01-01"}
    (stored,) = await post(client, "/v1/contracts", {**contract, "items": [item]})
    await post(client, "/v1/concentrators", {"id": "K1", "name": "K1", "place": "rozvodna"})
    meter = {"id": "M1", "serial": "1", "model": "m", "commodity": "electricity", "concentrator": "K1"}
    await post(client, "/v1/meters", meter)
    interval = await post(client, "/v1/evidence-channels", {"meter": "M1", "register": "1-0:1.29.0", "unit": "Wh"})
    state = await post(
        client, "/v1/evidence-channels", {"meter": "M1", "register": "1-0:1.8.0", "unit": "Wh", "kind": "state"}
    )
    channel = {"point": "P1", "commodity": "electricity", "unit": "Wh", "supply_point": EAN}
    profile = await post(client, "/v1/channels", {**channel, "direction": "A+"})
    register = await post(client, "/v1/channels", {**channel, "direction": "JT", "kind": "state"})
    mapping = {"meter": "M1", "point": "P1", "since": "2026-01-01T00:00:00+01:00"}
    await post(client, "/v1/mappings", {**mapping, "register": "1-0:1.29.0", "direction": "A+"})
    await post(client, "/v1/mappings", {**mapping, "register": "1-0:1.8.0", "direction": "JT", "kind": "state"})
    return {"item": stored, "interval": interval, "state": state, "profile": profile, "register": register}


async def test_every_act_is_recorded_under_its_persons_name(client: httpx.AsyncClient, clock: ManualClock) -> None:
    made = await register_all(client)
    assert made["item"]["ean"] == EAN
    assert made["interval"]["register"] == "1-0:1.29.0"
    acts = await get(client, "/v1/audit")
    assert len(acts) == 12
    assert {act["person"] for act in acts} == {"Anna"}
    assert {datetime.fromisoformat(act["at"]) for act in acts} == {clock.now()}
    (act,) = await get(client, "/v1/audit?subject=contract/S/1")
    assert act["details"]["items"][0]["supply_point"] == EAN


async def test_what_was_created_is_listed_and_shown(client: httpx.AsyncClient) -> None:
    made = await register_all(client)
    assert [row["code"] for row in await get(client, "/v1/parties?role=customer")] == ["C1"]
    party = (await get(client, "/v1/parties"))[0]
    assert await get(client, f"/v1/parties/{party['id']}") == party
    assert (await get(client, f"/v1/supply-points/{EAN}"))["voltage_level"] == "VN"
    assert await get(client, "/v1/supply-points?commodity=gas") == []
    assert [row["number"] for row in await get(client, "/v1/contracts?valid_on=2026-03-01")] == ["S/1"]
    assert await get(client, "/v1/contracts?valid_on=2025-03-01") == []
    assert await get(client, "/v1/contracts/S/1/items") == [made["item"]]
    assert (await get(client, "/v1/concentrators/K1"))["place"] == "rozvodna"
    assert [row["id"] for row in await get(client, "/v1/concentrators")] == ["K1"]
    assert [row["id"] for row in await get(client, "/v1/meters?concentrator=K1&commodity=electricity")] == ["M1"]
    assert (await get(client, "/v1/meters/M1"))["serial"] == "1"
    assert len(await get(client, "/v1/channels")) == 2
    assert await get(client, "/v1/channels?kind=interval&point=P1&direction=A%2B") == [made["profile"]]
    assert await get(client, f"/v1/channels/{made['profile']['id']}") == made["profile"]
    (mapping,) = await get(client, f"/v1/mappings?channel={made['profile']['id']}")
    assert (mapping["meter"], mapping["register"], mapping["until"]) == ("M1", "1-0:1.29.0", None)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/parties", {"code": "C1", "name": "Odběratel", "role": "customer", **PLACE}, 409, "exists"),
        ("/v1/parties", {"code": "C1", "name": "Jiný", "role": "customer", **PLACE}, 409, "differs"),
        ("/v1/parties", {"code": "C2", "name": "x", "role": "customer", "ico": "1", **PLACE}, 422, "ico"),
        ("/v1/parties", {"code": "C2"}, 422, "input"),
        ("/v1/parties", {"code": "C2", "name": "x", "role": "customer", "colour": 1, **PLACE}, 422, "input"),
        (
            "/v1/supply-points",
            {"ean": "1" * 18, "name": "x", "object": "x", "commodity": "electricity", "operator": "LDS", **PLACE},
            422,
            "ean",
        ),
        (
            "/v1/contracts",
            {
                "number": "S-2",
                "kind": "distribution",
                "customer": "C1",
                "valid_from": "2026-02-01",
                "items": [{"supply_point": EAN, "prices": "CEZ"}],
            },
            409,
            "overlap",
        ),
        (
            "/v1/contracts",
            {"number": "S-2", "kind": "distribution", "customer": "C9", "valid_from": "2026-02-01", "items": []},
            404,
            "party_not_found",
        ),
        (
            "/v1/meters",
            {"id": "M1", "serial": "1", "model": "m", "commodity": "gas", "concentrator": "K1"},
            409,
            "differs",
        ),
        (
            "/v1/mappings",
            {
                "meter": "M1",
                "register": "1-0:1.29.0",
                "point": "P1",
                "direction": "A+",
                "since": "2026-02-01T00:00:00+01:00",
            },
            409,
            "overlap",
        ),
        (
            "/v1/mappings",
            {"meter": "M1", "register": "1-0:1.29.0", "point": "P1", "direction": "A+", "since": "2026-02-01T00:00:00"},
            422,
            "input",
        ),
        # Each of these would stop consolidation for everybody, if it were stored and mapped.
        ("/v1/evidence-channels", {"meter": "M1", "register": "x", "unit": "Wh", "exponent": 13}, 422, "exponent"),
        ("/v1/evidence-channels", {"meter": "M1", "register": "x", "unit": "Wh", "step_s": 90_000}, 422, "step"),
        ("/v1/evidence-channels", {"meter": "M1", "register": "x", "unit": "Wh", "step_s": 0}, 422, "step"),
        ("/v1/evidence-channels", {"meter": "M1", "register": "x", "unit": "Wh", "step_s": 7}, 422, "step"),
        ("/v1/evidence-channels", {"meter": "M1", "register": "x", "unit": "W", "step_ms": 7}, 422, "step"),
        ("/v1/evidence-channels", {"meter": "M1", "register": "x", "unit": "W", "step_ms": 5}, 422, "step"),
        (
            "/v1/evidence-channels",
            {"meter": "M1", "register": "x", "unit": "W", "step_ms": 10, "step_s": 1},
            422,
            "step",
        ),
        ("/v1/channels", {**CHANNEL, "unit": "Wh", "exponent": -13}, 422, "exponent"),
        ("/v1/channels", {**CHANNEL, "unit": "Wh", "step_s": 5_400}, 422, "step"),
        ("/v1/parties", {"code": random_text(20_000), "name": "x", "role": "customer", **PLACE}, 422, "too_long"),
        ("/v1/parties", {"code": "a\0b", "name": "x", "role": "customer", **PLACE}, 422, "out_of_range"),
    ],
)
async def test_what_is_refused_says_why_and_leaves_no_trace(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    await register_all(client)
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["message"].endswith(".") or "conflicts with" in answer.json()["message"]
    assert len(await get(client, "/v1/audit")) == 12


async def test_who_may_only_read_cannot_write(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/v1/concentrators",
        json={"id": "K1", "name": "K1", "place": "x"},
        headers={"Authorization": f"Bearer {BOB}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "right_missing")
    assert "Bob" in answer.json()["message"]
    assert await get(client, "/v1/concentrators") == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/parties/99", 404, "party_not_found"),
        ("/v1/supply-points/1", 404, "supply_point_not_found"),
        ("/v1/contracts/none/items", 404, "contract_not_found"),
        ("/v1/concentrators/none", 404, "concentrator_not_found"),
        ("/v1/meters/none", 404, "meter_not_found"),
        ("/v1/channels/99", 404, "channel_not_found"),
        ("/v1/channels/99999999999", 422, "out_of_range"),
        ("/v1/channels/99/profile?from=2026-03-01&to=2026-03-02", 404, "channel_not_found"),
        ("/v1/channels/1/profile?from=2026-03-02&to=2026-03-02", 422, "period"),
        ("/v1/channels/1/profile?from=2020-03-02&to=2026-03-02", 422, "period"),
        ("/v1/channels/2/profile?from=2026-03-01&to=2026-03-02", 422, "channel_kind"),
        ("/v1/channels/1/days/2026-03-02/trace", 404, "version_not_found"),
        ("/v1/readings/states/trace?evidence_channel=1&at=2026-03-02T00:00:00Z", 404, "state_not_found"),
        ("/v1/readings/states?at=2026-03-02T00:00:00", 422, "input"),
        ("/v1/completeness?from=2026-03-02&to=2026-03-01", 422, "period"),
        ("/v1/readings/states?at=9999-12-31T23:59:59Z", 422, "period"),
        ("/v1/completeness?from=0001-01-01&to=0001-01-02", 422, "period"),
        ("/v1/channels/1/profile?from=9999-12-30&to=9999-12-31", 422, "period"),
    ],
)
async def test_what_cannot_be_shown_says_why(client: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    await register_all(client)
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_profile_versions_trace_and_completeness(
    client: httpx.AsyncClient, database_url: str, clock: ManualClock
) -> None:
    made = await register_all(client)
    channel, register = made["profile"]["id"], made["interval"]["id"]
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        evidence = Evidence(connection)
        number = evidence.batch(GivenBlock(register, DAY.start, [5] * 95, flags=[4] + [0] * 94))
        evidence.batch(GivenBlock(register, DAY.end, [7, 8]))
    clock.set(DAY.end + 4 * QUARTER)
    consolidate_once(engine, clock)
    running = await get(client, f"/v1/channels/{channel}/profile?from=2026-03-02&to=2026-03-04")
    assert [day["version"] for day in running["days"]] == [None, None]
    assert running["days"][0]["values"] == [5] * 95 + [None]
    assert running["days"][1]["values"][:3] == [7, 8, None]

    clock.set(datetime(2026, 3, 3, 9, tzinfo=UTC))
    consolidate_once(engine, clock)
    closed = (await get(client, f"/v1/channels/{channel}/profile?from=2026-03-02&to=2026-03-03"))["days"][0]
    assert (closed["version"], closed["values"], closed["quality"][:2]) == (1, [5] * 95 + [None], [1, 0])
    assert closed["quality"][95] == 5
    (version,) = await get(client, f"/v1/channels/{channel}/days/2026-03-02/versions")
    assert (version["missing"], version["batches"], version["made_by"]) == (1, [number], "consolidation")
    trace = await get(client, f"/v1/channels/{channel}/days/2026-03-02/trace?version=1")
    assert (trace["ean"], trace["digest"]) == (EAN, version["digest"])
    assert [each["meter"] for each in trace["registers"]] == ["M1"]

    counted = await get(client, "/v1/completeness?from=2026-03-02&to=2026-03-04")
    assert [(day["day"], day["expected"], day["present"]) for day in counted["days"]] == [
        ("2026-03-02", 96, 95),
        ("2026-03-03", 40, 2),
    ]
    assert (counted["expected"], counted["missing"]) == (136, 39)
    assert counted["meters"][0]["present_by_day"] == [95, 2]
    whole = {"expected": 136, "present": 97, "replaced": 0, "missing": 39}
    assert counted["concentrators"] == [{"concentrator": "K1", **whole}]
    engine.dispose()


async def test_states_and_their_trace(client: httpx.AsyncClient, database_url: str) -> None:
    made = await register_all(client)
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        number = Evidence(connection).state(made["state"]["id"], DAY.start, 123_456)
    (state,) = await get(client, "/v1/readings/states?at=2026-03-02T00:00:00%2B01:00")
    assert (state["value"], state["register"], state["batch"]) == (123_456, "1-0:1.8.0", number)
    again = await get(client, f"/v1/readings/states?at=2026-03-01T23:50:00Z&channel={made['register']['id']}")
    assert again == []
    trace = await get(client, f"/v1/readings/states/trace?evidence_channel={made['state']['id']}&at={state['at']}")
    assert (trace["value"], trace["registers"][0]["concentrator"]) == (123_456, "K1")
    engine.dispose()


async def test_a_mapping_whose_factor_cannot_be_reckoned_with_is_refused(client: httpx.AsyncClient) -> None:
    await register_all(client)
    mapping = {"meter": "M1", "register": "x", "point": "P2", "direction": "A+", "since": "2026-01-01T00:00:00Z"}
    await post(client, "/v1/evidence-channels", {"meter": "M1", "register": "x", "unit": "Wh", "exponent": 3})
    await post(client, "/v1/channels", {**CHANNEL, "unit": "Wh", "exponent": -3})
    refused = await client.post("/v1/mappings", json={**mapping, "multiplier": 1001})
    assert (refused.status_code, refused.json()["code"]) == (422, "mapping")
    stored = await post(client, "/v1/mappings", {**mapping, "multiplier": 1000})
    assert stored["multiplier"] == 1000
