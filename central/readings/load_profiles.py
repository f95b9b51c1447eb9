"""Load-profile classes (typové diagramy dodávky, TDD): the shape of a consumption that nobody measured by intervals.

A consumption E known over [t0, t1) is split as e_t = E x T_t / sum(T) over [t0, t1), with the recomputed series
(přepočtený TDD) where it is known for the whole time, else the normalised one; the two are never mixed in one split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.readings.calendar import Ints, from_ms, to_ms
from central.readings.shares import share_out
from shared.metering_day import STEP, MeteringDay, day_of
from shared.quantities import Commodity

Floats = NDArray[np.float64]

RECOMPUTED, NORMALISED = "recomputed", "normalised"
PREFERRED = (RECOMPUTED, NORMALISED)
"""What a past consumption is split by; a forecast or an advance takes (NORMALISED,)."""

_NEWEST = text("""
    SELECT DISTINCT ON (class, kind, day) class, kind, day, "values"
    FROM load_profile_class_value
    WHERE commodity = :commodity AND class = ANY(:classes) AND zone = :zone AND day BETWEEN :first AND :last
    ORDER BY class, kind, day, import_id DESC
""")


@dataclass(frozen=True, slots=True)
class Series:
    """One class and kind: weights of the commodity's metering intervals that begin at `starts_ms`, ascending."""

    starts_ms: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class LoadProfiles:
    """Series of classes of one commodity, by (class, kind)."""

    commodity: Commodity
    series: dict[tuple[str, str], Series]

    def shape(self, name: str, starts_ms: Ints, kinds: Sequence[str] = PREFERRED) -> Floats:
        """Weights of class `name` for the intervals that begin at these instants (ms UTC), of the first of `kinds`
        that knows all of them; NaN everywhere where none does."""
        for kind in kinds:
            weights = self.known(name, starts_ms, kind)
            if not np.isnan(weights).any():
                return weights
        return np.full(len(starts_ms), np.nan)

    def known(self, name: str, starts_ms: Ints, kind: str) -> Floats:
        """Weights of one kind of class `name` where it has them, NaN where it has not."""
        series = self.series.get((name, kind))
        if series is None or not len(series.starts_ms):
            return np.full(len(starts_ms), np.nan)
        place = np.maximum(np.searchsorted(series.starts_ms, starts_ms, side="right") - 1, 0)
        since = starts_ms - series.starts_ms[place]
        step = STEP[self.commodity] // timedelta(milliseconds=1)
        return np.where((since >= 0) & (since < step), series.weights[place], np.nan)

    def split(self, total: int, name: str, starts_ms: Ints, kinds: Sequence[str] = PREFERRED) -> Ints | None:
        """A known consumption over these intervals, split exactly by the class's shape; None where it is unknown."""
        weights = self.shape(name, starts_ms, kinds)
        return None if np.isnan(weights).any() else share_out(total, weights)


def read_load_profiles(
    connection: Connection, commodity: Commodity, classes: Sequence[str], from_ms_: int, to_ms_: int, zone: str = ""
) -> LoadProfiles:
    """The newest imported series of these classes over the metering days that touch [from, to); one query."""
    parameters = {
        "commodity": commodity.value,
        "classes": list(classes),
        "zone": zone,
        "first": day_of(commodity, from_ms(from_ms_)).date,
        "last": day_of(commodity, from_ms(max(to_ms_ - 1, from_ms_))).date,
    }
    gathered: dict[tuple[str, str], list[tuple[Ints, Floats]]] = {}
    for name, kind, day, values in connection.execute(_NEWEST, parameters):
        gathered.setdefault((name, kind), []).append(on_intervals(MeteringDay(commodity, day), values))
    series = {
        key: Series(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))
        for key, parts in gathered.items()
    }
    return LoadProfiles(commodity, series)


def shape(
    connection: Connection,
    commodity: Commodity,
    name: str,
    starts_ms: Ints,
    kinds: Sequence[str] = PREFERRED,
    zone: str = "",
) -> Floats:
    """Weights of one class for intervals that begin at these instants; NaN everywhere where no series knows them all.

    For many splits read the series once by `read_load_profiles`.
    """
    if not len(starts_ms):
        return np.empty(0, np.float64)
    profiles = read_load_profiles(connection, commodity, [name], int(starts_ms.min()), int(starts_ms.max()) + 1, zone)
    return profiles.shape(name, starts_ms, kinds)


def on_intervals(day: MeteringDay, values: Sequence[float]) -> tuple[Ints, Floats]:
    """A day's series spread over its metering intervals: begins in ms and weights; a coarser value in equal parts."""
    each = day.length // len(values)
    starts = to_ms(day.start) + np.arange(day.length, dtype=np.int64) * (day.step // timedelta(milliseconds=1))
    return starts, np.repeat(np.asarray(values, np.float64), each) / each


def lengths_of(day: MeteringDay) -> tuple[int, ...]:
    """How many values a day's series may have: electricity hours or quarter-hours, gas the whole day or hours."""
    if day.commodity is Commodity.ELECTRICITY:
        return day.length // 4, day.length
    return 1, day.length
