"""Every act of the registry causes its message, whoever asks for the pass; and when a month is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, insert, text, update

from central.market.contents import read_any
from central.market.states import Act
from central.market.tables import market_month
from central.platform.database import transaction
from central.platform.settings import Settings, TokenSetting
from central.registry.tables import party, supply_point
from deploy import market_command
from tests.system.test_market import SENDER, add_point
from tests.system.test_market_duties import PACKAGE, TOKEN, Desk, desk

__all__ = ["desk"]

SPLIT = """
    UPDATE supply_point SET since = :day WHERE id = :point;
    INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code,
           voltage_level, metering_type, category, operator, supplier, state, planned_mwh)
    SELECT id, commodity,
           daterange((SELECT max(upper(valid)) FROM supply_point_past WHERE supply_point = :point), :day), name, object,
           street, city, postal_code, voltage_level, metering_type, category, operator, supplier, state, planned_mwh
      FROM supply_point WHERE id = :point;
    UPDATE supply_point SET {changes} WHERE id = :point
"""
ITEMS = """
    INSERT INTO contract (number, kind, customer, payer, valid)
    SELECT 'S/' || :point, 'distribution', id, id, '[2025-01-01,)' FROM party WHERE code = 'C1';
    INSERT INTO contract_item (contract, supply_point, prices, rate, breaker_phases, breaker_amps, valid, kind)
    SELECT c.id, :point, 'CEZ', given.rate, 3, given.amps, given.valid, 'distribution' FROM contract c
     CROSS JOIN (VALUES ('C02d', 25, daterange('2025-01-01', :day)), ({after}, daterange(:day, NULL)))
           AS given (rate, amps, valid)
     WHERE c.number = 'S/' || :point
"""
EXCHANGE = """
    INSERT INTO concentrator (id, name, place) VALUES ('K', 'K', 'Brno');
    INSERT INTO meter (id, serial, model, commodity, concentrator)
    SELECT m, m, 'x', 'electricity', 'K' FROM (VALUES ('M1'), ('M2')) AS given (m);
    INSERT INTO channel (supply_point, point, direction, commodity, unit, exponent, kind, step_ms)
    VALUES (:point, 'P', 'JT', 'electricity', 'Wh', 0, 'state', 0);
    INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
    SELECT 'K', m, '1.8.0', 'Wh', 0, 'state', 0 FROM (VALUES ('M1'), ('M2')) AS given (m);
    INSERT INTO channel_mapping (evidence_channel, channel, valid)
    SELECT e.id, c.id, CASE e.device WHEN 'M1' THEN tstzrange('2025-01-01', :day) ELSE tstzrange(:day, NULL) END
      FROM evidence_channel e CROSS JOIN channel c WHERE c.supply_point = :point AND c.kind = 'state'
