"""A hole in a real database: the order of estimation, its limits, real data that take an estimate's place."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text, update

from central.network.control_tables import command, concentrator_state
from central.network.tables import channel, channel_mapping
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.readings.closing import close_days
from central.readings.consolidate import consolidate_once
from central.readings.estimation.order import EstimationOrder, EstimationStep, StepMethod, StepQuality
from central.readings.estimation.orders import install_orders
from central.readings.estimation.pending import find_pending
from central.readings.estimation_tables import check_channel
from central.readings.load_profile_import import ClassDay, Head, import_load_profiles
from central.readings.load_profile_rates import RateClass, install_rate_classes
from central.readings.load_profiles import read_load_profiles
from central.readings.method import Method
from central.readings.profiles import read_newest
from central.readings.tables import day_profile
from central.readings.testing import QUARTER, Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.readings.vee.stage import validate_once
from deploy.stack.local import LocalStack
from shared.metering_day import MeteringDay, days_between
from shared.quantities import Commodity, Quality
from shared.testing import ManualClock

ALWAYS = "[2025-01-01 00:00+00,)"
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 9))
NOW = datetime(2026, 4, 2, tzinfo=UTC)
STEPS = [
    EstimationStep(StepMethod.REREAD, wait_hours=24),
    EstimationStep(StepMethod.CHECK_METER, StepQuality.SUBSTITUTE),
    EstimationStep(StepMethod.LINEAR, longest_gap_minutes=120),
    EstimationStep(StepMethod.LIKE_DAY, longest_gap_minutes=3 * 1440),
    EstimationStep(StepMethod.LOAD_PROFILE),
    EstimationStep(StepMethod.MANUAL),
]


@pytest.fixture(scope="module")
def shared_engine(stack: LocalStack, migrated_template: str) -> Iterator[Engine]:
    """One database for all tests here; its evidence may be emptied."""
    name = f"estimation_{uuid.uuid4().hex[:12]}"
    made = make_engine(stack.create_database(name, template=migrated_template), pool_size=4)
    with transaction(made) as connection:
        connection.execute(text(_FREE))
    yield made
    made.dispose()
    stack.drop_database(name)


_FREE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
"""
_TABLES = """
SELECT string_agg(tablename, ', ') FROM pg_tables
WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'incarnation')
"""


@pytest.fixture
def engine(shared_engine: Engine) -> Engine:
    """The shared database, emptied: sooner than a new one for each test."""
    with transaction(shared_engine) as connection:
        tables = connection.execute(text(_TABLES)).scalar_one()
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    return shared_engine


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def register(engine: Engine) -> int:
    """A register that feeds channel 1 (A+ of P1) for ever."""
    with transaction(engine) as connection:
        number = make_meter(connection, "M1")
        map_channel(connection, number, make_channel(connection, "P1"), ALWAYS)
        connection.execute(update(channel_mapping).values(consolidated_at=func.now()))
    return number


def install(engine: Engine, *, most: int = 10, version: str = "1") -> None:
    order = EstimationOrder("electricity", [], ["active"], STEPS, most, 31, True, "product", "assumed")
    with transaction(engine) as connection:
        install_orders(connection, "test", version, (date(2026, 1, 1), date(2027, 1, 1)), [order], NOW)


def store(engine: Engine, register: int, *parts: tuple[datetime, list[int]], seq: int) -> None:
    with transaction(engine) as connection:
        Evidence(connection, seq=seq).batch(*(GivenBlock(register, start, values) for start, values in parts))


def holed(day: MeteringDay, first: int, end: int, value: int = 100) -> list[tuple[datetime, list[int]]]:
    """A day of equal values without the intervals first to end."""
    parts = [(day.start, [value] * first), (day.start + end * QUARTER, [value] * (day.length - end))]
    return [part for part in parts if part[1]]


def work(engine: Engine, clock: ManualClock) -> None:
    """Consolidate and validate until nothing is left."""
    for _ in range(20):
        if not consolidate_once(engine, clock).worked and not validate_once(engine, clock).worked:
            return
    raise AssertionError("the work never ends")


def newest(engine: Engine, day: MeteringDay = DAY, number: int = 1) -> tuple[list[int], list[int], list[int]]:
    with engine.connect() as connection:
        read = read_newest(connection, day.commodity, [number], day.date, day.next.date, with_method=True)
    method = np.zeros_like(read.quality) if read.method is None else read.method
    return read.values[0].tolist(), read.quality[0].tolist(), method[0].tolist()


