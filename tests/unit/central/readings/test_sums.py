"""Sums of periods and balances of nodes: by hand, on days of every length, and to the unit."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.readings.aggregates import PeriodSums, sum_period
from central.readings.balance import Link, NodeSums
from central.readings.formulas.exact import RANK_OF_QUALITY, WORST
from central.readings.profiles import Profiles
from shared.metering_day import MeteringDay, days_between
from shared.quantities import MISSING_VALUE, Commodity, Quality

WINTER = days_between(Commodity.ELECTRICITY, date(2026, 1, 1), date(2026, 1, 4))


def profiles(channels: list[int], days: list[MeteringDay], values: np.ndarray) -> Profiles:
    offset = np.concatenate([[0], np.cumsum([day.length for day in days])])
    quality = np.where(values == MISSING_VALUE, Quality.MISSING, Quality.MEASURED).astype(np.int16)
    versions = np.ones((len(channels), len(days)), np.int32)
    return Profiles(channels, days, offset, values.astype(np.int32), quality, versions)


def test_sums_by_tariff_and_the_first_of_equal_maxima() -> None:
    values = np.zeros((3, 288), np.int32)
    values[0, [3, 100, 200]] = [50, 70, 70]
    values[1] = -5
    values[2] = MISSING_VALUE
    values[2, 9] = 4
    low = np.zeros((1, 288), np.bool_)
    low[0, 90:150] = True
    sums = sum_period(profiles([7, 8, 9], WINTER, values), low, np.array([0, 0, -1]))
    assert sums.low.tolist() == [70, -300, 0]
    assert sums.high.tolist() == [120, -1140, 4]
    assert sums.total.tolist() == [190, -1440, 4]
    assert sums.maximum.tolist() == [70, -5, 4] and sums.maximum_at.tolist() == [100, 0, 9]
    assert sums.missing.tolist() == [0, 0, 287]


def test_a_channel_without_any_value_has_no_maximum() -> None:
    values = np.full((1, 288), MISSING_VALUE, np.int32)
    sums = sum_period(profiles([7], WINTER, values), np.zeros((0, 288), np.bool_), np.array([-1]))
    assert (sums.total.tolist(), sums.maximum_at.tolist(), sums.missing.tolist()) == ([0], [-1], [288])


@pytest.mark.parametrize("commodity", list(Commodity))
@pytest.mark.parametrize("around", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 24), date(2026, 10, 25)])
def test_days_of_clock_changes_are_summed_whole(commodity: Commodity, around: date) -> None:
    days = days_between(commodity, around - timedelta(days=1), around + timedelta(days=2))
    length = sum(day.length for day in days)
    chunk = profiles([1, 2], days, np.vstack([np.full(length, 3), np.full(length, 2)]))
    sums = sum_period(chunk, np.ones((1, length), np.bool_), np.array([0, -1]))
    assert sums.low.tolist() == [3 * length, 0] and sums.high.tolist() == [0, 2 * length]
    nodes = NodeSums([1], [Link(0, 2)], days, chunk.offset)
    nodes.add(chunk)
    assert nodes.balance().losses.tolist() == [[day.length for day in days]]


def test_chunks_join_to_the_whole() -> None:
    values = np.arange(4 * 288, dtype=np.int32).reshape(4, 288)
    low, schedule = np.arange(288)[None, :] % 3 == 0, np.array([0, -1, 0, 0])
    whole = sum_period(profiles([1, 2, 3, 4], WINTER, values), low, schedule)
    parts = [
        sum_period(profiles([c + 1 for c in part], WINTER, values[part]), low, schedule[part])
        for part in ([0, 1, 2], [3])
    ]
    joined = PeriodSums.join(parts)
    for name in ("channels", "low", "high", "maximum", "maximum_at", "missing"):
        assert getattr(joined, name).tolist() == getattr(whole, name).tolist()


def test_a_missing_value_leaves_its_interval_out_and_is_counted() -> None:
    values = np.full((3, 288), 10, np.int32)
    values[0] = 25
    values[2, 5] = MISSING_VALUE
    values[0, 100] = 19
    chunk = profiles([1, 2, 3], WINTER, values)
    nodes = NodeSums([1], [Link(0, 2), Link(0, 3)], WINTER, chunk.offset)
    nodes.add(chunk)
    balance = nodes.balance()
    assert balance.parent.tolist() == [[95 * 25, 95 * 25 + 19, 96 * 25]]
    assert balance.children.tolist() == [[95 * 20, 96 * 20, 96 * 20]]
    assert balance.losses.tolist() == [[475, 474, 480]]
    assert balance.missing.tolist() == [[1, 0, 0]] and balance.negative.tolist() == [[0, 1, 0]]
    assert balance.rank.tolist() == [[WORST, RANK_OF_QUALITY[0], 0]]


def test_a_channel_that_never_came_makes_its_node_missing() -> None:
    chunk = profiles([1], WINTER, np.full((1, 288), 10, np.int32))
    nodes = NodeSums([1], [Link(0, 2, first=date(2026, 1, 2))], WINTER, chunk.offset)
    nodes.add(chunk)
    balance = nodes.balance()
    assert balance.missing.tolist() == [[0, 96, 96]] and balance.losses.tolist() == [[960, 0, 0]]


def test_a_child_counts_on_its_days_and_with_its_sign() -> None:
    values = np.vstack([np.full(288, 10), np.full(288, 4), np.full(288, 1)])
    chunk = profiles([1, 2, 3], WINTER, values)
    links = [Link(0, 2, end=date(2026, 1, 3)), Link(0, 3, sign=-1, first=date(2026, 1, 2), end=date(2026, 1, 3))]
    nodes = NodeSums([1], links, WINTER, chunk.offset)
    nodes.add(chunk)
    assert nodes.balance().children.tolist() == [[4 * 96, 3 * 96, 0]]


int32 = st.integers(-(2**31) + 1, 2**31 - 1)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), size=st.integers(1, 4))
def test_children_and_losses_are_the_parent_to_the_unit_in_any_chunks(data: st.DataObject, size: int) -> None:
    """A tree of three levels; each value is missing or not."""
    meters = data.draw(st.integers(2, 9))
    parent = [-1, *(data.draw(st.integers(-1, min(number - 1, 3))) for number in range(1, meters))]
    cell = st.one_of(int32, st.just(MISSING_VALUE))
    day = [WINTER[0]]
    values = np.array([[data.draw(cell) for _ in range(3)] + [1] * 93 for _ in range(meters)], np.int64)
    nodes = sorted({number for number in parent if number >= 0})
    links = [Link(nodes.index(above), number) for number, above in enumerate(parent) if above >= 0]
    sums = NodeSums(nodes, links, day, np.array([0, 96]))
    for low in range(0, meters, size):
        part = list(range(low, min(low + size, meters)))
        sums.add(profiles(part, day, values[part]))
    balance = sums.balance()
    for place, node in enumerate(nodes):
        below = [number for number, above in enumerate(parent) if above == node]
        complete = [t for t in range(96) if (values[[node, *below], t] != MISSING_VALUE).all()]
        entered = sum(int(values[node, t]) for t in complete)
        measured = sum(int(values[number, t]) for number in below for t in complete)
        assert balance.parent[place, 0] == entered == measured + balance.losses[place, 0]
        assert balance.children[place, 0] == measured
        assert balance.missing[place, 0] == 96 - len(complete)
