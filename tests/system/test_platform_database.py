"""The migrated database against the tables in the code, and what the platform keeps in it."""

from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from central.checks.results import find_results
from central.platform import audit
from central.platform.database import make_engine, metadata, sqlalchemy_url, transaction
from central.platform.identity import SYSTEM
from central.platform.incarnation import current_incarnation, new_incarnation
from central.platform.migrations import configuration, upgrade
from central.platform.tables import audit as audit_table
from central.platform.tables import incarnation
from deploy.stack.local import LocalStack

ROOMS = (
    "platform",
    "registry",
    "network",
    "ingest",
    "readings",
    "tariffs",
    "settlement",
    "checks",
    "invoicing",
    "market",
    "documents",
    "workflow",
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def load_tables() -> None:
    for room in ROOMS:
        if find_spec(f"central.{room}") and find_spec(f"central.{room}.tables"):
            import_module(f"central.{room}.tables")


def test_the_tables_in_the_code_are_those_in_the_database(database_url: str) -> None:
    load_tables()
    with make_engine(database_url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
        checks = {
            (table, name)
            for table, name in connection.execute(
                text("""
                    SELECT r.relname, c.conname FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
                    WHERE r.relnamespace = 'public'::regnamespace AND c.contype IN ('c', 'x')
                """)
            )
        }
    assert differences == []
    # alembic does not compare check and exclusion constraints: compare their names.
    declared = {
        (table.name, str(constraint.name))
        for table in metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ in ("CheckConstraint", "ExcludeConstraint")
    }
    assert {name for name in declared if name not in checks} == set()


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    upgrade(empty_database_url)
    with make_engine(empty_database_url).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
        license_ = connection.execute(text("SHOW timescaledb.license")).scalar_one()
    assert license_ in ("apache", "timescale")


def test_every_revision_can_be_taken_back(database_url: str) -> None:
    """Down to the first one and up again: the same tables."""

    def found() -> dict[str, list[str]]:
        with engine.connect() as connection:
            columns = connection.execute(
                text("""
                    SELECT table_name, column_name FROM information_schema.columns
                     WHERE table_schema = 'public' ORDER BY 1, 2
                """)
            )
            tables: dict[str, list[str]] = {}
            for table, column in columns:
                tables.setdefault(table, []).append(column)
            return tables

    engine = make_engine(database_url)
    before = found()
    config = configuration()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        connection.commit()
    assert set(found()) < set(before)
    upgrade(database_url)
    assert found() == before
    engine.dispose()


def test_sessions_run_in_utc(database_url: str) -> None:
    with make_engine(database_url).connect() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"


def test_an_act_is_recorded_with_its_transaction_and_cannot_be_changed(database_url: str) -> None:
    engine = make_engine(database_url)
    with pytest.raises(RuntimeError), transaction(engine) as connection:
        audit.record(connection, SYSTEM, "thing.create", "thing/1", {"a": 1}, NOW)
        raise RuntimeError
    with transaction(engine) as connection:
        audit.record(connection, "Anna", "thing.create", "thing/2", None, NOW)
    with engine.connect() as connection:
        rows = connection.execute(select(audit_table.c.person, audit_table.c.subject)).all()
    assert [tuple(row) for row in rows] == [("Anna", "thing/2")]
    for statement in ("UPDATE audit SET person = 'Bob'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(DBAPIError, match="append-only"), transaction(engine) as connection:
            connection.execute(text(statement))


def test_an_act_without_an_instant_is_a_fault_of_the_caller(database_url: str) -> None:
    with transaction(make_engine(database_url)) as connection, pytest.raises(ValueError, match="aware"):
        audit.record(connection, SYSTEM, "thing.create", "thing/1", None, datetime(2026, 3, 1))  # noqa: DTZ001 - the fault itself


def test_the_incarnation_stays_until_the_cluster_differs_or_the_operator_says_so(database_url: str) -> None:
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        first = current_incarnation(connection, NOW)
    with transaction(engine) as connection:
        assert current_incarnation(connection, NOW) == first
        said = new_incarnation(connection, NOW, "restored by hand")
        assert said != first
        assert current_incarnation(connection, NOW) == said
    for change in ("timeline = timeline + 1", "system_identifier = '1'", "database_oid = 1"):
        with transaction(engine) as connection:
            before = current_incarnation(connection, NOW)
            connection.execute(text(f"UPDATE incarnation SET {change}"))
            assert current_incarnation(connection, NOW) != before
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(incarnation)).scalar_one() == 5


def test_a_copy_of_the_database_is_another_incarnation(stack: LocalStack, database_url: str) -> None:
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        original = current_incarnation(connection, NOW)
    engine.dispose()
    name = database_url.rsplit("/", 1)[1]
    copy_url = stack.create_database(f"{name}_copy", template=name)
    copy = create_engine(sqlalchemy_url(copy_url))
    try:
        with copy.begin() as connection:
            assert current_incarnation(connection, NOW) != original
    finally:
        copy.dispose()
        stack.drop_database(f"{name}_copy")


def test_what_checks_had_found_is_told_in_its_words_after_the_change_to_blocks(empty_database_url: str) -> None:
    upgrade(empty_database_url, "0054")
    engine = make_engine(empty_database_url)
    with transaction(engine) as connection:
        # the bases themselves do not matter here
        connection.execute(text("ALTER TABLE check_result DROP CONSTRAINT check_result_basis_fkey"))
        connection.execute(text("ALTER TABLE basis_verdict DROP CONSTRAINT basis_verdict_basis_fkey"))
        connection.execute(
            text("""
            INSERT INTO check_definition
            VALUES (6, 'standard', 'a', 'b', 'c', true, '{regular}', '{regular}', 'errors'),
                   (9, 'standard', 'a', 'b', 'c', true, '{regular}', '{regular}', 'all');
            INSERT INTO check_run (kind, scope, made_at, made_by, bases, results)
            SELECT 'manual', '{}', now(), 'Anna', 2, '{}' FROM generate_series(1, 2);
            INSERT INTO check_result
            VALUES (1, 6, 11, 5, 'cena {0}', 'price {0}', true), (1, 6, 12, 2, 'ano', 'yes', false),
                   (2, 6, 11, 2, 'ano', 'yes', false), (2, 9, 12, 3, 'pozor', 'mind', true);
            INSERT INTO basis_verdict VALUES (11, 2, 2, 'ano', 'yes'), (12, 2, 3, 'pozor', 'mind');
        """)
        )
    upgrade(empty_database_url)
    with transaction(engine) as connection:
        told = [
            (each.check, each.finding.subject, each.finding.result.key, each.finding.text.en)
            for run in (1, 2)
            for each in find_results(connection, run, None, None, 0, 10)
        ]
        shown = connection.execute(text("SELECT basis, result, results FROM basis_verdict ORDER BY basis")).all()
    engine.dispose()
    assert told == [
        (6, 11, "error", "price {0}"),
        (6, 12, "ok", "yes"),
        (6, 11, "ok", "yes"),
        (9, 12, "warning", "mind"),
    ]
    assert [tuple(row) for row in shown] == [(11, 2, b"\x02\x00"), (12, 3, b"\x02\x03")]


def test_conversations_that_a_rejection_had_led_back_go_on(empty_database_url: str) -> None:
    upgrade(empty_database_url, "0066")
    engine = make_engine(empty_database_url)
    with transaction(engine) as connection:
        connection.execute(
            text("""
            -- decided and rejected (1, 2), mended and accepted meanwhile (3), decided by nobody yet (4)
            INSERT INTO market_process (scenario, reference, subject_kind, subject, state, data, opened_at, opened_by)
            SELECT scenario, 'R-' || scenario || place, 'supply_point', 'X', state, '{}', now(), 'test'
              FROM (VALUES (1, 'supplier_change', 'asked'), (2, 'claim_received', 'received'),
                           (3, 'supplier_change', 'asked'), (4, 'supplier_change', 'asked'))
                   AS given (place, scenario, state) ORDER BY place;
            INSERT INTO market_message (message_id, message_code, format_package, format_digest, sender, receiver,
                   subject_kind, subject, period, version, state, xml, basis, made_at, made_by, process)
            SELECT 'M-' || number, 'XS2', 'p', 'd', 'us', 'them', 'request', 'R', '[2026-03-01,2026-03-02)', number,
                   state, '', '{}', now(), 'test', process
              FROM (VALUES (1, 1, 'rejected'), (2, 2, 'rejected'), (3, 3, 'repaired'), (4, 3, 'accepted'))
                   AS given (number, process, state) ORDER BY number;
            INSERT INTO market_process_event (process, at, person, act, from_state, to_state, why, message)
            SELECT process, now(), 'test', act, before, after, 'x', message
              FROM (VALUES (1, 'consent', 'asked', 'consented', 1), (1, 'rejected', 'consented', 'asked', 1),
                           (1, 'statement', 'asked', 'asked', NULL), (2, 'object', 'received', 'objected', 2),
                           (2, 'rejected', 'objected', 'received', 2), (3, 'object', 'asked', 'objected', 3),
                           (3, 'rejected', 'objected', 'asked', 3), (4, 'open', NULL, 'asked', NULL))
                   AS given (process, act, before, after, message);
        """)
        )
    states = text("SELECT state, closed_at IS NOT NULL FROM market_process ORDER BY id")
    upgrade(empty_database_url, "0069")
    with transaction(engine) as connection:
        after = [tuple(row) for row in connection.execute(states)]
        told = connection.execute(text("SELECT process FROM market_process_event WHERE person = 'system'")).scalars()
        assert sorted(told) == [1, 2, 3]
    assert after == [("consent_rejected", False), ("objection_rejected", False), ("refused", True), ("asked", False)]
    config = configuration()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0066")
        connection.commit()
    with transaction(engine) as connection:
        before = [tuple(row) for row in connection.execute(states)]
    engine.dispose()
    assert before == [("asked", False), ("received", False), ("refused", True), ("asked", False)]
