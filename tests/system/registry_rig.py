"""The interface over a fresh database with parties, a network and a point, for tests of the registry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.settings import Settings, TokenSetting
from shared.testing import ManualClock

PLACE = {"street": "Průmyslová 1", "city": "Vlčí Důl", "postal_code": "517 41"}
EAN = "859182400941700019"
GAS = "27ZG517Z0000009N"
NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
WHY = {"why": "dohodnuto"}


class Api:
    """Posts and gets with the status that is expected; `revise` sends the ETag of what it changes."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def etag(self, path: str) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.headers["ETag"]

    async def post(self, path: str, body: dict[str, Any], status: int = 201, etag: str | None = None) -> Any:
        headers = {} if etag is None else {"If-Match": etag}
        answer = await self.client.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def act(self, path: str, act: str, body: dict[str, Any], status: int = 200) -> Any:
        """Revise, close and so on with the present ETag."""
        verb, _, query = act.partition("?")
        address = f"{path}/{verb}{'?' + query if query else ''}"
        return await self.post(address, {**WHY, **body}, status, await self.etag(path))


@asynccontextmanager
async def api(database_url: str) -> AsyncIterator[Api]:
    """The whole interface in this process, as Anna, who may do everything."""
    token = TokenSetting(token="token-of-anna-0123", name="Anna", rights=frozenset({"read", "operate", "admin"}))
    app = create_app(Settings(database_url=database_url, tokens=(token,)))
    app.dependency_overrides[get_clock] = lambda: ManualClock(NOW)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer token-of-anna-0123"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield Api(opened)
    app.state.engine.dispose()


async def furnish(api: Api) -> None:
    """Parties, a network, a point under a distribution contract with 400 kW of input and 300 kW of capacity."""
    for code, roles in (
        ("LDS", ["operator"]),
        ("DSO", ["superior_distributor"]),
        ("C1", ["customer"]),
        ("C2", ["customer"]),
        ("SUP", ["supplier", "balance_responsible"]),
    ):
        await api.post("/v1/parties", {"code": code, "name": f"Firma {code}", "roles": roles, **PLACE})
    area = {"code": "A1", "name": "Areál", "commodity": "electricity", "licensee": "LDS", "superior": "DSO"}
    await api.post("/v1/network-areas", {**area, "valid_from": "2020-01-01"})
    point = {"ean": EAN, "name": "Hala", "object": "A", "commodity": "electricity", "operator": "LDS", "area": "A1"}
    await api.post("/v1/supply-points", {**point, "voltage_level": "VN", "metering_type": "B", **PLACE})
    item = {"supply_point": EAN, "prices": "CEZ", "reserved_input_kw": "400", "reserved_capacity_year_kw": "300"}
    contract = {"number": "S/1", "kind": "distribution", "customer": "C1", "valid_from": "2026-01-01"}
    await api.post("/v1/contracts", {**contract, "items": [item]})
