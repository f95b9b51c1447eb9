"""Billing data of others: which of them stands on a day, and what they would change at a contract item."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from central.market.payloads.billing_data import BilledTariff
from central.market.received_tariffs import ReceivedTariff, latest
from central.workflow.received.tariffs import Compared, Item, compare
from tests.unit.central.market.content_examples import BILLED, POINT

FIRST = date(2026, 1, 1)


def received(first: int, stop: int, number: int) -> ReceivedTariff:
    one = timedelta(days=1)
    return ReceivedTariff(
        POINT, FIRST + first * one, FIRST + stop * one, f"C{number:02d}d", 3, Decimal(25), number, f"D{number}"
    )


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=12))
def test_each_day_has_what_was_received_last_and_once(spans: list[tuple[int, int]]) -> None:
    said = [received(first, first + length, number) for number, (first, length) in enumerate(spans)]
    found = latest(said)
    for count in range(61):
        day = FIRST + timedelta(days=count)
        covering = [each for each in said if each.first <= day < each.stop]
        standing = [each for each in found if each.first <= day < each.stop]
        assert [each.inbox for each in standing] == [each.inbox for each in covering[-1:]]
    assert all(one.stop <= other.first for one, other in pairwise(found))


def item(rate: str = "C25d", amps: int = 25, **more: Any) -> Item:
    days: dict[str, Any] = {"first": date(2025, 1, 1), "stop": None}
    return Item(7, "S-1", rate, 3, amps, **days | more)


@pytest.mark.parametrize(
    ("items", "changes", "says"),
    [
        ([item()], [("2026-03-15", {"breaker_amps"})], ""),
        ([item(amps=32)], [("2026-03-01", {"breaker_amps"}), ("2026-03-15", {"breaker_amps"})], ""),
        ([item("C02d")], [("2026-03-01", {"rate"}), ("2026-03-15", {"breaker_amps"})], ""),
        ([item(stop=date(2026, 3, 15)), item(amps=32, first=date(2026, 3, 15))], [], ""),
        ([item(first=date(2026, 3, 10))], [("2026-03-15", {"breaker_amps"})], ""),
        ([], [], "No contract bills distribution"),
    ],
)
def test_what_differs_from_the_item_is_proposed_from_its_first_day(
    items: list[Item], changes: list[tuple[str, set[str]]], says: str
) -> None:
    proposals, said = compare([BILLED], {POINT: 7}, Compared({7: items}))
    assert [(each.proposed["since"], set(each.proposed["changes"])) for each in proposals] == changes
    assert all(says in sentence for sentence in said) and bool(said) == bool(says)


def test_a_difference_is_proposed_once_and_history_changes_nothing() -> None:
    compared = Compared({7: [item()]})
    (first,), _ = compare([BILLED], {POINT: 7}, compared)
    assert first.proposed["changes"]["breaker_amps"] == {"from": 25, "to": "32"}
    again, said = compare([replace(BILLED, number="D2026-18")], {POINT: 7}, compared)
    assert (again, said) == ([], [f"That of {POINT} waits already."])
    for segment in ("historic", "cancel"):
        assert compare([replace(BILLED, segment=segment)], {POINT: 7}, Compared({7: [item()]})) == ([], [])
    silent = [BilledTariff(first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), rate="C25d")]
    assert compare([replace(BILLED, tariffs=silent)], {POINT: 7}, Compared({7: [item()]})) == ([], [])
