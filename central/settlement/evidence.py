"""Read the register states that a settlement measures by: at every border of a part, and on both sides of every
exchange of a register within one. A handful of queries, whatever the number of points.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from central.readings.registers.boundary import Classes, SplitState, described, split_states
from central.readings.registers.limits import find_faces, find_rollovers
from central.readings.states import WITHIN, State, find_states
from central.settlement.facts import ChannelFacts
from central.settlement.measured import RegisterPeriod, StateReading

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Fed:
    """The time within a part in which one register fed a channel."""

    channel: int
    evidence_channel: int
    since: datetime
    until: datetime


StretchKey = tuple[int, datetime, datetime]
"""A channel with its first instant and the one after its last: two items may be settled from one channel."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A state channel between two instants."""

    channel: ChannelFacts
    since: datetime
    until: datetime

    @property
    def key(self) -> StretchKey:
        return self.channel.id, self.since, self.until


def read_states(
    connection: Connection, wanted: Sequence[Wanted], classes: Classes
) -> dict[StretchKey, list[RegisterPeriod]]:
    """The register periods of state channels between two instants; a missing state is None in its period.

    A register's last state is the one at, or soonest after, the end of its time: asked for an instant earlier, because
    from the end on another register may feed the channel. Where nobody read a register at an end, its state follows
    from a split of what it counted between the states next to it, by `classes` (of load profiles, by channel).
    """
    if not wanted:
        return {}
    stretches = {each.key: each for each in wanted}
    fed = [(key, period) for key, each in stretches.items() for period in _fed(each.channel, each.since, each.until)]
    ends = list(
        dict.fromkeys((period.channel, at) for _, period in fed for at in (period.since, period.until - _INSTANT))
    )
    found = find_states(connection, ends)
    split = split_states(connection, [end for end in ends if end not in found], classes)
    faces = find_faces(connection, [(period.evidence_channel, period.until - _INSTANT) for _, period in fed])
    start, stop = min(each.since for each in wanted), max(each.until for each in wanted)
    rolled = find_rollovers(connection, [period.evidence_channel for _, period in fed], start, stop)
    periods: dict[StretchKey, list[RegisterPeriod]] = defaultdict(list)
    for key, period in fed:
        first, last = (
            _of_register(_chosen(found, split, (period.channel, instant)), period)
            for instant in (period.since, period.until - _INSTANT)
        )
        face = faces[period.evidence_channel, period.until - _INSTANT]
        periods[key].append(
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


def as_text(value: Decimal) -> str:
    """A decimal without exponent and without needless zeros, as documents hold it."""
    return format(value.normalize() + 0, "f")