def versions(engine: Engine, day: MeteringDay = DAY, number: int = 1) -> list[tuple[int, str, int]]:
    table = day_profile.c
    with engine.connect() as connection:
        rows = connection.execute(
            select(table.version, table.made_by, table.missing)
            .where(table.channel == number, table.day == day.date)
            .order_by(table.version)
        )
        return [tuple(row) for row in rows]


def waiting(engine: Engine) -> list[tuple[date, str, str]]:
    with engine.connect() as connection:
        return [(row["day"], row["reason"], row["detail"]) for row in find_pending(connection)]


def test_a_short_gap_is_interpolated_once_and_real_data_take_its_place(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    install(engine)
    store(engine, register, *holed(DAY, 40, 44), seq=0)
    work(engine, clock)
    values, quality, method = newest(engine)
    assert values == [100] * 96
    assert quality == [0] * 40 + [Quality.ESTIMATED] * 4 + [0] * 52
    assert method == [0] * 40 + [Method.LINEAR] * 4 + [0] * 52
    estimated = [(1, "consolidation", 4), (2, "estimation", 0)]
    assert versions(engine) == estimated
    store(engine, register, *holed(DAY, 40, 44), seq=1)  # the same again
    work(engine, clock)
    assert versions(engine) == estimated
    store(engine, register, (DAY.start + 40 * QUARTER, [50, 50]), seq=2)  # a part of what was missing
    work(engine, clock)
    values, quality, _ = newest(engine)
    assert values[39:45] == [100, 50, 50, 67, 83, 100]
    assert quality[39:45] == [0, 0, 0, 2, 2, 0]
    assert versions(engine) == [*estimated, (3, "consolidation", 2), (4, "estimation", 0)]
    store(engine, register, (DAY.start + 42 * QUARTER, [60, 70]), seq=3)
    work(engine, clock)
    values, quality, method = newest(engine)
    assert (values[40:44], any(quality), any(method)) == ([50, 50, 60, 70], False, False)
    assert versions(engine)[-1] == (5, "consolidation", 0)
    assert waiting(engine) == []


def test_a_second_run_over_the_same_versions_gives_the_same(engine: Engine, clock: ManualClock, register: int) -> None:
    install(engine)
    store(engine, register, *holed(DAY, 3, 5), seq=0)
    work(engine, clock)
    before = versions(engine)
    with transaction(engine) as connection:
        connection.execute(
            text("INSERT INTO vee_work (bucket, channels, first, last, reason) VALUES (0, '{1}', :day, :day, 'again')"),
            {"day": DAY.date},
        )
    assert validate_once(engine, clock).worked
    assert versions(engine) == before


def test_without_an_order_the_day_stays_incomplete_until_one_is_installed(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    store(engine, register, *holed(DAY, 40, 44), seq=0)
    work(engine, clock)
    assert versions(engine) == [(1, "consolidation", 4)]
    assert [(day, reason) for day, reason, _ in waiting(engine)] == [(DAY.date, "no_order")]
    install(engine)
    work(engine, clock)
    assert versions(engine)[-1] == (2, "estimation", 0)
    assert waiting(engine) == []


def test_beyond_the_limits_the_day_stays_incomplete_and_says_why(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    install(engine)
    store(engine, register, *holed(DAY, 40, 60), seq=0)
    work(engine, clock)
    assert versions(engine) == [(1, "consolidation", 20)]
    ((day, reason, detail),) = waiting(engine)
    assert (day, reason) == (DAY.date, "limit")
    assert "check_meter: there is no check meter" in detail
    assert "linear: 300 min are missing, at most 120 may be" in detail
    assert "like_day: 0 of 3 sound days of the type workday" in detail


def test_too_many_estimated_days_are_refused(engine: Engine, clock: ManualClock, register: int) -> None:
    install(engine, most=2)
    days = days_between(Commodity.ELECTRICITY, date(2026, 3, 2), date(2026, 3, 6))
    for seq, day in enumerate(days):
        store(engine, register, *holed(day, 40, 41), seq=seq)
    work(engine, clock)
    assert [versions(engine, day)[-1][1:] for day in days] == [("estimation", 0)] * 2 + [("consolidation", 1)] * 2
    assert [(day, reason) for day, reason, _ in waiting(engine)] == [
        (days[2].date, "too_many_days"),
        (days[3].date, "too_many_days"),
    ]


def test_a_lost_day_is_the_mean_of_like_days_when_they_have_come(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    install(engine)
    store(engine, register, *holed(DAY, 0, 95), seq=0)
    work(engine, clock)
    assert versions(engine) == [(1, "consolidation", 95)]
    for seq, (number, value) in enumerate([(4, 10), (5, 20), (6, 31)], start=1):
        day = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, number))
        store(engine, register, (day.start, [value] * 96), seq=seq)
    work(engine, clock)
    values, _, method = newest(engine)
    assert values == [20] * 95 + [100]
    assert method == [Method.LIKE_DAY] * 95 + [0]


def test_a_check_meter_fills_what_the_main_meter_misses(engine: Engine, clock: ManualClock, register: int) -> None:
    install(engine)
    with transaction(engine) as connection:
        other = make_meter(connection, "M2", exponent=1)
        target = make_channel(connection, "P2", exponent=1)
        map_channel(connection, other, target, ALWAYS)
        connection.execute(insert(check_channel).values(channel=1, check_channel=target, valid=ALWAYS))
    store(engine, register, *holed(DAY, 10, 90), seq=0)
    store(engine, other, (DAY.start, list(range(96))), seq=1)
    work(engine, clock)
    values, quality, method = newest(engine)
    assert values[9:91] == [100, *range(100, 900, 10), 100]
    assert set(quality[10:90]) == {Quality.SUBSTITUTE}
    assert set(method[10:90]) == {Method.CHECK_METER}


def test_a_node_gives_what_its_other_meters_leave_over(engine: Engine, clock: ManualClock, register: int) -> None:
    order = EstimationOrder(
        "electricity", [], ["active"], [EstimationStep(StepMethod.NODE_BALANCE)], 10, 31, True, "product", "assumed"
    )
    with transaction(engine) as connection:
        install_orders(connection, "test", "1", (date(2026, 1, 1), date(2027, 1, 1)), [order], NOW)
        others = [make_meter(connection, f"M{number}") for number in (2, 3)]
        channels = [make_channel(connection, f"P{number}") for number in (2, 3)]
        for other, target in zip(others, channels, strict=True):
            map_channel(connection, other, target, ALWAYS)
        connection.execute(text("INSERT INTO collection (code, name, purpose) VALUES ('K', 'K', 'settlement')"))
        connection.execute(
            text("""
                INSERT INTO collection_node (collection, node, parent, channel, valid)
                VALUES (1, 'TS', NULL, :parent, '[2026-01-01,)'), (1, 'A', 'TS', 1, '[2026-01-01,)'),
                       (1, 'B', 'TS', :other, '[2026-01-01,)')
            """),
            {"parent": channels[0], "other": channels[1]},
        )
    store(engine, register, *holed(DAY, 10, 20), seq=0)
    work(engine, clock)
    assert [reason for _, reason, _ in waiting(engine)] == ["limit"]
    store(engine, others[0], (DAY.start, [500] * 96), seq=1)
    store(engine, others[1], (DAY.start, list(range(96))), seq=2)
    work(engine, clock)
    values, _, method = newest(engine)
    assert values[9:21] == [100, *range(490, 480, -1), 100]
    assert set(method[10:20]) == {Method.NODE_BALANCE}


def test_register_states_that_come_later_scale_the_estimate_exactly(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    install(engine)
    with transaction(engine) as connection:
        state = make_meter(connection, "S1", kind="state", exponent=2)
        map_channel(connection, state, make_channel(connection, "P1", kind="state"), ALWAYS)
        connection.execute(update(channel_mapping).values(consolidated_at=func.now()))
    store(engine, register, *holed(DAY, 40, 44), seq=0)
    work(engine, clock)
    assert newest(engine)[0] == [100] * 96
    with transaction(engine) as connection:
        evidence = Evidence(connection, seq=10)
        # 9,700 Wh on a register of hundreds: 9,200 were measured
        for at, value in ((DAY.start, 1_000), (DAY.end + timedelta(seconds=20), 1_097)):
            number = evidence.state(state, at, value)
            connection.execute(
                text(
                    "UPDATE batch SET evidence_channels = ARRAY[:state], first_start = :at, last_end = :at "
                    "WHERE id = :id"
                ),
                {"state": state, "at": at, "id": number},
            )
    work(engine, clock)
    values, _, method = newest(engine)
    assert sum(values) == 9_700
    assert values[40:44] == [125] * 4
    assert set(method[40:44]) == {Method.LINEAR | Method.SCALED}


@pytest.mark.parametrize("by_rate", [False, True])
def test_a_load_profile_class_gives_the_shape(engine: Engine, clock: ManualClock, register: int, by_rate: bool) -> None:
    install(engine)
    with transaction(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO party (code, name, roles, street, city, postal_code) "
                "VALUES ('LDS', 'LDS', '{operator}', '', '', '')"
            )
        )
        point = connection.execute(
            text("""
                INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, voltage_level,
                                          metering_type, load_profile_class, temperature_zone, operator)
                SELECT '859182400941700019', 'x', 'x', '', '', '', 'electricity', 'NN', 'C1', '4', 'A', id FROM party
                RETURNING id
            """)
        ).scalar_one()
        connection.execute(update(channel).values(supply_point=point))
        if by_rate:
            _take_by_rate(connection)
        days = [ClassDay("4", date(2026, 3, day), [1.0] * 12 + [3.0] * 12) for day in (8, 9)]
        import_load_profiles(
            connection, Head(Commodity.ELECTRICITY, "normalised", "", "test", "assumed"), days, SYSTEM, NOW
        )
    sunday = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 8))
    store(engine, register, (sunday.start, [100] * 48 + [300] * 48), (DAY.start, [100]), seq=0)
    work(engine, clock)
    values, _, method = newest(engine)
    assert values == [100] * 48 + [300] * 48
    assert method == [0] + [Method.LOAD_PROFILE] * 95


