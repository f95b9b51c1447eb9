"""Versions of registers through the interface and in a site file, on the real database."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import Refused
from central.platform.identity import SYSTEM
from central.platform.settings import Settings, TokenSetting
from central.workflow.load_site import load_site
from central.workflow.site_file import RegisterVersion, read_site, write_site
from shared.testing import ManualClock
from tests.system.test_registry_site import small_site

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VERSION = {"meter": "M1", "register": "1-0:1.29.0", "digits": 8, "since": "2026-01-01T00:00:00+01:00"}


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    token = TokenSetting(token="token-of-anna-0123", name="Anna", rights=frozenset({"read", "operate", "admin"}))
    app = create_app(Settings(database_url=database_url, tokens=(token,)))
    app.dependency_overrides[get_clock] = lambda: ManualClock(NOW)
    with transaction(app.state.engine) as connection:
        load_site(connection, small_site(), SYSTEM, NOW)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer token-of-anna-0123"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def test_a_version_ends_before_the_next_begins(client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/register-versions", json={**VERSION, "multiplier": 40, "tariff": "VT"})).json()
    assert (made["unit"], made["exponent"], made["multiplier"], made["tariff"]) == ("Wh", 0, 40, "VT")
    later = {**VERSION, "multiplier": 60, "since": "2026-02-10T10:00:00+01:00"}
    assert (await client.post("/v1/register-versions", json=later)).json()["code"] == "overlap"
    end = {"until": "2026-02-10T10:00:00+01:00"}
    assert (await client.post(f"/v1/register-versions/{made['id']}/close", json=end)).status_code == 200
    again = await client.post(f"/v1/register-versions/{made['id']}/close", json=end)
    assert (again.status_code, again.json()["code"]) == (409, "closed")
    assert (await client.post("/v1/register-versions", json=later)).status_code == 201
    rows = (await client.get("/v1/register-versions?meter=M1")).json()
    assert [row["multiplier"] for row in rows] == [40, 60]
    acts = (await client.get("/v1/audit?subject=evidence_channel/M1 1-0:1.29.0")).json()
    assert {act["act"] for act in acts} == {"register_version.create", "register_version.close"}


async def test_days_are_judged_again_when_the_face_changes(client: httpx.AsyncClient, database_url: str) -> None:
    """From the version's beginning until today; not years back, and nothing of the future."""
    for since in ("1999-01-01T00:00:00+01:00", "2026-02-10T10:00:00+01:00", "2027-01-01T00:00:00+01:00"):
        until = "2000-01-01T00:00:00+01:00" if since < "2000" else None
        until = "2027-01-01T00:00:00+01:00" if since.startswith("2026") else until
        answer = await client.post("/v1/register-versions", json={**VERSION, "since": since, "until": until})
        assert answer.status_code == 201, answer.text
    engine = make_engine(database_url)
    with engine.connect() as connection:
        work = connection.execute(text("SELECT first, last, reason FROM vee_work ORDER BY id")).all()
    engine.dispose()
    reason = "register M1 1-0:1.29.0"
    assert [tuple(row) for row in work] == [
        (date(2025, 1, 25), date(2026, 3, 1), reason),
        (date(2026, 2, 10), date(2026, 3, 1), reason),
    ]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"digits": 0}, 422, "digits"),
        ({"digits": 19}, 422, "digits"),
        ({"multiplier": 0}, 422, "multiplier"),
        ({"multiplier": 10**30}, 422, "multiplier"),
        ({"exponent": 99}, 422, "exponent"),
        ({"tariff": "XT"}, 422, "input"),
        ({"until": "2025-01-01T00:00:00+01:00"}, 422, "validity"),
        ({"register": "1-0:9.9.9"}, 404, "evidence_channel_not_found"),
        ({"obis": "a\x00b"}, 422, None),
    ],
)
async def test_what_a_version_cannot_be(
    client: httpx.AsyncClient, change: dict[str, Any], status: int, code: str | None
) -> None:
    answer = await client.post("/v1/register-versions", json={**VERSION, **change})
    assert answer.status_code == status, answer.text
    assert code in (None, answer.json()["code"])
    assert (await client.get("/v1/register-versions")).json() == []


def test_versions_of_a_site_are_loaded_and_once_more_without_effect(database_url: str) -> None:
    site = small_site()
    site.register_versions = [
        RegisterVersion(meter="M1", register="1-0:1.29.0", digits=6, since=NOW, obis="1-0:1.8.0", tariff="JT")
    ]
    assert read_site(write_site(site)) == site
    engine = make_engine(database_url)
    for inserted in (1, 0):
        with transaction(engine) as connection:
            assert load_site(connection, site, SYSTEM, NOW)["register_versions"].inserted == inserted
    site.register_versions[0].digits = 8
    with pytest.raises(Refused, match="digits 6"), transaction(engine) as connection:
        load_site(connection, site, SYSTEM, NOW)
    engine.dispose()
