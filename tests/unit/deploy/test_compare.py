"""The demo's invariants can fail: each fault is counted."""

from deploy.demo.compare import Instant, compare
from shared.wire import MARK_HISTORICAL, MARK_REREAD


def place(at: int) -> Instant:
    return Instant("EM-1", "1-0:1.29.0", "interval", at)


EXPECTED = {place(0): 5, place(1): 6, place(2): 7}


def test_all_there() -> None:
    result = compare(EXPECTED, [(place(n), 5 + n, MARK_HISTORICAL) for n in range(3)])
    assert result.holds
    assert (result.expected, result.stored) == (3, 3)


def test_lost() -> None:
    result = compare(EXPECTED, [(place(0), 5, 0), (place(2), 7, 0)])
    assert (result.lost, result.holds) == (1, False)
    assert "at_ms=1" in result.examples["lost"][0]


def test_doubled_unless_read_again() -> None:
    whole = [(place(n), 5 + n, 0) for n in range(3)]
    assert compare(EXPECTED, [*whole, (place(1), 6, 0)]).duplicated == 1
    assert compare(EXPECTED, [*whole, (place(1), 6, MARK_REREAD)]).holds


def test_mismatched_and_invented() -> None:
    result = compare(EXPECTED, [(place(0), 5, 0), (place(1), 0, 0), (place(2), 7, 0), (place(3), 1, 0)])
    assert (result.mismatched, result.unexpected, result.holds) == (1, 1, False)


def test_what_an_outbox_committed_must_be_in_evidence() -> None:
    whole = [(place(n), 5 + n, 0) for n in range(3)]
    assert compare(EXPECTED, whole, {place(0), place(2)}).holds
    assert compare(EXPECTED, whole, {place(9)}).lost == 1
