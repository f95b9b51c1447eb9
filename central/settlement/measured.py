"""From a month's profiles and register states to the quantities that are priced. Pure; all points at once by numpy.

Energy and volume stay integers until the last step: a quantity is Decimal(integer) x 10^exponent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from shared.quantities import MISSING_VALUE


@dataclass(frozen=True)
class ProfileMonth:
    """A month of day profiles of many channels.

    `values` is channels x intervals (all days of the month one after another), MISSING_VALUE where there is none;
    `versions` is channels x days, 0 where a day has no profile. `day_of_interval` gives the column's day, `start` is
    the beginning of the first interval, `step` the length of one.
    """

    channels: Sequence[int]
    values: NDArray[np.int32]
    versions: NDArray[np.int32]
    days: Sequence[date]
    day_of_interval: NDArray[np.int32]
    start: datetime
    step: timedelta


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
    """One register state: the integer as delivered, when it was read, the register, its batch and quality."""

    evidence_channel: int
    at: datetime
    value: int
    batch: int
    quality: int = 0


@dataclass(frozen=True, slots=True)
class RegisterPeriod:
    """The states of a channel's register at both ends of the time in which it fed the channel within the month.

    `multiplier` x `sign` is the mapping's. A side is None where the state is missing.
    """

    channel: int
    wanted_from: datetime
    wanted_to: datetime
    start: StateReading | None
    end: StateReading | None
    multiplier: int
    sign: int


class NotMeasuredError(Exception):
    """A quantity cannot be had: the sentence names channel, day or instant."""

    def __init__(self, reason: str, day: date | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.day = day


def sum_profiles(month: ProfileMonth) -> Mapping[int, ChannelSum]:
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
    first_missing = missing.argmax(axis=1)
    sums: dict[int, ChannelSum] = {}
    for row, channel in enumerate(month.channels):
        count, position = int(counts[row]), int(positions[row])
        sums[channel] = ChannelSum(
            total=int(totals[row]),
            maximum=int(values[row, position]),
            maximum_at=month.start + position * month.step,
            missing_day=month.days[int(month.day_of_interval[int(first_missing[row])])] if count else None,
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

    Raises NotMeasuredError for a missing state, a gap between registers, or a state that fell.
    """
    if not periods:
        raise NotMeasuredError(f"{what}: kanál nemá v období přiřazen žádný registr.")
    total = 0
    for period in periods:
        if period.start is None or period.end is None:
            wanted = period.wanted_from if period.start is None else period.wanted_to
            raise NotMeasuredError(f"{what}: chybí stav k {wanted.isoformat()}.", wanted.date())
        if period.end.value < period.start.value:
            raise NotMeasuredError(
                f"{what}: stav klesl z {period.start.value} ({period.start.at.isoformat()}) "
                f"na {period.end.value} ({period.end.at.isoformat()}).",
                period.end.at.date(),
            )
        total += (period.end.value - period.start.value) * period.multiplier * period.sign
    return total
