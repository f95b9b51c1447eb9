"""Read what a settlement measures by: the newest day profiles of a month, and register states at its borders.

Both through readings' own functions: one query a commodity for profiles, a handful for states (at both ends of the
month, and on both sides of every exchange of a register within it), whatever the number of points.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from central.readings.profiles import Profiles, read_newest
from central.readings.registers.boundary import Classes, SplitState, described, split_states
from central.readings.registers.limits import find_faces, find_rollovers
from central.readings.states import WITHIN, State, find_states
from central.settlement.facts import ChannelFacts, PointFacts
from central.settlement.measured import RegisterPeriod, StateReading
from shared.metering_day import next_month
from shared.quantities import Commodity

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
    connection: Connection, start: datetime, stop: datetime, channels: Sequence[ChannelFacts], classes: Classes
) -> dict[int, list[RegisterPeriod]]:
    """The register periods of state channels between two instants; a missing state is None in its period.

    A register's last state is the one at, or soonest after, the end of its time: asked for an instant earlier, because
    from the end on another register may feed the channel. Where nobody read a register at an end, its state follows
    from a split of what it counted between the states next to it, by `classes` (of load profiles, by channel).
    """
    fed = [period for channel in channels for period in _fed(channel, start, stop)]
    ends = [(period.channel, instant) for period in fed for instant in (period.since, period.until - _INSTANT)]
    found = find_states(connection, ends)
    split = split_states(connection, [end for end in ends if end not in found], classes)
    faces = find_faces(connection, [(period.evidence_channel, period.until - _INSTANT) for period in fed])
    rolled = find_rollovers(connection, [period.evidence_channel for period in fed], start, stop)
    periods: dict[int, list[RegisterPeriod]] = defaultdict(list)
    for period in fed:
        first, last = (
            _of_register(_chosen(found, split, (period.channel, instant)), period)
            for instant in (period.since, period.until - _INSTANT)
        )
        face = faces[period.evidence_channel, period.until - _INSTANT]
        periods[period.channel].append(
            RegisterPeriod(
                period.channel,
                period.since,
                period.until,
                _reading(first),
                _reading(last),
                next((state.factor for state, _ in filter(None, (first, last))), 0),
                face.digits,
                face.most(period.since, period.until),
                any(period.since < at <= period.until + WITHIN for at in rolled.get(period.evidence_channel, ())),
            )
        )
    return dict(periods)


_Chosen = tuple[State, SplitState | None]


def _chosen(
    found: Mapping[tuple[int, datetime], State],
    split: Mapping[tuple[int, datetime], SplitState],
    end: tuple[int, datetime],
) -> _Chosen | None:
    if end in found:
        return found[end], None
    return (split[end].state, split[end]) if end in split else None


def _fed(channel: ChannelFacts, start: datetime, stop: datetime) -> Iterator[_Fed]:
    for mapping in channel.mappings:
        since, until = _bounds(mapping, start, stop)
        if since < until:
            yield _Fed(channel.id, mapping["evidence_channel"], since, until)


def _bounds(mapping: Mapping[str, Any], start: datetime, stop: datetime) -> tuple[datetime, datetime]:
    since, until = (None if text is None else datetime.fromisoformat(text) for text in mapping["valid"])
    return start if since is None else max(since, start), stop if until is None else min(until, stop)


def _of_register(chosen: _Chosen | None, period: _Fed) -> _Chosen | None:
    return chosen if chosen is not None and chosen[0].evidence_channel == period.evidence_channel else None


def _reading(chosen: _Chosen | None) -> StateReading | None:
    if chosen is None:
        return None
    state, split = chosen
    return StateReading(
        state.evidence_channel,
        state.at,
        state.value,
        state.exponent,
        state.batch,
        state.quality,
        state.kind,
        state.entry,
        None if split is None else described(split),
    )


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
