"""A place outside: a real HTTP server of this machine that answers as a test says, and the house that asks it."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.external.fetch import Limits
from central.platform.external.trust import Trust
from central.platform.settings import Settings
from central.workflow.external.worker import Worker
from shared.testing import ManualClock

NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
TOKEN = "token-of-the-operator-1"
LIMITS = Limits(connect_s=2.0, total_s=0.6, largest=50_000)


@dataclass
class Reply:
    """What the server answers: status, octets, headers; `drips` sends them piece by piece for ever."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drips: bool = False

    @classmethod
    def zipped(cls, body: bytes) -> Reply:
        return cls(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})


@dataclass
class Outside:
    """The server: the next replies (the last one stays) and what was asked."""

    replies: list[Reply]
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/rates"

    def answers(self, *replies: Reply) -> None:
        self.replies[:] = replies


def _handler(outside: Outside) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            outside.asked.append(self.path)
            reply = outside.replies.pop(0) if len(outside.replies) > 1 else outside.replies[0]
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if not reply.drips:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            try:
                while reply.drips:
                    self.wfile.write(b"x")
                    time.sleep(0.1)
                self.wfile.write(reply.body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


@contextmanager
def outside_server() -> Iterator[Outside]:
    outside = Outside([Reply()])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(outside))
    outside.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class House:
    """The API as the operator sees it, the database behind it, and the worker of the housekeeping service."""

    client: TestClient
    engine: Engine
    clock: ManualClock
    worker: Worker
    url: str

    def forget(self) -> None:
        """As after the migration; only a test may empty what is append-only."""
        for table in ("value", "taking", "fetch", "content"):
            self.do(f"ALTER TABLE external_{table} DISABLE TRIGGER USER")
        self.do(
            "TRUNCATE external_value, external_taking, external_fetch, external_content, external_run, external_source"
        )
        for table in ("value", "taking", "fetch", "content"):
            self.do(f"ALTER TABLE external_{table} ENABLE TRIGGER USER")
        self.clock.set(NOW)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        answer = self.client.put(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, body: Any, status: int = 202) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def sql(self, statement: str, **values: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(statement), values).scalar()

    def do(self, statement: str, **values: Any) -> None:
        with transaction(self.engine) as connection:
            connection.execute(text(statement), values)

    def set_up(self, code: str, adapter: str, addresses: Sequence[str], status: int = 200, **more: Any) -> Any:
        body = {"adapter": adapter, "name": code, "addresses": list(addresses), "reason": "test", **more}
        return self.put(f"/v1/external/sources/{code}", body, status)

    def source(self, code: str) -> Any:
        return next(row for row in self.get("/v1/external/sources") if row["code"] == code)

    def ask(self, code: str, parameters: Any = None, status: int = 202) -> Any:
        return self.post(
            f"/v1/external/sources/{code}/runs", {"parameters": parameters or {}, "reason": "test"}, status
        )

    def fetches(self, code: str) -> Any:
        return self.get(f"/v1/external/sources/{code}/fetches")


@contextmanager
def open_house(
    database_url: str, monkeypatch: pytest.MonkeyPatch, hosts: Sequence[str], folder: Path
) -> Iterator[House]:
    rights = ["read", "operate", "admin"]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([{"token": TOKEN, "name": "op", "rights": rights}]))
    monkeypatch.setenv("ROZVODNA_EXTERNAL_HOSTS", json.dumps(list(hosts)))
    monkeypatch.setenv("ROZVODNA_EXTERNAL_HTTP", "true")
    monkeypatch.setenv("ROZVODNA_EXTERNAL_FOLDERS", json.dumps([str(folder)]))
    settings = Settings(database_url=database_url)
    engine = make_engine(database_url)
    clock = ManualClock(NOW)
    app = create_app(settings)
    app.dependency_overrides[get_clock] = lambda: clock
    trust = Trust.of(settings.external_hosts, settings.external_folders, plain_http=settings.external_http)
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield House(client, engine, clock, Worker(engine, clock, trust, LIMITS, settles_s=0.01), database_url)
    engine.dispose()