def test_a_series_counts_again_when_it_is_imported_after_its_correction(engine: Engine) -> None:
    head = Head(Commodity.ELECTRICITY, "normalised", "", "test", "assumed")
    instants = [int(end.timestamp() * 1000) for end in (DAY.start, DAY.end)]

    def give(weight: float) -> tuple[int, bool, float]:
        with transaction(engine) as connection:
            days = [ClassDay("4", DAY.date, [weight] * 24)]
            made = import_load_profiles(connection, head, days, SYSTEM, NOW)
            read = read_load_profiles(connection, Commodity.ELECTRICITY, ["4"], instants[0], instants[1], "")
        return made["id"], made["repeated"], float(read.series["4", "normalised"].weights[0]) * 4

    assert [give(1.0), give(1.0), give(2.0), give(1.0), give(1.0), give(2.0)] == [
        (1, False, 1.0),
        (1, True, 1.0),
        (2, False, 2.0),
        (3, False, 1.0),
        (3, True, 1.0),
        (4, False, 2.0),
    ]


def _take_by_rate(connection: Connection) -> None:
    """The point has no class of its own any more, but a rate that belongs to class 4, from DAY on to another one."""
    connection.execute(text("UPDATE supply_point SET load_profile_class = NULL"))
    connection.execute(
        text("""
            INSERT INTO contract (number, kind, customer, payer, valid)
            SELECT 'S-1', 'distribution', id, id, '[2026-01-01,)' FROM party
        """)
    )
    connection.execute(
        text("""
            INSERT INTO contract_item (contract, supply_point, prices, rate, valid)
            SELECT c.id, s.id, 'CEZ', v.rate, CAST(v.valid AS daterange) FROM contract c, supply_point s,
                   (VALUES ('C01d', '[2026-01-01,2026-03-09)'), ('D02d', '[2026-03-09,)')) AS v (rate, valid)
        """)
    )
    year = (date(2026, 1, 1), date(2027, 1, 1))
    classes = [RateClass(rate, name, year, "test", "assumed") for rate, name in (("C01d", "1"), ("D02d", "4"))]
    install_rate_classes(connection, "test", Commodity.ELECTRICITY, classes)


