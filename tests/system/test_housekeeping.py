"""Housekeeping on the real database: a dry run, what goes, what stays under a bill or undone, the edition."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.workflow.housekeeping import keep, service
from central.workflow.housekeeping.edition import read_edition, switch_on
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from shared.testing import ManualClock

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MONTHS = [datetime(2026, month, 12, tzinfo=UTC) for month in (1, 3, 5, 11)]
YEARS = 10

_EVENT = text("""
    INSERT INTO edge_event (at, edge, device, kind, data, received_at) VALUES (:at, 'K1', '', 'e', '{}', :at)
""")
_PARTY = text("""
    INSERT INTO party (code, name, roles, street, city, postal_code)
    VALUES ('LDS', 'LDS', '{operator}', 's', 'c', '51741')
""")
_POINT = text("""
    INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, voltage_level, operator)
    SELECT '859182400941700019', 'n', 'o', 's', 'c', '51741', 'electricity', 'VN', id FROM party
""")
_CONTRACT = text("""
    INSERT INTO contract (number, kind, customer, payer, valid)
    SELECT 'S-1', 'distribution', id, id, '[2026-01-01,)' FROM party
""")
_ITEM = text("""
    INSERT INTO contract_item (contract, supply_point, prices, valid)
    SELECT c.id, s.id, 'CEZ', '[2026-01-01,)' FROM contract c, supply_point s
""")
_RUN = text("""
    INSERT INTO settlement_run
        (number, period, statement, scope, state, packages, digest, made_at, made_by, approved_at, approved_by)
    VALUES ('2026-03/1', '[2026-03-01,2026-04-01)', 'regular', '{}', 'approved', '[]', 'd', :at, 'x', :at, 'x')
""")
_INPUT = text("""
    INSERT INTO settlement_input (run, supply_point, contract_item, statement_type, valid, approved, package, facts,
                                  digest, quantities, profiles, readings, information, findings)
    SELECT r.id, s.id, i.id, 0, tstzrange('2026-02-28 23:00+00', '2026-03-31 22:00+00'), true, 'p', '{}', 'd',
           '{}', '[]', '[]', '[]', '[]'
    FROM settlement_run r, supply_point s, contract_item i
""")
_MAY_UNDONE = text("UPDATE batch SET consolidated_at = NULL WHERE first_start BETWEEN '2026-05-01' AND '2026-06-01'")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url, pool_size=3)
    yield made
    made.dispose()


def filled(engine: Engine) -> None:
    """A consolidated day, a state and an event in January, March, May and November 2026."""
    with transaction(engine) as connection:
        register = make_meter(connection, "M1")
        map_channel(connection, register, make_channel(connection, "P1"), "[2025-01-01 00:00+00,)")
        state = make_meter(connection, "M2", kind="state")
        evidence = Evidence(connection)
        for start in MONTHS:
            evidence.batch(GivenBlock(register, MeteringDay(Commodity.ELECTRICITY, start.date()).start, [5] * 96))
            evidence.state(state, start, 100)
            connection.execute(_EVENT, {"at": start})
    work_off(engine)


def work_off(engine: Engine) -> None:
    """Consolidation until nothing is left to do; the validation's work counts as done."""
    while consolidate_once(engine, ManualClock(NOW)).worked:
        pass
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM vee_work"))


def pin(engine: Engine, approved_at: datetime) -> None:
    """An approved run that stands on March 2026."""
    with transaction(engine) as connection:
        for statement in (_PARTY, _POINT, _CONTRACT, _ITEM):
            connection.execute(statement)
        connection.execute(_RUN, {"at": approved_at})
        connection.execute(_INPUT)


def months(engine: Engine, table: str, column: str) -> list[int]:
    with engine.connect() as connection:
        query = text(f"SELECT DISTINCT extract(month FROM {column})::integer FROM {table} ORDER BY 1")
        return list(connection.execute(query).scalars())


def test_old_data_go_by_rule_and_what_bills_stand_on_stays(engine: Engine) -> None:
    filled(engine)
    pin(engine, NOW - timedelta(days=200))
    with transaction(engine) as connection:
        assert keep.plan(connection, NOW, YEARS) == []  # nothing is decided: everything is kept
        for target in keep.TARGETS:
            keep.set_rule(connection, target, 100, "Anna", "disk is full", NOW)
    with engine.connect() as connection:
        planned = keep.plan(connection, NOW, YEARS)
    assert months(engine, "block", "start") == [1, 3, 5, 11]
    with transaction(engine) as connection:
        assert keep.run(connection, NOW, YEARS, "Anna") == planned
    assert months(engine, "block", "start") == [3, 11]
    assert months(engine, "register_reading", "at") == [3, 11]
    assert months(engine, "day_profile", "day") == [3, 11]
    assert months(engine, "edge_event", "at") == [11]  # no bill stands on an event
    assert {verdict.piece.target for verdict in planned if not verdict.drop} == set(keep.TARGETS) - {"edge_event"}
    with transaction(engine) as connection:
        again = keep.run(connection, NOW, YEARS, "Anna")
        acts = connection.execute(text("SELECT count(*) FROM audit WHERE act = 'housekeeping.drop'")).scalar_one()
    assert [verdict for verdict in again if verdict.drop] == []
    assert acts == sum(verdict.drop for verdict in planned)


def test_pins_end_with_the_retention_of_invoices_and_undone_batches_hold(engine: Engine) -> None:
    filled(engine)
    pin(engine, NOW - timedelta(days=11 * 366))
    with transaction(engine) as connection:
        keep.set_rule(connection, "block", 100, "Anna", "disk is full", NOW)
        connection.execute(_MAY_UNDONE)
    with transaction(engine) as connection:
        keep.run(connection, NOW, YEARS, "Anna")
    assert months(engine, "block", "start") == [5, 11]
    work_off(engine)
    clock, stop = ManualClock(NOW), threading.Event()
    stop.wait = lambda _=None: stop.set() or True  # type: ignore[method-assign,assignment,func-returns-value]
    service.run(engine, clock, Settings(), stop)
    assert months(engine, "block", "start") == [11]


def test_the_edition_is_what_the_server_says(engine: Engine) -> None:
    with transaction(engine) as connection:
        edition = read_edition(connection)
        told = connection.execute(text("SHOW timescaledb.license")).scalar_one()
        assert edition.license == told
        assert edition.version >= (2, 0)
        assert edition.community == (told == "timescale" and edition.version >= (2, 20))
        switched = switch_on(connection, "Anna", NOW)
        assert (switched == []) == (not edition.community)
        assert read_edition(connection).columnstore == frozenset(switched)
