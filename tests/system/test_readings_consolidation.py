"""Blocks in a real database become versions of days: open, complete, at the deadline, corrected, by many at once."""

import random
import time as wall
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, delete, event, func, select, text, update
from sqlalchemy.exc import DBAPIError

from central.ingest.tables import batch
from central.network.tables import channel_mapping
from central.platform.database import make_engine, transaction
from central.platform.errors import NotFound
from central.readings.completeness import read_map
from central.readings.completeness_counts import fold_counts
from central.readings.consolidate import Report, consolidate_once
from central.readings.profiles import read_newest, read_pinned
from central.readings.silence import SilentDays, last_closed
from central.readings.states import states_at
from central.readings.tables import day_profile, open_day
from central.readings.taken import take_batches
from central.readings.testing import HOUR, QUARTER, Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.readings.touched import mappings_of
from central.readings.trace import trace_profile, trace_state
from shared.metering_day import MeteringDay, days_between
from shared.quantities import MISSING_VALUE, Commodity
from shared.testing import ManualClock

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
DEADLINE = datetime(2026, 3, 3, 9, tzinfo=UTC)  # 10:00 local
ALWAYS = "[2025-01-01 00:00+00,)"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url, pool_size=8)
    yield made
    made.dispose()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 4, 2, tzinfo=UTC))


@pytest.fixture
def register(engine: Engine) -> int:
    """One register that feeds channel 1 for ever."""
    with transaction(engine) as connection:
        number = make_meter(connection, "M1")
        map_channel(connection, number, make_channel(connection, "P1"), ALWAYS)
        connection.execute(update(channel_mapping).values(consolidated_at=func.now()))
    return number


@dataclass(frozen=True)
class Cell:
    """One meter on one day."""

    meter: str
    day: date
    expected: int
    present: int


def count(engine: Engine, last: date, clock: ManualClock, concentrator: str | None = None) -> list[Cell]:
    """Completeness from DAY to `last`: what it says with the news of versions, and after they were folded, alike."""
    with engine.connect() as connection:
        found = read_map(connection, DAY.date, last, clock.now(), concentrator)
    fold_counts(engine)
    with engine.connect() as connection:
        folded = read_map(connection, DAY.date, last, clock.now(), concentrator)
    for name in ("due", "expected", "present", "replaced"):
        assert getattr(found, name).tolist() == getattr(folded, name).tolist(), name
    return [
        Cell(meter, found.days[day], int(found.expected[row, day]), int(found.present[row, day]))
        for row, (_, meter) in enumerate(found.meters)
        for day in np.flatnonzero(found.due[row]).tolist()
    ]


def store(engine: Engine, *blocks: GivenBlock, seq: int) -> int:
    with transaction(engine) as connection:
        return Evidence(connection, seq=seq).batch(*blocks)


def stored(engine: Engine) -> list[tuple[int, int, list[int]]]:
    """(version, missing, batches) of all days in order."""
    with engine.connect() as connection:
        table = day_profile.c
        rows = connection.execute(
            select(table.version, table.missing, table.batches).order_by(table.channel, table.day, table.version)
        )
        return [(row.version, row.missing, row.batches) for row in rows]


def count_open(engine: Engine) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(open_day)).all())


