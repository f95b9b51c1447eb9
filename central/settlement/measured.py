"""From profiles and register states to the quantities of any stretch of days. Pure; many points at once by numpy.

Energy and volume stay integers until the last step: a quantity is Decimal(integer) x 10^exponent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.readings.profiles import Profiles
from central.readings.registers.difference import Verdict, difference
from central.readings.states import REMOTE
from central.settlement.interval_mask import IntervalMask
from shared.metering_day import PRAGUE
from shared.quantities import MISSING_VALUE, Quality


@dataclass(frozen=True, slots=True)
class ChannelSum:
    """A channel's days: the sum, the highest interval and when it began, or the first day that is not complete.

    `quality` counts the values used that were not measured, by the quality's name.
    """

    total: int
    maximum: int
    maximum_at: datetime
    missing_day: date | None
    missing_count: int
    quality: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DaySums:
    """Profiles reduced to days, so that any stretch of days costs only its days; all arrays are (channels, days)."""

    profiles: Profiles
    row_of: Mapping[int, int]
    total: NDArray[np.int64]
    peak: NDArray[np.int32]
    """The highest value; MISSING_VALUE where a day has none."""
    missing: NDArray[np.int64]
    quality: Mapping[Quality, NDArray[np.int64]]
    """Counts of values that were not measured; a quality that no value has is left out."""
    evaluated: dict[IntervalMask, NDArray[np.int64]] = field(default_factory=dict)
    """Sums of the intervals of a mask, made for all channels at once when the first one is asked for."""

    def evaluated_between(self, channel: int, first: date, end: date, mask: IntervalMask) -> int:
        """A channel's sum over a mask's intervals in the days [first, end), which must be complete."""
        totals = self.evaluated.get(mask)
        if totals is None:
            totals = self.evaluated[mask] = mask.day_totals(self.profiles)
        low = (first - self.profiles.days[0].date).days
        return int(totals[self.row_of[channel], low : low + (end - first).days].sum())

    def between(self, channel: int, first: date, end: date) -> ChannelSum:
        """A channel's sum over the days [first, end)."""
        days = self.profiles.days
        row, low = self.row_of[channel], (first - days[0].date).days
        high = low + (end - first).days
        missing = self.missing[row, low:high]
        count = int(missing.sum())
        best = low + int(self.peak[row, low:high].argmax())
        begin, stop = self.profiles.offset[best], self.profiles.offset[best + 1]
        place = int(self.profiles.values[row, begin:stop].argmax())
        return ChannelSum(
            total=int(self.total[row, low:high].sum()),
            maximum=int(self.peak[row, best]),
            maximum_at=days[best].start + place * days[best].step,
            missing_day=days[low + int((missing > 0).argmax())].date if count else None,
            missing_count=count,
            quality={
                quality.name.lower(): number
                for quality, counts in self.quality.items()
                if (number := int(counts[row, low:high].sum()))
            },
        )

    def day_volumes(self, channel: int, first: date, end: date) -> dict[date, int]:
        """A channel's sums by day over [first, end)."""
        days = self.profiles.days
        low = (first - days[0].date).days
        totals = self.total[self.row_of[channel], low : low + (end - first).days].tolist()
        return {first + timedelta(days=place): total for place, total in enumerate(totals)}

    def versions(self, channel: int, first: date, end: date) -> list[int]:
        """The versions that a channel's days [first, end) were read in; 0 where there is none."""
        low = (first - self.profiles.days[0].date).days
        found: list[int] = self.profiles.versions[self.row_of[channel], low : low + (end - first).days].tolist()
        return found


@dataclass(frozen=True, slots=True)
class StateReading:
    """One register state: the register's integer in its unit x 10^exponent, when it was read, its source and quality.

    A remote state has a `batch`, an entered one an `entry`; one that nobody read has the `split` that it follows from.
    """

    evidence_channel: int
    at: datetime
    value: int
    exponent: int
    batch: int | None
    quality: int = 0
    kind: str = REMOTE
    entry: int | None = None
    split: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RegisterPeriod:
    """The states of a channel's register at both ends of the time in which it fed the channel within the month.

    `factor` turns a difference of two states into the channel's unit. A side is None where the state is missing.
    `digits` (None: not known) and `most` (units that can have flowed, None: not known) judge a rollover, which a person
    may have `confirmed`.
    """

    channel: int
    wanted_from: datetime
    wanted_to: datetime
    start: StateReading | None
    end: StateReading | None
    factor: int
    digits: int | None = None
    most: int | None = None
    confirmed: bool = False


