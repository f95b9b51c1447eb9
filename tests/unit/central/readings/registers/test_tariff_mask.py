"""Tariffs of quarter-hours by switching times, on days of 92, 96 and 100."""

from datetime import date, timedelta

import numpy as np
import pytest

from central.readings.registers.tariff_mask import NoSwitchingTimesError, Schedule, SwitchingTimes, tariff_mask
from shared.metering_day import MeteringDay, month_days
from shared.quantities import Commodity

ALWAYS = date(2020, 1, 1)
NIGHT = ((0, 6 * 60), (22 * 60, 24 * 60))


def schedule(*times: SwitchingTimes) -> Schedule:
    return Schedule("A1B8DP1", times)


def every_day(low: tuple[tuple[int, int], ...]) -> Schedule:
    return schedule(*(SwitchingTimes(kind, low, ALWAYS) for kind in range(1, 8)))


def day(when: date) -> MeteringDay:
    return MeteringDay(Commodity.ELECTRICITY, when)


@pytest.mark.parametrize(
    ("when", "low"),
    [
        (date(2026, 3, 2), 32),  # 8 hours
        (date(2026, 3, 29), 28),  # the hour that is left out lies in the night
        (date(2026, 10, 25), 36),  # the hour that comes twice lies in the night
    ],
)
def test_a_night_of_eight_hours(when: date, low: int) -> None:
    mask = tariff_mask(every_day(NIGHT), [day(when)])
    assert len(mask) == day(when).length
    assert mask.sum() == low
    assert mask[0] and mask[-1] and mask[-8] and not mask[-9]


def test_noon_is_high_on_every_day_of_the_year() -> None:
    times = every_day(NIGHT)
    for month in range(1, 13):
        days = month_days(Commodity.ELECTRICITY, 2026, month)
        mask = tariff_mask(times, days)
        lengths = np.array([each.length for each in days])
        ends = np.cumsum(lengths)
        assert len(mask) == ends[-1]
        noons = ends - 48
        assert not mask[noons].any()
        assert (np.add.reduceat(mask, ends - lengths) == lengths - 64).all()


@pytest.mark.parametrize(
    ("low", "quarters"),
    [
        (((60, 67),), []),  # seven minutes are not half of a quarter-hour
        (((60, 68),), [4]),
        (((67, 82),), [4]),
        (((68, 90),), [5]),
        (((70, 100),), [5, 6]),
    ],
)
def test_a_quarter_hour_has_the_tariff_of_its_middle(low: tuple[tuple[int, int], ...], quarters: list[int]) -> None:
    mask = tariff_mask(every_day(low), [day(date(2026, 3, 2))])
    assert np.flatnonzero(mask).tolist() == quarters


def test_kinds_of_days_and_holidays() -> None:
    weekend = [SwitchingTimes(kind, ((0, 1440),), ALWAYS) for kind in (6, 7)]
    times = schedule(*(SwitchingTimes(kind, (), ALWAYS) for kind in range(1, 6)), *weekend)
    monday, friday, saturday = date(2026, 4, 6), date(2026, 4, 10), date(2026, 4, 11)
    assert not tariff_mask(times, [day(friday), day(monday)]).any()
    assert tariff_mask(times, [day(saturday)]).all()
    assert tariff_mask(times, [day(monday)], holidays={monday}).all()  # Easter Monday is as a Sunday
    own = schedule(*times.times, SwitchingTimes(8, ((0, 60),), ALWAYS))
    assert tariff_mask(own, [day(monday)], holidays={monday}).sum() == 4


def test_switching_times_change_with_their_validity() -> None:
    change = date(2026, 3, 15)
    old = [SwitchingTimes(kind, ((0, 60),), ALWAYS, change) for kind in range(1, 8)]
    new = [SwitchingTimes(kind, ((0, 120),), change) for kind in range(1, 8)]
    days = [day(change - timedelta(days=1)), day(change)]
    assert tariff_mask(schedule(*old, *new), days).reshape(2, 96).sum(axis=1).tolist() == [4, 8]


def test_a_day_without_switching_times_is_named() -> None:
    with pytest.raises(NoSwitchingTimesError, match="A1B8DP1 has no switching times for 2019-12-31"):
        tariff_mask(every_day(NIGHT), [day(date(2019, 12, 31))])
    assert len(tariff_mask(every_day(NIGHT), [])) == 0
