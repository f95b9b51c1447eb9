"""The operator's desk over a year: the whole API in this process, its services by hand, and a clock that is stepped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine, text

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.settings import Settings, TokenSetting
from central.readings.silence import SilentDays
from central.readings.testing import make_profiles
from shared.metering_day import PRAGUE
from shared.testing import ManualClock
from tests.system.payments_rig import Line, abo

TOKEN = "token-of-the-operator-01"
RIGHTS = frozenset({"read", "operate", "settle", "invoice", "pay", "market", "admin"})
DEADLINE = time(10)
BANK = "19-123457"
"""The operator's account number before the code of the bank."""
WHY = {"why": "rok modelového areálu"}


@dataclass
class Desk:
    """Acts of an operator, which must succeed; reads of the database where no route shows it."""

    client: TestClient
    engine: Engine
    clock: ManualClock
    statements: int = 0
    balance: list[str] = field(default_factory=lambda: ["100000.00"])

    def on(self, day: date, hour: int = 9) -> None:
        """Step to a day, and let the services do what waits."""
        self.clock.set(datetime.combine(day, time(hour), PRAGUE))
        self.serve()

    def serve(self) -> None:
        """Consolidation and validation until nothing waits."""
        make_profiles(self.engine, self.clock)

    def miss(self) -> None:
        """Days of which nothing came get their version, are validated and estimated, as at their deadline."""
        assert SilentDays(self.engine, DEADLINE).look(self.clock.now()) > 0
        self.serve()

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(f"/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int | None = None) -> Any:
        answer = self.client.post(f"/v1/{path}", json=body)
        assert answer.status_code == status if status else answer.is_success, answer.text
        return answer.json() if answer.content else None

    def act(self, path: str, verb: str, body: dict[str, Any]) -> Any:
        """Change something that is under an ETag."""
        seen = self.client.get(f"/v1/{path}").headers["ETag"]
        answer = self.client.post(f"/v1/{path}/{verb}", json={**WHY, **body}, headers={"If-Match": seen})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def send(self, path: str, content: bytes, **parameters: Any) -> Any:
        answer = self.client.post(f"/v1/{path}", content=content, params=parameters)
        assert answer.is_success, answer.text
        return answer.json()

    def bank(self, lines: Sequence[Line]) -> Any:
        """The bank's next statement with these movements."""
        self.statements += 1
        old = self.balance[-1]
        self.balance.append(str(sum((Decimal(line.amount) for line in lines), Decimal(old))))
        return self.send("bank-statements", abo(lines, number=self.statements, old=old, own=BANK))

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values).all())

    def sql(self, statement: str, **values: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(statement), values).scalar()


@contextmanager
def open_desk(database_url: str) -> Iterator[Desk]:
    """The desk over a migrated database, on 2 January 2026."""
    token = TokenSetting(token=SecretStr(TOKEN), name="Provozní", rights=RIGHTS)
    app = create_app(Settings(database_url=database_url, tokens=(token,)))
    clock = ManualClock(datetime(2026, 1, 2, 8, tzinfo=UTC))
    app.dependency_overrides[get_clock] = lambda: clock
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield Desk(client, app.state.engine, clock)
