"""Daily and yearly shapes of loads, read from shapes.json into integer tables."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from firmware_sims.loads.noise import Ints

SLOT_MINUTES: Final = 15
_SLOTS: Final = 1440 // SLOT_MINUTES
_DAYS_A_YEAR: Final = 366

ShapeName = Literal["office", "shift", "three_shift", "retail", "household", "heating"]
_Corners = list[tuple[float, float]]


class _Noise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    day: int
    slow: int
    fast: int


class _ShapeData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    workday: _Corners
    saturday: _Corners
    sunday: _Corners
    noise: _Noise
    season: list[int]


class _PvData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    day_minutes: list[int]
    noon_permille: list[int]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    shapes: dict[ShapeName, _ShapeData]
    pv: _PvData


class Shape(NamedTuple):
    """A consumer's week and year, all in permille of its mean."""

    week: Ints
    """[7, 96]: weekday (0 Monday) by quarter-hour of the local day."""
    season: Ints
    """[366]: by day of the year."""
    day_noise: int
    slow_noise: int
    fast_noise: int


class Sun(NamedTuple):
    """The sun over the year at 50 degrees north, by day of the year."""

    day_minutes: Ints
    """From sunrise to sunset."""
    noon_permille: Ints
    """Clear-sky output at noon in permille of the peak power."""


@cache
def _file() -> _File:
    return msgspec.json.decode(Path(__file__).with_name("shapes.json").read_bytes(), type=_File)


def _day(corners: _Corners) -> list[float]:
    """The level in the middle of each quarter-hour."""
    levels: list[float] = []
    for slot in range(_SLOTS):
        hour = (slot + 0.5) * SLOT_MINUTES / 60
        right = next(i for i in range(1, len(corners)) if hour <= corners[i][0])
        (h0, l0), (h1, l1) = corners[right - 1], corners[right]
        levels.append(l0 + (l1 - l0) * (hour - h0) / (h1 - h0))
    return levels


def _year(months: list[int]) -> Ints:
    """A value a day: straight lines between the middles of the months."""
    middles = [date(2024, month, 15).timetuple().tm_yday - 1 for month in range(1, 13)]
    corners = [(middles[11] - _DAYS_A_YEAR, months[11]), *zip(middles, months, strict=True)]
    corners.append((middles[0] + _DAYS_A_YEAR, months[0]))
    values: list[int] = []
    for day in range(_DAYS_A_YEAR):
        right = next(i for i in range(1, len(corners)) if day <= corners[i][0])
        (d0, v0), (d1, v1) = corners[right - 1], corners[right]
        values.append(v0 + (v1 - v0) * (day - d0) // (d1 - d0))
    return np.array(values, dtype=np.int64)


@cache
def shape(name: ShapeName) -> Shape:
    """The shape of that name; its mean over a week is 1000 permille."""
    data = _file().shapes[name]
    workday, saturday, sunday = _day(data.workday), _day(data.saturday), _day(data.sunday)
    week = [workday] * 5 + [saturday, sunday]
    mean = sum(sum(day) for day in week) / (7 * _SLOTS)
    table = np.array([[round(1000 * level / mean) for level in day] for day in week], dtype=np.int64)
    return Shape(table, _year(data.season), data.noise.day, data.noise.slow, data.noise.fast)


@cache
def sun() -> Sun:
    """The sun's year."""
    data = _file().pv
    return Sun(_year(data.day_minutes), _year(data.noon_permille))
