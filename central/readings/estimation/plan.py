"""Estimation of one channel over a stretch of days: pure, from base values and helps to values, qualities and methods.

The steps of the order in force are tried one after another on what is still missing. Gaps are runs of missing values
over days that have a version, across midnight; a day is filled whole or not at all. What was estimated between two
register states is scaled to their difference at the end. Only base values (measured, edited) are looked at, never
earlier estimates: the result is a function of them alone, so a second run over the same versions gives the same.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from central.readings.estimation.methods import (
    choose_like_days,
    clock_slots,
    count_within,
    gaps,
    linear,
    mean_by_slot,
    scale,
    slots_a_day,
)
from central.readings.estimation.order import EstimationStep, OrderInForce, StepMethod
from central.readings.method import Method
from shared.holidays import DayType
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Quality

INT32_MAX: Final = 2**31 - 1
_BEYOND: Final = 2.0**40
"""What is larger is as impossible: a float beyond 64 bits would become any integer."""
Bools = NDArray[np.bool_]

CODE: Final = {
    StepMethod.CHECK_METER: Method.CHECK_METER,
    StepMethod.LINEAR: Method.LINEAR,
    StepMethod.LIKE_DAY: Method.LIKE_DAY,
    StepMethod.LOAD_PROFILE: Method.LOAD_PROFILE,
    StepMethod.NODE_BALANCE: Method.NODE_BALANCE,
}


@dataclass(frozen=True, slots=True)
class Window:
    """One channel over consecutive metering days; day d has the columns `offset[d]` to `offset[d + 1]`.

    `values` and `quality` are of the newest base version, MISSING_VALUE and Quality.MISSING where nothing is known;
    `present` says which days have a version, `sound` which of them may be compared with (complete, nothing estimated,
    no severe finding open), `waits_from` from when on a step may wait for a day (its deadline), `types` its type.
    """

    days: Sequence[MeteringDay]
    offset: Ints
    values: NDArray[np.int32]
    quality: NDArray[np.int16]
    present: Bools
    sound: Bools
    waits_from: Sequence[datetime]
    types: Sequence[DayType]

    @property
    def day_of(self) -> Ints:
        """Place of the day of each column."""
        return np.repeat(np.arange(len(self.days)), np.diff(self.offset))

    def columns(self, day: int) -> slice:
        """The columns of a day."""
        return slice(int(self.offset[day]), int(self.offset[day + 1]))


@dataclass(frozen=True, slots=True)
class Segment:
    """What a register counted over the columns [first, end), in the profile's unit; `resolution` is its last digit.

    Both states are usable and of one register. Less than twice the resolution may be in disorder by rounding.
    """

    first: int
    end: int
    difference: int
    resolution: int


@dataclass(frozen=True, slots=True)
class Helps:
    """What else is known of a channel's window: values of its check meter, the balance of its node, weights of its
    load-profile class (columns each, or None), register differences."""

    check: Ints | None = None
    balance: Ints | None = None
    weights: NDArray[np.float64] | None = None
    segments: Sequence[Segment] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """Why a day was not estimated, for programs and people; `due`: when to try again at the latest."""

    reason: str
    detail: str
    due: datetime | None = None


NO_ORDER: Final = Left("no_order", "No order of estimation is in force for this channel and day.")


@dataclass(slots=True)
class Estimates:
    """Estimated columns: `filled` marks them; days that stay incomplete are in `left` by their place."""

    values: Ints
    quality: NDArray[np.int16]
    method: NDArray[np.int16]
    filled: Bools
    left: dict[int, Left] = field(default_factory=dict)

    def take_back(self, columns: slice | Bools) -> None:
        """Fill them with nothing."""
        self.filled[columns] = False


def estimate_window(window: Window, orders: Sequence[OrderInForce | None], helps: Helps, now: datetime) -> Estimates:
    """Fill what is missing on the days that have a version. `orders` has the order in force of each day."""
    size = int(window.offset[-1])
    result = Estimates(
        np.full(size, MISSING_VALUE, np.int64), np.zeros(size, np.int16), np.zeros(size, np.int16), np.zeros(size, bool)
    )
    day_of = window.day_of
    missing = (window.values == MISSING_VALUE) & window.present[day_of]
    incomplete = np.zeros(len(window.days), np.bool_)
    incomplete[np.unique(day_of[missing])] = True
    work = _Work(window, helps, result, missing, day_of, np.zeros(size, np.bool_))
    for first, end in gaps(missing):
        places = list(range(int(day_of[first]), int(day_of[end - 1]) + 1))
        order = orders[places[0]]
        left = NO_ORDER if order is None else _fill_gap(work, order, first, end, now)
        if left is not None:
            for place in places:
                result.left.setdefault(place, left)
    days = np.flatnonzero(incomplete).tolist()
    _forbid(work, orders, incomplete)
    _whole_days_only(work, days)
    for segment in helps.segments:
        _scale(work, segment, orders)
    _take_back_impossible(work, days)
    return result


@dataclass(slots=True)
class _Work:
    window: Window
    helps: Helps
    result: Estimates
    missing: Bools
    day_of: Ints
    shape_only: Bools
    """Columns that hold a shape without a level: nothing, unless register states give the level."""

    def still(self, first: int, end: int) -> list[tuple[int, int]]:
        """What nothing has filled yet of [first, end)."""
        return [(first + low, first + high) for low, high in gaps(~self.result.filled[first:end])]

    def put(self, where: Ints | slice, values: Ints, step: EstimationStep) -> None:
        """Fill columns by a step."""
        self.result.values[where] = values
        self.result.quality[where] = step.quality.code
        self.result.method[where] = CODE[step.method]
        self.result.filled[where] = True

    def known(self, column: int) -> int | None:
        """A neighbour's value, measured or filled by an earlier step; None where there is none."""
        if not 0 <= column < len(self.day_of) or not self.window.present[self.day_of[column]]:
            return None
        if self.result.filled[column]:
            return None if self.shape_only[column] else int(self.result.values[column])
        return None if self.missing[column] else int(self.window.values[column])


