"""A register's state at an instant at which nobody read it: by a split between the states next to it.

The split is made at the instant and at every month end between the two states, so that each month's part follows from
the same two states, whichever month is asked for first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from central.readings.calendar import from_ms, to_ms
from central.readings.load_profiles import PREFERRED, LoadProfiles, read_load_profiles
from central.readings.registers.difference import Difference, difference
from central.readings.registers.limits import RegisterFace, find_faces
from central.readings.registers.schedules import Assignment, low_tariff, read_assignments
from central.readings.registers.split import Split, Stretch, quarter_edges, split_difference
from central.readings.registers.tariff_mask import Bools
from central.readings.states import State, find_states_around
from shared.metering_day import PRAGUE, day_of, days_between, next_month
from shared.quantities import Commodity, Flag

SPLIT = "split"
"""Kind of a state that follows from a split; it is kept as an estimate once a bill stands on it."""


@dataclass(frozen=True, slots=True)
class ClassSpan:
    """The load-profile class of a channel's consumption over [since, until): it follows the rate."""

    since: datetime
    until: datetime
    name: str | None


Classes = Mapping[int, Sequence[ClassSpan]]


@dataclass(frozen=True, slots=True)
class SplitState:
    """A state that nobody read, and how it came about."""

    state: State
    before: State
    after: State
    difference: Difference
    split: Split


@dataclass(frozen=True, slots=True)
class Material:
    """What splits need beside the states: faces of registers, series, classes, and times of low tariff, by channel."""

    faces: Mapping[tuple[int, datetime], RegisterFace]
    profiles: LoadProfiles
    classes: Classes
    directions: Mapping[int, str]
    assignments: Mapping[int, Sequence[Assignment]]


_DIRECTIONS = text("SELECT id, direction FROM channel WHERE id = ANY(:channels)")


def split_states(
    connection: Connection, wanted: Sequence[tuple[int, datetime]], classes: Classes
) -> dict[tuple[int, datetime], SplitState]:
    """The state of each (channel, instant) by a split between its neighbours; absent where one of them is missing, or
    where the register cannot have counted what lies between. A handful of queries, whatever the number."""
    around = find_states_around(connection, wanted)
    if not around:
        return {}
    material = read_material(connection, list(around.values()), classes)
    found: dict[tuple[int, datetime], SplitState] = {}
    for (channel, instant), (before, after) in around.items():
        state = split_at(before, after, instant, material)
        if state is not None:
            found[channel, instant] = state
    return found


def read_material(connection: Connection, pairs: Sequence[tuple[State, State]], classes: Classes) -> Material:
    """What the splits between these pairs of states need, set-wise."""
    channels = sorted({before.channel for before, _ in pairs})
    names = sorted({span.name for channel in channels for span in classes.get(channel, ()) if span.name is not None})
    first, last = min(before.at for before, _ in pairs), max(after.at for _, after in pairs)
    return Material(
        faces=find_faces(connection, sorted({(after.evidence_channel, after.at) for _, after in pairs})),
        profiles=read_load_profiles(connection, Commodity.ELECTRICITY, names, to_ms(first), to_ms(last) + 1)
        if names
        else LoadProfiles(Commodity.ELECTRICITY, {}),
        classes=classes,
        directions={row.id: row.direction for row in connection.execute(_DIRECTIONS, {"channels": channels})},
        assignments=read_assignments(connection, channels),
    )


def split_at(before: State, after: State, instant: datetime, material: Material) -> SplitState | None:
    """The state at an instant between two states of one register; None where their difference is not to be counted."""
    counted = count(before, after, material)
    if not counted.verdict.is_counted:
        return None
    # the end of a register's time is asked for an instant earlier
    instant = from_ms(to_ms(instant + timedelta(microseconds=999)))
    cuts = sorted({before.at, after.at, instant, *month_ends(before.at, after.at)})
    split = split_between(before, after, cuts, counted, material)
    upto = split.upto[cuts.index(instant) - 1]
    face = material.faces.get((after.evidence_channel, after.at), RegisterFace())
    value = before.value + upto
    if face.digits is not None:
        value %= 10**face.digits
    state = replace(
        before, at=instant, value=value, quality=int(Flag.SUBSTITUTED), batch=None, kind=SPLIT, entry=None,
        rolled_over=False, locked_by=None,
    )  # fmt: skip
    return SplitState(state, before, after, counted, split)