class NotMeasuredError(Exception):
    """A quantity cannot be had: the sentence names channel, day or instant."""

    def __init__(self, reason: str, day: date | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.day = day


def sum_days(profiles: Profiles) -> DaySums:
    """Reduce every channel to its days at once; sums are exact int64."""
    begins = profiles.offset[:-1]
    # a missing value is the lowest there is and never wins the maximum, not even among negative ones
    peak = np.maximum.reduceat(profiles.values, begins, axis=1)
    total = np.add.reduceat(profiles.values, begins, axis=1, dtype=np.int64)
    gaps = np.zeros_like(total)
    holed = np.flatnonzero((np.minimum.reduceat(profiles.values, begins, axis=1) == MISSING_VALUE).any(axis=1))
    if len(holed):
        missing = profiles.values[holed] == MISSING_VALUE
        gaps[holed] = np.add.reduceat(missing, begins, axis=1, dtype=np.int64)
        total -= gaps * MISSING_VALUE
    used = (Quality.PROVISIONAL, Quality.ESTIMATED, Quality.SUBSTITUTE, Quality.EDITED)
    quality = {}
    if ((profiles.quality != Quality.MEASURED) & (profiles.quality != Quality.MISSING)).any():
        quality = {
            each: np.add.reduceat(profiles.quality == each, begins, axis=1, dtype=np.int64)
            for each in used
            if (profiles.quality == each).any()
        }
    row_of = {channel: row for row, channel in enumerate(profiles.channels)}
    return DaySums(profiles, row_of, total, peak, gaps, quality)


def in_mega(total: int, exponent: int) -> Decimal:
    """An integer of unit x 10^exponent in the unit's million: Wh -> MWh, varh -> MVArh."""
    return Decimal(total).scaleb(exponent - 6)


def quarter_hour_kw(maximum: int, exponent: int) -> Decimal:
    """Mean power of a quarter-hour in kW from its energy in Wh x 10^exponent."""
    return (Decimal(maximum) * 4).scaleb(exponent - 3)


def in_cubic_metres(total: int, exponent: int) -> Decimal:
    """A volume of m3 x 10^exponent in m3."""
    return Decimal(total).scaleb(exponent)


def register_consumption(periods: Sequence[RegisterPeriod], what: str) -> int:
    """What a channel's registers counted, in the channel's unit: the sum over its registers' times.

    Raises NotMeasuredError for a missing state, or a state that fell without a plausible rollover. Time in which no
    register fed the channel counts nothing: `unfed_days` tells it.
    """
    if not periods:
        raise NotMeasuredError(f"{what}: kanál nemá v období přiřazen žádný registr.")
    total = 0
    for period in periods:
        if period.start is None or period.end is None:
            wanted = period.wanted_from if period.start is None else period.wanted_to
            day = _day(wanted) if period.start is None else _last_day(wanted)
            raise NotMeasuredError(f"{what}: chybí stav k {wanted.isoformat()}.", day)
        counted = difference(
            period.start.value, period.end.value, period.digits, period.most, confirmed=period.confirmed
        )
        if not counted.verdict.is_counted:
            raise NotMeasuredError(
                f"{what}: stav klesl z {period.start.value} ({period.start.at.isoformat()}) "
                f"na {period.end.value} ({period.end.at.isoformat()}){_WHY[counted.verdict]}.",
                _last_day(period.end.at),
            )
        total += counted.units * period.factor
    return total


def unfed_days(periods: Sequence[RegisterPeriod], since: datetime, until: datetime) -> list[tuple[date, date]]:
    """The local days within [since, until), half-open, on which no register fed a channel from begin to end.

    A meter that is exchanged within a day leaves none; one that was away for days may hide what was taken.
    """
    if len(periods) == 1 and periods[0].wanted_from <= since and until <= periods[0].wanted_to:
        return []  # of almost all points
    found: list[tuple[date, date]] = []
    at = since
    fed = sorted((period.wanted_from, period.wanted_to) for period in periods)
    for begin, end in (*fed, (until, until)):
        first, stop = _day(at - timedelta(microseconds=1)) + timedelta(days=1), _day(begin)
        if first < stop:
            found.append((first, stop))
        at = max(at, end)
    return found


def _day(instant: datetime) -> date:
    return instant.astimezone(PRAGUE).date()


def _last_day(end: datetime) -> date:
    """The local day that time up to an instant ends in."""
    return _day(end - timedelta(microseconds=1))


_WHY = {
    Verdict.FELL: "",
    Verdict.NOT_AT_TOP: " a číselník nebyl před přetočením",
    Verdict.TOO_MUCH: " a po přetočení by napočítal víc, než propustí jistič",
    Verdict.OUT_OF_RANGE: " a má víc číslic než číselník",
}
