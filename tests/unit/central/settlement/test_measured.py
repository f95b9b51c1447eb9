"""Sums, maxima and gaps over profile matrices; consumption from register states."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from central.readings.profiles import Profiles
from central.settlement.measured import (
    DaySums,
    NotMeasuredError,
    RegisterPeriod,
    StateReading,
    in_cubic_metres,
    in_mega,
    quarter_hour_kw,
    register_consumption,
    sum_days,
    unfed_days,
)
from shared.metering_day import PRAGUE, MeteringDay, month_days
from shared.quantities import MISSING_VALUE, Commodity, Quality

MARCH = month_days(Commodity.ELECTRICITY, 2026, 3)


def month(values: np.ndarray, days: list[MeteringDay] = MARCH) -> Profiles:
    offset = np.concatenate([np.zeros(1, np.int64), np.cumsum([day.length for day in days])])
    return Profiles(
        channels=list(range(len(values))),
        days=days,
        offset=offset,
        values=values.astype(np.int32),
        quality=np.zeros(values.shape, np.int16),
        versions=np.ones((len(values), len(days)), np.int32),
    )


FIRST, END = date(2026, 3, 1), date(2026, 4, 1)


def summed(values: np.ndarray) -> DaySums:
    return sum_days(month(values))


def test_march_has_the_short_day() -> None:
    values = np.full((1, 2972), 1000)
    values[0, 28 * 96 + 91] = 93_000  # the last quarter-hour of 29 March
    total = summed(values).between(0, FIRST, END)
    assert total.total == 2971 * 1000 + 93_000
    assert total.maximum_at == datetime(2026, 3, 29, 21, 45, tzinfo=UTC)
    assert quarter_hour_kw(total.maximum, 0) == 372
    assert total.missing_day is None


@pytest.mark.parametrize(
    ("place", "day"),
    [
        (0, date(2026, 3, 1)),
        (95, date(2026, 3, 1)),
        (96, date(2026, 3, 2)),
        (2780, date(2026, 3, 30)),
        (2971, date(2026, 3, 31)),
    ],
)
def test_the_first_missing_day_is_named(place: int, day: date) -> None:
    values = np.full((2, 2972), 5)
    values[1, place:] = MISSING_VALUE
    sums = [summed(values).between(row, FIRST, END) for row in range(2)]
    assert (sums[0].missing_day, sums[0].missing_count) == (None, 0)
    assert (sums[1].missing_day, sums[1].missing_count) == (day, 2972 - place)


def test_a_missing_value_never_wins_the_maximum() -> None:
    values = np.full((1, 2972), -7)
    values[0, 3] = MISSING_VALUE
    assert summed(values).between(0, FIRST, END).maximum == -7


@given(
    arrays(np.int32, (3, 2972), elements=st.integers(0, 2**31 - 1), fill=st.integers(0, 100)),
    st.lists(st.integers(1, 30), unique=True).map(sorted),
)
def test_parts_sum_to_the_whole_exactly(values: np.ndarray, borders: list[int]) -> None:
    sums = summed(values)
    days = [FIRST, *(FIRST + timedelta(days=border) for border in borders), END]
    for row in range(3):
        whole = sums.between(row, FIRST, END)
        parts = [sums.between(row, first, end) for first, end in pairwise(days)]
        assert whole.total == sum(values[row].tolist()) == sum(part.total for part in parts)
        assert whole.maximum == max(values[row].tolist()) == max(part.maximum for part in parts)
        highest = next(part for part in parts if part.maximum == whole.maximum)
        assert whole.maximum_at == highest.maximum_at


def test_what_was_not_measured_is_counted_by_quality() -> None:
    profiles = month(np.full((2, 2972), 5))
    profiles.quality[1, 96:100] = Quality.ESTIMATED
    profiles.quality[1, 100] = Quality.EDITED
    sums = sum_days(profiles)
    assert sums.between(0, FIRST, END).quality == {}
    assert sums.between(1, FIRST, END).quality == {"estimated": 4, "edited": 1}
    assert sums.between(1, FIRST, date(2026, 3, 2)).quality == {}


def test_units() -> None:
    assert in_mega(118_456_000, 0) == Decimal("118.456")
    assert in_mega(1842, 3) == Decimal("1.842")
    assert in_cubic_metres(6_741_115, -3) == Decimal("6741.115")
    assert quarter_hour_kw(9300, 1) == 372


def period(first: int | None, last: int | None, factor: int = 1) -> RegisterPeriod:
    start, end = datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)

    def state(value: int | None, at: datetime) -> StateReading | None:
        return None if value is None else StateReading(1, at, value, 0, 9)

    return RegisterPeriod(4, start, end, state(first, start), state(last, end), factor)


@pytest.mark.parametrize("place", [7, 8, 11, 12, 15, 99])
def test_each_quarter_hour_of_the_long_day_has_an_instant_of_its_own(place: int) -> None:
    """On 25 October 2026 the hour from 2:00 comes twice: 100 quarter-hours, and the maximum tells which one."""
    days = month_days(Commodity.ELECTRICITY, 2026, 10)
    offset = np.concatenate([np.zeros(1, np.int64), np.cumsum([day.length for day in days])])
    values = np.ones((1, int(offset[-1])), np.int32)
    values[0, int(offset[24]) + place] = 9
    months = sum_days(Profiles([1], days, offset, values, np.zeros_like(values, np.int16), np.ones((1, 31), np.int32)))
    found = months.between(1, date(2026, 10, 25), date(2026, 10, 26))
    assert (found.total, found.maximum) == (108, 9)
    assert found.maximum_at == datetime(2026, 10, 24, 22, tzinfo=UTC) + place * timedelta(minutes=15)


def at(day: int, hour: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=PRAGUE)


@pytest.mark.parametrize(
    ("fed", "unfed"),
    [
        ([(at(1), at(1, month=4))], []),
        ([(at(1), at(9, 10)), (at(9, 11), at(1, month=4))], []),
        ([(at(1), at(9, 10)), (at(10, 11), at(1, month=4))], []),
        ([(at(1), at(9, 10)), (at(12, 11), at(1, month=4))], [(10, 12)]),
        ([(at(12, 11), at(1, month=4)), (at(1), at(9))], [(9, 12)]),
        ([(at(5, 9), at(20))], [(1, 5), (20, 32)]),
    ],
)
def test_days_without_any_register(fed: list[tuple[datetime, datetime]], unfed: list[tuple[int, int]]) -> None:
    periods = [RegisterPeriod(4, start, end, None, None, 1) for start, end in fed]
    expected = [tuple(date(2026, 3, 1) + timedelta(days=day - 1) for day in pair) for pair in unfed]
    assert unfed_days(periods, at(1), at(1, month=4)) == expected


@pytest.mark.parametrize(
    ("periods", "consumed"),
    [
        ([period(100, 350)], 250),
        ([period(100, 100)], 0),
        ([period(100, 350, 40)], 10_000),
        ([period(100, 103), period(5, 12)], 10),
        ([period(100, 103, -1)], -3),
    ],
)
def test_consumption_from_states(periods: list[RegisterPeriod], consumed: int) -> None:
    assert register_consumption(periods, "registr VT") == consumed


@pytest.mark.parametrize(
    ("periods", "sentence", "day"),
    [
        ([], "nemá v období přiřazen žádný registr", None),
        ([period(None, 5)], "chybí stav k 2026-02-28T23:00", date(2026, 3, 1)),
        ([period(5, None)], "chybí stav k 2026-03-31T22:00", date(2026, 3, 31)),
        ([period(5, 3)], "stav klesl z 5 .* na 3", date(2026, 3, 31)),
    ],
)
def test_what_cannot_be_consumption(periods: list[RegisterPeriod], sentence: str, day: date | None) -> None:
    with pytest.raises(NotMeasuredError, match=sentence) as caught:
        register_consumption(periods, "registr VT")
    assert caught.value.day == day
