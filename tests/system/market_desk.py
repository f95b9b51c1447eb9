"""Our API over a database with one supply point of ours, and messages to bring to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine, insert, select
from sqlalchemy.dialects.postgresql import Range

from central.api.app import create_app
from central.market.contents import Payload, write_any
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.response import Reason, Response, write_response
from central.market.send import send_due
from central.market.testing import FakeChannel
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.registry.tables import contract, contract_item, party, supply_point
from shared.testing import ManualClock
from tests.unit.central.market.content_examples import OPERATOR, POINT, SUPPLIER, US

PACKAGE = load_package("sandbox-2026")
NOW = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
TOKEN, CALLBACK = "person-token-0123456789", "callback-token-0123456789"
TOKENS = (
    TokenSetting(token=SecretStr(TOKEN), name="Jana", rights=frozenset({"read", "market", "operate", "settle"})),
    TokenSetting(token=SecretStr(CALLBACK), name="OTE", rights=frozenset({"market-callback"})),
)
NEW_SUPPLIER = "8591824009802"


class Desk:
    """Our API over a database with one supply point of ours."""

    def __init__(self, engine: Engine, client: TestClient, clock: ManualClock) -> None:
        self.engine, self.client, self.clock = engine, client, clock

    def get(self, path: str, **query: Any) -> Any:
        reply = self.client.get(f"/v1/market{path}", params=query, headers={"Authorization": f"Bearer {TOKEN}"})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        reply = self.client.post(f"/v1/market{path}", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
        assert reply.status_code == status, reply.text
        return reply.json()

    def call(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """Any route, as Jana; the answer's JSON, None of an empty one."""
        reply = self.client.request(method, f"/v1{path}", headers={"Authorization": f"Bearer {TOKEN}"}, **request)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    def xml(self, number: int) -> str:
        """The bytes of a message of ours."""
        return self.client.get(f"/v1/market/messages/{number}/xml", headers={"Authorization": f"Bearer {TOKEN}"}).text

    def bring(self, content: bytes) -> str:
        headers = {"Authorization": f"Bearer {CALLBACK}"}
        reply = self.client.post("/v1/market/callback", content=content, headers=headers)
        outcome: str = reply.json()["outcome"]
        return outcome

    def send(self) -> list[int]:
        return send_due(self.engine, FakeChannel(), self.clock, "Jana").sent

    def answer(self, message_id: str, answer_id: str, kind: str = "A01", text: str = "", code: str = "0200") -> bytes:
        envelope = Envelope(
            answer_id, "X21", NOW, Participant(OPERATOR), Participant(US), (message_id,), None, "CS", "1", "1"
        )
        return write_response(PACKAGE, Response(envelope, [Reason(kind, code, text)]))


def message(code: str, payload: Payload, message_id: str = "IN-1", sender: str = OPERATOR) -> bytes:
    envelope = Envelope(message_id, code, NOW, Participant(sender), Participant(US))
    return write_any(PACKAGE, envelope, payload)


@contextmanager
def open_desk(database_url: str) -> Iterator[Desk]:
    """The desk, at work."""
    engine = make_engine(database_url)
    clock = ManualClock(NOW)
    with transaction(engine) as db:
        rows = [
            {"code": "LDS", "ean13": US, "roles": ["operator"]},
            {"code": "OLD", "ean13": SUPPLIER, "roles": ["supplier"]},
            {"code": "NEW", "ean13": NEW_SUPPLIER, "roles": ["supplier"]},
            {"code": "CUST", "ean13": None, "roles": ["customer"]},
        ]
        ids = {}
        for row in rows:
            address = {"name": row["code"], "street": "Dlouhá 1", "city": "Brno", "postal_code": "60200"}
            ids[row["code"]] = db.execute(insert(party).values(**row, **address).returning(party.c.id)).scalar_one()
        db.execute(
            insert(supply_point).values(
                ean=POINT, name="Hala 3", object="Areál", street="Dlouhá 1", city="Brno", postal_code="60200",
                commodity="electricity", voltage_level="NN", metering_type="C4", operator=ids["LDS"],
                supplier=ids["OLD"], since=date(2025, 1, 1),
            )
        )  # fmt: skip
        number = db.execute(
            insert(contract)
            .values(
                number="S-1", kind="distribution", customer=ids["CUST"], payer=ids["CUST"],
                valid=Range(date(2025, 1, 1), None),
            )
            .returning(contract.c.id)
        ).scalar_one()  # fmt: skip
        db.execute(
            insert(contract_item).values(
                contract=number, supply_point=select(supply_point.c.id).scalar_subquery(), prices="lv", rate="C02d",
                breaker_phases=3, breaker_amps=25, valid=Range(date(2025, 1, 1), None), kind="distribution",
            )
        )  # fmt: skip
    app = create_app(Settings(database_url=database_url, tokens=TOKENS))
    app.dependency_overrides[get_clock] = lambda: clock
    with TestClient(app) as client:
        yield Desk(engine, client, clock)
    engine.dispose()
