"""What the checks read comes ahead by other connections, and what they find is the same as one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from central.checks import bases, reading
from central.checks.bases import Scope
from central.checks.framework import Check
from central.checks.run import CheckRunMade, run_checks
from central.checks.standard import STANDARD
from central.platform import snapshot
from central.platform.database import transaction
from central.platform.snapshot import same_snapshot
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite, settle_march
from tests.system.billing.test_check_framework import Aborting

MARCH = Scope(month=date(2026, 3, 1))
SHOWN = (
    "SELECT check_number, part, about, statement_group, first, last, counts, packed FROM check_block WHERE run = {run}"
    " ORDER BY check_number, part",
    "SELECT check_number, bases, results, parameters, cardinality(texts), failed FROM check_part WHERE run = {run}"
    " ORDER BY check_number",
    "SELECT check_number, result, text_en FROM check_message WHERE run = {run} ORDER BY check_number, text_en",
    "SELECT basis, result, results FROM basis_verdict ORDER BY basis",
    "SELECT * FROM row_verdict ORDER BY calendar_row",
    "SELECT calendar_row, check_number, statement_group, result FROM row_finding ORDER BY calendar_row, check_number",
    "SELECT object, month, result FROM object_verdict ORDER BY object",
    "SELECT contract_item, tariff_change, tariff_change_since, received_rate FROM item_tariff_change ORDER BY 1",
)


@pytest.fixture
def month(site: BilledSite, monkeypatch: pytest.MonkeyPatch) -> BilledSite:
    """A month of bases, some of them in error, under all checks, some points at a time."""
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        settle_march(connection, site.clock)
    site.do("""
        INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
        SELECT DISTINCT contract, daterange('2026-03-01', '2026-04-01'), false, true, false FROM billing_basis
    """)
    site.do("INSERT INTO processing_period (month, active, active_for_checks) VALUES ('2026-03-01', true, true)")
    site.do("UPDATE check_definition SET active = true")
    site.do("UPDATE billing_basis SET unit_price = 0 WHERE id = (SELECT max(id) FROM billing_basis)")
    monkeypatch.setattr(bases, "CHUNK", 100)
    monkeypatch.setattr(bases, "_FIRST_POINTS", 1)
    return site


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each run had connections for reading."""
    had: list[bool] = []

    @contextmanager
    def watched(connection: Connection, many: int) -> Iterator[list[Connection]]:
        with same_snapshot(connection, many) as readers:
            had.append(len(readers) == many)
            yield readers

    monkeypatch.setattr(reading, "same_snapshot", watched)
    return had


def run_and_forget(
    site: BilledSite, scope: Scope, *, written: bool, checks: tuple[Check, ...] = STANDARD
) -> tuple[CheckRunMade, list[list[Any]]]:
    """All that a run leaves, and nothing of it stays."""
    with site.engine.connect() as connection, connection.begin() as begun:
        if written:
            connection.execute(text("UPDATE billing_basis SET why = why"))
        made = run_checks(connection, scope, "manual", CLERK, NOW, checks)
        left = [connection.execute(text(each.format(run=made.id))).all() for each in SHOWN]
        begun.rollback()
    return made, [[tuple(row) for row in rows] for rows in left]


def test_a_run_leaves_the_same_whether_it_reads_ahead_or_in_turn(month: BilledSite, seconds: list[bool]) -> None:
    ahead, left_ahead = run_and_forget(month, MARCH, written=False)
    in_turn, left_in_turn = run_and_forget(month, MARCH, written=True)
    assert seconds == [True, False]
    assert ahead.bases == in_turn.bases == month.one("SELECT count(*) FROM billing_basis")
    assert ahead.results == in_turn.results
    assert ahead.results["ok"] > ahead.results["error"] > 0
    for one, other in zip(left_ahead, left_in_turn, strict=True):
        assert one == other
    blocks, _, _, verdicts, rows, *_ = left_ahead
    assert len(verdicts) == ahead.bases
    assert len(rows) > 1
    assert max(block[1] for block in blocks) > 0, "several chunks"
    _, left_at_once = run_and_forget(month, Scope(run=month.one("SELECT max(id) FROM settlement_run")), written=False)
    assert left_at_once[3] == verdicts


def test_a_run_sees_what_its_transaction_has_written(month: BilledSite, seconds: list[bool]) -> None:
    with month.engine.connect() as connection, connection.begin() as begun:
        connection.execute(text("UPDATE billing_basis SET unit_price = 0"))
        made = run_checks(connection, MARCH, "manual", CLERK, NOW)
        assert made.parts[6]["results"]["error"] > 1
        begun.rollback()
    assert seconds == [False]


def test_a_check_that_cannot_read_stops_nobody(month: BilledSite, seconds: list[bool]) -> None:
    others = tuple(each for each in STANDARD if each.definition.number != Aborting.definition.number)
    made, _ = run_and_forget(month, MARCH, written=False, checks=(Aborting(), *others))
    assert seconds == [True]
    assert made.parts[6]["results"]["warning"] == made.bases > 0
    assert "division by zero" in made.parts[6]["failed"]
    assert [number for number, part in made.parts.items() if part["failed"]] == [6]
    assert made.parts[10]["results"]["ok"] == made.bases


def test_other_connections_read_the_same_state_and_write_nothing(
    month: BilledSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = text("SELECT count(*) FROM check_text")
    with month.engine.connect() as connection, connection.begin(), same_snapshot(connection, 2) as readers:
        before = [reader.execute(count).scalar_one() for reader in readers]
        assert len(before) == 2
        month.do("INSERT INTO check_text (cs, en) VALUES ('později', 'later')")
        assert [reader.execute(count).scalar_one() for reader in readers] == before
        assert connection.execute(count).scalar_one() == before[0] + 1
        assert {reader.execute(text("SHOW timezone")).scalar_one() for reader in readers} == {"UTC"}
        assert {reader.execute(text("SHOW transaction_read_only")).scalar_one() for reader in readers} == {"on"}
    with month.engine.connect() as one, one.begin(), one.begin_nested(), same_snapshot(one, 2) as readers:
        assert readers == []

    def refused(*_: object) -> None:
        raise OperationalError("", None, psycopg.OperationalError("sorry, too many clients already"))

    monkeypatch.setattr(snapshot, "_reading", refused)
    with month.engine.connect() as connection, connection.begin(), same_snapshot(connection, 2) as readers:
        assert readers == []
        assert connection.execute(count).scalar_one() == before[0] + 1
