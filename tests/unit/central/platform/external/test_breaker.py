"""The circuit breaker of external sources."""

from datetime import UTC, datetime, timedelta

import pytest

from central.platform.external.breaker import MOST_FAILURES, PAUSE, TRANSITIONS, Breaker, Event, State

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def failed(times: int, at: datetime = NOW) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker = breaker.failed(at)
    return breaker


def test_it_opens_at_the_limit_of_failures_in_a_row() -> None:
    assert failed(MOST_FAILURES - 1) == Breaker(State.CLOSED, MOST_FAILURES - 1, None)
    assert failed(MOST_FAILURES) == Breaker(State.OPEN, MOST_FAILURES, NOW)
    assert failed(MOST_FAILURES - 1).succeeded() == Breaker()


def test_it_lets_one_run_through_after_the_pause() -> None:
    opened = failed(MOST_FAILURES)
    assert opened.reopens_at() == NOW + PAUSE
    assert not opened.admits(NOW + PAUSE - timedelta(seconds=1))
    assert opened.admits(NOW + PAUSE)
    tried = opened.look(NOW + PAUSE)
    assert tried.state is State.HALF_OPEN
    assert tried.succeeded() == Breaker()
    again = tried.failed(NOW + PAUSE)
    assert (again.state, again.opened_at) == (State.OPEN, NOW + PAUSE)


def test_a_clock_that_was_set_back_ends_the_pause() -> None:
    assert failed(MOST_FAILURES).admits(NOW - timedelta(seconds=1))


def test_what_is_not_in_the_table_cannot_happen() -> None:
    assert set(TRANSITIONS) == set(State)
    with pytest.raises(KeyError):
        failed(MOST_FAILURES).succeeded()
    with pytest.raises(KeyError):
        failed(MOST_FAILURES).failed(NOW)
    assert Event.PAUSE_OVER not in TRANSITIONS[State.CLOSED]