"""
DAY, BEFORE = date(2026, 3, 12), date(2026, 3, 10)
ACTS: dict[str, list[tuple[str, date]]] = {
    "registration": [("UPDATE supply_point SET since = :day WHERE id = :point", DAY)],
    "suspension": [(SPLIT.format(changes="state = 'suspended'"), DAY)],
    "resumption": [
        (SPLIT.format(changes="state = 'suspended'"), BEFORE),
        (SPLIT.format(changes="state = 'connected'"), DAY),
    ],
    "end": [(SPLIT.format(changes="state = 'ended'"), DAY)],
    "change_of_supplier": [
        (SPLIT.format(changes="supplier = (SELECT id FROM party WHERE code = 'S1')"), DAY),
    ],
    "change": [(SPLIT.format(changes="planned_mwh = 12"), DAY)],
    "change_of_rate": [(ITEMS.format(after="'C25d', 25"), DAY)],
    "change_of_breaker": [(ITEMS.format(after="'C02d', 32"), DAY)],
    "change_of_capacity": [
        (
            "INSERT INTO reserved_capacity (supply_point, kind, kw, valid) "
            "VALUES (:point, 'year', 250, daterange(:day, NULL))",
            DAY,
        )
    ],
    "exchange": [(EXCHANGE, DAY)],
}
ACTIONS = {"registration": "register", "end": "cancel", "suspension": "suspend"}


def do_act(db: Connection, statements: list[tuple[str, date]], point: int) -> None:
    for statement, day in statements:
        for each in statement.split(";\n"):
            given = {"day": day, "point": point}
            db.execute(text(each), {name: value for name, value in given.items() if f":{name}" in each})


def test_every_act_of_the_registry_is_told_by_its_message(desk: Desk) -> None:
    with transaction(desk.engine) as db:
        operator = db.execute(text("SELECT id FROM party WHERE code = 'LDS'")).scalar_one()
        parties = [("C1", "customer", None), ("S1", "supplier", "8591824000106")]
        db.execute(
            insert(party),
            [
                {"code": code, "name": code, "street": "x", "city": "x", "postal_code": "60200", "roles": [role],
                 "ean13": ean}
                for code, role, ean in parties
            ],
        )  # fmt: skip
        eans = {why: add_point(db, operator, 50 + place, "C1", []) for place, why in enumerate(ACTS)}
        db.execute(update(supply_point).where(supply_point.c.ean.in_(eans.values())).values(since=None))
        for why, statements in ACTS.items():
            point = db.execute(text("SELECT id FROM supply_point WHERE ean = :ean"), {"ean": eans[why]}).scalar_one()
            do_act(db, statements, point)
    told = desk.tell()
    duties = {(each["subject"], each["first_day"]): each for each in desk.duties(message_code="111")}
    shown = {why: duties[ean, DAY.isoformat()] for why, ean in eans.items()}
    assert {why: duty["why"] for why, duty in shown.items()} == {why: why for why in ACTS}
    assert {duty["state"] for duty in shown.values()} == {"told"}, told["problems"]
    actions = {why: point_in(desk, eans[why]).action for why in ACTS}
    assert actions == {why: ACTIONS.get(why, "change") for why in ACTS}
    assert point_in(desk, eans["change_of_supplier"]).parties[0].id == "8591824000106"
    assert point_in(desk, eans["change_of_rate"]).consumption.rate == "C25d"
    assert point_in(desk, eans["change_of_breaker"]).consumption.breaker_amps == 32
    assert point_in(desk, eans["change_of_capacity"]).consumption.reserved_year_mw * 1000 == 250
    # and nothing but these: the registrations of the desk and the suspension that was resumed
    assert len(duties) == len(ACTS) + 4
    desk.later()
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is True


def point_in(desk: Desk, ean: str) -> Any:
    with transaction(desk.engine) as db:
        xml = db.execute(
            text("SELECT xml FROM market_message WHERE subject = :ean AND lower(period) = :day"),
            {"ean": ean, "day": DAY},
        ).scalar_one()
        (point,) = read_any(PACKAGE, bytes(xml)).payload.points
    return point


def test_points_that_are_registered_together_are_told_by_one_message(desk: Desk) -> None:
    desk.client.app.state.settings.market_bulk_from = 3  # type: ignore[attr-defined]  # the stubs do not know the app
    assert desk.tell()["problems"] == []
    (duty,) = desk.duties(message_code="194")
    assert (duty["why"], duty["subject"], duty["subject_kind"]) == ("bulk_registration", SENDER, "network")
    assert desk.duties(message_code="111") == []
    with transaction(desk.engine) as db:
        xml = db.execute(text("SELECT xml FROM market_message WHERE message_code = '194'")).scalar_one()
        assert [point.opm for point in read_any(PACKAGE, bytes(xml)).payload.points] == desk.eans
        operator = db.execute(text("SELECT id FROM party WHERE code = 'LDS'")).scalar_one()
        later = add_point(db, operator, 77, "C1", [])
        db.execute(update(supply_point).where(supply_point.c.ean == later).values(since=date(2026, 3, 2)))
    desk.later()
    assert desk.tell()["made"] == 1
    assert [each["subject"] for each in desk.duties(message_code="111")] == [later]
    # one that changes afterwards makes the next version of the whole
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[0]).values(name="Nová hala"))
    desk.later()
    assert (desk.tell()["changed"], desk.code("194")["told"]) == (1, 1)
    desk.answer(Act.ACCEPT)
    assert desk.month()["done"] is True


def test_the_command_tells_what_the_service_would(
    desk: Desk, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(
        database_url=database_url,
        tokens=(TokenSetting(token=SecretStr(TOKEN), name="Jana", rights=frozenset({"read", "market"})),),
    )
    monkeypatch.setattr(market_command, "get_settings", lambda: settings)
    monkeypatch.setattr(market_command, "get_clock", lambda: desk.clock)
    assert market_command.main(["tell"]) == 2
    assert "ROZVODNA_MARKET_SINCE" in capsys.readouterr().err
    with transaction(desk.engine) as db:
        db.execute(update(supply_point).where(supply_point.c.ean == desk.eans[2]).values(metering_type=None))
    assert market_command.main(["tell", "--since", "2026-03-01"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("arose 34, changed 0, waived 0, messages made 33\n")
    assert f"The supply point {desk.eans[2]} has no metering type: fill it in." in shown
    assert market_command.main(["tell", "--since", "2026-03-01"]) == 0
    assert capsys.readouterr().out.startswith("arose 0, changed 0, waived 0, messages made 0\n")
    desk.answer(Act.REJECT)
    desk.later()
    assert market_command.main(["tell", "--since", "2026-03-01", "--again"]) == 0
    assert "messages made 33" in capsys.readouterr().out


KILLED = """
import os, signal, sys
from datetime import date, datetime
from central.market import interval_report, interval_writer
from central.market.messages import create_all
from central.platform.database import make_engine, transaction
from central.workflow.telling import tell as telling
from shared.testing import ManualClock

