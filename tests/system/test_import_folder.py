"""The watched folder: files that stand still are imported once, whoever is killed or looks twice."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from central.ingest.tables import batch, block
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.readings.consolidate import consolidate_once
from central.readings.profiles import read_newest
from central.readings.testing import make_channel, make_meter, map_channel
from central.readings.transfer.folder import WatchedFolder
from central.readings.transfer.import_tables import import_file
from central.readings.transfer.mapping import mapping_of
from central.readings.transfer.sources import bind, create_source
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import Commodity
from shared.testing import ManualClock

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
NOW = datetime(2026, 3, 5, tzinfo=UTC)
MAPPING = {"format": "csv", "layout": "wide", "time": {"columns": ["t"], "format": "%d.%m.%Y %H:%M"}}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    with transaction(made) as connection:
        register = make_meter(connection, "M1")
        map_channel(connection, register, make_channel(connection, "P1"), "[2025-01-01 00:00+00,)")
        create_source(connection, "CIZI", "Cizí", mapping_of(MAPPING), SYSTEM, NOW)
        bind(connection, "CIZI", {"A": ("M1", "r")}, SYSTEM, NOW)
    yield made
    made.dispose()


def content(factor: int = 1) -> bytes:
    rows = [f"{DAY.instant(n).astimezone(PRAGUE):%d.%m.%Y %H:%M};{factor * n}" for n in range(DAY.length)]
    return "\n".join(["t;A", *rows]).encode()


def counts(engine: Engine) -> tuple[int, int, int]:
    with engine.connect() as connection:
        batches, blocks, files = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (batch, block, import_file)
        )
    return batches, blocks, files


def report(path: Path) -> Any:
    return json.loads(path.with_name(f"{path.name}.report.json").read_text(encoding="utf-8"))


def test_files_go_to_done_or_failed_with_a_report(engine: Engine, tmp_path: Path) -> None:
    incoming = tmp_path / "CIZI"
    incoming.mkdir()
    watched = WatchedFolder(engine, ManualClock(NOW), tmp_path)
    good, bad, growing = incoming / "good.csv", incoming / "bad.csv", incoming / "growing.csv"
    good.write_bytes(content())
    bad.write_bytes(content() + b"\n02.03.2026 25:00;1")
    growing.write_bytes(content(2)[:100])
    (incoming / "later.csv.part").write_bytes(content(3))
    (incoming / "link.csv").symlink_to(good)
    assert watched.look() == 0
    growing.write_bytes(content(2))
    assert watched.look() == 2
    assert sorted(path.name for path in incoming.iterdir()) == [
        "done",
        "failed",
        "growing.csv",
        "later.csv.part",
        "link.csv",
    ]
    done = report(incoming / "done" / "good.csv")
    assert (done["result"], done["summary"]["values"], done["message"]) == ("imported", 96, "")
    failed = report(incoming / "failed" / "bad.csv")
    assert failed["result"] == "faulty"
    assert "line 98" in failed["message"] and "'02.03.2026 25:00'" in failed["message"]
    assert counts(engine) == (1, 1, 2)

    assert watched.look() == 1  # it stands still now
    (incoming / "good.csv").write_bytes(content())
    watched.look()
    assert watched.look() == 1
    assert counts(engine) == (2, 2, 3)
    (again,) = (incoming / "done").glob("*-good.csv")
    assert (report(again)["result"], report(again)["file"]) == ("repeated", done["file"])


def test_two_on_one_folder_import_a_file_once(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "CIZI").mkdir()
    (tmp_path / "CIZI" / "a.csv").write_bytes(content())
    watchers = [WatchedFolder(engine, ManualClock(NOW), tmp_path) for _ in range(2)]
    assert [each.look() for each in watchers] == [0, 0]
    assert [each.look() for each in watchers] == [1, 0]
    assert counts(engine) == (1, 1, 1)


@contextmanager
def watching(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = {"ROZVODNA_DATABASE_URL": url, "ROZVODNA_IMPORT_FOLDER": str(folder), "ROZVODNA_IMPORT_POLL_S": "0.1"}
    process = subprocess.Popen([sys.executable, "-m", "central", "watch-imports"], env={**os.environ, **settings})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killed_in_the_middle_nothing_is_half_there(engine: Engine, database_url: str, tmp_path: Path) -> None:
    incoming = tmp_path / "CIZI"
    incoming.mkdir()
    (incoming / "a.csv").write_bytes(content())
    waiting = text("""
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'rozvodna-imports' AND wait_event_type = 'Lock' AND query LIKE 'COPY block%'
    """)

    def at_the_blocks() -> bool:
        with engine.connect() as connection:
            return bool(connection.execute(waiting).scalar_one())

    with engine.begin() as holder:
        # The batch is inserted, its blocks cannot be: that is where it is killed.
        holder.execute(text("LOCK TABLE block IN SHARE MODE"))
        with watching(database_url, tmp_path) as process:
            wait_for(at_the_blocks)
            process.kill()
            process.wait()
    wait_for(lambda: not at_the_blocks())
    assert counts(engine) == (0, 0, 0)
    with watching(database_url, tmp_path):
        wait_for(lambda: (incoming / "done" / "a.csv.report.json").exists())
    assert counts(engine) == (1, 1, 1)
    consolidate_once(engine, ManualClock(NOW))
    with engine.connect() as connection:
        channel = connection.execute(text("SELECT id FROM channel")).scalar_one()
        found = read_newest(connection, Commodity.ELECTRICITY, [channel], DAY.date, DAY.next.date)
    assert found.values[0].tolist() == list(range(96))
