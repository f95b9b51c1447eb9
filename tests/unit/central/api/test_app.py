"""The app without a database: what is refused before one is asked, and what the documentation says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

import central
from central.api.app import ROOMS, create_app, identified, room_routers
from central.platform.settings import Settings

TOKEN = "a-token-for-tests-only"
# Nothing listens on the discard port of loopback.
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([{"token": TOKEN, "name": "Anna", "rights": ["read"]}]))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", NOWHERE)
    transport = httpx.ASGITransport(create_app(Settings()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as opened:
        yield opened


def app_of(client: httpx.AsyncClient) -> FastAPI:
    """The app behind the client, to give it a route of the test's own."""
    app = client._transport.app
    assert isinstance(app, FastAPI)
    return app


async def test_every_route_but_health_wants_a_token(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert len(paths) > 20
    for path, methods in paths.items():
        for method in methods:
            if path == "/v1/health":
                continue
            answer = await client.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.json()["code"] == "token_missing"
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_generated_clients_are_told_of_the_token(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert schema["security"] == [{"bearer": []}]
    told = {path: method["security"] for path, methods in schema["paths"].items() for method in methods.values()
            if "security" in method}  # fmt: skip
    assert told == {"/v1/health": []}


async def test_a_right_that_is_missing_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/audit", headers={"Authorization": f"Bearer {TOKEN}"})
    # The database is away here: the right is asked before it.
    assert answer.status_code == 403
    assert "admin" in answer.json()["message"]


async def test_a_database_that_is_away_is_503_with_a_sentence(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/health")
    assert answer.status_code == 503
    assert answer.json()["code"] == "database_away"
    assert "127.0.0.1" not in answer.text


async def test_an_unknown_path_has_the_common_form(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/nothing")
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message"}


async def test_the_documentation_lists_the_routes_and_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    for path in (await client.get("/openapi.json")).json()["paths"]:
        assert path in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


async def test_every_route_has_a_summary_and_a_room_that_is_described(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), f"{method} {path}"
            assert operation.get("tags"), f"{method} {path}"
            assert set(operation["tags"]) <= set(ROOMS), f"{method} {path}"


def test_every_room_with_routes_is_served() -> None:
    assert len(room_routers()) >= 4


async def test_a_host_header_cannot_stand_for_the_open_path(client: httpx.AsyncClient) -> None:
    """The address is put together from the Host header: what is routed counts, not what it reads like."""

    def without_a_right() -> str:
        return "let in"

    app_of(client).add_api_route("/v1/without-a-right", without_a_right, dependencies=[Depends(identified)])
    for host in ("central", "x/v1/health?", "x/v1/health#"):
        answer = await client.get("/v1/without-a-right", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing"), host


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (psycopg.OperationalError("the connection ended within COPY, password=x"), 503, "database_away"),
        (OperationalError("", {}, psycopg.OperationalError("gone, password=x")), 503, "database_away"),
        (OperationalError("", {}, psycopg.errors.ProgramLimitExceeded("index row too large")), 422, "too_long"),
        (NoConnectionLeft("QueuePool limit, password=x"), 503, "busy"),
        (RuntimeError("a bug, password=x"), 500, "internal"),
    ],
)
async def test_what_goes_wrong_inside_has_its_status_and_tells_no_secret(
    client: httpx.AsyncClient, error: Exception, status: int, code: str
) -> None:
    def goes_wrong() -> None:
        raise error

    app_of(client).add_api_route("/v1/goes-wrong", goes_wrong)
    answer = await client.get("/v1/goes-wrong")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "password" not in answer.text


def test_rooms_take_their_settings_from_the_app() -> None:
    """What the process's first caller cached is not what this app was made with."""
    top = Path(central.__file__).parent
    asking = [
        str(path.relative_to(top)) for path in top.rglob("*.py") if "get_settings" in path.read_text(encoding="utf-8")
    ]
    assert sorted(asking) == ["__main__.py", "platform/settings.py"]