url, now, after, interval_writer.POOL_FROM = sys.argv[1], *map(int, sys.argv[2:])
made = 0

def create_and_die(connection, drafts, at, person):
    global made
    numbers = create_all(connection, drafts, at, person)
    made += len(numbers)
    if made >= after:
        os.kill(os.getpid(), signal.SIGKILL)
    return numbers

interval_report.create_all = telling.create_all = create_and_die
if __name__ == "__main__":
    with transaction(make_engine(url)) as connection:
        telling.tell(connection, date(2026, 3, 1), ManualClock(datetime.fromtimestamp(now).astimezone()), "test")
"""


@pytest.mark.parametrize(("after", "pool_from"), [(1, 1000), (20, 1000), (34, 1)])
def test_a_pass_that_is_killed_neither_loses_nor_doubles_a_message(
    desk: Desk, database_url: str, tmp_path: Path, after: int, pool_from: int
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    now = int(desk.clock.now().timestamp())
    command = [sys.executable, str(script), database_url, str(now), str(after), str(pool_from)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run(command, check=False, timeout=120, env=environment).returncode == -signal.SIGKILL
    assert desk.duties() == []
    assert desk.tell()["made"] == 34
    assert desk.tell()["made"] == 0
    with transaction(desk.engine) as db:
        counted = db.execute(
            text("SELECT count(*), count(DISTINCT (message_code, subject, period)), max(version) FROM market_message")
        ).one()
    assert tuple(counted) == (34, 34, 1)


def test_a_rejection_of_any_message_leaves_the_month_undone(desk: Desk) -> None:
    """Whatever the code: a month is done when every message that is due is accepted."""
    codes = ("111", "194", "121", "122", "XD1", "127", "277")
    with transaction(desk.engine) as db:
        db.execute(insert(market_month).values(month=date(2026, 3, 1), looked_at=desk.clock.now()))
        for code in codes:
            db.execute(
                text("""
                    INSERT INTO market_duty (message_code, subject_kind, subject, period, month, why, cause, state,
                           arose_at, deadline)
                    VALUES (:code, 'network', 'N', '[2026-03-01,2026-04-01)', '2026-03-01', 'month', '{}', 'open',
                            :at, :at)
                """),
                {"code": code, "at": desk.clock.now()},
            )
    for code in codes:
        for state in ("open", "told"):
            with transaction(desk.engine) as db:
                db.execute(text("UPDATE market_duty SET state = 'done', done_at = :at"), {"at": desk.clock.now()})
                db.execute(
                    text("UPDATE market_duty SET state = :state, done_at = NULL WHERE message_code = :code"),
                    {"state": state, "code": code},
                )
            assert desk.month()["done"] is False, (code, state)
    with transaction(desk.engine) as db:
        db.execute(text("UPDATE market_duty SET state = 'done', done_at = :at"), {"at": desk.clock.now()})
    assert desk.month()["done"] is True
