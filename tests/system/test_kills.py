"""Kill each process at random moments while data flow, and count: nothing lost, nothing doubled.

Simulated meters on real lines, two concentrators, real broker, two ingest processes, real TimescaleDB. The calendar
goes on by a day at a time; each day somebody is killed (SIGKILL) at a random moment and started again.
"""

import random
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from central.platform.database import make_engine
from deploy.demo import expected
from deploy.demo.compare import compare, read_committed, read_stored
from deploy.demo.plant import Plant
from deploy.demo.site import CONC_ESTATE, CONC_SUBSTATION, Metering, Site, build_site
from deploy.stack.local import LocalStack
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

pytestmark = pytest.mark.own_parts

DAYS = 25
"""Days that pass, and so kills that are made; the issue asks for at least 20."""
SEED = 4711
VICTIMS = [CONC_SUBSTATION, CONC_ESTATE, "ingest-1", "ingest-2", "broker", "database", "consolidate"]
FIRST = date(2026, 3, 8)
"""So that the 25 days hold both short days: the 23-hour gas day on the 28th, 92 quarter-hours on the 29th."""


def small_site() -> Site:
    """Three interval meters on two serial buses, gas, and four low-voltage meters of each kind."""
    site = build_site()
    kept = site.of(Metering.PROFILE)[3:6] + site.of(Metering.GAS)
    kept += site.of(Metering.TWO_TARIFF)[:4]
    single = site.of(Metering.SINGLE_TARIFF)
    kept += single[:2] + single[10:12]
    site.points[:] = kept
    return site


def day_start(day: int) -> MeteringDay:
    return MeteringDay(Commodity.ELECTRICITY, FIRST + timedelta(days=day))


def gas_day_start(day: int) -> datetime:
    return MeteringDay(Commodity.GAS, FIRST + timedelta(days=day)).start


def test_whoever_is_killed_nothing_is_lost_or_doubled(stack: LocalStack, database_url: str, tmp_path: Path) -> None:
    draw = random.Random(SEED)
    stack.start_broker()
    plant = Plant(small_site(), tmp_path / "plant", stack, database_url, first=FIRST, ingests=2)
    engine = make_engine(database_url)
    kills = dict.fromkeys(VICTIMS, 0)
    try:
        plant.set_clock(day_start(0).start)
        plant.load()
        plant.start("simulators", "ingest-1", "ingest-2", "consolidate", *plant.concentrators)
        plant.wait_for_round()
        for day in range(1, DAYS + 1):
            plant.set_clock(day_start(day).start)
            time.sleep(draw.uniform(0.0, 0.8))
            # Everybody in turn, in an order that the seed gives, so that each is killed at least three times.
            if (day - 1) % len(VICTIMS) == 0:
                order = draw.sample(VICTIMS, len(VICTIMS))
            victim = order[(day - 1) % len(VICTIMS)]
            if victim == "broker":
                stack.kill_broker()
                time.sleep(draw.uniform(0.0, 0.5))
                stack.start_broker()
            elif victim == "database":
                stack.kill_database()
                time.sleep(draw.uniform(0.0, 0.5))
                stack.start_database()
            else:
                plant.restart(victim)
            kills[victim] += 1
            plant.wait_for_round()
            if day_start(day).date.day == 1:
                plant.set_clock(gas_day_start(day))
                plant.wait_for_round()
        # The last gas day ends six hours later.
        last = MeteringDay(Commodity.GAS, FIRST + timedelta(days=DAYS)).start
        plant.set_clock(last)
        plant.wait_for_round()
        plant.wait_until_delivered(timeout=120)
        plant.wait_until_consolidated(engine, timeout=120)
        result = compare(
            expected.values_of(plant, FIRST, FIRST + timedelta(days=DAYS)),
            read_stored(engine),
            read_committed(plant.outbox(concentrator) for concentrator in plant.concentrators),
        )
        with engine.connect() as connection:
            quarantined = connection.execute(
                text("SELECT reason_code, max(reason), count(*) FROM quarantine GROUP BY reason_code")
            ).all()
            incomplete = connection.execute(
                text(
                    "SELECT channel, day, version, missing FROM (SELECT DISTINCT ON (channel, day) * FROM day_profile "
                    "ORDER BY channel, day, version DESC) newest WHERE quality IS NOT NULL"
                )
            ).all()
    finally:
        plant.stop()
        engine.dispose()
        stack.start_database()
        stack.start_broker()
    assert sum(kills.values()) >= 20, kills
    assert min(kills.values()) >= 3, kills
    assert result.expected > 3 * 4 * 96 * (DAYS - 1), "the meters had data"
    assert result.holds, (result, result.examples)
    assert quarantined == []
    assert incomplete == [], "a day profile with a missing or doubtful value although every block arrived"
