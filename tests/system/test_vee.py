"""Validation on the real database: work, findings that a re-run keeps, closed days."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, text

from central.platform.database import make_engine, transaction
from central.readings.closing import close_days
from central.readings.consolidate import consolidate_once
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.readings.vee.stage import validate_once
from central.readings.vee.work import BUCKET_BITS, count_work, enqueue, take_work, unvalidated
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from shared.testing import ManualClock

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
CLOCK = ManualClock(DAY.end + timedelta(hours=20))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def site(engine: Engine) -> tuple[int, int]:
    """A meter with one register and the channel that it feeds."""
    with transaction(engine) as connection:
        register, channel = make_meter(connection, "E1"), make_channel(connection, "P1")
        map_channel(connection, register, channel, "[2020-01-01,)")
    return register, channel


def deliver(engine: Engine, register: int, *values: int, day: MeteringDay = DAY, seq: int = 0) -> None:
    with transaction(engine) as connection:
        Evidence(connection, seq=seq).batch(GivenBlock(register, day.start, values))
    consolidate_once(engine, CLOCK)


def test_a_new_version_is_work_until_it_is_validated(engine: Engine) -> None:
    register, channel = site(engine)
    deliver(engine, register, *[7] * 96)
    first, end = DAY.date, DAY.date + timedelta(days=1)
    with engine.connect() as connection:
        assert unvalidated(connection, [channel], first, end) == {channel: DAY.date}
        assert unvalidated(connection, [channel], end, end + timedelta(days=9)) == {}
        assert unvalidated(connection, [channel + 1], first, end) == {}
    assert validate_once(engine, CLOCK).work == 1
    assert not validate_once(engine, CLOCK).worked
    with engine.connect() as connection:
        assert unvalidated(connection, [channel], first, end) == {}


def test_work_of_a_bucket_is_taken_together_and_long_work_in_parts(engine: Engine) -> None:
    first = date(2026, 1, 1)
    far = 1 << BUCKET_BITS
    with transaction(engine) as connection:
        enqueue(connection, [1, 2, far], first, first + timedelta(days=9), "test")
        enqueue(connection, [2, 3], first + timedelta(days=10), first + timedelta(days=59), "test")
        work = take_work(connection, most_days=20)
        assert work is not None and work.channels.tolist() == [1, 2, 3]
        assert work.first == first and work.end == first + timedelta(days=20)
        assert work.days.sum(axis=1).tolist() == [10, 20, 10]
    with engine.connect() as holder, holder.begin():
        assert take_work(holder) is not None  # the first bucket is held: another process gets the second
        with engine.connect() as other, other.begin():
            work = take_work(other)
            assert work is not None and work.channels.tolist() == [far]
            assert take_work(other) is not None  # a process may take what it holds itself
    while validate_once(engine, CLOCK, most_days=20).worked:
        pass
    with engine.connect() as connection:
        assert count_work(connection) == 0


def test_a_version_after_the_day_was_closed_is_late(engine: Engine) -> None:
    register, channel = site(engine)
    deliver(engine, register, *[7] * 96)
    with transaction(engine) as connection:
        close_days(connection, "settlement_run/1", [channel], date(2026, 3, 1), date(2026, 4, 1), CLOCK.now())
    deliver(engine, register, *[8] * 96, seq=1)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT version, late, total, peak, base_digest FROM day_profile ORDER BY version")
        ).all()
    assert [tuple(row) for row in rows] == [(1, False, 7 * 96, 7, None), (2, True, 8 * 96, 8, None)]
