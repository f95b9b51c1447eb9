"""Validation over a real database: what a rule looks at changes, and what it found changes with it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.dialects.postgresql import Range

from central.platform.database import make_engine, transaction
from central.readings.consolidate import consolidate_once
from central.readings.registers.limits import find_faces
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, make_profiles, map_channel
from central.readings.vee.stage import validate_once
from central.readings.vee.work import enqueue
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from shared.testing import ManualClock

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
NEXT = DAY.next
CLOCK = ManualClock(NEXT.end + timedelta(hours=20))
DEADLINE = time(10, 0)
EVER = "[2020-01-01,)"
DYING = """
import os, signal, sys
from datetime import datetime
from central.platform.database import make_engine
from central.readings.vee import stage
from shared.testing import ManualClock
kept = stage.store
stage.store = lambda *given: (kept(*given), os.kill(os.getpid(), signal.SIGKILL))
stage.validate_once(make_engine(sys.argv[1]), ManualClock(datetime.fromisoformat(sys.argv[2])))
"""
"""A validation that is killed when its first findings are written."""
USUAL = [100 + (place * 7) % 13 for place in range(96)]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@dataclass(frozen=True, slots=True)
class Site:
    """A channel of a supply point at low voltage until the second day, at high voltage from then on."""

    register: int
    id: int
    point: int


@pytest.fixture
def site(engine: Engine) -> Site:
    """With a distribution contract that names the breaker, and a supply contract that names none."""
    place = "'x', 'x', 'x', 'x', 'x'"
    with transaction(engine) as connection:
        register, channel = make_meter(connection, "E1"), make_channel(connection, "P1")
        map_channel(connection, register, channel, EVER)
        connection.execute(text("INSERT INTO party (code, name, roles, street, city, postal_code) "
                                "VALUES ('LDS', 'LDS', '{operator,customer}', '', '', '')"))  # fmt: skip
        point = connection.execute(text(f"""
            INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, voltage_level, operator,
                                      since)
            SELECT '859182400941700019', {place}, 'electricity', 'VN', id, '2026-03-03' FROM party RETURNING id
        """)).scalar_one()  # fmt: skip
        connection.execute(text("""
            INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code,
                                           voltage_level, category, operator, state)
            SELECT id, commodity, '[2026-01-01,2026-03-03)', name, object, street, city, postal_code, 'NN', category,
                   operator, state FROM supply_point
        """))  # fmt: skip
        connection.execute(text("UPDATE channel SET supply_point = :point"), {"point": point})
        for number, kind in (("D/1", "distribution"), ("S/1", "supply")):
            connection.execute(text("""
                INSERT INTO contract (number, kind, customer, payer, valid)
                SELECT :number, :kind, id, id, '[2026-01-01,)' FROM party
            """), {"number": number, "kind": kind})  # fmt: skip
        connection.execute(text("""
            INSERT INTO contract_item (contract, supply_point, prices, kind, breaker_phases, breaker_amps, valid)
            SELECT c.id, :point, 'CEZ', c.kind, given.phases, given.amps, CAST(given.valid AS daterange)
            FROM (VALUES ('D/1', 3, 25, '[2026-01-01,2026-03-03)'), ('D/1', 3, 63, '[2026-03-03,)'),
                         ('S/1', NULL, NULL, '[2026-01-01,)')) given (number, phases, amps, valid)
            JOIN contract c ON c.number = given.number
        """), {"point": point})  # fmt: skip
    return Site(register, channel, point)


def test_the_breaker_of_a_register_is_found_beside_a_contract_that_names_none(engine: Engine, site: Site) -> None:
    wanted = [(site.register, DAY.start), (site.register, NEXT.end)]
    with engine.connect() as connection:
        faces = find_faces(connection, wanted)
    assert [(faces[each].phases, faces[each].amperes) for each in wanted] == [(3, 25), (3, 63)]


def open_findings(engine: Engine, rule: str | None = None) -> list[tuple[str, int, date]]:
    query = "SELECT rule, channel, day FROM finding WHERE state = 'open' ORDER BY rule, channel, day"
    with engine.connect() as connection:
        rows = connection.execute(text(query)).all()
    return [(row.rule, row.channel, row.day) for row in rows if rule is None or row.rule == rule]


def run_sql(engine: Engine, statement: str, **given: Any) -> None:
    with transaction(engine) as connection:
        connection.execute(text(statement), given)


def test_a_collection_of_gas_and_electricity_does_not_stop_the_validation(engine: Engine) -> None:
    with transaction(engine) as connection:
        power, gas = make_meter(connection, "E1"), make_meter(connection, "G1", commodity="gas")
        own, other = make_channel(connection, "P1"), make_channel(connection, "P2", commodity="gas")
        map_channel(connection, power, own, EVER)
        map_channel(connection, gas, other, EVER)
        Evidence(connection).batch(GivenBlock(power, DAY.start, [-1] * 96))
        connection.execute(text("INSERT INTO collection (code, name, purpose) VALUES ('E', 'Evidence', 'records')"))
        connection.execute(
            text("""
                INSERT INTO collection_node (collection, node, parent, channel, valid)
                SELECT id, 'A', NULL, CAST(:own AS integer), daterange('2020-01-01', NULL) FROM collection
                UNION ALL
                SELECT id, 'B', 'A', CAST(:other AS integer), daterange('2020-01-01', NULL) FROM collection
            """),
            {"own": own, "other": other},
        )
    make_profiles(engine, CLOCK)
    assert ("negative", own, DAY.date) in open_findings(engine)


def test_states_that_come_after_the_profile_are_compared_with_it_and_so_is_their_correction(engine: Engine) -> None:
    with transaction(engine) as connection:
        register, counter = make_meter(connection, "E1"), make_meter(connection, "E2", kind="state")
        profile, states = make_channel(connection, "P1"), make_channel(connection, "P1", kind="state")
        map_channel(connection, register, profile, EVER)
        map_channel(connection, counter, states, EVER)
        Evidence(connection).batch(GivenBlock(register, DAY.start, USUAL))
    make_profiles(engine, CLOCK)
    assert open_findings(engine, "register_sum") == []
    with transaction(engine) as connection:
        evidence = Evidence(connection, seq=5)
        evidence.state(counter, DAY.start, 1_000)
        evidence.state(counter, DAY.end, 1_000 + 2 * sum(USUAL))
    make_profiles(engine, CLOCK)
    assert open_findings(engine, "register_sum") == [("register_sum", profile, DAY.date)]
    with transaction(engine) as connection:
        Evidence(connection, seq=9).state(counter, DAY.end, 1_000 + sum(USUAL))
    make_profiles(engine, CLOCK)
    assert open_findings(engine, "register_sum") == []


def test_limits_and_classes_are_those_of_the_day(engine: Engine, site: Site) -> None:
    """A breaker of 3 x 25 A until the second day, 3 x 63 A from then on; 5,000 Wh is too much on the first only. The
    voltage level changes with it, and with it how long a point may use nothing."""
    values = list(USUAL)
    values[8] = 5_000
    with transaction(engine) as connection:
        Evidence(connection).batch(
            GivenBlock(site.register, DAY.start, values), GivenBlock(site.register, NEXT.start, values)
        )
    make_profiles(engine, CLOCK)
    with transaction(engine) as connection:
        enqueue(connection, [site.id], DAY.date, NEXT.date, "test")
    while validate_once(engine, CLOCK, deadline=DEADLINE).worked:
        pass
    assert open_findings(engine, "physical_maximum") == [("physical_maximum", site.id, DAY.date)]
    # Of the class of low voltage the rule is switched off: the point had it on the first day only.
    run_sql(
        engine,
        """INSERT INTO vee_parameter ("class", rule, parameters, changed_by, changed_at, reason)
           VALUES ('electricity/*/*/NN', 'spike', '{"ratio": null}', 'test', now(), 'test')""",
    )
    with transaction(engine) as connection:
        enqueue(connection, [site.id], DAY.date, NEXT.date, "test")
    while validate_once(engine, CLOCK, deadline=DEADLINE).worked:
        pass
    assert open_findings(engine, "spike") == [("spike", site.id, NEXT.date)]


def test_states_of_a_wide_batch_are_judged(engine: Engine) -> None:
    """One batch with states of many registers over weeks, as a history that is read or imported at once."""
    with transaction(engine) as connection:
        registers = [make_meter(connection, f"E{place}", kind="state") for place in range(30)]
        channel = make_channel(connection, "P1", kind="state")
        map_channel(connection, registers[0], channel, EVER)
        begin = DAY.start - timedelta(days=20)
        number = Evidence(connection).batch(states={**dict.fromkeys(registers[1:], begin), registers[0]: DAY.end})
        for at, value in ((begin, 500), (DAY.start, 400), (DAY.end, 600)):
            connection.execute(
                text("INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks) "
                     "VALUES (:at, :batch, :value, :register, 0, 0)"),
                {"at": at, "batch": number, "value": value, "register": registers[0]},
            )  # fmt: skip
    make_profiles(engine, CLOCK)
    assert [finding[:2] for finding in open_findings(engine)] == [("register", channel)]


@pytest.mark.parametrize(("counted", "is_found"), [(400, False), (500, True)])
def test_a_day_with_an_exchange_is_compared_with_both_registers(engine: Engine, counted: int, is_found: bool) -> None:
    """At noon a meter whose registers multiply by 2 takes the place of one that multiplies by 1."""
    noon = DAY.start + timedelta(hours=12)
    with transaction(engine) as connection:
        register, profile = make_meter(connection, "E1"), make_channel(connection, "P1")
        old, new = (make_meter(connection, name, kind="state") for name in ("S1", "S2"))
        states = make_channel(connection, "P1", kind="state")
        map_channel(connection, register, profile, EVER)
        map_channel(connection, old, states, Range(DAY.start - timedelta(days=9), noon))
        map_channel(connection, new, states, Range(noon, None), multiplier=2)
        evidence = Evidence(connection)
        evidence.batch(GivenBlock(register, DAY.start, [10] * 48 + [15] * 48))  # 480 + 720
        evidence.state(old, DAY.start, 7_000)
        evidence.state(new, DAY.end, 50 + 720 // 2)
        connection.execute(
            text("""
                INSERT INTO meter_state (evidence_channel, kind, at, value, note, entered_at, entered_by)
                VALUES (:old, 'exchange', :noon, :value, '', :noon, 'test'), (:new, 'initial', :noon, 50, '', :noon,
                                                                              'test')
            """),
            {"old": old, "new": new, "noon": noon, "value": 7_000 + counted + 80},
        )
    make_profiles(engine, CLOCK)
    assert (("register_sum", profile, DAY.date) in open_findings(engine)) == is_found


def test_current_transformers_bound_a_point_and_a_check_meter_its_days(engine: Engine) -> None:
    """20/5 A in three phases at 230 V let 13.8 kW through: 3,450 Wh in a quarter-hour. The check meter counts tens of
    Wh and is one on the second day only."""
    values = list(USUAL)
    values[8], values[9] = 3_451, 3_450
    with transaction(engine) as connection:
        register, channel = make_meter(connection, "E1"), make_channel(connection, "P1")
        second, check = make_meter(connection, "E2", exponent=1), make_channel(connection, "P2", exponent=1)
        map_channel(connection, register, channel, EVER)
        map_channel(connection, second, check, EVER)
        connection.execute(
            text("""
                INSERT INTO instrument_transformer (measuring_point, kind, phase, model, serial, primary_value,
                                                    secondary_value, accuracy_class, valid)
                SELECT p.id, 'MTP', phase, 'x', phase, 20, 5, '0.5S', '[2020-01-01,)'
                FROM measuring_point p, unnest(ARRAY['L1', 'L2', 'L3']) phase WHERE p.name = 'P1'
            """)
        )
        connection.execute(
            text("""INSERT INTO check_channel (channel, check_channel, valid)
                    VALUES (:channel, :check, tstzrange(:since, NULL))"""),
            {"channel": channel, "check": check, "since": NEXT.start},
        )
        wrong = [100] * 96
        Evidence(connection).batch(
            *(GivenBlock(register, day.start, values) for day in (DAY, NEXT)),
            *(GivenBlock(second, day.start, wrong) for day in (DAY, NEXT)),
        )
    make_profiles(engine, CLOCK)
    assert open_findings(engine, "physical_maximum") == [
        ("physical_maximum", channel, DAY.date),
        ("physical_maximum", channel, NEXT.date),
    ]
    assert open_findings(engine, "check_meter") == [("check_meter", channel, NEXT.date)]
    with engine.connect() as connection:
        (span,) = connection.execute(
            text("SELECT first_index, last_index FROM finding WHERE rule = 'physical_maximum' AND day = :day"),
            {"day": DAY.date},
        ).all()
        main = connection.execute(text("SELECT evidence FROM finding WHERE rule = 'check_meter'")).scalar_one()
    assert tuple(span) == (8, 8)
    assert (main["main"], main["check"]) == (sum(values), 96_000)


def test_whoever_is_killed_in_the_middle_of_the_validation_leaves_the_work(engine: Engine, database_url: str) -> None:
    with transaction(engine) as connection:
        register, channel = make_meter(connection, "E1"), make_channel(connection, "P1")
        map_channel(connection, register, channel, EVER)
        Evidence(connection).batch(GivenBlock(register, DAY.start, [-1, *USUAL[1:]]))
    consolidate_once(engine, CLOCK)
    killed = subprocess.run([sys.executable, "-c", DYING, database_url, CLOCK.now().isoformat()], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert open_findings(engine) == []
    while validate_once(engine, CLOCK, deadline=DEADLINE).worked:
        pass
    assert open_findings(engine) == [("negative", channel, DAY.date)]
