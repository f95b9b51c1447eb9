"""What a rule is: a pure function from a matrix of channels x intervals to findings in columns.

A rule never touches the database. What it needs beside the matrix (history, siblings, register states) it names in
`inputs`; the stage reads each named input once a chunk, with one set-based query, and puts it into `Chunk.inputs`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from central.readings.calendar import Ints
from central.readings.method import Method
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity, Kind, Quality

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Severity(IntEnum):
    """How much a finding matters."""

    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What is known of the chunk's channels, one entry a channel, in the chunk's order."""

    direction: Sequence[str]
    exponent: Ints
    point: Sequence[str]
    """The metering point's name: channels of one point are siblings."""
    supply_point: Ints
    """0 where the channel belongs to none."""
    metering_type: Sequence[str | None]
    voltage_level: Sequence[str | None]
    factor: Floats
    """What turns a meter's integer into the channel's, greatest of the mappings valid in the chunk; 1 where none is."""


@dataclass(frozen=True)
class Chunk:
    """Newest profiles of channels of one commodity and kind over consecutive metering days.

    `values`, `quality` and `method` are (channels, intervals of all days one after another), as `Profiles` have them;
    day d has the columns `offset[d]` to `offset[d + 1]`. Channels of states have no columns at all (n, 0) and only
    facts, days and inputs. The first and the last day, and sibling channels, may be there only to look at: `target`
    (channels, days) says which days to judge; all of them have a version.
    """

    commodity: Commodity
    kind: Kind
    channels: Ints
    """Ids, ascending."""
    days: Sequence[MeteringDay]
    numbers: Ints
    """Day numbers of `days`."""
    offset: Ints
    values: NDArray[np.int32]
    quality: NDArray[np.int16]
    method: NDArray[np.int16] | None
    """None: all of them as delivered."""
    versions: NDArray[np.int32]
    target: Bools
    facts: ChannelFacts
    parameters: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    """By rule and name: one number a channel, NaN where the class of the channel has none."""
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def parameter(self, rule: str, name: str) -> Floats:
        """A rule's parameter for each channel, (n,); NaN: this rule does not judge the channel."""
        return self.parameters[rule][name]

    @cached_property
    def present(self) -> Bools:
        """Where a value is, however it came about."""
        there: Bools = self.values != MISSING_VALUE
        return there

    @cached_property
    def delivered(self) -> Bools:
        """Where a value is that a meter (or its device) delivered: neither estimated here nor entered. What a formula
        made of delivered values counts as delivered."""
        there: Bools = self.present & (self.quality <= Quality.ESTIMATED)
        if self.method is not None:
            computed = (self.method == Method.FORMULA) & (self.quality < Quality.ESTIMATED)
            there &= (self.method == Method.NONE) | computed
        return there

    @cached_property
    def complete(self) -> Bools:
        """Days whose values are all delivered: (channels, days)."""
        whole: Bools = self.by_day(self.delivered, np.add) == np.diff(self.offset)
        return whole

    @cached_property
    def total(self) -> Ints:
        """Sum of the delivered values of each day: (channels, days)."""
        return self.by_day(np.where(self.delivered, self.values, 0), np.add, np.int64)

    @cached_property
    def peak(self) -> Ints:
        """Highest delivered value of each day, MISSING_VALUE where none is: (channels, days)."""
        return self.by_day(np.where(self.delivered, self.values, MISSING_VALUE), np.maximum)

    def by_day(self, matrix: NDArray[Any], reduce: np.ufunc, dtype: Any = None) -> NDArray[Any]:
        """(channels, intervals) to (channels, days) by a ufunc such as `np.add`, which counts where given bools."""
        lengths = np.diff(self.offset)
        if not matrix.shape[1]:
            return np.zeros((len(self.channels), len(lengths)), dtype or np.int64)
        if dtype is None and matrix.dtype == np.bool_ and reduce is np.add:
            dtype = np.int32
        result: NDArray[Any]
        if (lengths == lengths[0]).all():
            result = reduce.reduce(matrix.reshape(len(matrix), len(lengths), -1), axis=2, dtype=dtype)
        else:
            result = reduce.reduceat(matrix, self.offset[:-1], axis=1, dtype=dtype)
        return result

    def by_interval(self, days: NDArray[Any]) -> NDArray[Any]:
        """(channels, days) to (channels, intervals): each day's number at each of its intervals."""
        return np.repeat(days, np.diff(self.offset), axis=1)

    def in_unit(self, number: Floats) -> Floats:
        """A number of base units (Wh, varh, m3) for each channel in what the channel counts in."""
        return number / 10.0**self.facts.exponent

    @property
    def dates(self) -> list[date]:
        """Local dates of the days."""
        return [day.date for day in self.days]


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings of one rule, one a channel and day, in columns of equal length."""

    rule: str
    channel: Ints
    """Ids of channels."""
    day: Ints
    """Day numbers."""
    first: Ints
    """Index of the first interval concerned, within the day."""
    last: Ints
    severity: Ints
    measured: Floats
    """The number that was compared; NaN where there is none."""
    limit: Floats
    """What it was compared with."""
    evidence: Sequence[Mapping[str, Any]]
    """JSON-able, with units in the names: what a person needs to judge it."""

    def __len__(self) -> int:
        return len(self.channel)

    @classmethod
    def none(cls, rule: str) -> "Findings":
        """Nothing found."""
        empty, floats = np.empty(0, np.int64), np.empty(0, np.float64)
        return cls(rule, empty, empty, empty, empty, empty, floats, floats, ())


def findings_of_days(
    chunk: Chunk,
    rule: str,
    found: Bools,
    *,
    severity: NDArray[Any] | Severity,
    measured: NDArray[Any] | float = np.nan,
    limit: NDArray[Any] | float = np.nan,
    span: Bools | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Findings:
    """Findings where `found` (channels, days) is true on a day to judge.

    Other arguments are (channels, days), broadcast from (channels, 1) or one number. `span` (channels, intervals) marks
    the intervals concerned, default the whole day. `evidence` gives each finding these numbers.
    """
    rows, days = np.nonzero(found & chunk.target)
    if not len(rows):
        return Findings.none(rule)
    shape = found.shape

    def picked(given: Any) -> NDArray[Any]:
        wide: NDArray[Any] = np.broadcast_to(np.asarray(given), shape)
        return wide[rows, days]

    low, high = chunk.offset[days], chunk.offset[days + 1]
    first, last = np.zeros(len(rows), np.int64), np.maximum(high - low - 1, 0)
    if span is not None:
        first, last = _first_and_last(span, rows, low, high)
    columns = {name: picked(given).tolist() for name, given in (evidence or {}).items()}
    documents = [dict(zip(columns, numbers, strict=True)) for numbers in zip(*columns.values(), strict=True)]
    return Findings(
        rule,
        chunk.channels[rows],
        chunk.numbers[days],
        first,
        last,
        picked(severity).astype(np.int64),
        picked(measured).astype(np.float64),
        picked(limit).astype(np.float64),
        documents or [{} for _ in rows],
    )


def _first_and_last(span: Bools, rows: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Places of the first and the last mark in [low, high) of each row; the whole stretch where nothing is marked."""
    length = high - low
    inside = np.arange(int(length.max()))
    columns = np.minimum(low[:, None] + inside, span.shape[1] - 1)
    marked = span[rows[:, None], columns] & (inside < length[:, None])
    some = marked.any(axis=1)
    first = np.where(some, marked.argmax(axis=1), 0)
    last = np.where(some, len(inside) - 1 - marked[:, ::-1].argmax(axis=1), length - 1)
    return first, last


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name: which kind of channels it judges, what it needs, and what judges."""

    name: str
    judge: Callable[[Chunk], Findings]
    inputs: tuple[str, ...] = ()
    kind: Kind = Kind.INTERVAL
    parameters: tuple[str, ...] = ()
    """Names of its parameters in the data of classes."""


@dataclass(frozen=True, slots=True)
class Input:
    """Something that rules need beside the matrix: read once a chunk, by one set-based query."""

    name: str
    read: Callable[[Connection, Chunk], Any]
