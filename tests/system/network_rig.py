"""A client of the whole API for tests of the network, and the few things that they all begin with."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.settings import Settings
from shared.clock import Clock

ANNA = "token-of-anna-0123"
PLACE = {"street": "Průmyslová 1", "city": "Vlčí Důl", "postal_code": "517 41"}
EAN = "859182400941700019"


class Api:
    """Requests in Anna's name; each says which status it expects."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def call(self, method: str, path: str, body: Any = None, status: int = 200, tag: str | None = None) -> Any:
        headers = {} if tag is None else {"If-Match": tag}
        answer = await self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, status: int = 200) -> Any:
        return await self.call("GET", path, None, status)

    async def post(self, path: str, body: Any, status: int = 201) -> Any:
        return await self.call("POST", path, body, status)

    async def tag(self, path: str) -> str:
        return (await self.client.get(path)).headers["etag"]

    async def meters(self, *names: str, model: str = "dlms", commodity: str = "electricity") -> None:
        """Meters under the concentrator K1."""
        for name in names:
            spec = {"id": name, "serial": name, "model": model, "commodity": commodity, "concentrator": "K1"}
            await self.post("/v1/meters", spec)

    async def supply_point(self) -> None:
        """A customer's supply point with a contract."""
        await self.post("/v1/parties", {"code": "LDS", "name": "Provozovatel", "role": "operator", **PLACE})
        await self.post("/v1/parties", {"code": "C1", "name": "Odběratel", "role": "customer", **PLACE})
        point = {"ean": EAN, "name": "Hala", "object": "A", "commodity": "electricity", "operator": "LDS"}
        await self.post("/v1/supply-points", {**point, "voltage_level": "VN", **PLACE})
        item = {"supply_point": EAN, "prices": "CEZ", "reserved_input_kw": "400"}
        contract = {"number": "S/1", "kind": "distribution", "customer": "C1", "valid_from": "2026-01-01"}
        await self.post("/v1/contracts", {**contract, "items": [item]})


@asynccontextmanager
async def api(database_url: str, clock: Clock, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """The app over a database, with the concentrator K1."""
    people = [{"token": ANNA, "name": "Anna", "rights": ["read", "operate", "admin", "settle"]}]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    monkeypatch.setenv("ROZVODNA_STORE_KEY_FILE", str(folder / "store.key"))
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {ANNA}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        found = Api(opened)
        await found.post("/v1/concentrators", {"id": "K1", "name": "1", "place": "x"})
        yield found
    app.state.engine.dispose()