def test_a_whole_day_becomes_version_1_and_is_traced_down_to_the_meter(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    number = store(engine, GivenBlock(register, DAY.start, range(96)), seq=0)
    assert consolidate_once(engine, clock) == Report(batches=1, versions=1, values=96)
    assert not consolidate_once(engine, clock).worked
    with engine.connect() as connection:
        profiles = read_newest(connection, Commodity.ELECTRICITY, [1], DAY.date, DAY.next.date)
        trace = trace_profile(connection, 1, DAY.date)
    assert profiles.values.tolist() == [list(range(96))]
    assert profiles.versions.tolist() == [[1]]
    assert not profiles.quality.any()
    assert (trace["version"], trace["made_at"], trace["missing"]) == (1, clock.now(), 0)
    assert [(block["batch"], block["start"], block["count"]) for block in trace["blocks"]] == [(number, DAY.start, 96)]
    assert [(each["concentrator"], each["epoch"], each["seq"]) for each in trace["batches"]] == [
        ("K1", "0" * 15 + "1", 1)
    ]
    assert [(each["meter"], each["register"], each["place"]) for each in trace["registers"]] == [("M1", "r", "test")]


def test_a_day_that_is_not_over_stays_open_until_it_is(engine: Engine, clock: ManualClock, register: int) -> None:
    clock.set(DAY.start + timedelta(hours=23, minutes=59))
    store(engine, GivenBlock(register, DAY.start, range(96)), seq=0)
    assert consolidate_once(engine, clock) == Report(batches=1)
    assert (stored(engine), count_open(engine)) == ([], 1)
    assert not consolidate_once(engine, clock).worked
    clock.set(DAY.end)
    assert consolidate_once(engine, clock) == Report(versions=1, values=96)
    assert count_open(engine) == 0


def test_an_incomplete_day_waits_for_its_deadline_and_what_comes_later_is_a_new_version(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    clock.set(DAY.end)
    first = store(engine, GivenBlock(register, DAY.start, range(90)), seq=0)
    assert consolidate_once(engine, clock) == Report(batches=1, open=1)
    clock.set(DEADLINE - timedelta(seconds=1))
    assert not consolidate_once(engine, clock).worked
    clock.set(DEADLINE)
    assert consolidate_once(engine, clock) == Report(versions=1, values=90)
    assert (stored(engine), count_open(engine)) == ([(1, 6, [first])], 0)
    second = store(engine, GivenBlock(register, DAY.start + 90 * QUARTER, range(90, 96)), seq=1)
    assert consolidate_once(engine, clock) == Report(batches=1, versions=1, corrections=1, values=96)
    assert stored(engine) == [(1, 6, [first]), (2, 0, [first, second])]


def test_a_day_completed_before_its_deadline_is_version_1(engine: Engine, clock: ManualClock, register: int) -> None:
    clock.set(DAY.end)
    store(engine, GivenBlock(register, DAY.start, range(90)), seq=0)
    consolidate_once(engine, clock)
    store(engine, GivenBlock(register, DAY.start + 90 * QUARTER, range(90, 96)), seq=1)
    assert consolidate_once(engine, clock) == Report(batches=1, versions=1, values=96)
    assert count_open(engine) == 0


def test_the_same_values_again_make_no_version(engine: Engine, clock: ManualClock, register: int) -> None:
    store(engine, GivenBlock(register, DAY.start, range(96)), seq=0)
    consolidate_once(engine, clock)
    store(engine, GivenBlock(register, DAY.start, range(96), marks=1), seq=1)
    assert consolidate_once(engine, clock) == Report(batches=1, unchanged=1)
    assert len(stored(engine)) == 1


def test_doubtful_and_missing_values_keep_their_quality_through_the_database(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    store(engine, GivenBlock(register, DAY.start, range(95), flags=[8] + [0] * 94), seq=0)
    consolidate_once(engine, clock)
    with engine.connect() as connection:
        profiles = read_newest(connection, Commodity.ELECTRICITY, [1], DAY.date, DAY.next.date)
        view = connection.execute(text("SELECT * FROM day_profile_value WHERE index IN (0, 1, 95) ORDER BY at")).all()
    assert profiles.quality[0, [0, 1, 95]].tolist() == [1, 0, 5]
    assert profiles.values[0, 95] == MISSING_VALUE
    assert [(row.value, row.quality) for row in view] == [(0, 1), (1, 0), (None, 5)]


@pytest.mark.parametrize(
    ("commodity", "first", "days"),
    [
        (Commodity.ELECTRICITY, date(2026, 3, 28), [96, 92, 96]),
        (Commodity.ELECTRICITY, date(2025, 10, 25), [96, 100, 96]),
        (Commodity.GAS, date(2026, 3, 27), [24, 23, 24]),
        (Commodity.GAS, date(2025, 10, 25), [25, 24]),
    ],
)
def test_clock_change_days_through_the_database_and_its_view(
    engine: Engine, clock: ManualClock, commodity: Commodity, first: date, days: list[int]
) -> None:
    with transaction(engine) as connection:
        register = make_meter(connection, "M1", commodity=commodity)
        map_channel(connection, register, make_channel(connection, "P1", commodity=commodity), ALWAYS)
        calendar = days_between(commodity, first, first + timedelta(days=len(days)))
        blocks = [GivenBlock(register, day.start, range(day.length), day.step) for day in calendar]
        Evidence(connection).batch(*blocks)
    assert consolidate_once(engine, clock).values == sum(days)
    with engine.connect() as connection:
        view = connection.execute(text("SELECT day, at, value FROM day_profile_value ORDER BY at")).all()
        profiles = read_newest(connection, commodity, [1], first, first + timedelta(days=len(days)))
    assert [day.length for day in calendar] == days
    assert [row.at for row in view] == [day.instant(index) for day in calendar for index in range(day.length)]
    assert [row.value for row in view] == profiles.values[0].tolist()


def test_a_hole_that_was_closed_is_done_with(engine: Engine, clock: ManualClock) -> None:
    with transaction(engine) as connection:
        Evidence(connection).batch()
    assert consolidate_once(engine, clock) == Report(batches=1)
    with engine.connect() as connection:
        assert connection.execute(select(batch.c.consolidated_at)).scalar_one() == clock.now()


def test_a_meter_exchange_at_noon_gives_one_whole_day(engine: Engine, clock: ManualClock) -> None:
    noon = DAY.start + timedelta(hours=12)
    with transaction(engine) as connection:
        old, new = make_meter(connection, "OLD"), make_meter(connection, "NEW", exponent=1)
        target = make_channel(connection, "P1")
        map_channel(connection, old, target, f"[2025-01-01 00:00+00,{noon.isoformat()})", multiplier=2)
        map_channel(connection, new, target, f"[{noon.isoformat()},)")
        Evidence(connection).batch(GivenBlock(old, DAY.start, [1] * 48), GivenBlock(new, noon, [3] * 46))
    clock.set(DEADLINE)
    consolidate_once(engine, clock)
    with engine.connect() as connection:
        profiles = read_newest(connection, Commodity.ELECTRICITY, [target], DAY.date, DAY.next.date)
        cells = count(engine, DAY.date, clock)
    assert profiles.values[0].tolist() == [2] * 48 + [30] * 46 + [MISSING_VALUE] * 2
    assert [(cell.meter, cell.expected, cell.present) for cell in cells] == [("NEW", 48, 46), ("OLD", 48, 48)]


def test_a_mapping_that_comes_after_the_data_makes_their_days(engine: Engine, clock: ManualClock) -> None:
    noon = DAY.start + timedelta(hours=12)
    with transaction(engine) as connection:
        register, target = make_meter(connection, "M1"), make_channel(connection, "P1")
        Evidence(connection).batch(*(GivenBlock(register, day.start, range(96)) for day in (DAY, DAY.next)))
    assert consolidate_once(engine, clock) == Report(batches=1)
    with transaction(engine) as connection:
        map_channel(connection, register, target, f"[{noon.isoformat()},)")
    assert consolidate_once(engine, clock) == Report(mappings=1, versions=2, values=48 + 96)
    assert not consolidate_once(engine, clock).worked
    assert [(version, missing) for version, missing, _ in stored(engine)] == [(1, 48), (1, 0)]


def test_an_open_day_that_nothing_feeds_any_more_is_forgotten(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    clock.set(DAY.end)
    store(engine, GivenBlock(register, DAY.start, [1]), seq=0)
    consolidate_once(engine, clock)
    with transaction(engine) as connection:
        connection.execute(delete(channel_mapping))
    clock.set(DEADLINE)
    consolidate_once(engine, clock)
    assert (stored(engine), count_open(engine)) == ([], 0)


def test_profiles_are_never_changed(engine: Engine, clock: ManualClock, register: int) -> None:
    store(engine, GivenBlock(register, DAY.start, range(96)), seq=0)
    consolidate_once(engine, clock)
    for statement in ("UPDATE day_profile SET missing = 1", "DELETE FROM day_profile"):
        with pytest.raises(DBAPIError, match="append-only"), transaction(engine) as connection:
            connection.execute(text(statement))


def test_pinned_versions_are_read_as_they_were(engine: Engine, clock: ManualClock, register: int) -> None:
    store(engine, GivenBlock(register, DAY.start, [1] * 96), seq=0)
    consolidate_once(engine, clock)
    store(engine, GivenBlock(register, DAY.start, [2] * 96), seq=1)
    consolidate_once(engine, clock)
    period = (Commodity.ELECTRICITY, DAY.date, DAY.next.date)
    with engine.connect() as connection:
        newest = read_newest(connection, Commodity.ELECTRICITY, [1], DAY.date, DAY.next.date)
        pinned = read_pinned(connection, *period, {(1, DAY.date): 1})
        with pytest.raises(NotFound, match="no version 3"):
            read_pinned(connection, *period, {(1, DAY.date): 3})
    assert (newest.values.max(), newest.versions.tolist()) == (2, [[2]])
    assert (pinned.values.max(), pinned.versions.tolist()) == (1, [[1]])


def test_many_at_once_end_with_everything_in_the_newest_version(engine: Engine, clock: ManualClock) -> None:
    """Blocks of the same days arrive in many batches while four consolidations run: nothing is left out."""
    draw = random.Random(7)
    with transaction(engine) as connection:
        registers = []
        for number in range(4):
            registers.append(make_meter(connection, f"M{number}"))
            map_channel(connection, registers[-1], make_channel(connection, f"P{number}"), ALWAYS)
    days = days_between(Commodity.ELECTRICITY, DAY.date, DAY.date + timedelta(days=3))
    pieces = [
        GivenBlock(register, day.start + place * QUARTER, [draw.randrange(1000) for _ in range(8)])
        for register in registers
        for day in days
        for place in range(0, 96, 8)
    ]
    draw.shuffle(pieces)
    chunks = [pieces[start : start + 5] for start in range(0, len(pieces), 5)]

    def deliver() -> None:
        for number, chunk in enumerate(chunks):
            store(engine, *chunk, seq=number)

    def work() -> None:
        for _ in range(25):
            consolidate_once(engine, clock, batches=3)

    with ThreadPoolExecutor(5) as pool:
        for future in [pool.submit(deliver), *(pool.submit(work) for _ in range(4))]:
            future.result()
    while consolidate_once(engine, clock).worked:
        pass
    with engine.connect() as connection:
        profiles = read_newest(connection, Commodity.ELECTRICITY, [1, 2, 3, 4], days[0].date, days[-1].next.date)
        assert connection.execute(select(batch.c.id).where(batch.c.consolidated_at.is_(None))).all() == []
    expected = np.full((4, 288), MISSING_VALUE)
    for piece in pieces:
        place = (piece.start - days[0].start) // QUARTER
        expected[registers.index(piece.evidence_channel), place : place + 8] = list(piece.values)
    assert profiles.values.tolist() == expected.tolist()


def test_completeness_counts_what_was_due(engine: Engine, clock: ManualClock, register: int) -> None:
    with transaction(engine) as connection:
        gas = make_meter(connection, "G1", commodity="gas")
        map_channel(connection, gas, make_channel(connection, "PG", commodity="gas"), ALWAYS)
        silent = make_meter(connection, "M2")
        map_channel(connection, silent, make_channel(connection, "P2"), ALWAYS)
        Evidence(connection).batch(
            GivenBlock(register, DAY.start, range(40)), GivenBlock(gas, DAY.start + 6 * HOUR, range(3), HOUR)
        )
    clock.set(DAY.start + 12 * HOUR)
    consolidate_once(engine, clock)
    cells = count(engine, DAY.next.date, clock)
    none = count(engine, DAY.date, clock, "K2")
    assert [(cell.meter, cell.day, cell.expected, cell.present) for cell in cells] == [
        ("G1", DAY.date, 6, 3),
        ("M1", DAY.date, 48, 40),
        ("M2", DAY.date, 48, 0),
    ]
    assert none == []


def test_the_state_at_an_instant_is_the_first_one_from_then_on(engine: Engine) -> None:
    with transaction(engine) as connection:
        old, new = (make_meter(connection, name, kind="state", exponent=1) for name in ("OLD", "NEW"))
        target = make_channel(connection, "P1", kind="state")
        noon = DAY.start + 12 * HOUR
        map_channel(connection, old, target, f"[2025-01-01 00:00+00,{noon.isoformat()})", multiplier=3)
        map_channel(connection, new, target, f"[{noon.isoformat()},)")
        evidence = Evidence(connection)
        evidence.state(old, DAY.start - QUARTER, 90)
        number = evidence.state(old, DAY.start + timedelta(seconds=20), 100)
        evidence.state(old, DAY.start + QUARTER, 110)
        evidence.state(new, noon, 5)
        found = states_at(connection, [target], DAY.start)[target]
        exchanged = states_at(connection, [target], noon)[target]
        late = states_at(connection, [target], DAY.start + 2 * HOUR)
        trace = trace_state(connection, old, found.at, found.batch)
    assert (found.value, found.at, found.batch, found.factor) == (100, DAY.start + timedelta(seconds=20), number, 30)
    assert (exchanged.value, exchanged.meter, exchanged.factor) == (5, "NEW", 10)
    assert late == {}
    assert [each["meter"] for each in trace["registers"]] == ["OLD"]
    assert [each["id"] for each in trace["batches"]] == [number]


def test_what_was_read_again_does_not_hide_a_gap_of_the_open_day(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    clock.set(DAY.start + 12 * HOUR)
    store(engine, GivenBlock(register, DAY.start, range(24)), seq=0)
    store(engine, GivenBlock(register, DAY.start, range(40), marks=1), seq=1)
    store(engine, GivenBlock(register, DAY.start + 41 * QUARTER, [1, 2, 3]), seq=2)
    consolidate_once(engine, clock)
    (cell,) = count(engine, DAY.date, clock)
    assert (cell.expected, cell.present) == (48, 43)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE batch SET revoked_at = :now WHERE seq = 2"), {"now": clock.now()})
    (cell,) = count(engine, DAY.date, clock)
    assert (cell.expected, cell.present) == (48, 27), "what was revoked is not there"


def test_completeness_of_an_exchange_between_two_intervals_counts_each_interval_once(
    engine: Engine, clock: ManualClock
) -> None:
    moment = DAY.start + timedelta(hours=12, minutes=7)
    with transaction(engine) as connection:
        old, new = make_meter(connection, "OLD"), make_meter(connection, "NEW")
        target = make_channel(connection, "P1")
        map_channel(connection, old, target, f"[2025-01-01 00:00+00,{moment.isoformat()})")
        map_channel(connection, new, target, f"[{moment.isoformat()},)")
        # Both meters deliver the whole day; each counts for its time only.
        Evidence(connection).batch(GivenBlock(old, DAY.start, [1] * 96), GivenBlock(new, DAY.start, [3] * 95))
    clock.set(DAY.end)
    consolidate_once(engine, clock)
    open_cells = count(engine, DAY.date, clock)
    clock.set(DEADLINE)
    consolidate_once(engine, clock)
    closed_cells = count(engine, DAY.date, clock)
    for cells in (open_cells, closed_cells):
        assert [(cell.meter, cell.expected, cell.present) for cell in cells] == [("NEW", 47, 46), ("OLD", 49, 49)]


def test_a_day_of_which_nothing_came_gets_a_version_at_its_deadline(engine: Engine, clock: ManualClock) -> None:
    before, gas_before = (MeteringDay(commodity, DAY.date - timedelta(days=1)) for commodity in Commodity)
    with transaction(engine) as connection:
        silent, gas = make_meter(connection, "M1"), make_meter(connection, "G1", commodity="gas")
        map_channel(connection, silent, make_channel(connection, "P1"), ALWAYS)
        map_channel(connection, gas, make_channel(connection, "PG", commodity="gas"), ALWAYS)
        # In service until the day began, a channel that never had anything, a register of states.
        gone, never = make_meter(connection, "M2"), make_meter(connection, "M3")
        map_channel(connection, gone, make_channel(connection, "P2"), f"[2025-01-01 00:00+00,{DAY.start.isoformat()})")
        map_channel(connection, never, make_channel(connection, "P3"), ALWAYS)
        state = make_meter(connection, "S1", kind="state")
        map_channel(connection, state, make_channel(connection, "P4", kind="state"), ALWAYS)
        Evidence(connection, seq=9).batch(
            *(GivenBlock(each, before.start, range(96)) for each in (silent, gone)),
            GivenBlock(gas, gas_before.start, range(24), HOUR),
        )
    days = SilentDays(engine, time(10, 0))
    clock.set(DEADLINE - timedelta(seconds=1))
    consolidate_once(engine, clock)
    assert days.look(clock.now()) == 0
    clock.set(DEADLINE)
    assert days.look(clock.now()) == 2
    assert days.look(clock.now()) == 0
    assert consolidate_once(engine, clock) == Report(versions=2)
    assert (days.look(clock.now(), mappings_changed=True), count_open(engine)) == (0, 0)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT channel, value, quality FROM day_profile_value WHERE day = :day"), {"day": DAY.date}
        ).all()
        trace = trace_profile(connection, 1, DAY.date)
    assert sorted({tuple(row) for row in rows}) == [(1, None, 5), (2, None, 5)]
    assert len(rows) == 96 + 24
    assert (trace["version"], trace["batches"], trace["blocks"], trace["missing"]) == (1, [], [], 96)
    # The next day is silent as well; then the data come.
    clock.set(DEADLINE + timedelta(days=1))
    assert days.look(clock.now()) == 2
    assert consolidate_once(engine, clock) == Report(versions=2)
    store(engine, GivenBlock(silent, DAY.start, range(96)), seq=0)
    assert consolidate_once(engine, clock).corrections == 1


@pytest.mark.parametrize(
    ("local", "newest"),
    [
        (datetime(2026, 3, 3, 8, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 3, 9, tzinfo=UTC), date(2026, 3, 2)),
        (datetime(2026, 3, 30, 8, tzinfo=UTC), date(2026, 3, 29)),  # 10:00 in summer
        (datetime(2026, 3, 2, 23, tzinfo=UTC), date(2026, 3, 1)),  # midnight of the 3rd
    ],
)
def test_the_newest_day_whose_deadline_has_passed(local: datetime, newest: date) -> None:
    assert last_closed(local, time(10, 0)) == newest


def test_silence_is_looked_for_in_recent_days_only(engine: Engine, clock: ManualClock, register: int) -> None:
    store(engine, GivenBlock(register, DAY.start, range(96)), seq=0)
    clock.set(DEADLINE + timedelta(days=20))
    consolidate_once(engine, clock)
    assert SilentDays(engine, time(10, 0)).look(clock.now()) == 7
    assert consolidate_once(engine, clock) == Report(versions=7)


def test_one_meter_with_a_wrong_clock_does_not_make_a_pass_look_at_years_of_the_others(
    engine: Engine, clock: ManualClock
) -> None:
    with transaction(engine) as connection:
        registers = [make_meter(connection, f"M{number}") for number in range(30)]
        for number, each in enumerate(registers):
            map_channel(connection, each, make_channel(connection, f"P{number}"), "[2000-01-01 00:00+00,)")
        connection.execute(update(channel_mapping).values(consolidated_at=func.now()))
        lost = MeteringDay(Commodity.ELECTRICITY, date(2001, 1, 1))
        blocks = [GivenBlock(each, DAY.start, range(96)) for each in registers]
        Evidence(connection).batch(GivenBlock(registers[0], lost.start, range(96)), *blocks)
    with transaction(engine) as connection:
        spans = take_batches(connection, 10).spans
    assert len(spans.evidence) == 31
    assert ((spans.to_ms - spans.from_ms) == 1).all()
    assert consolidate_once(engine, clock) == Report(batches=1, versions=31, values=31 * 96)


def test_a_pass_takes_fewer_batches_when_they_touch_many_days(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    days = days_between(Commodity.ELECTRICITY, DAY.date, DAY.date + timedelta(days=6))
    for seq in range(3):
        store(engine, *(GivenBlock(register, day.start, [seq] * 96) for day in days[2 * seq : 2 * seq + 2]), seq=seq)
    with transaction(engine) as connection:
        assert len(take_batches(connection, 10, most_days=6).ids) == 2
        assert len(take_batches(connection, 10, most_days=1).ids) == 1
    assert consolidate_once(engine, clock).versions == 6


def test_an_instant_twice_in_one_batch_gives_the_same_whatever_the_order_of_rows(
    engine: Engine, clock: ManualClock
) -> None:
    """No edge should send it; the profile must not depend on where the database keeps the rows."""
    draw = random.Random(3)
    with transaction(engine) as connection:
        evidence = Evidence(connection)
        for number in range(8):
            each = make_meter(connection, f"M{number}")
            map_channel(connection, each, make_channel(connection, f"P{number}"), ALWAYS)
            pieces = [
                GivenBlock(each, DAY.start, [1] * 48),
                GivenBlock(each, DAY.start, [2] * 48),
                GivenBlock(each, DAY.start, [9] * 48, flags=[8] * 48),
                GivenBlock(each, DAY.start, [7] * 48, flags=[8] + [0] * 47),
                GivenBlock(each, DAY.start + 48 * QUARTER, [5] * 48),
            ]
            evidence.batch(*draw.sample(pieces, len(pieces)))
    consolidate_once(engine, clock)
    with engine.connect() as connection:
        profiles = read_newest(connection, Commodity.ELECTRICITY, list(range(1, 9)), DAY.date, DAY.next.date)
    assert profiles.values.tolist() == [[2] + [7] * 47 + [5] * 48] * 8  # measured first, then the higher value
    assert not profiles.quality.any()


def test_mappings_of_many_registers_are_found_quickly_before_the_tables_have_statistics(engine: Engine) -> None:
    """Right after a site was loaded the planner knows nothing; 1,600 registers once took 38 s."""
    with transaction(engine) as connection:
        make_meter(connection, "M1")
        for statement in (
            "INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms) "
            "SELECT 'K1', 'M1', 'r' || i, 'Wh', 0, 'interval', 900000 FROM generate_series(1, 1600) i",
            "INSERT INTO channel (point, direction, commodity, unit, exponent, kind, step_ms) "
            "SELECT register, 'A+', 'electricity', 'Wh', 0, 'interval', 900000 FROM evidence_channel",
            "INSERT INTO channel_mapping (evidence_channel, channel, valid) "
            "SELECT e.id, c.id, '[2025-01-01,)' FROM evidence_channel e JOIN channel c ON c.point = e.register",
        ):
            connection.execute(text(statement))
        numbers = list(connection.execute(text("SELECT id FROM evidence_channel WHERE device = 'M1'")).scalars())
        begun = wall.monotonic()
        found = mappings_of(connection, evidence=numbers)
        assert len(found.evidence) == 1601
        assert wall.monotonic() - begun < 5


def test_live_series_that_nothing_is_settled_from_cost_a_few_statements(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    channels, batches = 1_000, 300
    with transaction(engine) as connection:
        connection.execute(
            text("""
                INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
                SELECT 'K1', 'M1', 'live-' || n, 'W', 0, 'interval', 10 FROM generate_series(1, :channels) AS n
            """),
            {"channels": channels},
        )
        connection.execute(
            text("""
                INSERT INTO batch (edge, epoch, seq, received_at, evidence_channels, first_start, last_end)
                SELECT 'K1', 2, n, :at, (
                    SELECT array_agg(id) FROM (
                        SELECT id FROM evidence_channel WHERE step_ms = 10 ORDER BY id OFFSET n * 64 % 900 LIMIT 64
                    ) AS chosen
                ), :at, :until FROM generate_series(1, :batches) AS n
            """),
            {"batches": batches, "at": DAY.start, "until": DAY.start + timedelta(seconds=5)},
        )
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    report = consolidate_once(engine, clock)
    assert report == Report(batches=batches)
    assert len(asked) <= 10
    assert not consolidate_once(engine, clock).worked
