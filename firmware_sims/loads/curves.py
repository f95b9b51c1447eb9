"""Load curves as pure functions of (load, interval index): Wh, varh or dm3 in each interval, integers.

An interval's index counts whole steps since 1970-01-01 UTC. Any slice can be computed without what is before it.
"""

from typing import Final, assert_never

import numpy as np

from firmware_sims.loads import model
from firmware_sims.loads.local_time import LocalTime, local_time
from firmware_sims.loads.noise import Ints, between, drift, key, uniform, wave
from firmware_sims.loads.shapes import SLOT_MINUTES, Shape, ShapeName, shape, sun

_DAY, _SLOW, _FAST, _WEATHER, _CLOUD = range(1, 6)
"""Streams of noise; consumers have their own, the weather is the scenario's."""

_SOLAR_NOON_MINUTE: Final = 668
"""Minute of the UTC day of solar noon at 13 degrees east."""
_CLEAR_BELOW, _CHANGING_BELOW = 0.35, 0.70
"""Share of clear days, and of clear or changing ones."""
_NIGHT_FROM, _NIGHT_TO = 22 * 60, 5 * 60 + 30
"""Local minutes between which idle cables make a site capacitive."""

_SHAPES: Final[dict[type[model.Shaped], ShapeName]] = {
    model.Office: "office",
    model.Shift: "shift",
    model.ThreeShift: "three_shift",
    model.Retail: "retail",
    model.Household: "household",
}

Independent = model.Constant | model.Shaped | model.Heating | model.Pv
"""Loads that need no other meter or register."""


def independent_curve(load: Independent, scenario_seed: int, step_minutes: int, index: Ints) -> Ints:
    """Quantity in each interval of `index` (ascending): Wh, of heating dm3."""
    match load:
        case model.Constant():
            return np.full(len(index), load.mean_w * step_minutes // 60, dtype=np.int64)
        case model.Heating():
            ppm = _shaped_ppm(shape("heating"), load.seed, scenario_seed, step_minutes, index)
            gas: Ints = load.mean_dm3_h * ppm * step_minutes // 60_000_000
            return gas
        case model.Pv():
            return _pv(load, scenario_seed, step_minutes, index)
        case model.Office() | model.Shift() | model.ThreeShift() | model.Retail() | model.Household():
            ppm = _shaped_ppm(shape(_SHAPES[type(load)]), load.seed, None, step_minutes, index)
            energy: Ints = load.mean_w * ppm * step_minutes // 60_000_000
            return energy
        case _:
            assert_never(load)


def inductive(load: model.Inductive, active: Ints, index: Ints) -> Ints:
    """varh taken beside `active` Wh: its tangent, a little unsteady."""
    cosine = load.power_factor_permille / 1000
    tangent = round(1000 * (1 - cosine * cosine) ** 0.5 / cosine)
    result: Ints = active * tangent // 1000 * (1000 + wave(key(load.seed, _FAST), index, 80)) // 1000
    return result


def capacitive(load: model.Capacitive, active: Ints, step_minutes: int, index: Ints) -> Ints:
    """varh delivered beside `active` Wh: its share by night, else none."""
    minute = local_time(index * step_minutes).minute
    night = (minute >= _NIGHT_FROM) | (minute < _NIGHT_TO)
    return np.where(night, active * load.share_permille // 1000, 0)


def _shaped_ppm(shape: Shape, seed: int, weather_seed: int | None, step_minutes: int, index: Ints) -> Ints:
    """Millionths of the mean in each interval; day-to-day noise is the consumer's own or the scenario's weather."""
    local: LocalTime = local_time(index * step_minutes)
    steps_a_day = 1440 // step_minutes
    level = shape.week[local.weekday, local.minute // SLOT_MINUTES]
    if weather_seed is None:
        day = 1000 + wave(key(seed, _DAY), local.day, shape.day_noise)
    else:
        # Cold comes and goes over days, not at midnight.
        day = 1000 + drift(key(weather_seed, _WEATHER), index, shape.day_noise, 2 * steps_a_day)
    noise = 1000 + wave(key(seed, _FAST), index, shape.fast_noise)
    noise += drift(key(seed, _SLOW), index, shape.slow_noise, max(steps_a_day // 12, 1))
    ppm: Ints = level * day * noise // 1_000_000 * shape.season[local.day_of_year]
    return ppm


def _pv(load: model.Pv, scenario_seed: int, step_minutes: int, index: Ints) -> Ints:
    """A parabola between sunrise and sunset, under the day's clouds."""
    minute = index * step_minutes % 1440 + step_minutes // 2
    year = sun()
    day = local_time(index * step_minutes).day_of_year
    height = (minute - _SOLAR_NOON_MINUTE) * 2000 // year.day_minutes[day]
    clear = np.maximum(1_000_000 - height * height, 0) // 1000 * year.noon_permille[day] // 1000
    utc_day = index * step_minutes // 1440
    weather = uniform(key(scenario_seed, _CLOUD), utc_day)
    passing = between(key(load.seed, _FAST), index, 250, 1000)
    changing = (passing + between(key(load.seed, _SLOW), index // 4, 400, 1000)) // 2
    overcast = between(key(load.seed, _SLOW), index // 8, 120, 320)
    haze = between(key(load.seed, _FAST), index, 955, 1000)
    clouds = np.where(
        weather < round(_CLEAR_BELOW * 65536),
        haze,
        np.where(weather < round(_CHANGING_BELOW * 65536), changing, overcast),
    )
    result: Ints = load.peak_w * (clear * clouds) * step_minutes // 60_000_000
    return result
