"""Load curves: the same in every slice, with the shape that their kind promises."""

import numpy as np
import pytest

from firmware_sims.loads import model
from firmware_sims.loads.curves import Independent, capacitive, independent_curve, inductive
from firmware_sims.loads.local_time import local_time
from firmware_sims.loads.noise import FULL, Ints, drift, key, uniform, wave
from shared.metering_day import month_bounds
from shared.quantities import Commodity

QUARTER = 15
FIRST = int(month_bounds(Commodity.ELECTRICITY, 2026, 3)[0].timestamp()) // 900
MARCH: Ints = np.arange(FIRST, FIRST + 2972)

LOADS: list[Independent] = [
    model.Constant(1000),
    model.Office(50_000, 1),
    model.Shift(50_000, 2),
    model.ThreeShift(50_000, 3),
    model.Retail(50_000, 4),
    model.Household(500, 5),
    model.Pv(100_000, 6),
]
NAMES = [type(load).__name__ for load in LOADS]


@pytest.mark.parametrize("load", LOADS, ids=NAMES)
def test_any_slice_is_the_same(load: Independent) -> None:
    whole = independent_curve(load, 7, QUARTER, MARCH)
    parts = [independent_curve(load, 7, QUARTER, part) for part in np.split(MARCH, [1, 96, 97, 1000, 2971])]
    assert np.concatenate(parts).tolist() == whole.tolist()
    assert whole.min() >= 0


@pytest.mark.parametrize("load", [model.Office(50_000, 1), model.Retail(50_000, 4), model.Household(500, 5)])
def test_the_mean_is_kept(load: model.Shaped) -> None:
    year: Ints = np.arange(FIRST, FIRST + 365 * 96)
    mean_w = independent_curve(load, 7, QUARTER, year).sum() * 4 / len(year)
    assert mean_w == pytest.approx(load.mean_w, rel=0.05)


def test_offices_work_by_day() -> None:
    curve = independent_curve(model.Office(50_000, 1), 7, QUARTER, MARCH)
    local = local_time(MARCH * QUARTER)
    at_work = (local.weekday < 5) & (local.minute >= 9 * 60) & (local.minute < 15 * 60)
    assert curve[at_work].mean() > 2.5 * curve[local.weekday >= 5].mean()


def test_seeds_tell_consumers_apart() -> None:
    one, other = (independent_curve(model.Shift(50_000, seed), 7, QUARTER, MARCH) for seed in (1, 2))
    assert (one != other).mean() > 0.95


def test_the_sun() -> None:
    curve = independent_curve(model.Pv(100_000, 6), 7, QUARTER, MARCH)
    local = local_time(MARCH * QUARTER)
    assert curve[(local.minute < 5 * 60) | (local.minute >= 20 * 60)].max() == 0
    assert 10_000 < curve.max() <= 25_000
    noon = (local.minute >= 12 * 60) & (local.minute < 13 * 60)
    by_day = [curve[noon & (local.day == day)].sum() for day in range(int(local.day[0]), int(local.day[-1]) + 1)]
    assert min(by_day) < max(by_day) / 2, "there are clear and dark days"


def test_heating_follows_the_season() -> None:
    load = model.Heating(20_000, 1)
    first = FIRST // 4
    march = independent_curve(load, 7, 60, np.arange(first, first + 743))
    july = independent_curve(load, 7, 60, np.arange(first + 122 * 24, first + 153 * 24))
    assert march.mean() > 5 * july.mean() > 0


def test_reactive_follows_active() -> None:
    active = independent_curve(model.Shift(50_000, 1), 7, QUARTER, MARCH)
    taken = inductive(model.Inductive("x", 970, 1), active, MARCH)
    cosine = active.sum() / (active.sum() ** 2 + taken.sum() ** 2) ** 0.5
    assert cosine == pytest.approx(0.97, abs=0.002)
    delivered = capacitive(model.Capacitive("x", 50), active, QUARTER, MARCH)
    minute = local_time(MARCH * QUARTER).minute
    assert delivered[(minute >= 6 * 60) & (minute < 22 * 60)].max() == 0
    assert delivered[minute >= 23 * 60].tolist() == (active[minute >= 23 * 60] * 50 // 1000).tolist()


def test_local_time_over_the_change_of_the_clock() -> None:
    # 29 March 2026: 01:00 UTC is 03:00 local, 00:45 UTC is 01:45.
    change = int(month_bounds(Commodity.ELECTRICITY, 2026, 3)[0].timestamp()) // 60 + (28 * 24 + 2) * 60
    local = local_time(np.array([change - 15, change]))
    assert local.minute.tolist() == [105, 180]
    assert local.weekday.tolist() == [6, 6]
    assert local.day_of_year.tolist() == [87, 87]


def test_noise() -> None:
    index: Ints = np.arange(100_000)
    values = uniform(key(1, 2), index)
    assert values.min() >= 0
    assert values.max() <= FULL
    assert values.mean() == pytest.approx(FULL / 2, rel=0.01)
    assert key(1, 2) != key(2, 1)
    assert abs(wave(key(1), index, 100)).max() <= 100
    slow = drift(key(1), index, 1000, 50)
    assert abs(np.diff(slow)).max() <= 2 * 1000 // 50 + 1
    # Golden values: a demo's expected values must not change from one version of numpy to the next.
    assert uniform(key(1, 2), index[:4]).tolist() == GOLDEN_UNIFORM


GOLDEN_UNIFORM = [45789, 59022, 18359, 495]
