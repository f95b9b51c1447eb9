"""Births' claims, and what central's answer means for the rows to be read."""

from edge.blocks import ms
from edge.uplink.births import CLAIM, claimed
from edge.uplink.welcome import Pages, profile_registers, profiles_since, window
from shared.wire import Evidence
from tests.unit.edge.examples import MARCH, device

HOUR = 3_600_000


def page(n: int, pages: int, registers: list[tuple[str, str, list[int]]], asked: int = 5) -> Evidence:
    return Evidence("one", 1, asked, n, pages, registers)


def test_the_running_epoch_is_claimed_ahead() -> None:
    assert claimed([], 7, 1) == [(7, 1, 1 + CLAIM)]
    assert claimed([(5, 2, 3), (7, 4, 4), (7, 8, 9)], 7, 10) == [(5, 2, 3), (7, 4, 10 + CLAIM)]


def test_what_is_asked_for() -> None:
    devices = [device("EA-1"), device("LU-1"), device("GA-1")]
    assert profiles_since(devices) == ms(MARCH)
    assert profiles_since([device("EA-1")]) == 0
    assert profile_registers(devices) == {
        ("LU-1", "1-0:1.29.0"): 900_000,
        ("LU-1", "1-0:3.29.0"): 900_000,
        ("GA-1", "7-0:13.29.0"): HOUR,
    }


def test_pages_in_any_order_and_a_register_on_two_of_them() -> None:
    pages = Pages()
    assert not pages.take(page(2, 2, [("LU-1", "a", [2 * HOUR, 3 * HOUR])]))
    assert not pages.take(page(2, 2, [("LU-1", "a", [2 * HOUR, 3 * HOUR])])), "another ingest process answered as well"
    assert pages.take(page(1, 2, [("LU-1", "a", [0, HOUR]), ("LU-1", "b", [])]))
    found = pages.evidence({})
    assert {key: sorted(spans) for key, spans in found.items()} == {
        ("LU-1", "a"): [(0, HOUR), (2 * HOUR, 3 * HOUR)],
        ("LU-1", "b"): [],
    }
    assert pages.take(page(1, 1, [])), "the next answer begins anew"


def test_pages_of_another_birth_are_not_mixed_in() -> None:
    pages = Pages()
    assert not pages.take(page(1, 2, []))
    assert not pages.take(page(2, 2, [], asked=6))
    assert pages.take(page(1, 2, [], asked=6))


def test_only_whole_intervals_and_whole_hours_count() -> None:
    pages = Pages()
    pages.take(page(1, 1, [("LU-1", "a", [1, HOUR - 1])]))
    assert pages.evidence({("LU-1", "a"): 900_000}) == {("LU-1", "a"): [(900_000, HOUR - 900_000)]}
    assert window(Evidence("one", 1, 2 * HOUR + 1, 1, 1)) == (HOUR, 3 * HOUR)
    assert window(Evidence("one", 9 * HOUR, 1, 1, 1)) == (9 * HOUR, 9 * HOUR)
    assert window(Evidence("one", ms(MARCH), ms(MARCH), 1, 1)) == (ms(MARCH), ms(MARCH))