def test_the_meter_is_asked_again_and_waited_for_before_the_estimate(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    install(engine)
    with transaction(engine) as connection:
        connection.execute(
            insert(concentrator_state).values(concentrator="K1", online=True, agent="1", runs=1, heard_at=NOW)
        )
    clock.set(datetime(2026, 3, 10, 9, tzinfo=UTC))  # the deadline, 10:00 local
    store(engine, register, *holed(DAY, 40, 44), seq=0)
    work(engine, clock)
    assert versions(engine) == [(1, "consolidation", 4)]
    assert [(day, reason) for day, reason, _ in waiting(engine)] == [(DAY.date, "reread")]
    with engine.connect() as connection:
        asked = connection.execute(select(command.c.work, command.c.issued_by)).all()
    act = {"act": "fill_range", "device": "M1", "first": "2026-03-09", "last": "2026-03-09"}
    assert [tuple(row) for row in asked] == [(act, "system")]
    clock.set(datetime(2026, 3, 11, 8, 59, tzinfo=UTC))
    work(engine, clock)
    assert versions(engine) == [(1, "consolidation", 4)]
    clock.set(datetime(2026, 3, 11, 9, tzinfo=UTC))
    assert validate_once(engine, clock).worked
    assert versions(engine)[-1] == (2, "estimation", 0)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(command)).scalar_one() == 1


