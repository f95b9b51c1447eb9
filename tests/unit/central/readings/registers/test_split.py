"""A register's difference split at a price change or a month end: by TDD, by tariff, by days; always exactly."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.calendar import Ints, to_ms
from central.readings.load_profiles import NORMALISED, PREFERRED, RECOMPUTED, LoadProfiles, Series
from central.readings.registers.split import (
    DAYS,
    LOAD_PROFILE,
    QUARTER_MS,
    Stretch,
    quarter_edges,
    split_difference,
)
from shared.quantities import Commodity

DAY_MS = 86_400_000
START = to_ms(datetime(2026, 2, 14, 23, tzinfo=UTC))
MONTH_END = to_ms(datetime(2026, 2, 28, 23, tzinfo=UTC))
STOP = to_ms(datetime(2026, 3, 14, 23, tzinfo=UTC))


def series(of: dict[tuple[str, str], float], start: int = START, stop: int = STOP) -> LoadProfiles:
    """Constant series by (class, kind)."""
    starts = quarter_edges(start, stop)[:-1]
    return LoadProfiles(
        Commodity.ELECTRICITY, {key: Series(starts, np.full(len(starts), weight)) for key, weight in of.items()}
    )


def whole(name: str | None) -> list[Stretch]:
    return [Stretch(START, STOP, name)]


def test_a_difference_over_a_month_end_follows_the_load_profile() -> None:
    starts = quarter_edges(START, STOP)[:-1]
    weights = np.where(starts < MONTH_END, 3.0, 1.0)
    shapes = LoadProfiles(Commodity.ELECTRICITY, {("4", RECOMPUTED): Series(starts, weights)})
    split = split_difference(401, [START, MONTH_END, STOP], shapes, whole("4"), PREFERRED)
    assert (split.method, split.series, split.assumed) == (LOAD_PROFILE, RECOMPUTED, ())
    assert split.parts == (301, 100)  # 300.75 and 100.25: the unit left over goes to the larger rest
    assert split.upto == (301, 401)


def test_without_a_load_profile_the_split_is_by_days_and_says_so() -> None:
    split = split_difference(2800, [START, MONTH_END, STOP], None, whole("4"), PREFERRED)
    assert (split.parts, split.method) == ((1400, 1400), DAYS)
    assert "split by days" in split.assumed[0]
    unknown = split_difference(2800, [START, MONTH_END, STOP], series({("4", RECOMPUTED): 1}), whole(None), PREFERRED)
    assert unknown == split


def test_days_of_23_and_25_hours_count_as_days() -> None:
    cuts = [to_ms(datetime(2026, 3, day, hour, tzinfo=UTC)) for day, hour in ((27, 23), (28, 23), (29, 22), (30, 22))]
    assert split_difference(300, cuts, None, [], PREFERRED).parts == (100, 100, 100)


def test_the_two_kinds_of_series_are_never_mixed() -> None:
    short = series({("4", RECOMPUTED): 5}, START, MONTH_END)
    year = series({("4", NORMALISED): 1})
    shapes = LoadProfiles(Commodity.ELECTRICITY, {**short.series, **year.series})
    split = split_difference(2800, [START, MONTH_END, STOP], shapes, whole("4"), PREFERRED)
    assert (split.series, split.parts) == (NORMALISED, (1400, 1400))


def test_the_class_follows_the_rate_of_each_part() -> None:
    classes = [Stretch(START, MONTH_END, "4"), Stretch(MONTH_END, STOP, "7")]
    shapes = series({("4", RECOMPUTED): 1, ("7", RECOMPUTED): 4})
    assert split_difference(1000, [START, MONTH_END, STOP], shapes, classes, PREFERRED).parts == (200, 800)


def test_each_tariffs_register_is_split_by_its_own_hours() -> None:
    """Low tariff holds at night before the month end and all day after it."""
    edges = quarter_edges(START, STOP)
    hours = (edges[:-1] % DAY_MS) // (4 * QUARTER_MS)
    low = (hours < 8) | (edges[:-1] >= MONTH_END)
    shapes = series({("5", RECOMPUTED): 1})
    cuts = [START, MONTH_END, STOP]
    night = split_difference(4000, cuts, shapes, whole("5"), PREFERRED, low)
    assert (night.parts, night.masked) == ((1000, 3000), True)
    day = split_difference(4000, cuts, shapes, whole("5"), PREFERRED, ~low)
    assert day.parts == (4000, 0)
    never = split_difference(4000, cuts, shapes, whole("5"), PREFERRED, np.zeros(len(low), np.bool_))
    assert (never.parts, never.masked) == ((2000, 2000), False)
    assert "outside its switching times" in never.assumed[0]


def test_a_quarter_hour_that_a_cut_divides_is_divided_by_time() -> None:
    third = START + QUARTER_MS // 3
    split = split_difference(
        30, [START, third, START + QUARTER_MS], series({("4", RECOMPUTED): 1}), whole("4"), PREFERRED
    )
    assert split.parts == (10, 20)


@given(
    st.integers(0, 10**12),
    st.lists(st.integers(START + 1, STOP - 1), unique=True, max_size=13),
    st.sampled_from([None, "4", "8"]),
    st.integers(0, 3),
)
def test_parts_sum_to_the_difference_exactly(total: int, inner: list[int], name: str | None, seed: int) -> None:
    random = np.random.default_rng(seed)
    starts: Ints = quarter_edges(START, STOP)[:-1]
    shapes = LoadProfiles(Commodity.ELECTRICITY, {("4", RECOMPUTED): Series(starts, random.random(len(starts)))})
    cuts = [START, *sorted(inner), STOP]
    mask = random.random(len(starts)) < 0.3 if seed else None
    split = split_difference(total, cuts, shapes, whole(name), PREFERRED, mask)
    assert sum(split.parts) == total == split.upto[-1]
    assert min(split.parts) >= 0
    assert sum(split.shares) == pytest.approx(1)