def _fill_gap(work: _Work, order: OrderInForce, first: int, end: int, now: datetime) -> Left | None:
    """Try the steps on one gap; returns why something of it is still missing."""
    tried: list[str] = []
    step_minutes = int(work.window.days[0].step.total_seconds() // 60)
    for step in order.steps:
        if step.method is StepMethod.REREAD:
            until = work.window.waits_from[int(work.day_of[end - 1])] + timedelta(hours=step.wait_hours)
            if now < until:
                return Left("reread", f"The meter is asked again until {until.isoformat()}.", until)
            continue
        if step.method is StepMethod.MANUAL:
            tried.append("manual: a person enters the values")
            break
        why = set()
        for low, high in work.still(first, end):
            minutes = (high - low) * step_minutes
            if step.longest_gap_minutes is not None and minutes > step.longest_gap_minutes:
                why.add(f"{minutes} min are missing, at most {step.longest_gap_minutes} may be")
            elif (refused := _FILL[step.method](work, step, low, high)) is not None:
                why.add(refused)
        if why:
            tried.append(f"{step.method}: {', '.join(sorted(why))}")
    if not work.still(first, end):
        return None
    return Left("limit", "; ".join(tried) or "The order has no step that fills values.")


def _fill_given(
    given: Ints | None, nothing: str, work: _Work, step: EstimationStep, first: int, end: int
) -> str | None:
    if given is None:
        return nothing
    known = np.flatnonzero(given[first:end] != MISSING_VALUE) + first
    work.put(known, given[known], step)
    return None if len(known) == end - first else "it has no value there either"


def _fill_check(work: _Work, step: EstimationStep, first: int, end: int) -> str | None:
    return _fill_given(work.helps.check, "there is no check meter", work, step, first, end)


def _fill_balance(work: _Work, step: EstimationStep, first: int, end: int) -> str | None:
    return _fill_given(work.helps.balance, "no node is balanced there", work, step, first, end)


def _fill_linear(work: _Work, step: EstimationStep, first: int, end: int) -> str | None:
    before, after = work.known(first - 1), work.known(end)
    if before is None and after is None:
        return "no neighbour is known"
    work.put(slice(first, end), linear(before, after, end - first), step)
    return None


def _fill_like_day(work: _Work, step: EstimationStep, first: int, end: int) -> str | None:
    window, why = work.window, set()
    for place in range(int(work.day_of[first]), int(work.day_of[end - 1]) + 1):
        part = window.columns(place)
        low, high = max(first, part.start), min(end, part.stop)
        chosen = choose_like_days(window.types, window.sound, place, step.days, step.days_back)
        if len(chosen) < step.days:
            why.add(f"{len(chosen)} of {step.days} sound days of the type {_TYPE[window.types[place]]}")
            continue
        day = window.days[place]
        means, known = mean_by_slot(
            [(window.values[window.columns(each)], clock_slots(window.days[each])) for each in chosen], slots_a_day(day)
        )
        slots = clock_slots(day)[low - part.start : high - part.start]
        columns = np.arange(low, high)[known[slots]]
        work.put(columns, means[slots[known[slots]]], step)
        if len(columns) < high - low:
            why.add("the compared days do not have that hour")
    return ", ".join(sorted(why)) or None


def _fill_load_profile(work: _Work, step: EstimationStep, first: int, end: int) -> str | None:
    weights = work.helps.weights
    if weights is None or np.isnan(weights[first:end]).any():
        return "the load-profile class or its series is not known"
    window = work.window
    since = int(window.offset[max(int(work.day_of[first]) - step.days_back, 0)])
    base = slice(since, first)
    measured = ~work.missing[base] & window.present[work.day_of[base]] & ~np.isnan(weights[base])
    weight = math.fsum(weights[base][measured].tolist())
    columns = slice(first, end)
    if weight > 0:
        energy = int(window.values[base][measured].astype(np.int64).sum())
        level = np.rint(weights[columns] * (energy / weight))
        work.put(columns, np.clip(level, -_BEYOND, _BEYOND).astype(np.int64), step)
        return None
    highest = float(weights[columns].max())
    shape = np.rint(weights[columns] / highest * 1_000_000) if highest > 0 else np.ones(end - first)
    work.put(columns, shape.astype(np.int64), step)
    work.shape_only[columns] = True
    return None


_TYPE: Final = {DayType.WORKDAY: "workday", DayType.SATURDAY: "Saturday", DayType.SUNDAY: "Sunday or holiday"}
_FILL: Final[dict[StepMethod, Callable[[_Work, EstimationStep, int, int], str | None]]] = {
    StepMethod.CHECK_METER: _fill_check,
    StepMethod.NODE_BALANCE: _fill_balance,
    StepMethod.LINEAR: _fill_linear,
    StepMethod.LIKE_DAY: _fill_like_day,
    StepMethod.LOAD_PROFILE: _fill_load_profile,
}


def _scale(work: _Work, segment: Segment, orders: Sequence[OrderInForce | None]) -> None:
    """Scale what was estimated between two states; of shapes without a level and estimates with one, the shapes."""
    result, window = work.result, work.window
    columns = slice(segment.first, segment.end)
    gone = work.missing[columns]
    if not gone.any() or not window.present[work.day_of[columns]].all() or not result.filled[columns][gone].all():
        return
    where = np.flatnonzero(gone) + segment.first
    places = np.unique(work.day_of[where]).tolist()
    order = orders[places[0]]
    if order is None or not order.scale_to_states or (result.values[where] < 0).any():
        return
    known = int(window.values[columns][~gone].astype(np.int64).sum())
    if known > segment.difference + 2 * segment.resolution:
        left = Left(
            "states",
            f"From {_at(window, segment.first)} to before {_at(window, segment.end)} {known} was measured where the "
            f"register counted {segment.difference}; look at the states and the values.",
        )
        for place in places:
            result.left[place] = left
        return
    if (only := work.shape_only[where]).any():
        known += int(result.values[where[~only]].sum())
        where = where[only]
    if known > segment.difference:
        return
    result.values[where] = scale(result.values[where], segment.difference, known)
    result.method[where] |= int(Method.SCALED)
    work.shape_only[where] = False


def _at(window: Window, column: int) -> str:
    """The instant at which a column begins."""
    place = min(int(np.searchsorted(window.offset, column, side="right")) - 1, len(window.days) - 1)
    day = window.days[place]
    return (day.start + (column - int(window.offset[place])) * day.step).isoformat()


def _forbid(work: _Work, orders: Sequence[OrderInForce | None], incomplete: Bools) -> None:
    """Days beyond the limit of estimated days are not filled."""
    result, window = work.result, work.window
    made_up = incomplete.copy()
    made_up[np.unique(work.day_of[np.isin(window.quality, (Quality.ESTIMATED, Quality.SUBSTITUTE))])] = True
    for place in np.flatnonzero(incomplete).tolist():
        order = orders[place]
        if order is None:
            continue
        count = int(count_within(made_up[: place + 1], order.within_days)[-1])
        if count > order.most_estimated_days:
            result.take_back(window.columns(place))
            result.left[place] = Left(
                "too_many_days",
                f"{count} of {order.within_days} days miss values; at most {order.most_estimated_days} may be "
                "estimated. Send somebody to the meter.",
            )


def _whole_days_only(work: _Work, days: Sequence[int]) -> None:
    """A day that could not be filled whole is not filled at all."""
    result, window = work.result, work.window
    for place in days:
        columns = window.columns(place)
        if place not in result.left and not result.filled[columns][work.missing[columns]].all():
            result.left[place] = Left("limit", "A part of the day could not be filled.")
        if place in result.left:
            result.take_back(columns)


def _take_back_impossible(work: _Work, days: Sequence[int]) -> None:
    """Days whose states disagree, whose shape nobody gave a level, or whose values are too large."""
    result, window = work.result, work.window
    too_large = np.abs(result.values) > INT32_MAX
    for place in days:
        columns = window.columns(place)
        filled = result.filled[columns]
        if (work.shape_only[columns] & filled).any():
            result.left.setdefault(place, Left("level", "A shape is known and no register states give its level."))
        if (too_large[columns] & filled).any():
            result.left.setdefault(place, Left("too_large", "An estimate does not fit 32 bits in the channel's unit."))
        if place in result.left:
            result.take_back(columns)