def count(before: State, after: State, material: Material) -> Difference:
    """What the register counted between two of its states."""
    face = material.faces.get((after.evidence_channel, after.at), RegisterFace())
    return difference(
        before.value, after.value, face.digits, face.most(before.at, after.at), confirmed=after.rolled_over
    )


def split_between(
    before: State, after: State, cuts: Sequence[datetime], counted: Difference, material: Material
) -> Split:
    """The counted difference split at `cuts`, the first and last being the two states' instants."""
    channel = before.channel
    stretches = [Stretch(to_ms(span.since), to_ms(span.until), span.name) for span in material.classes.get(channel, ())]
    marks = [to_ms(cut) for cut in cuts]
    tariff = _tariff(channel, marks[0], marks[-1], material)
    split = split_difference(counted.units, marks, material.profiles, stretches, PREFERRED, tariff)
    if tariff is None and material.directions.get(channel) in ("VT", "NT"):
        return replace(split, assumed=(*split.assumed, "the switching times are not known: split without them"))
    return split


def month_ends(first: datetime, last: datetime) -> list[datetime]:
    """The borders of local calendar months strictly between two instants."""
    local = first.astimezone(PRAGUE).date()
    month, found = next_month(local.year, local.month), []
    while (border := _begin(month)) < last:
        if border > first:
            found.append(border)
        month = next_month(month.year, month.month)
    return found


def described(found: SplitState) -> dict[str, Any]:
    """A split as a bill's inputs keep it, and as people read it."""
    return {
        "between": [plain_state(found.before), plain_state(found.after)],
        "counted": found.difference.units,
        "rolled_over": found.difference.verdict.name == "ROLLED_OVER",
        **describe_split(found.split),
    }


def describe_split(split: Split) -> dict[str, Any]:
    """Parts, method, series and assumptions of a split."""
    return {
        "method": split.method,
        "series": split.series,
        "masked": split.masked,
        "assumed": list(split.assumed),
        "parts": [
            {"from": from_ms(since).isoformat(), "to": from_ms(until).isoformat(), "units": units, "share": share}
            for since, until, units, share in zip(
                split.cuts_ms, split.cuts_ms[1:], split.parts, split.shares, strict=False
            )
        ],
    }


def plain_state(state: State) -> dict[str, Any]:
    """A state as documents hold it."""
    return {
        "evidence_channel": state.evidence_channel,
        "at": state.at.isoformat(),
        "value": state.value,
        "kind": state.kind,
        "batch": state.batch,
        "entry": state.entry,
    }


def _begin(day: date) -> datetime:
    return days_between(Commodity.ELECTRICITY, day, day + timedelta(days=1))[0].start


def _tariff(channel: int, start_ms: int, stop_ms: int, material: Material) -> Bools | None:
    """The quarter-hours in which the channel's register counts, over `quarter_edges`; None: all, or not known."""
    direction = material.directions.get(channel)
    assignments = material.assignments.get(channel)
    if direction not in ("VT", "NT") or not assignments:
        return None
    edges = quarter_edges(start_ms, stop_ms)
    first = day_of(Commodity.ELECTRICITY, from_ms(int(edges[0])))
    last = day_of(Commodity.ELECTRICITY, from_ms(int(edges[-1]) - 1))
    days = days_between(Commodity.ELECTRICITY, first.date, last.date + timedelta(days=1))
    low = low_tariff(assignments, days)
    if low is None:
        return None
    skipped = (int(edges[0]) - to_ms(days[0].start)) // 900_000
    inside = low[skipped : skipped + len(edges) - 1]
    return inside if direction == "NT" else ~inside
