"""Profiles and states out as files, back in as evidence, and the views that reporting tools read."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from os import environ
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as parquet
import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine, text

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.testing import QUARTER, Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.readings.transfer import files, sources
from central.readings.transfer.readers import shipped_mappings
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Flag
from shared.testing import ManualClock

AUTUMN = MeteringDay(Commodity.ELECTRICITY, date(2026, 10, 25))
NOW = datetime(2026, 11, 5, tzinfo=UTC)
TOKEN = "token-of-anna-0123"
ALWAYS = "[2025-01-01 00:00+00,)"
PERIOD = "from=2026-10-25&to=2026-10-26"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Channel P1 A+ (Wh), its autumn day in two versions with a hole, and a state channel P1 JT."""
    made = make_engine(database_url)
    with transaction(made) as connection:
        register, counter = make_meter(connection, "M1"), make_meter(connection, "M2", kind="state")
        map_channel(connection, register, make_channel(connection, "P1"), ALWAYS)
        map_channel(connection, counter, make_channel(connection, "P1", kind="state"), ALWAYS)
        evidence = Evidence(connection)
        doubtful = [0, int(Flag.DATA_INVALID), *[0] * 97]
        evidence.batch(GivenBlock(register, AUTUMN.start, range(1000, 1099), flags=doubtful))
        evidence.state(counter, AUTUMN.start, 12_345_678)
    consolidate_once(made, ManualClock(NOW))
    with transaction(made) as connection:
        flags = [0, int(Flag.DATA_INVALID)]
        Evidence(connection, seq=2).batch(GivenBlock(register, AUTUMN.start, [7, 8], flags=flags))
    consolidate_once(made, ManualClock(NOW))
    yield made
    made.dispose()


@pytest.fixture
async def client(
    database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([{"token": TOKEN, "name": "Anna", "rights": ["read"]}]))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: ManualClock(NOW)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def get(client: httpx.AsyncClient, path: str, status: int = 200) -> httpx.Response:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer


def expected() -> list[int | None]:
    return [7, 8, *range(1002, 1099), None]


async def test_files_of_all_formats(client: httpx.AsyncClient) -> None:
    await check_csv(client)
    await check_parquet_and_workbook(client)
    await check_states(client)


