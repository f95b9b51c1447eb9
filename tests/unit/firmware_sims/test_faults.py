"""Faults between meters and line: seeded, counted, one octet at a time where checksums must notice."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sims.faults import FaultLayer, LineFaults, Outage, Restart, Spoilt
from shared.testing import ManualClock

NOON = datetime(2026, 3, 10, 11, 0, tzinfo=UTC)
ANSWER = bytes(range(40))


def layer(faults: LineFaults, clock: ManualClock | None = None, forgets: list[str] | None = None) -> FaultLayer:
    """Of the meters "0", "1" ..., named by the first octet of what they say."""
    forgets = [] if forgets is None else forgets
    restart = {str(n): lambda n=n: forgets.append(str(n)) for n in range(3)}
    return FaultLayer(faults, lambda answer: str(answer[0]), restart, (clock or ManualClock(NOON)).now)


def test_without_faults_nothing_changes() -> None:
    faults = layer(LineFaults())
    assert faults.spoil(ANSWER) == Spoilt(ANSWER)
    assert faults.counts.answers == 1


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (LineFaults(lost=1000), Spoilt(b"")),
        (LineFaults(late=1000, late_ms=700), Spoilt(b"", later=((0.7, ANSWER),))),
        (LineFaults(doubled=1000), Spoilt(ANSWER, later=((0.0, ANSWER),))),
        (LineFaults(slow=1000, slow_ms=300), Spoilt(ANSWER, 0.3)),
    ],
)
def test_when_an_answer_comes(faults: LineFaults, expected: Spoilt) -> None:
    assert layer(faults).spoil(ANSWER) == expected


@given(st.integers(0, 2**32), st.binary(min_size=2, max_size=300))
def test_what_an_answer_becomes(seed: int, answer: bytes) -> None:
    before = layer(LineFaults(seed=seed, noise_before=1000)).spoil(answer).octets
    assert before.endswith(answer)
    assert len(answer) < len(before) <= len(answer) + 6
    after = layer(LineFaults(seed=seed, noise_after=1000)).spoil(answer).octets
    assert after.startswith(answer)
    assert len(answer) < len(after)
    inside = layer(LineFaults(seed=seed, noise_inside=1000)).spoil(answer).octets
    assert sum(a != b for a, b in zip(answer, inside, strict=True)) == 1
    cut = layer(LineFaults(seed=seed, truncated=1000)).spoil(answer).octets
    assert answer.startswith(cut)
    assert 0 < len(cut) < len(answer)


def test_the_same_seed_gives_the_same_faults_in_the_share_asked_for() -> None:
    faults = LineFaults(seed=7, noise_inside=100, truncated=50, doubled=200, late=30)
    first, second = layer(faults), layer(faults)
    assert [first.spoil(ANSWER) for _ in range(2000)] == [second.spoil(ANSWER) for _ in range(2000)]
    other = layer(LineFaults(seed=8, noise_inside=100, truncated=50, doubled=200, late=30))
    assert [other.spoil(ANSWER) for _ in range(50)] != [second.spoil(ANSWER) for _ in range(50)]
    counts = first.counts
    assert (counts.answers, first.counts.lost) == (2000, 0)
    for number, share in ((counts.noise_inside, 100), (counts.truncated, 50), (counts.doubled, 200), (counts.late, 30)):
        assert number == pytest.approx(2000 * share / 1000, rel=0.35)


def test_a_dead_meter_says_nothing_and_comes_back_with_nothing_in_mind() -> None:
    clock, forgets = ManualClock(NOON), list[str]()
    hour = timedelta(hours=1)
    faults = layer(LineFaults(dead=(Outage("1", NOON + hour, NOON + 2 * hour), Outage("2"))), clock, forgets)
    one, two = b"\x01one", b"\x02two"
    assert faults.spoil(one).octets == one
    assert faults.spoil(two).octets == b""
    clock.set(NOON + hour)
    faults.look()
    assert faults.spoil(one).octets == b""
    forgets.clear()
    clock.set(NOON + 2 * hour)
    faults.look()
    assert forgets == ["1"]
    assert faults.spoil(one).octets == one
    assert faults.spoil(two).octets == b""
    assert (faults.counts.dead, faults.counts.restarts) == (3, 1)


def test_a_restart_happens_once() -> None:
    clock, forgets = ManualClock(NOON), list[str]()
    faults = layer(LineFaults(restarts=(Restart("0", NOON + timedelta(seconds=5)),)), clock, forgets)
    for seconds in (0, 4, 6, 7):
        clock.set(NOON + timedelta(seconds=seconds))
        faults.look()
    assert forgets == ["0"]
    assert faults.counts.restarts == 1
