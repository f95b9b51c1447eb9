"""Stamps of files as instants: texts of a format, local time with its two clock changes, ends of intervals.

On the day of the autumn change local clocks show one hour twice. A file says which one it means by the order of its
lines (`order`: the first time a stamp stands for a series it is summer time, the second time winter time), or not at
all. Stamps that no clock shows (spring) are faults. Source: EU directive 2000/84/EC for the dates.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from central.platform.errors import BadInput
from central.readings.calendar import EPOCH, Ints

YEARS: Final = (1990, 2400)
_DIRECTIVES: Final = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d{2})",
    "%m": r"(?P<m>\d{1,2})",
    "%d": r"(?P<d>\d{1,2})",
    "%H": r"(?P<H>\d{1,2})",
    "%M": r"(?P<M>\d{2})",
    "%S": r"(?P<S>\d{2})",
}
_OFFSET: Final = re.compile(r"([+-])(\d{2}):(\d{2})")
_NAIVE: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clocks are counted from here
_MS: Final = timedelta(milliseconds=1)


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """A zone by its IANA name, or a fixed offset as `+01:00`; BadInput if there is none."""
    if found := _OFFSET.fullmatch(name):
        minutes = int(found[2]) * 60 + int(found[3])
        if minutes <= 14 * 60:
            return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    else:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise BadInput("zone", f"There is no time zone {name!r}; give a name such as Europe/Prague, or +01:00.")


@lru_cache(maxsize=64)
def pattern_of(text_format: str) -> re.Pattern[str]:
    """A format such as `%d.%m.%Y %H:%M` as a pattern; BadInput if it does not say year, month, day and hour once."""
    parts = re.split(r"(%.?)", text_format)
    directives = [part for part in parts if part.startswith("%")]
    letters = [part[1:] for part in directives]
    unknown = [part for part in directives if part not in _DIRECTIVES]
    if (
        unknown
        or len(set(letters)) != len(letters)
        or not {"m", "d", "H"} <= set(letters)
        or ("Y" in letters) == ("y" in letters)
    ):
        raise BadInput(
            "time_format",
            f"The time format {text_format!r} must have %Y or %y, %m, %d, %H and may have %M, %S, each once; "
            "or be `iso`.",
        )
    return re.compile("".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts), re.ASCII)


@dataclass(frozen=True, slots=True)
class Wall:
    """What a stamp says: milliseconds on a wall clock since 1970, or (`utc`) an instant."""

    ms: int
    utc: bool


def parse_stamp(text: str, text_format: str) -> Wall | None:
    """The stamp of a text, None if it is none. `24:00` is the midnight that ends the day."""
    text = text.strip()
    if text_format == "iso":
        return _iso(text)
    found = pattern_of(text_format).fullmatch(text)
    if found is None:
        return None
    given = {name: int(value) for name, value in found.groupdict().items()}
    year = given["Y"] if "Y" in given else 2000 + given["y"]
    hour, minute, second = given["H"], given.get("M", 0), given.get("S", 0)
    midnight = hour == 24 and not minute and not second
    try:
        wall = datetime(year, given["m"], given["d"], 0 if midnight else hour, minute, second)  # noqa: DTZ001 - a wall clock
    except ValueError:
        return None
    return _wall(wall + timedelta(days=1) if midnight else wall) if YEARS[0] <= year <= YEARS[1] else None


def _iso(text: str) -> Wall | None:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not YEARS[0] <= given.year <= YEARS[1]:
        return None
    if given.tzinfo is None:
        return _wall(given)
    return Wall((given - EPOCH) // _MS, True)


def _wall(wall: datetime) -> Wall:
    return Wall((wall - _NAIVE) // _MS, False)


def instants(
    wall_ms: Ints,
    utc: NDArray[np.bool_],
    series: NDArray[Any],
    step_ms: Ints,
    *,
    zone: tzinfo,
    ends: bool,
    repeated: str,
) -> tuple[Ints, dict[str, NDArray[np.bool_]]]:
    """Instants in ms UTC at which intervals begin (`step_ms` > 0; of states the stamp itself), and what is not one.

    `ends`: stamps are ends of intervals. `repeated` is `order`, `first`, `second` or `refuse`. Faults are masks by
    `gap` (no clock shows it) and `repeated` (it stands for two instants).
    """
    backwards = np.where(step_ms > 0, step_ms, 0) if ends else np.zeros(len(step_ms), np.int64)
    first, second, shift = _folds(wall_ms, utc, zone)
    twice = first < second
    gap = first > second
    # The end of the last interval before the gap is where the gap begins: the same instant, however it is written.
    if gap.any() and ends:
        earlier_first, earlier_second, _ = _folds(wall_ms - backwards, utc, zone)
        gap &= ~((earlier_first == earlier_second) & (backwards > 0))
    result = first.copy()
    faults = {"gap": gap, "repeated": np.zeros(len(wall_ms), np.bool_)}
    if repeated == "second":
        result = np.where(twice, second, first)
    elif repeated == "refuse":
        faults["repeated"] = twice
    elif repeated == "order":
        rank = _rank(wall_ms, series, twice)
        result = np.where(twice & (rank > 0), second, first)
        if ends and twice.any():
            result = _twice_at_the_end(result, wall_ms, utc, series, backwards, zone, twice, shift)
    return result - backwards, faults


def _twice_at_the_end(
    result: Ints,
    wall_ms: Ints,
    utc: NDArray[np.bool_],
    series: NDArray[Any],
    backwards: Ints,
    zone: tzinfo,
    twice: NDArray[np.bool_],
    shift: int,
) -> Ints:
    """Files that end the hour's both courses with 03:00 write that twice, though clocks show it once: the first of
    the two is an hour earlier."""
    before_first, before_second, _ = _folds(wall_ms - backwards, utc, zone)
    last = ~twice & (before_first < before_second)
    rank, count = _rank(wall_ms, series, last), _count(wall_ms, series, last)
    return np.where(last & (count > 1) & (rank == 0), result - shift, result)


def _folds(wall_ms: Ints, utc: NDArray[np.bool_], zone: tzinfo) -> tuple[Ints, Ints, int]:
    """Both readings of each stamp in ms UTC (equal where there is one), and the size of the change."""
    unique, place = np.unique(wall_ms, return_inverse=True)
    table = np.array([_both(ms, zone) for ms in unique.tolist()], np.int64).reshape(-1, 2)
    first, second = np.where(utc, wall_ms, table[place, 0]), np.where(utc, wall_ms, table[place, 1])
    change = second - first
    return first, second, int(change.max(initial=0))


def _both(ms: int, zone: tzinfo) -> tuple[int, int]:
    wall = _NAIVE + timedelta(milliseconds=ms)
    one, other = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return (one - EPOCH) // _MS, (other - EPOCH) // _MS


def _rank(wall_ms: Ints, series: NDArray[Any], chosen: NDArray[np.bool_]) -> Ints:
    """Of each chosen stamp, how often it stood for its series before."""
    rank = np.zeros(len(wall_ms), np.int64)
    places = np.flatnonzero(chosen)
    if len(places):
        order = places[np.lexsort((places, wall_ms[places], series[places]))]
        rank[order] = np.arange(len(order)) - _group_start(wall_ms[order], series[order])
    return rank


def _count(wall_ms: Ints, series: NDArray[Any], chosen: NDArray[np.bool_]) -> Ints:
    """Of each chosen stamp, how often it stands for its series."""
    count = np.zeros(len(wall_ms), np.int64)
    places = np.flatnonzero(chosen)
    if len(places):
        order = places[np.lexsort((places, wall_ms[places], series[places]))]
        _, inverse, counts = np.unique(
            _group_start(wall_ms[order], series[order]), return_inverse=True, return_counts=True
        )
        count[order] = counts[inverse]
    return count


def _group_start(wall_ms: Ints, series: NDArray[Any]) -> Ints:
    """Where each one's run of equal (series, stamp) begins, in sorted order."""
    new = np.concatenate([[True], (wall_ms[1:] != wall_ms[:-1]) | (series[1:] != series[:-1])])
    return np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))
