"""From a month's profiles and register states to the quantities that are priced. Pure; all points at once by numpy.

Energy and volume stay integers until the last step: a quantity is Decimal(integer) x 10^exponent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from central.readings.profiles import Profiles
from central.readings.registers.difference import Verdict, difference
from central.readings.states import REMOTE
from shared.quantities import MISSING_VALUE


@dataclass(frozen=True, slots=True)
class ChannelSum:
    """A channel's month: the sum, the highest interval and when it began, or the first day that is not complete."""

    total: int
    maximum: int
    maximum_at: datetime
    missing_day: date | None
    missing_count: int


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


def sum_profiles(month: Profiles) -> Mapping[int, ChannelSum]:
    """Reduce every channel of a month at once; sums are exact int64."""
    if not len(month.channels):
        return {}
    missing = month.values == MISSING_VALUE
    values = np.where(missing, 0, month.values).astype(np.int64)
    totals = values.sum(axis=1)
    # a missing value must never win the maximum, not even among negative ones
    visible = np.where(missing, np.iinfo(np.int64).min, values)
    positions = visible.argmax(axis=1)
    counts = missing.sum(axis=1)
    first_missing = np.searchsorted(month.offset, missing.argmax(axis=1), side="right") - 1
    start, step = month.days[0].start, month.days[0].step
    sums: dict[int, ChannelSum] = {}
    for row, channel in enumerate(month.channels):
        count, position = int(counts[row]), int(positions[row])
        sums[channel] = ChannelSum(
            total=int(totals[row]),
            maximum=int(values[row, position]),
            maximum_at=start + position * step,
            missing_day=month.days[int(first_missing[row])].date if count else None,
            missing_count=count,
        )
    return sums


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

    Raises NotMeasuredError for a missing state, a gap between registers, or a state that fell without a plausible
    rollover.
    """
    if not periods:
        raise NotMeasuredError(f"{what}: kanál nemá v období přiřazen žádný registr.")
    total = 0
    for period in periods:
        if period.start is None or period.end is None:
            wanted = period.wanted_from if period.start is None else period.wanted_to
            raise NotMeasuredError(f"{what}: chybí stav k {wanted.isoformat()}.", wanted.date())
        counted = difference(
            period.start.value, period.end.value, period.digits, period.most, confirmed=period.confirmed
        )
        if not counted.verdict.is_counted:
            raise NotMeasuredError(
                f"{what}: stav klesl z {period.start.value} ({period.start.at.isoformat()}) "
                f"na {period.end.value} ({period.end.at.isoformat()}){_WHY[counted.verdict]}.",
                period.end.at.date(),
            )
        total += counted.units * period.factor
    return total


_WHY = {
    Verdict.FELL: "",
    Verdict.NOT_AT_TOP: " a číselník nebyl před přetočením",
    Verdict.TOO_MUCH: " a po přetočení by napočítal víc, než propustí jistič",
    Verdict.OUT_OF_RANGE: " a má víc číslic než číselník",
}