def test_an_order_that_does_not_wait_asks_the_meter_once_and_estimates_at_once(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    steps = [EstimationStep(StepMethod.REREAD), EstimationStep(StepMethod.LINEAR, longest_gap_minutes=120)]
    order = EstimationOrder("electricity", [], ["active"], steps, 10, 31, True, "product", "assumed")
    with transaction(engine) as connection:
        install_orders(connection, "test", "1", (date(2026, 1, 1), date(2027, 1, 1)), [order], NOW)
        connection.execute(
            insert(concentrator_state).values(concentrator="K1", online=True, agent="1", runs=1, heard_at=NOW)
        )
    store(engine, register, *holed(DAY, 40, 44), seq=0)
    store(engine, register, *holed(DAY.next, 10, 40), seq=1)
    for _ in range(2):
        work(engine, clock)
        with engine.connect() as connection:
            asked = connection.execute(select(command.c.work).order_by(command.c.issued_at)).scalars().all()
        # both days miss something: one is estimated, one is beyond the limit
        assert [(each["first"], each["last"]) for each in asked] == [("2026-03-09", "2026-03-10")]
    assert versions(engine)[-1] == (2, "estimation", 0)
    assert [(day, reason) for day, reason, _ in waiting(engine)] == [(DAY.next.date, "limit")]


def test_a_closed_day_keeps_its_estimate_until_its_own_data_change(
    engine: Engine, clock: ManualClock, register: int
) -> None:
    install(engine)
    store(engine, register, *holed(DAY, 95, 96), seq=0)
    work(engine, clock)
    assert newest(engine)[0][95] == 100
    with transaction(engine) as connection:
        close_days(connection, "settlement_run/1", [1], date(2026, 3, 1), date(2026, 4, 1), NOW)
    store(engine, register, (DAY.next.start, [200] * 96), seq=1)  # the other side of the gap
    work(engine, clock)
    assert versions(engine) == [(1, "consolidation", 1), (2, "estimation", 0)]
    store(engine, register, (DAY.start, [90]), seq=2)
    work(engine, clock)
    with engine.connect() as connection:
        late = connection.execute(
            select(day_profile.c.late).where(day_profile.c.day == DAY.date).order_by(day_profile.c.version)
        ).scalars()
        assert list(late) == [False, False, True, True]
    assert newest(engine)[0][95] == 150


@pytest.mark.parametrize(
    ("commodity", "day"),
    [
        (Commodity.ELECTRICITY, date(2026, 3, 28)),
        (Commodity.ELECTRICITY, date(2026, 3, 29)),
        (Commodity.ELECTRICITY, date(2025, 10, 26)),
        (Commodity.GAS, date(2026, 3, 27)),
        (Commodity.GAS, date(2026, 3, 28)),
        (Commodity.GAS, date(2025, 10, 25)),
    ],
)
def test_days_of_every_length_are_estimated(
    engine: Engine, clock: ManualClock, commodity: Commodity, day: date
) -> None:
    metering = MeteringDay(commodity, day)
    steps = [EstimationStep(StepMethod.LINEAR, longest_gap_minutes=240)]
    order = EstimationOrder(
        commodity,
        [],
        ["active", "reactive"] if commodity == "electricity" else ["volume"],
        steps,
        10,
        31,
        True,
        "product",
        "assumed",
    )
    with transaction(engine) as connection:
        register = make_meter(connection, "M1", commodity=commodity)
        map_channel(connection, register, make_channel(connection, "P1", commodity=commodity), ALWAYS)
        connection.execute(update(channel_mapping).values(consolidated_at=func.now()))
        install_orders(connection, "test", "1", (date(2025, 1, 1), date(2027, 1, 1)), [order], NOW)
    with transaction(engine) as connection:
        parts = [(metering.start, 8), (metering.instant(12), metering.length - 12)]
        Evidence(connection).batch(*(GivenBlock(register, at, [100] * n, metering.step) for at, n in parts))
    work(engine, clock)
    assert newest(engine, metering)[0] == [100] * metering.length
    assert versions(engine, metering)[-1] == (2, "estimation", 0)
