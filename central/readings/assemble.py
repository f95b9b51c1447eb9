"""Blocks into metering days: pure functions on arrays, no database.

Value by value, measured beats provisional beats substituted, then the later batch beats the earlier, then the higher
value the lower: a total order, so the result does not depend on the order of the blocks nor on their repetition. The
mapping's multiplier, sign and change of exponent are applied at the instant of each interval; what nobody delivered is
MISSING. Two different measured values of one interval are a conflict, which is kept beside the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints, expand
from shared.quantities import MISSING_VALUE, Flag, Quality

INT32_MAX = 2**31 - 1
DOUBTFUL = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID)
# Values placed at a time: bounds the index arrays to some tens of megabytes.
_SLICE = 2_000_000


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of equal length n: (k,) each, values (k, n) int32 and the meter's flags (k, n) or None when all are 0."""

    evidence: Ints
    start_ms: Ints
    step_ms: Ints
    batch: Ints
    values: NDArray[np.int32]
    flags: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Mappings:
    """Which evidence channel feeds which channel, [from, to) in ms, sorted by evidence; `factor` turns a value into
    the channel's unit (multiplier x sign x 10^(difference of exponents))."""

    evidence: Ints
    channel: Ints
    factor: Ints
    from_ms: Ints
    to_ms: Ints
    step_ms: Ints
    commodity: Ints

    def of(self, evidence: Ints) -> tuple[Ints, Ints]:
        """All (place in `evidence`, mapping) pairs."""
        low = np.searchsorted(self.evidence, evidence, side="left")
        counts = np.searchsorted(self.evidence, evidence, side="right") - low
        owners, places = expand(counts)
        return owners, low[owners] + places


@dataclass(frozen=True, slots=True)
class Days:
    """The days to assemble, sorted by (channel, number): beginnings in ms, number of intervals, step."""

    channel: Ints
    number: Ints
    start_ms: Ints
    length: Ints
    step_ms: Ints

    def __len__(self) -> int:
        return len(self.channel)

    def take(self, which: NDArray[Any]) -> "Days":
        """The days at these places (indices or a mask), in order."""
        return Days(
            self.channel[which], self.number[which], self.start_ms[which], self.length[which], self.step_ms[which]
        )

    @property
    def keys(self) -> Ints:
        """One sortable integer a (channel, day)."""
        return day_keys(self.channel, self.number)


def day_keys(channel: Ints, number: Ints) -> Ints:
    """(channel, day number) as one integer; day numbers stay below 2^20 until the year 4840."""
    return channel.astype(np.int64) << 20 | number


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Intervals with different measured values: places in the values of `Assembled`, and each of those values."""

    place: Ints
    value: Ints

    @classmethod
    def joined(cls, parts: Sequence["Conflicts"]) -> "Conflicts":
        """All of them, each (place, value) once, sorted."""
        none = np.empty(0, np.int64)
        pairs = np.stack(
            [
                np.concatenate([none, *(part.place for part in parts)]),
                np.concatenate([none, *(part.value for part in parts)]),
            ]
        )
        pairs = np.unique(pairs, axis=1) if pairs.shape[1] else pairs
        return cls(pairs[0], pairs[1])


@dataclass(slots=True)
class Assembled:
    """All days one after another: day r has values[offset[r]:offset[r + 1]]."""

    days: Days
    offset: Ints
    values: NDArray[np.int32]
    quality: NDArray[np.int16]
    batch: Ints
    """Batch of each value, -1 where missing."""
    fresh: NDArray[np.bool_]
    """Per day: whether a block of one of the fresh batches lies in it."""
    misaligned: int = 0
    """Values that do not begin where an interval of the day begins, or lie beyond its end."""
    overflowed: int = 0
    """Values that do not fit 32 bits in the channel's unit."""
    missing: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """Per day: number of missing values."""
    method: NDArray[np.int16] | None = None
    """Method of each value, None: all as delivered."""
    flags: NDArray[np.int32] | None = None
    """The meter's flags beside each value that won, None: no block had any."""
    conflicts: Conflicts = field(default_factory=lambda: Conflicts.joined([]))
    other_steps: Ints = field(default_factory=lambda: np.empty((0, 2), np.int64))
    """Blocks left out because their step is not the channel's: day (its place) and step in ms."""
    touched: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """Per day: whether a value was placed."""

    def batches(self) -> list[Ints]:
        """Per day the distinct batches that its values came from, ascending."""
        result: list[Ints] = []
        if not len(self.days):
            return result
        high = np.maximum.reduceat(self.batch, self.offset[:-1])
        known = np.where(self.batch < 0, np.iinfo(np.int64).max, self.batch)
        low = np.minimum.reduceat(known, self.offset[:-1])
        for row in range(len(self.days)):
            if high[row] < 0:
                result.append(np.empty(0, np.int64))
            elif high[row] == low[row]:
                result.append(high[row : row + 1])
            else:
                used = np.unique(self.batch[self.offset[row] : self.offset[row + 1]])
                result.append(used[used >= 0])
        return result


