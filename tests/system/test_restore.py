"""The database is restored from a dump into another one: edges offer again, nothing is lost, nothing doubled.

Between the dump and the restore data flow on and are acknowledged; what the restored database does not have is at the
concentrators only, among what they keep after its acknowledgement.
"""

import subprocess
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from central.platform.database import make_engine
from deploy.demo import expected
from deploy.demo.compare import compare, read_committed, read_stored
from deploy.demo.plant import Plant
from deploy.demo.site import Metering, Site, build_site
from deploy.stack.database import with_database
from deploy.stack.local import LocalStack
from deploy.stack.programs import require_programs
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from tests.system.ingest_rig import number, rows

pytestmark = pytest.mark.own_parts

FIRST = date(2026, 3, 27)
"""So that the days hold the 92 quarter-hours of the 29th."""
BEFORE, AFTER = 2, 2
"""Days delivered before the dump, and after it."""


def few_meters() -> Site:
    """Two interval meters, gas and a meter without memory on serial buses; three low-voltage meters on TCP."""
    site = build_site()
    two_tariff, single = site.of(Metering.TWO_TARIFF), site.of(Metering.SINGLE_TARIFF)
    site.points[:] = [*site.of(Metering.PROFILE)[4:6], *site.of(Metering.GAS), *two_tariff[:2], single[0], single[10]]
    return site


@pytest.fixture
def restored_url(stack: LocalStack) -> Iterator[str]:
    """A second database with the extensions and nothing else."""
    name = f"restored_{uuid.uuid4().hex[:12]}"
    yield stack.create_database(name)
    stack.drop_database(name)


def name_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


class Tools:
    """pg_dump and pg_restore as the operator would use them, as superuser, as TimescaleDB's manual says."""

    def __init__(self, stack: LocalStack, home: Path) -> None:
        self._bin = require_programs(home / "stack", print).postgres_bin
        state = stack.read_state()
        assert state is not None
        self._admin = state.admin_url

    def dump(self, url: str, file: Path) -> None:
        self._run("pg_dump", "--format=custom", "--file", str(file), "--dbname", self._of(url))

    def restore(self, file: Path, url: str) -> None:
        with psycopg.connect(self._of(url), autocommit=True) as connection:
            connection.execute("SELECT timescaledb_pre_restore()")
        self._run("pg_restore", "--exit-on-error", "--dbname", self._of(url), str(file))
        with psycopg.connect(self._of(url), autocommit=True) as connection:
            connection.execute("SELECT timescaledb_post_restore()")

    def _of(self, url: str) -> str:
        return with_database(self._admin, name_of(url))

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([self._bin / program, *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


def pass_days(plant: Plant, first: int, last: int) -> None:
    """Let the calendar go on day by day; everything is read, delivered and acknowledged."""
    for day in range(first, last + 1):
        plant.set_clock(MeteringDay(Commodity.ELECTRICITY, FIRST + timedelta(days=day)).start)
        plant.wait_for_round()
    # The last gas day ends six hours later.
    plant.set_clock(MeteringDay(Commodity.GAS, FIRST + timedelta(days=last)).start)
    plant.wait_for_round()
    plant.wait_until_delivered(timeout=60)


def test_after_a_restore_edges_offer_again_and_nothing_is_lost_or_doubled(
    stack: LocalStack, database_url: str, restored_url: str, home: Path, tmp_path: Path
) -> None:
    stack.start_broker()
    tools, dump = Tools(stack, home), tmp_path / "central.dump"
    plant = Plant(few_meters(), tmp_path / "plant", stack, database_url, first=FIRST)
    try:
        plant.set_clock(MeteringDay(Commodity.ELECTRICITY, FIRST).start)
        plant.load()
        plant.start("simulators", "ingest-1", "consolidate", *plant.concentrators)
        plant.wait_for_round()
        pass_days(plant, 1, BEFORE)
        tools.dump(database_url, dump)
        at_dump = number(database_url, "SELECT count(*) FROM batch")
        pass_days(plant, BEFORE + 1, BEFORE + AFTER)
        whole = number(database_url, "SELECT count(*) FROM batch")
        assert whole > at_dump > 0, "data came before the dump and after it"

        for name in ("ingest-1", "consolidate"):
            plant.children[name].stop()
        tools.restore(dump, restored_url)
        assert number(restored_url, "SELECT count(*) FROM batch") == at_dump
        running = {name: plant.children[name] for name in ("simulators", *plant.concentrators)}
        plant.database_url = restored_url
        plant.prepare_children()
        plant.children |= running
        plant.start("ingest-1", "consolidate")
        plant.wait_for(
            "the batches since the dump, offered again",
            lambda: number(restored_url, "SELECT count(*) FROM batch WHERE NOT closed") >= whole,
            60,
        )
        # Life goes on in the restored database.
        pass_days(plant, BEFORE + AFTER + 1, BEFORE + AFTER + 1)
        plant.wait_for(
            "consolidation",
            lambda: number(restored_url, "SELECT count(*) FROM batch WHERE consolidated_at IS NULL") == 0,
            30,
        )
        engine = make_engine(restored_url)
        result = compare(
            expected.values_of(plant, FIRST, FIRST + timedelta(days=BEFORE + AFTER + 1)),
            read_stored(engine),
            read_committed(plant.outbox(concentrator) for concentrator in plant.concentrators),
        )
        engine.dispose()
    finally:
        plant.stop()
    assert result.expected > 0
    assert result.holds, (result, result.examples)
    assert number(restored_url, "SELECT count(*) FROM quarantine") == 0
    lives = rows(restored_url, "SELECT reason FROM incarnation ORDER BY number")
    assert lives == [("first start",), ("the cluster changed: a restore",)]
    assert rows(database_url, "SELECT reason FROM incarnation") == [("first start",)]
