"""Dead meters cost little, however many they are; noise does not make dead meters of good ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bus.health import FIRST_S, MOST_S, SHARE, Probation


def ask_for(probation: Probation, devices: dict[str, float], seconds: float) -> tuple[float, dict[str, int]]:
    """All `devices` (by what each costs) fail whenever they may be asked, one after another, for `seconds` from the
    first failure on; gives the time they took after their first failures, and how often each was asked.
    """
    now, spent, asked = 0.0, 0.0, dict.fromkeys(devices, 0)
    for device, cost in devices.items():
        now += cost
        probation.failed(device, now, cost)
    begun = now
    while now < begun + seconds:
        device = probation.choose(devices, now)
        if device is None:
            at = probation.next_at(devices)
            assert at is not None
            assert at > now, "waiting would never end"
            now = at
            continue
        asked[device] += 1
        now += devices[device]
        spent += devices[device]
        probation.failed(device, now, devices[device])
    return spent, asked


def test_one_dead_meter_from_its_first_failure_on() -> None:
    probation = Probation()
    probation.failed("a", 1.5, 1.5)
    assert probation.next_at(["a"]) == pytest.approx(1.5 / SHARE), "the first failure counts as well"
    assert probation.choose(["a"], 1.5 / SHARE - 0.01) is None
    assert probation.choose(["a"], 1.5 / SHARE) == "a"


@given(
    st.lists(st.floats(0.05, 6.0), min_size=1, max_size=40),
    st.floats(600, 7200),
)
def test_many_dead_meters_together_stay_below_their_share(costs: list[float], seconds: float) -> None:
    devices = {f"m{n}": cost for n, cost in enumerate(costs)}
    spent, _ = ask_for(Probation(), devices, seconds)
    assert spent <= 0.05 * seconds + max(costs), "the last one may have begun just before the end"


def test_nobody_is_forgotten() -> None:
    devices = {f"m{n}": 1.5 for n in range(20)}
    _, asked = ask_for(Probation(), devices, 20 * 1.5 / SHARE * 4)
    assert set(asked.values()) <= {3, 4, 5}


def test_a_meter_rests_longer_each_time() -> None:
    probation, now, rests = Probation(), 0.0, []
    for _ in range(12):
        probation.failed("a", now, 0.001)
        rests.append(probation.health("a").retry_at - now)
        now = probation.health("a").retry_at
    assert rests[:4] == [2.0, 4.0, 8.0, 16.0]
    assert rests[-1] == MOST_S
    assert probation.health("a").failures == 12


def test_who_answered_before_is_asked_once_more_soon() -> None:
    probation = Probation()
    probation.failed("dead", 0.0, 10.0)
    probation.succeeded("good")
    probation.failed("good", 100.0, 1.0)
    assert probation.choose(["dead", "good"], 100.0 + FIRST_S) == "good", "the dead one's debt is not its own"
    probation.failed("good", 103.0, 1.0)
    assert probation.choose(["good"], 110.0) is None, "twice in a row is no noise"
    assert probation.next_at(["good"]) == pytest.approx(250.0 + 2.0 / SHARE), "and both failures are to be paid"


def test_one_at_a_time() -> None:
    probation = Probation()
    for device in "ab":
        probation.failed(device, 0.0, 0.0)
    assert probation.choose("ab", 10.0) == "a"
    assert probation.choose("ab", 10.0) is None
    assert probation.next_at("ab") is None
    probation.withdrawn("a")
    assert probation.choose("ab", 10.0) == "a"
    probation.succeeded("a")
    assert not probation.is_failing("a")
    assert probation.choose("b", 10.0) == "b"


def test_a_rest_that_was_demanded_is_no_failure() -> None:
    probation = Probation()
    probation.succeeded("a")
    probation.must_rest("a", 5.0)
    assert probation.health("a").failures == 0
    assert probation.choose("a", 4.9) is None
    assert probation.choose("a", 5.0) == "a"
