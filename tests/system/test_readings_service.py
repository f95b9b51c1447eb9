"""The processes of central as they are started: migrate, load-site, consolidate, api, new-incarnation."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select, text

from central.platform.database import make_engine, transaction
from central.readings.tables import day_profile
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.workflow.site_file import Concentrator, Site, write_site
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
TOKEN = "a-token-for-this-test"


def central(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "central", *arguments],
        env={**os.environ, "ROZVODNA_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def running(url: str, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "central", *arguments], env={**os.environ, "ROZVODNA_DATABASE_URL": url, **environment}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_consolidation_runs_as_a_process_and_ends_when_told(database_url: str) -> None:
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        register = make_meter(connection, "M1")
        map_channel(connection, register, make_channel(connection, "P1"), "[2025-01-01 00:00+00,)")
        Evidence(connection).batch(GivenBlock(register, DAY.start, range(96)))

    def versions() -> int:
        with engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(day_profile)).scalar_one()

    with running(database_url, "consolidate") as process:
        wait_for(lambda: versions() == 1)
        with transaction(engine) as connection:
            Evidence(connection, seq=1).batch(GivenBlock(register, DAY.start, [1] * 96))
        wait_for(lambda: versions() == 2)
        # The database takes its connection away: the service comes back by itself.
        with transaction(engine) as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"),
                {"name": "rozvodna-consolidate"},
            )
            Evidence(connection, seq=2).batch(GivenBlock(register, DAY.start, [2] * 96))
        wait_for(lambda: versions() == 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    engine.dispose()


def test_migrate_and_load_site_by_command(empty_database_url: str, tmp_path: Path) -> None:
    assert central(empty_database_url, "migrate").returncode == 0
    file = tmp_path / "site.json"
    file.write_bytes(write_site(Site(name="S", concentrators=[Concentrator(id="K1", name="K1", place="x")])))
    done = central(empty_database_url, "load-site", str(file))
    assert json.loads(done.stdout)["concentrators"] == {"inserted": 1, "unchanged": 0}
    file.write_text('{"name": "S", "colour": "blue"}')
    refused = central(empty_database_url, "load-site", str(file))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "colour" in refused.stderr


def test_a_new_incarnation_by_command(database_url: str) -> None:
    first, second = (json.loads(central(database_url, "new-incarnation").stdout)["incarnation"] for _ in range(2))
    assert first != second
    with make_engine(database_url).connect() as connection:
        acts = connection.execute(text("SELECT act, subject FROM audit ORDER BY id")).all()
    assert [tuple(row) for row in acts] == [("incarnation.new", first), ("incarnation.new", second)]


@pytest.mark.parametrize("arguments", [["fly"], ["migrate", "--fast"], []])
def test_an_unknown_command_is_refused(database_url: str, arguments: list[str]) -> None:
    assert central(database_url, *arguments).returncode == 2


def test_the_interface_is_served_on_loopback(database_url: str, free_port: int) -> None:
    tokens = json.dumps([{"token": TOKEN, "name": "Anna", "rights": ["read"]}])
    url = f"http://127.0.0.1:{free_port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/v1/health").status_code == 200
        except httpx.TransportError:
            return False

    with running(database_url, "api", "--port", str(free_port), ROZVODNA_TOKENS=tokens) as process:
        wait_for(answers)
        assert httpx.get(f"{url}/v1/channels").status_code == 401
        assert httpx.get(f"{url}/v1/channels", headers={"Authorization": f"Bearer {TOKEN}"}).json() == []
        process.send_signal(signal.SIGTERM)
        process.wait(15)
