"""Documents: stored whole, never changed, given back as they were."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from shared.testing import ManualClock

NOW = datetime(2026, 3, 5, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


@pytest.fixture
async def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    people = [{"token": "token-of-anna-0123", "name": "Anna", "rights": ["read", "operate"]}]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: ManualClock(NOW)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer token-of-anna-0123"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def test_a_photo_is_kept_as_it_is_and_cannot_be_changed(client: httpx.AsyncClient, database_url: str) -> None:
    answer = await client.post("/v1/documents", files={"file": ("štítek <1>.png", PNG, "image/png")})
    assert answer.status_code == 201, answer.text
    facts = answer.json()
    assert (facts["name"], facts["size"], facts["stored_by"]) == ("štítek _1_.png", len(PNG), "Anna")
    assert facts["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert (await client.get(f"/v1/documents/{facts['id']}")).json() == facts
    content = await client.get(f"/v1/documents/{facts['id']}/content")
    assert content.content == PNG
    assert content.headers["content-disposition"].startswith("attachment")
    engine = make_engine(database_url)
    for statement, said in [
        ("UPDATE document SET name = 'x'", "append-only"),
        ("DELETE FROM document", "append-only"),
        (
            "INSERT INTO document (name, media_type, sha256, octets, stored_at, stored_by) "
            "VALUES ('x', 'text/plain', sha256('a'), 'b', now(), 'x')",
            "document_sha256_check",
        ),
    ]:
        with pytest.raises(DBAPIError, match=said), transaction(engine) as connection:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "octets", "media_type", "said"),
    [
        ("x.html", b"<script>", "text/html", "expected one of"),
        ("x.png", b"<script>", "image/png", "does not begin as image/png does"),
        ("x.txt", b"", "text/plain", "0 octets"),
    ],
)
async def test_what_is_no_document_is_refused(
    client: httpx.AsyncClient, name: str, octets: bytes, media_type: str, said: str
) -> None:
    answer = await client.post("/v1/documents", files={"file": (name, octets, media_type)})
    assert answer.status_code == 422
    assert said in answer.json()["message"]


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/documents/7")).status_code == 404
    assert (await client.get("/v1/documents/7/content")).status_code == 404
    assert (await client.get("/v1/documents/99999999999")).status_code == 422
