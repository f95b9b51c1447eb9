"""No request that fits the OpenAPI description, and none that does not, makes the API fail: schemathesis over it all.

Each generated request is sent as it is, and again with the names of things that exist in its path, so that it gets
beyond "there is no such thing".
"""

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from sqlalchemy import text
from starlette.testclient import TestClient

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.settings import RIGHTS, Settings
from central.workflow.load_site import load_site
from deploy.demo.render import central_site
from deploy.demo.site import build_site
from shared.testing import ManualClock

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
TOKEN = "token-of-schemathesis-01"
EXAMPLES = int(os.environ.get("ROZVODNA_OPENAPI_EXAMPLES", "4"))
"""Generated requests of each kind (fitting and not) for every operation."""
ONLY = os.environ.get("ROZVODNA_OPENAPI_ONLY", "")
"""What the paths of the operations that are asked begin with, such as `/v1/market`; all without it."""
_NAMES = {
    "ean": "SELECT ean FROM supply_point ORDER BY id LIMIT 1",
    "number": "SELECT number FROM contract ORDER BY id LIMIT 1",
    "meter": "SELECT id FROM meter ORDER BY id LIMIT 1",
    "concentrator": "SELECT id FROM concentrator ORDER BY id LIMIT 1",
    "edge": "SELECT id FROM concentrator ORDER BY id LIMIT 1",
    "point": "SELECT name FROM measuring_point ORDER BY id LIMIT 1",
    "code": "SELECT code FROM party ORDER BY id LIMIT 1",
    "kind": "SELECT kind FROM service_rule ORDER BY kind LIMIT 1",
}
"""Things that exist, for a path's parameter of this name; others are numbers: 1."""


@pytest.fixture
def application(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    rights = sorted(RIGHTS - {"market-callback"})
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([{"token": TOKEN, "name": "Anna", "rights": rights}]))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    monkeypatch.setenv("ROZVODNA_HOME", str(tmp_path))
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: ManualClock(NOW)
    with transaction(app.state.engine) as connection:
        load_site(connection, central_site(build_site()), SYSTEM, NOW)
    yield app
    app.state.engine.dispose()


def test_no_request_makes_the_api_fail(application: Any, database_url: str) -> None:
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        known = {name: connection.execute(text(query)).scalar_one() for name, query in _NAMES.items()}
    engine.dispose()
    failed: dict[str, str] = {}
    sent = answered = 0
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(application, raise_server_exceptions=False) as client:

        def call(case: Case) -> None:
            nonlocal sent, answered
            given_path = dict(case.path_parameters or {})
            for parameters in (given_path, {name: known.get(name, "1") for name in given_path}):
                case.path_parameters = parameters
                answer = case.call(session=client, headers=headers)
                sent += 1
                answered += answer.status_code < 300
                if answer.status_code >= 500:
                    failed[f"{case.method} {case.path}"] = f"{case.as_curl_command()}: {answer.text}"
                if not given_path:
                    break

        schema = schemathesis.openapi.from_asgi("/openapi.json", application)
        operations = [each for found in schema.get_all_operations() if (each := found.ok()).path.startswith(ONLY)]
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @settings(
                    max_examples=EXAMPLES,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(operation.as_strategy(mode))
                def run(case: Case) -> None:
                    call(case)

                # An operation without parameters has no request that does not fit.
                with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
                    run()
    assert len(operations) > (0 if ONLY else 250), f"operations below {ONLY or '/'}"
    assert answered > len(operations) / 4, "requests reach what they ask for"
    assert sent > len(operations) * EXAMPLES
    assert not failed, "\n".join(f"{name}: {told}" for name, told in failed.items())