def assemble(days: Days, groups: Sequence[Blocks], mappings: Mappings, fresh_batches: Ints) -> Assembled:
    """Place every value of the blocks into its day. `fresh_batches` ascending marks the days that they touch."""
    offset = np.concatenate([np.zeros(1, np.int64), np.cumsum(days.length)])
    total = int(offset[-1])
    result = Assembled(
        days,
        offset,
        np.full(total, MISSING_VALUE, np.int32),
        np.full(total, Quality.MISSING, np.int16),
        np.full(total, -1, np.int64),
        np.zeros(len(days), np.bool_),
        touched=np.zeros(len(days), np.bool_),
    )
    conflicts: list[Conflicts] = []
    for group in groups:
        rows = max(1, _SLICE // max(1, group.values.shape[1]))
        for low in range(0, len(group.evidence), rows):
            conflicts += _place(result, _take(group, slice(low, low + rows)), mappings, fresh_batches)
    result.conflicts = Conflicts.joined(conflicts)
    if len(result.other_steps):
        result.other_steps = np.unique(result.other_steps, axis=0)
    if len(days):
        gone = (result.batch < 0).astype(np.int64)
        result.missing = np.add.reduceat(gone, offset[:-1])
    return result


def _take(group: Blocks, which: slice) -> Blocks:
    return Blocks(
        group.evidence[which],
        group.start_ms[which],
        group.step_ms[which],
        group.batch[which],
        group.values[which],
        None if group.flags is None else group.flags[which],
    )


def _place(result: Assembled, blocks: Blocks, mappings: Mappings, fresh_batches: Ints) -> list[Conflicts]:
    days, count = result.days, blocks.values.shape[1]
    block, mapping = mappings.of(blocks.evidence)
    start, step = blocks.start_ms[block], mappings.step_ms[mapping]
    # Places of the block's values that lie within the mapping's validity: [first, last).
    first = np.clip(-((start - mappings.from_ms[mapping]) // step), 0, count)
    last = np.clip(-((start - mappings.to_ms[mapping]) // step), 0, count)
    row = _row_of(days, mappings.channel[mapping], start)
    keep = (first < last) & (row >= 0)
    foreign = keep & (blocks.step_ms[block] != step)
    if foreign.any():
        noted = np.stack([row[foreign], blocks.step_ms[block[foreign]]], axis=1)
        result.other_steps = np.concatenate([result.other_steps, noted])
        keep &= ~foreign
    block, mapping, row, first, last = block[keep], mapping[keep], row[keep], first[keep], last[keep]
    if not len(block):
        return []
    place, rest = np.divmod(blocks.start_ms[block] - days.start_ms[row], days.step_ms[row])
    result.misaligned += int(np.count_nonzero(rest)) * count
    aligned = rest == 0
    block, mapping, row, first, last, place = (each[aligned] for each in (block, mapping, row, first, last, place))
    batch = blocks.batch[block]
    result.fresh[row[_contains(fresh_batches, batch)]] = True
    # A day that one block alone has touched so far needs no comparison.
    alone = (np.bincount(row, minlength=len(days))[row] == 1) & ~result.touched[row]
    result.touched[row] = True

    inside = np.arange(count)
    slot = place[:, None] + inside
    good = (inside >= first[:, None]) & (inside < last[:, None])
    beyond = good & (slot >= days.length[row][:, None])
    result.misaligned += int(np.count_nonzero(beyond))
    values = blocks.values[block].astype(np.int64)
    good &= ~beyond & (values != MISSING_VALUE)
    values *= mappings.factor[mapping][:, None]
    over = good & (np.abs(values) > INT32_MAX)
    result.overflowed += int(np.count_nonzero(over))
    good &= ~over

    flags = None if blocks.flags is None else blocks.flags[block]
    conflicts = []
    for rows, put in ((alone, _put), (~alone, _put_better)):
        if rows.any():
            chosen = good & rows[:, None]
            conflicts += put(
                result,
                (result.offset[row][:, None] + slot)[chosen],
                np.broadcast_to(batch[:, None], good.shape)[chosen],
                values[chosen],
                None if flags is None else flags[chosen].astype(np.int32),
            )
    return conflicts


def _put(
    result: Assembled, target: Ints, batch: Ints, values: Ints, flags: NDArray[np.int32] | None
) -> list[Conflicts]:
    """Write values into places of which each occurs once."""
    result.batch[target] = batch
    result.values[target] = values
    result.quality[target] = int(Quality.MEASURED) if flags is None else _quality(flags)
    if flags is not None and result.flags is None and flags.any():
        result.flags = np.zeros(len(result.values), np.int32)
    if result.flags is not None:
        result.flags[target] = 0 if flags is None else flags
    return []


def _put_better(
    result: Assembled, target: Ints, batch: Ints, values: Ints, flags: NDArray[np.int32] | None
) -> list[Conflicts]:
    """Write the values that beat what is there and each other. The order of ranks is that of the qualities' codes."""
    conflicts = []
    quality = np.zeros(len(target), np.int16) if flags is None else _quality(flags)
    order = np.argsort(target, kind="stable")
    if (target[order][1:] == target[order][:-1]).any():
        order = np.lexsort((values, batch, -quality, target))
        target, batch, values, quality = target[order], batch[order], values[order], quality[order]
        flags = None if flags is None else flags[order]
        same = target[1:] == target[:-1]
        conflicts += _conflicts(same & (quality[1:] == 0) & (quality[:-1] == 0), target[1:], values[1:], values[:-1])
        best = np.concatenate([~same, [True]])
        target, batch, values, quality = target[best], batch[best], values[best], quality[best]
        flags = None if flags is None else flags[best]
    there, their_batch, theirs = result.quality[target], result.batch[target], result.values[target].astype(np.int64)
    conflicts += _conflicts((quality == 0) & (there == 0), target, values, theirs)
    later = (batch > their_batch) | ((batch == their_batch) & (values > theirs))
    wins = (quality < there) | ((quality == there) & later)
    _put(result, target[wins], batch[wins], values[wins], None if flags is None else flags[wins])
    return conflicts


def _conflicts(measured: NDArray[np.bool_], target: Ints, one: Ints, other: Ints) -> list[Conflicts]:
    differ = measured & (one != other)
    if not differ.any():
        return []
    place = target[differ]
    return [Conflicts(place, one[differ]), Conflicts(place, other[differ])]


def _quality(flags: NDArray[np.int32]) -> NDArray[np.int16]:
    doubtful = np.where((flags & DOUBTFUL) != 0, np.int16(Quality.PROVISIONAL), np.int16(Quality.MEASURED))
    return np.where((flags & Flag.SUBSTITUTED) != 0, np.int16(Quality.ESTIMATED), doubtful)


def _row_of(days: Days, channel: Ints, start_ms: Ints) -> Ints:
    """The day of each (channel, instant), or -1. Days are sorted by channel, then time: the last one not after."""
    if not len(days):
        return np.full(len(channel), -1, np.int64)
    # 28 bits of minutes since 1970 last until the year 2480; channels have 31 bits.
    minutes = 28
    keys = days.channel << minutes | days.start_ms // 60_000
    row = np.searchsorted(keys, channel << minutes | start_ms // 60_000, side="right") - 1
    safe = np.maximum(row, 0)
    end = days.start_ms[safe] + days.length[safe] * days.step_ms[safe]
    inside = (row >= 0) & (days.channel[safe] == channel) & (start_ms < end)
    return np.where(inside, row, -1)


def _contains(ascending: Ints, values: Ints) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(values), np.bool_)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[place] == values
    return found