async def check_csv(client: httpx.AsyncClient) -> None:
    answer = await get(client, f"/v1/exports/profiles?{PERIOD}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(row["value"]) if row["value"] else None for row in rows] == expected()
    assert rows[8]["start"] == "2026-10-25T02:00:00+02:00"
    assert rows[12]["start"] == "2026-10-25T02:00:00+01:00"
    assert [rows[place]["quality"] for place in (0, 1, 99)] == ["measured", "provisional", "missing"]
    assert {(row["point"], row["direction"], row["unit"], row["version"]) for row in rows} == {("P1", "A+", "Wh", "2")}

    czech = (await get(client, f"/v1/exports/profiles?{PERIOD}&style=cs")).content.decode("utf-8-sig")
    table = list(csv.DictReader(io.StringIO(czech), delimiter=";"))
    assert [table[2][name] for name in ("začátek", "hodnota", "jednotka", "kvalita")] == [
        "25.10.2026 00:30",
        "1,002",
        "kWh",
        "měřená",
    ]
    every = (await get(client, f"/v1/exports/profiles?{PERIOD}&versions=all")).text
    assert [row["version"] for row in csv.DictReader(io.StringIO(every))] == ["1"] * 100 + ["2"] * 100
    empty = (await get(client, "/v1/exports/profiles?from=2026-01-01&to=2026-01-02")).text
    assert len(empty.splitlines()) == 1


async def check_parquet_and_workbook(client: httpx.AsyncClient) -> None:
    answer = await get(client, f"/v1/exports/profiles?{PERIOD}&format=parquet")
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column("value").to_pylist() == expected()
    assert table.column("start").to_pylist()[99] == AUTUMN.instant(99)
    assert set(table.column("version").to_pylist()) == {2}
    answer = await get(client, f"/v1/exports/profiles?{PERIOD}&format=xlsx&style=cs")
    sheet = load_workbook(io.BytesIO(answer.content)).active
    assert sheet is not None
    cells = list(sheet.values)
    assert cells[0][:5] == ("místo", "směr", "začátek", "hodnota", "jednotka")
    assert cells[3][2:5] == (datetime(2026, 10, 25, 0, 30), 1.002, "kWh")  # noqa: DTZ001 - cells have no zone
    assert len(cells) == 101


async def check_states(client: httpx.AsyncClient) -> None:
    (row,) = csv.DictReader(io.StringIO((await get(client, f"/v1/exports/states?{PERIOD}")).text))
    assert (row["meter"], row["at"], row["value"], row["kind"]) == (
        "M2",
        "2026-10-25T00:00:00+02:00",
        "12345678",
        "remote",
    )
    czech = (await get(client, f"/v1/exports/states?{PERIOD}&style=cs")).content.decode("utf-8-sig")
    assert "25.10.2026 00:00;12345,678;kWh" in czech.replace('"', "")
    answer = await get(client, f"/v1/exports/states?{PERIOD}&format=parquet")
    assert parquet.read_table(io.BytesIO(answer.content)).column("value").to_pylist() == [12_345_678]
    await get(client, f"/v1/exports/states?{PERIOD}&format=xlsx")


REFUSED = [
    ("/v1/exports/profiles?from=2026-10-25&to=2026-10-25", 422, "period"),
    ("/v1/exports/profiles?from=2026-10-25&to=2026-10-26&channel=99", 404, "channel_not_found"),
    ("/v1/exports/profiles?from=2026-10-25&to=2026-10-26&channel=2", 404, "channel_not_found"),
    ("/v1/exports/profiles?from=2026-10-25&to=2026-10-26&format=doc", 422, "input"),
    ("/v1/exports/states?from=2026-10-25&to=2026-10-26&channel=1", 404, "channel_not_found"),
    ("/v1/exports/states?from=2026-10-25&to=2026-10-26&channel=99999999999", 422, "out_of_range"),
]


async def test_what_cannot_be_exported_says_why(client: httpx.AsyncClient) -> None:
    for path, status, code in REFUSED:
        answer = await get(client, path, status)
        assert answer.json()["code"] == code, path


async def test_an_exported_file_comes_back_with_the_shipped_mapping(client: httpx.AsyncClient, engine: Engine) -> None:
    for style, kind, key, name in (
        ("iso", "profiles", "P1/A+", "rozvodna-iso"),
        ("cs", "profiles", "P1/A+", "rozvodna-cs"),
        ("iso", "states", "P1/JT", "rozvodna-states-iso"),
        ("cs", "states", "P1/JT", "rozvodna-states-cs"),
    ):
        content = (await get(client, f"/v1/exports/{kind}?{PERIOD}&style={style}")).content
        code = f"X-{name}"
        with transaction(engine) as connection:
            sources.create_source(connection, code, "Náš vývoz", shipped_mappings()[name], SYSTEM, NOW)
            bound = {key: ("M1" if kind == "profiles" else "M2", "r")}
            sources.bind(connection, code, bound, SYSTEM, NOW)
            result = files.import_content_of(connection, code, "a.csv", content, SYSTEM, NOW)
        assert result.result == "imported", result.fault
        (series,) = result.file["summary"]["series"]
        assert (series["new"], series["conflicts"]) == (0, 0)
        assert series["same"] == (99 if kind == "profiles" else 1)
    consolidate_once(engine, ManualClock(NOW))
    after = csv.DictReader(io.StringIO((await get(client, f"/v1/exports/profiles?{PERIOD}")).text))
    assert [int(row["value"]) if row["value"] else None for row in after] == expected()


def test_the_command_line_and_the_views(engine: Engine, database_url: str, tmp_path: Path) -> None:
    target = tmp_path / "profiles.csv"
    arguments = ["export", "profiles", "--from", "2026-10-25", "--to", "2026-10-26", "--out", str(target)]
    done = subprocess.run(
        [sys.executable, "-m", "central", *arguments],
        env={**environ, "ROZVODNA_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 100
    assert len(target.read_text().splitlines()) == 101
    check_views(engine)


def rows_of(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def check_views(engine: Engine) -> None:
    newest = rows_of(engine, "SELECT at, value, quality FROM day_profile_value ORDER BY at")
    assert [value for _, value, _ in newest] == expected()
    assert newest[99] == (AUTUMN.instant(99), None, 5)
    versions = "SELECT version, count(*), count(value), sum(value) FROM day_profile_version_value GROUP BY 1 ORDER BY 1"
    assert rows_of(engine, versions) == [
        (1, 100, 99, sum(range(1000, 1099))),
        (2, 100, 99, 15 + sum(range(1002, 1099))),
    ]
    assert rows_of(
        engine, "SELECT point, direction, month, days, value, missing, worst_quality FROM channel_month"
    ) == [("P1", "A+", date(2026, 10, 1), 1, 15 + sum(range(1002, 1099)), 1, 5)]
    evidence = (
        "SELECT meter, origin, flags, revoked_at FROM evidence_value WHERE at = '2026-10-24 22:15+00' ORDER BY batch"
    )
    assert rows_of(engine, evidence) == [("M1", "K1", 8, None), ("M1", "K1", 8, None)]
    states = "SELECT meter, serial, point, direction, at, value, kind, origin FROM state_value"
    assert rows_of(engine, states) == [("M2", "M2", "P1", "JT", AUTUMN.start, 12_345_678, "remote", "K1")]
    assert AUTUMN.length * QUARTER == AUTUMN.end - AUTUMN.start
