"""Who may order what and when; when a clock may be set."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control.clock_policy import MARGIN, QUARTER, NeedsOrder, SetNow, WaitUntil, judge_clock
from edge.control.judge import RefusedError, authentic, require_in_time
from shared.control.messages import Disconnect
from tests.unit.edge.control_examples import FORGER, MARCH_MS, PUBLIC, command

WORK = Disconnect(device="LU-1")


@pytest.mark.parametrize(
    ("message", "identifier", "reason"),
    [
        (b"", "", "no signed message"),
        (command(WORK)[:-1], "", "no signed message"),
        (command(WORK, private=FORGER), "", "is trusted here"),
        (command(WORK, edge="CONC-2"), "c-1", "is for CONC-2; this concentrator is CONC-1"),
        (command(WORK, lives_s=0), "c-1", "expires before it was issued"),
        (command(WORK, identifier=""), "", "has no id"),
    ],
)
def test_what_is_not_centrals_order_for_us_is_refused(message: bytes, identifier: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as caught:
        authentic(message, PUBLIC, "CONC-1")
    assert caught.value.id == identifier


@pytest.mark.parametrize(
    ("now_s", "reason"),
    [
        (0, None),
        (299, None),
        (300, "expired 0 s ago"),
        (900, "expired 600 s ago"),
        (-900, None),
        (-901, "901 s in"),
    ],
)
def test_an_order_holds_from_a_little_before_its_issue_until_its_expiry(now_s: int, reason: str | None) -> None:
    order = authentic(command(WORK), PUBLIC, "CONC-1")
    if reason is None:
        require_in_time(order, MARCH_MS + now_s * 1000)
    else:
        with pytest.raises(RefusedError, match=reason):
            require_in_time(order, MARCH_MS + now_s * 1000)


def at(minute: int, second: float = 0.0) -> datetime:
    return datetime(2026, 3, 1, 10, minute, tzinfo=UTC) + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("meter", "right", "verdict"),
    [
        (at(7), at(7, 3), SetNow(timedelta(seconds=-3))),
        (at(8, 30), at(7), SetNow(timedelta(seconds=90))),
        (at(14, 59), at(15, 2), WaitUntil(at(15, 8))),  # the meter is late: it must come over the boundary by itself
        (at(15, 2), at(14, 59), WaitUntil(at(15, 5))),  # it is early: wait until the right time is over it as well
        (at(15, 2), at(15, 3), WaitUntil(at(15, 6))),
        (at(14, 56), at(14, 50), WaitUntil(at(15, 5))),
        (at(14), at(29, 50), NeedsOrder(timedelta(seconds=-950))),
        (at(1), at(59), NeedsOrder(timedelta(minutes=-58))),
    ],
)
def test_a_clock_is_set_where_no_boundary_is_stepped_over(
    meter: datetime, right: datetime, verdict: SetNow | WaitUntil | NeedsOrder
) -> None:
    assert judge_clock(meter, right, over_boundary=False) == verdict


def test_an_explicit_order_counts_the_boundaries() -> None:
    assert judge_clock(at(1), at(59), over_boundary=True) == SetNow(timedelta(minutes=-58), 3)
    assert judge_clock(at(7), at(8), over_boundary=True) == SetNow(timedelta(minutes=-1), 0)


@given(drift=st.integers(-1_200_000, 1_200_000), right=st.integers(0, 10_000_000))
def test_whoever_waits_may_set_it_then_and_nobody_steps_over(drift: int, right: int) -> None:
    now = at(0) + timedelta(milliseconds=right)
    meter = now + timedelta(milliseconds=drift)
    verdict = judge_clock(meter, now, over_boundary=False)
    match verdict:
        case NeedsOrder():
            assert abs(meter - now) + 2 * MARGIN >= QUARTER
        case WaitUntil(then):
            assert now < then <= now + QUARTER + 2 * MARGIN
            verdict = judge_clock(meter + (then - now), then, over_boundary=False)
            assert isinstance(verdict, SetNow)
        case SetNow(crosses=crosses):
            assert crosses == 0
            assert (meter.timestamp() // 900) == (now.timestamp() // 900)
