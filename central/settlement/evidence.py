"""Read what a settlement measures by: the newest day profiles of a month, and register states at its borders.

Both through readings' own functions: one query a commodity for profiles, one an instant for states (both ends of the
month, and both sides of every exchange of a register within it), whatever the number of points.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from central.readings.profiles import Profiles, read_newest
from central.readings.states import WITHIN, State, states_at
from central.settlement.facts import ChannelFacts, PointFacts
from central.settlement.measured import RegisterPeriod, StateReading
from shared.metering_day import next_month
from shared.quantities import Commodity, Flag

UNUSABLE = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID)
"""A state whose meter said so itself is not settled by."""

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Fed:
    """The time within the month in which one register fed a channel."""

    channel: int
    evidence_channel: int
    since: datetime
    until: datetime


def read_profiles(connection: Connection, commodity: Commodity, month: date, channels: Sequence[int]) -> Profiles:
    """The newest profiles of a month of interval channels of one commodity; what has no profile is missing."""
    return read_newest(connection, commodity, channels, month, next_month(month.year, month.month))


def read_states(
    connection: Connection, start: datetime, stop: datetime, channels: Sequence[ChannelFacts]
) -> dict[int, list[RegisterPeriod]]:
    """The register periods of state channels between two instants; a missing state is None in its period.

    A register's last state is the one at, or soonest after, the end of its time: asked for an instant earlier, because
    from the end on another register may feed the channel.
    """
    fed = [period for channel in channels for period in _fed(channel, start, stop)]
    wanted: dict[datetime, set[int]] = defaultdict(set)
    for period in fed:
        wanted[period.since].add(period.channel)
        wanted[period.until - _INSTANT].add(period.channel)
    found = {
        instant: _usable_states(connection, sorted(numbers), instant) for instant, numbers in sorted(wanted.items())
    }
    periods: dict[int, list[RegisterPeriod]] = defaultdict(list)
    for period in fed:
        first = _of_register(found[period.since].get(period.channel), period)
        last = _of_register(found[period.until - _INSTANT].get(period.channel), period)
        factor = next((state.factor for state in (first, last) if state is not None), 0)
        periods[period.channel].append(
            RegisterPeriod(period.channel, period.since, period.until, _reading(first), _reading(last), factor)
        )
    return dict(periods)


def _fed(channel: ChannelFacts, start: datetime, stop: datetime) -> Iterator[_Fed]:
    for mapping in channel.mappings:
        since, until = _bounds(mapping, start, stop)
        if since < until:
            yield _Fed(channel.id, mapping["evidence_channel"], since, until)


def _bounds(mapping: Mapping[str, Any], start: datetime, stop: datetime) -> tuple[datetime, datetime]:
    since, until = (None if text is None else datetime.fromisoformat(text) for text in mapping["valid"])
    return start if since is None else max(since, start), stop if until is None else min(until, stop)


def _usable_states(connection: Connection, channels: Sequence[int], instant: datetime) -> dict[int, State]:
    """The first usable state of each channel from `instant` on.

    It must come before the next quarter-hour's own sample, which would otherwise stand for a missing one.
    """
    latest = instant + WITHIN - _INSTANT
    found = states_at(connection, channels, instant, latest - instant)
    usable: dict[int, State] = {}
    for channel, first in found.items():
        state: State | None = first
        while state is not None and state.quality & UNUSABLE:
            after = state.at + _INSTANT
            state = states_at(connection, [channel], after, latest - after).get(channel) if after <= latest else None
        if state is not None:
            usable[channel] = state
    return usable


def _of_register(state: State | None, period: _Fed) -> State | None:
    return state if state is not None and state.evidence_channel == period.evidence_channel else None


def _reading(state: State | None) -> StateReading | None:
    if state is None:
        return None
    return StateReading(state.evidence_channel, state.at, state.value, state.exponent, state.batch, state.quality)


def interval_channels(points: Sequence[PointFacts], commodity: Commodity) -> list[int]:
    """The interval channels of the points that are billed by profiles (high voltage, gas)."""
    return sorted(
        channel.id
        for point in points
        if point.commodity is commodity and point.level != "NN"
        for channel in point.channels
        if channel.kind == "interval"
    )


def state_channels(points: Sequence[PointFacts]) -> list[ChannelFacts]:
    """The state channels of the points that are billed by register states (low voltage)."""
    return [channel for point in points if point.level == "NN" for channel in point.channels if channel.kind == "state"]


def as_text(value: Decimal) -> str:
    """A decimal without exponent and without needless zeros, as documents hold it."""
    return format(value.normalize() + 0, "f")
