"""Lines, templates, keys and generated configurations through the API, and their constraints against the database."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from central.__main__ import main
from central.api.app import create_app
from central.network import configurations, generated, meter_keys
from central.network.meter_keys import KeyStore
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import Refused
from central.platform.settings import Settings, get_settings
from edge.config import parse_config
from shared.control.keys import key_text, sealing_public
from shared.control.sealing import unseal
from shared.testing import ManualClock

ANNA = "token-of-anna-0123"
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
SINCE = "2026-03-05T12:00:00Z"
PRIVATE = bytes(range(32))
GUEK, OTHER = "hex:" + "1f" * 16, "hex:" + "a7" * 16
HDLC = {
    "name": "hdlc-1",
    "protocol": "hdlc",
    "link": {"kind": "serial", "path": "/dev/ttyS1", "baud": 9600},
}
RTU = {"name": "rtu-1", "protocol": "modbus-rtu", "link": {"kind": "serial", "path": "/dev/ttyS2", "baud": 19200}}
SECURED = {
    "models": ["secured"],
    "commodity": "electricity",
    "device": {
        "model": "dlms",
        "profile": {
            "obis": "1-0:99.1.0",
            "step_s": 900,
            "registers": [{"obis": "1-0:1.29.0", "unit": "Wh", "register": "1-0:1.29.0"}],
        },
        "security": {"client_title": "525A560000000001", "mechanism": "gmac"},
    },
    "registers": [{"register": "1-0:1.29.0", "feeds": "A+"}],
    "check_serial": True,
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def engine(database_url: str) -> Any:
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "store.key")


@pytest.fixture
async def client(
    database_url: str, clock: ManualClock, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [{"token": ANNA, "name": "Anna", "rights": ["read", "operate"]}]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    monkeypatch.setenv("ROZVODNA_STORE_KEY_FILE", str(store.path))
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as opened:
        await call(opened, "POST", "/v1/concentrators", {"id": "K1", "name": "1", "place": "x"}, 201)
        for meter, model in [("M1", "dlms"), ("M2", "dlms"), ("M3", "sdm630")]:
            spec = {"id": meter, "serial": meter, "model": model, "commodity": "electricity", "concentrator": "K1"}
            await call(opened, "POST", "/v1/meters", spec, 201)
        for bus in (HDLC, RTU):
            await call(opened, "POST", "/v1/concentrators/K1/buses", bus, 201)
        yield opened
    app.state.engine.dispose()


async def call(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    body: Any = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Any:
    given = {"Authorization": f"Bearer {ANNA}", **(headers or {})}
    answer = await client.request(method, path, json=body, headers=given)
    assert answer.status_code == status, answer.text
    return answer.json()


def at_hdlc(physical: int, **more: Any) -> dict[str, Any]:
    return {
        "concentrator": "K1",
        "bus": "hdlc-1",
        "address": {"server": 1, "physical": physical},
        "template": "dlms-electricity-profile",
        "since": SINCE,
        "reason": "montáž",
        **more,
    }


MANAGE = {"settings": {}, "reason": "z evidence"}


async def test_a_change_in_the_registry_makes_a_new_number_which_the_concentrator_can_read(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock, store: KeyStore
) -> None:
    await call(client, "POST", "/v1/meters/M1/attachments", at_hdlc(17), 201)
    before = await call(client, "GET", "/v1/concentrators/K1/generated-configuration")
    assert (before["managed"], before["number"]) == (False, None)
    assert await call(client, "GET", "/v1/concentrators/K1/configurations") == [], "made by hand so far"

    first = await call(client, "PUT", "/v1/concentrators/K1/management", MANAGE)
    assert (first["managed"], first["number"], first["differences"], first["problems"]) == (True, 1, [], [])
    (device,) = first["configuration"]["buses"][0]["devices"]
    assert device["profile"]["since"] == "2026-03-04T23:00:00+00:00", "whole days are read"
    assert device["address"] == {"client": 16, "server": 1, "physical": 17}
    # Other settings only by who has seen those that are; the record of the act says both.
    path, other = "/v1/concentrators/K1/management", {"settings": {"push": {"port": 4059}}, "reason": "naslouchá"}
    assert (await call(client, "PUT", path, other, 428))["code"] == "if_match_missing"
    keyed = {"settings": {"uplink": {"x": {"secret": "hex:00"}}}, "reason": "x"}
    anna = {"Authorization": f"Bearer {ANNA}"}
    seen = await client.get("/v1/concentrators/K1/generated-configuration", headers=anna)
    refused = await call(client, "PUT", path, keyed, 422, {"If-Match": seen.headers["ETag"]})
    assert "hold a key" in refused["message"]
    by_hand = {"reason": "ručně", "configuration": {"buses": []}}
    refused = await call(client, "PUT", "/v1/concentrators/K1/configuration", by_hand, 409)
    assert refused["code"] == "managed"

    await call(client, "POST", "/v1/meters/M3/attachments", at_rtu(3), 201)
    versions = await call(client, "GET", "/v1/concentrators/K1/configurations")
    assert [(each["number"], each["made_by"], each["reason"]) for each in versions] == [
        (2, "Anna", "montáž"),
        (1, "Anna", "z evidence"),
    ]
    # The agent's own judge takes it whole.
    with transaction(engine) as connection:
        body = json.loads(configurations.require(connection, "K1", 2)["body"])
    config = parse_config(json.dumps({**body, **LOCAL}).encode(), "test")
    assert [device.id for _, device in config.devices()] == ["M1", "M3"]

    # Removed from next hour on: nothing changes now; when the hour comes, the service looks again.
    at = NOW + timedelta(hours=1)
    await call(client, "POST", "/v1/meters/M3/detachment", {"at": at.isoformat(), "reason": "demontáž"})
    assert len(await call(client, "GET", "/v1/concentrators/K1/configurations")) == 2
    later = await call(client, "GET", f"/v1/concentrators/K1/generated-configuration?at={at.isoformat()[:-6]}Z")
    (difference,) = later["differences"]
    assert (difference["place"], difference["after"]) == ("buses.rtu-1", None)
    clock.advance(timedelta(hours=1))
    for expected in ([3, 2, 1], [3, 2, 1]):
        with transaction(engine) as connection:
            assert generated.regenerate_due(connection, store, clock.now()) == []
        versions = await call(client, "GET", "/v1/concentrators/K1/configurations")
        assert [each["number"] for each in versions] == expected

    released = await call(client, "POST", "/v1/concentrators/K1/management/release", {"reason": "zkouška"})
    assert released["managed"] is False
    await call(client, "PUT", "/v1/concentrators/K1/configuration", by_hand, 201)


LOCAL = {"mqtt": {"host": "x"}, "outbox": {"path": "/x"}}


def at_rtu(unit: int, **more: Any) -> dict[str, Any]:
    return {**at_hdlc(1), "bus": "rtu-1", "address": {"unit": unit}, "template": "sdm630", **more}


async def test_a_bus_address_used_twice_is_refused_with_both_meters(client: httpx.AsyncClient, engine: Engine) -> None:
    await call(client, "POST", "/v1/meters/M1/attachments", at_hdlc(17), 201)
    refused = await call(client, "POST", "/v1/meters/M2/attachments", at_hdlc(17), 409)
    assert refused["code"] == "address_in_use"
    assert "that of M1" in refused["message"]
    assert "M2 cannot" in refused["message"]
    refused = await call(client, "POST", "/v1/meters/M1/attachments", at_hdlc(18), 409)
    assert refused["code"] == "attached_elsewhere"
    # Behind the same address on M-Bus, and after the first is gone: fine.
    await call(client, "POST", "/v1/meters/M2/attachments", at_hdlc(17, channel=1), 201)
    insert = """
        INSERT INTO attachment (meter, bus, address, listens, template, valid)
        SELECT 'M3', bus, address, listens, template, '[2026-04-01,)' FROM attachment WHERE meter = 'M1'
    """
    second = """
        INSERT INTO attachment (meter, bus, address, listens, template, valid)
        SELECT meter, bus, '{}', 'elsewhere', template, '[2026-04-01,)' FROM attachment WHERE meter = 'M1'
    """
    with pytest.raises(IntegrityError, match="attachment_meter_valid_excl"), transaction(engine) as connection:
        connection.exec_driver_sql(second)
    with pytest.raises(IntegrityError, match="attachment_bus_valid_excl"), transaction(engine) as connection:
        connection.execute(text(insert))
    await call(client, "POST", "/v1/meters/M1/detachment", {"at": "2026-03-31T22:00:00Z", "reason": "x"})
    with transaction(engine) as connection:
        connection.execute(text(insert))


async def test_what_the_schema_refuses_is_refused_at_the_act_by_its_place(client: httpx.AsyncClient) -> None:
    await call(client, "PUT", "/v1/concentrators/K1/management", MANAGE)
    keyed = at_hdlc(17, overrides={"profile": {"x": {"secret": "hex:00"}}})
    refused = await call(client, "POST", "/v1/meters/M1/attachments", keyed, 422)
    assert (refused["code"], "hex:00" in refused["message"]) == ("overrides", False)
    wrong = {**at_hdlc(17), "address": {"server": 1, "physical": 70_000}}
    refused = await call(client, "POST", "/v1/meters/M1/attachments", wrong, 422)
    assert "address of M1 on the bus hdlc-1, at physical" in refused["message"]
    wrong = at_hdlc(17, overrides={"retries": 99})
    refused = await call(client, "POST", "/v1/meters/M1/attachments", wrong, 422)
    assert refused["code"] == "configuration"
    assert "at retries of M1 on the bus hdlc-1" in refused["message"]
    assert await call(client, "GET", "/v1/meters/M1/attachments") == [], "nothing of the act stays"
    wrong_bus = {**HDLC, "name": "x", "link": {"kind": "serial", "path": "/dev/x"}}
    refused = await call(client, "POST", "/v1/concentrators/K1/buses", wrong_bus, 422)
    assert "bus x of K1" in refused["message"]
    assert "baud" in refused["message"]


async def test_a_bus_is_revised_by_who_has_seen_it(client: httpx.AsyncClient) -> None:
    path = "/v1/concentrators/K1/buses/rtu-1"
    await call(client, "POST", "/v1/modems", {"serial": "MD1", "model": "x", "kind": "lte"}, 201)
    answer = await client.get(path, headers={"Authorization": f"Bearer {ANNA}"})
    tag = {"If-Match": answer.headers["etag"]}
    body = {
        "protocol": "modbus-rtu",
        "link": {"kind": "tcp", "host": "10.0.0.7", "port": 4001},
        "modem": "MD1",
        "reason": "přes modem",
    }
    await call(client, "PUT", path, body, 428)
    changed = await call(client, "PUT", path, body, 200, tag)
    assert (changed["link"]["host"], changed["modem"]) == ("10.0.0.7", "MD1")
    assert (await call(client, "PUT", path, body, 412, tag))["code"] == "changed_meanwhile"
    used = {**HDLC, "name": "y", "modem": "MD1"}
    await call(client, "POST", "/v1/concentrators/K1/buses", used, 409)
    page = await client.get("/v1/buses?protocol=modbus-rtu", headers={"Authorization": f"Bearer {ANNA}"})
    assert ([each["name"] for each in page.json()], page.headers["x-total-count"]) == (["rtu-1"], "1")


async def test_meters_are_listed_by_pages_and_revised_by_who_has_seen_them(client: httpx.AsyncClient) -> None:
    page = await client.get("/v1/meters?limit=2&sort=-id&measuring_point=", headers={"Authorization": f"Bearer {ANNA}"})
    assert ([row["id"] for row in page.json()], page.headers["x-total-count"]) == (["M3", "M2"], "3")
    assert "offset=2" in page.headers["link"]
    body = {"serial": "777", "model": "dlms", "place": "RH1", "reason": "překlep"}
    tag = {"If-Match": (await client.get("/v1/meters/M1", headers={"Authorization": f"Bearer {ANNA}"})).headers["etag"]}
    await call(client, "PATCH", "/v1/meters/M1", body, 428)
    assert (await call(client, "PATCH", "/v1/meters/M1", body, 200, tag))["serial"] == "777"
    await call(client, "PATCH", "/v1/meters/M1", body, 412, tag)
    tag = {"If-Match": "*"}
    refused = await call(client, "PATCH", "/v1/meters/M2", body, 409, tag)
    assert refused["code"] == "exists"
    place = {"name": "TS 1", "place": "u vrátnice", "reason": "přesun"}
    assert (await call(client, "PATCH", "/v1/concentrators/K1", place, 200, tag))["place"] == "u vrátnice"
    assert await call(client, "GET", "/v1/meters/M1/mountings") == []


async def test_keys_are_encrypted_sealed_and_shown_nowhere(
    client: httpx.AsyncClient, engine: Engine, store: KeyStore, clock: ManualClock, tmp_path: Path
) -> None:
    await call(client, "PUT", "/v1/meter-templates/secured", {"template": SECURED, "reason": "nový typ"})
    await call(client, "PUT", "/v1/concentrators/K1/management", MANAGE)
    for field in ("encryption_key", "authentication_key"):
        await call(client, "PUT", f"/v1/meters/M1/keys/security.{field}", {"secret": GUEK, "reason": "výroba"}, 201)
    secured = at_hdlc(17, template="secured")
    refused = await call(client, "POST", "/v1/meters/M1/attachments", secured, 409)
    assert refused["code"] == "not_enrolled"
    enrolment = {"key": key_text(sealing_public(PRIVATE))}
    await call(client, "PUT", "/v1/concentrators/K1/key", enrolment)
    await call(client, "POST", "/v1/meters/M1/attachments", secured, 201)

    def sealed(number: int, field: str) -> bytes:
        with transaction(engine) as connection:
            body = json.loads(configurations.require(connection, "K1", number)["body"])
        octets = base64.b64decode(body["buses"][0]["devices"][0]["security"][field]["sealed"])
        return unseal(octets, PRIVATE, edge="K1", number=number, field=f"M1.security.{field}")

    newest = (await call(client, "GET", "/v1/concentrators/K1/configurations"))[0]["number"]
    assert sealed(newest, "encryption_key") == bytes.fromhex("1f" * 16)
    shown = await call(client, "GET", "/v1/concentrators/K1/generated-configuration")
    device = shown["configuration"]["buses"][0]["devices"][0]
    assert device["identity"] == {"serial": "M1"}
    assert device["security"]["encryption_key"] == {
        "key": {"meter": "M1", "field": "security.encryption_key", "version": 1}
    }

    # A new key makes a new number; the one before stays as replaced.
    body = {"secret": OTHER, "reason": "výměna klíče"}
    keys = await call(client, "PUT", "/v1/meters/M1/keys/security.encryption_key", body, 201)
    assert [(each["version"], each["replaced_at"] is None) for each in keys if "encryption" in each["field"]] == [
        (2, True),
        (1, False),
    ]
    assert sealed(newest + 1, "encryption_key") == bytes.fromhex("a7" * 16)

    # Nowhere in the database, and in no answer.
    with transaction(engine) as connection:
        stored = connection.execute(text("SELECT string_agg(m::text, '') FROM meter_key m")).scalar_one()
        acts = connection.execute(text("SELECT string_agg(a::text, '') FROM audit a")).scalar_one()
        plans = connection.execute(text("SELECT string_agg(plan::text, '') FROM generated_configuration")).scalar_one()
    for secret in ("1f" * 16, "a7" * 16):
        for place in (stored, acts, plans, json.dumps(shown), json.dumps(keys)):
            assert secret not in place
    refused = await call(
        client, "PUT", "/v1/meters/M1/keys/security.encryption_key", {"secret": "hex:" + "1f" * 15, "reason": "x"}, 422
    )
    assert "1f1f" not in json.dumps(refused)

    # A row in another's place does not open; another store key opens only after the rotation.
    with engine.connect() as connection, connection.begin() as attempt:
        connection.execute(
            text("UPDATE meter_key SET ciphertext = (SELECT ciphertext FROM meter_key WHERE version = 2)")
        )
        with pytest.raises(Refused, match="was changed in the database"):
            meter_keys.open_key(connection, store, "M1", "security.authentication_key", 1)
        attempt.rollback()
    other = KeyStore(tmp_path / "other.key")
    with transaction(engine) as connection, pytest.raises(Refused, match=f"holds {other.name}"):
        meter_keys.open_key(connection, other, "M1", "security.encryption_key", 2)
    get_settings.cache_clear()
    assert main(["rotate-store-key", str(other.path)]) == 0
    get_settings.cache_clear()
    with transaction(engine) as connection:
        opened = meter_keys.open_key(connection, other, "M1", "security.encryption_key", 2)
    assert opened == bytes.fromhex("a7" * 16)

    # A concentrator with a new key of its own gets everything sealed anew.
    clock.advance(timedelta(minutes=1))
    renewed = {"key": key_text(sealing_public(bytes(reversed(PRIVATE))))}
    await call(client, "PUT", "/v1/concentrators/K1/key", renewed)
    with transaction(engine) as connection:
        assert generated.regenerate_due(connection, other, clock.now()) == []
        assert configurations.newest_numbers(connection)["K1"] == newest + 2


NO_TEMPLATES: list[tuple[dict[str, Any], str]] = [
    ({"models": 1}, "does not follow its schema"),
    ({"registers": [{"register": "1-0:9.9.9", "feeds": "A+"}]}, "does not read"),
    ({"device": "nothing-of-that-name"}, "names the device template"),
    ({"device": {"model": "dlms", "id": "X"}, "registers": []}, "gives id"),
    ({"device": {"model": "dlms", "security": {"key": {"secret": "hex:00"}}}, "registers": []}, "holds a key"),
]


async def test_a_template_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    for change, said in NO_TEMPLATES:
        body = {"template": {**SECURED, **change}, "reason": "x"}
        refused = await call(client, "PUT", "/v1/meter-templates/secured", body, 422)
        assert said in refused["message"]


async def test_templates_are_listed_and_a_change_reaches_the_concentrators(client: httpx.AsyncClient) -> None:
    found = await call(client, "GET", "/v1/meter-templates?model=sdm630")
    (shipped,) = [each for each in found if each["name"] == "sdm630"]
    assert shipped["registers"][0]["kind"] == "state"
    await call(client, "POST", "/v1/meters/M3/attachments", at_rtu(3), 201)
    await call(client, "PUT", "/v1/concentrators/K1/management", MANAGE)
    answer = await client.get("/v1/meter-templates/sdm630", headers={"Authorization": f"Bearer {ANNA}"})
    body = {"template": {**shipped["template"], "device": "sdm630-both-ways"}, "reason": "i dodávka"}
    await call(client, "PUT", "/v1/meter-templates/sdm630", body, 428)
    await call(client, "PUT", "/v1/meter-templates/sdm630", body, 200, {"If-Match": answer.headers["etag"]})
    shown = await call(client, "GET", "/v1/concentrators/K1/generated-configuration")
    assert (shown["number"], shown["differences"]) == (2, [])
    registers = shown["configuration"]["buses"][0]["devices"][0]["states"]["registers"]
    assert [each["register"] for each in registers] == ["1-0:1.8.0", "1-0:2.8.0"]
