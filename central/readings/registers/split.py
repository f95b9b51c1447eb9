"""Split what a register counted between two states at instants between them: by load-profile class (TDD), or by days.

The parts are integers whose sum is the difference exactly. Source: the split by recomputed TDD is what suppliers
publish; the mask of a two-tariff register is inferred, the split by days without TDD is assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import DayTable, Ints
from central.readings.shares import share_out
from shared.quantities import Commodity

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOAD_PROFILE, DAYS = "load_profile", "days"
QUARTER_MS = 900_000


class Shapes(Protocol):
    """Series of load-profile classes, as `central.readings.load_profiles` reads them."""

    def shape(self, name: str, starts_ms: Ints, kinds: Sequence[str]) -> Floats:
        """Weights of a class for intervals that begin at these instants; NaN everywhere where it does not know all."""
        ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """The load-profile class of a time, in ms UTC: it follows the rate, which may change; None: not known."""

    start_ms: int
    stop_ms: int
    name: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """Parts of a difference, in its unit: part i lies in [cuts[i], cuts[i + 1]). `assumed` says what nobody knew."""

    cuts_ms: tuple[int, ...]
    parts: tuple[int, ...]
    shares: tuple[float, ...]
    """Of the whole weight."""
    method: str
    series: str | None
    """Kind of TDD series (recomputed, normalised) where the method is by load profile."""
    masked: bool
    """Only the quarter-hours of the register's own tariff had a weight."""
    assumed: tuple[str, ...]

    @property
    def upto(self) -> tuple[int, ...]:
        """What was counted from the first cut to each later one."""
        return tuple(np.cumsum(self.parts).tolist())


def quarter_edges(start_ms: int, stop_ms: int) -> Ints:
    """Borders of the quarter-hours that touch [start, stop), in ms, ascending."""
    first, last = start_ms // QUARTER_MS, -(-stop_ms // QUARTER_MS)
    return np.arange(first, last + 1, dtype=np.int64) * QUARTER_MS


def split_difference(
    total: int,
    cuts_ms: Sequence[int],
    shapes: Shapes | None,
    classes: Sequence[Stretch],
    kinds: Sequence[str],
    tariff: Bools | None = None,
) -> Split:
    """Split `total`, counted over [cuts_ms[0], cuts_ms[-1]), at the cuts between.

    `classes` covers the time without holes where classes are known. `tariff` marks the quarter-hours
    (`quarter_edges`) in which the register counts, None: always. The first of `kinds` that knows all of the time
    gives the weights; the two are never mixed. Without any, and where the mask leaves no weight, the split is by days.
    """
    cuts = np.asarray(cuts_ms, np.int64)
    edges = quarter_edges(int(cuts[0]), int(cuts[-1]))
    assumed: list[str] = []
    found = None if shapes is None else _weights(shapes, classes, edges[:-1], kinds)
    if found is not None:
        weights, series = found
        masked = weights if tariff is None else np.where(tariff, weights, 0.0)
        shares = _between(cuts, edges, masked)
        if tariff is not None and not shares.sum() > 0:
            assumed.append("the register counted outside its switching times: the split leaves them aside")
            tariff, shares = None, _between(cuts, edges, weights)
        if shares.sum() > 0:
            return _split(total, cuts, shares, LOAD_PROFILE, series, tariff is not None, assumed)
    assumed.append("no load-profile class is known for the whole time: split by days")
    days = DayTable.covering(Commodity.ELECTRICITY, int(cuts[0]), int(cuts[-1])).borders
    shares = _between(cuts, days, np.ones(len(days) - 1))
    return _split(total, cuts, shares, DAYS, None, False, assumed)


def _split(
    total: int, cuts: Ints, weights: Floats, method: str, series: str | None, masked: bool, assumed: Sequence[str]
) -> Split:
    return Split(
        cuts_ms=tuple(cuts.tolist()),
        parts=tuple(share_out(total, weights).tolist()),
        shares=tuple((weights / weights.sum()).tolist()),
        method=method,
        series=series,
        masked=masked,
        assumed=tuple(assumed),
    )


def _between(cuts: Ints, edges: Ints, weights: Floats) -> Floats:
    """Weight between each two cuts; an interval that a cut divides is divided by time."""
    upto = np.concatenate([np.zeros(1), np.cumsum(weights)])
    shares: Floats = np.maximum(np.diff(np.interp(cuts, edges, upto)), 0.0)
    return shares


def _weights(
    shapes: Shapes, classes: Sequence[Stretch], starts: Ints, kinds: Sequence[str]
) -> tuple[Floats, str] | None:
    for kind in kinds:
        weights = np.full(len(starts), np.nan)
        for stretch in classes:
            inside = (starts + QUARTER_MS > stretch.start_ms) & (starts < stretch.stop_ms)
            if stretch.name is not None and inside.any():
                weights[inside] = shapes.shape(stretch.name, starts[inside], (kind,))
        if not np.isnan(weights).any():
            return weights, kind
    return None
