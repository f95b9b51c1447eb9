"""What may be dropped: rules by table, what bills stand on, what is not worked off; editions of TimescaleDB."""

import threading
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from central.network.topology_api import OUTAGE_CHANGED
from central.platform import hooks
from central.platform.settings import Settings
from central.workflow.housekeeping import service
from central.workflow.housekeeping.edition import SEGMENTS, Edition, statements
from central.workflow.housekeeping.plan import Held, Piece, judge
from central.workflow.housekeeping.service import due, look_due
from shared.testing import ManualClock

NOW = datetime(2026, 11, 25, tzinfo=UTC)
START = datetime(2026, 3, 5, tzinfo=UTC)
WEEK = timedelta(days=7)
OLD = Piece("block", "chunk_1", START, START + WEEK)
NOTHING = Held([], None, mappings_undone=False)
MARCH = (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("keep_days", "held", "outcome"),
    [
        ({"block": 200}, NOTHING, [(True, "older than 200 days")]),
        ({"block": 300}, NOTHING, []),
        ({"block": None}, NOTHING, []),
        ({}, NOTHING, []),
        ({"register_reading": 100}, NOTHING, []),
        ({"block": 200}, Held([MARCH], None, mappings_undone=False), [(False, "approved settlement run")]),
        ({"block": 200}, Held([(MARCH[1], NOW)], None, mappings_undone=False), [(True, "older")]),
        ({"block": 200}, Held([], START + timedelta(days=6), mappings_undone=False), [(False, "not done yet")]),
        ({"block": 200}, Held([], START + 3 * WEEK, mappings_undone=False), [(True, "older")]),
        ({"block": 200}, Held([], None, mappings_undone=True), [(False, "mappings")]),
    ],
)
def test_what_goes_and_what_stays(
    keep_days: dict[str, int | None], held: Held, outcome: list[tuple[bool, str]]
) -> None:
    verdicts = judge([OLD], keep_days, held, NOW)
    assert [verdict.drop for verdict in verdicts] == [drop for drop, _ in outcome]
    assert all(words in verdict.why for verdict, (_, words) in zip(verdicts, outcome, strict=True))


@pytest.mark.parametrize(("days_after", "drop"), [(0, False), (0.5, False), (1.5, True)])
def test_a_day_beside_what_was_settled_stays_too(days_after: float, drop: bool) -> None:
    """States are read soon after the end of a month, and days of gas begin at six."""
    start = MARCH[1] + timedelta(days=days_after)
    (verdict,) = judge([Piece("block", "c", start, start + WEEK)], {"block": 62}, Held([MARCH], None, False), NOW)
    assert verdict.drop is drop


def test_events_go_by_age_alone() -> None:
    piece = Piece("edge_event", "", START, START + WEEK)
    (verdict,) = judge([piece], {"edge_event": 62}, Held([MARCH], START, mappings_undone=True), NOW)
    assert verdict.drop


@pytest.mark.parametrize(
    ("edition", "tables"),
    [
        (Edition("apache", (2, 19, 3), False, frozenset()), set()),
        (Edition("apache", (2, 29, 2), True, frozenset()), set()),
        (Edition("timescale", (2, 19, 3), True, frozenset()), set()),
        (Edition("", (), False, frozenset()), set()),
        (Edition("timescale", (2, 29, 2), True, frozenset()), set(SEGMENTS)),
        (Edition("timescale", (2, 29, 2), True, frozenset({"block"})), set(SEGMENTS) - {"block"}),
    ],
)
def test_the_columnstore_is_switched_on_where_it_is_and_not_used_yet(edition: Edition, tables: set[str]) -> None:
    wanted = dict(statements(edition))
    assert set(wanted) == tables
    for table, given in wanted.items():
        assert given[0].startswith(f"ALTER TABLE {table} SET (timescaledb.enable_columnstore = true")
        assert given[1].startswith(f"CALL add_columnstore_policy('{table}', after => INTERVAL '62 days'")


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-03-29T00:59:00+00:00", "2026-03-28"),  # 01:59 local, before the hour
        ("2026-03-29T01:00:00+00:00", "2026-03-29"),  # 03:00 local: the clocks jump over two
        ("2026-03-29T23:00:00+00:00", "2026-03-29"),  # 01:00 of the next day
    ],
)
def test_the_day_whose_housekeeping_is_due(now: str, day: str) -> None:
    assert due(datetime.fromisoformat(now), time(3, 0)).isoformat() == day


@pytest.mark.parametrize(
    ("ago", "due"),
    [
        (None, True),
        (timedelta(0), False),
        (timedelta(seconds=299), False),
        (timedelta(minutes=5), True),
        (timedelta(hours=-1), True),
    ],
)
def test_cases_are_looked_for_every_few_minutes_also_when_the_clock_was_set_back(
    ago: timedelta | None, due: bool
) -> None:
    now = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
    assert look_due(None if ago is None else now - ago, now, timedelta(minutes=5)) is due


class OneRound(threading.Event):
    """Stops the service after its first round."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_housekeeping_that_has_to_wait_does_not_keep_the_service_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("LOCK", {}, Exception("lock timeout"))

    looked: list[object] = []
    monkeypatch.setattr(service, "keep_house", locked)
    monkeypatch.setattr(service, "look_at_cases", lambda *given: looked.append(given))
    service.run(create_engine("postgresql+psycopg://nowhere"), ManualClock(NOW), Settings(), OneRound())
    assert len(looked) == 1


def test_the_service_asks_and_tells_the_other_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank statement that it picks up must reach the advances, values that it stores ask what they would touch."""
    fresh = hooks.Hooks()
    monkeypatch.setattr(hooks, "HOOKS", fresh)
    monkeypatch.setattr(service.signal, "signal", lambda *_: None)
    known: list[hooks.Hooks] = []
    monkeypatch.setattr(service, "run", lambda *_: known.append(fresh))
    started = threading.Thread(target=int)
    started.start()
    monkeypatch.setattr(service.external_worker, "start", lambda *_: started)
    service.main(Settings(database_url="postgresql:///nowhere"))
    assert known == [fresh]
    assert {"invoicing", "readings", "settlement"} <= set(fresh._affected)
    assert fresh._listeners.keys() >= {"payment.allocated", OUTAGE_CHANGED}
