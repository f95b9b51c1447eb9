"""What the rules on registers need: what registers counted between borders of days, their versions, removals, check
meters and earlier estimates. A handful of queries a chunk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from central.readings.calendar import Ints
from central.readings.registers.difference import NO_DIGITS, NO_LIMIT, differences
from central.readings.registers.limits import find_faces, find_rollovers
from central.readings.states import State, find_states
from central.readings.vee.rule import Bools, Chunk, Floats, Input
from central.readings.vee.work import SAMPLE_MS
from shared.quantities import Kind, Quality

COUNTED, VERSIONS, REMOVED, CHECK, ESTIMATED = "counted", "versions", "removed", "check", "estimated"
SAMPLE = timedelta(milliseconds=SAMPLE_MS)
_INSTANT = timedelta(microseconds=1)
FEW_DAYS = 8
"""Up to so many days, a profile is compared at the border of each: a month is told whole, and its days when asked."""
ESTIMATED_DAYS = 30
"""Days looked back for estimates."""

_REGISTERS = text("""
    SELECT c.id AS channel, s.id AS state_channel, s.direction, s.exponent
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel c ON c.id = given.id
    JOIN channel s ON s.kind = 'state' AND s.point = c.point
     AND (s.direction = c.direction OR c.direction = 'A+' AND s.direction IN ('VT', 'NT', 'JT'))
    ORDER BY c.id, s.direction
""")
_MAPPED = text("""
    SELECT m.channel, lower(m.valid) AS since, upper(m.valid) AS until
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel_mapping m ON m.channel = given.id AND m.valid && tstzrange(:begin, :finish, '[]')
    ORDER BY m.channel, lower(m.valid) NULLS FIRST
""")
_VERSIONS = text("""
    SELECT m.channel, m.multiplier AS applied, v.multiplier AS expected,
           (e.unit, e.exponent) IS DISTINCT FROM (v.unit, v.exponent) AS other_unit,
           lower(m.valid * v.valid) AS since, upper(m.valid * v.valid) AS until
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel_mapping m ON m.channel = given.id AND m.valid && tstzrange(:begin, :finish)
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN register_version v ON v.evidence_channel = e.id AND v.valid && m.valid
    WHERE v.multiplier <> m.multiplier OR (e.unit, e.exponent) IS DISTINCT FROM (v.unit, v.exponent)
""")
_REMOVED = text("""
    SELECT m.channel, min(s.at) AS since, min(upper(m.valid)) AS until
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel_mapping m ON m.channel = given.id AND m.valid && tstzrange(:begin, :finish)
    JOIN evidence_channel mine ON mine.id = m.evidence_channel
    JOIN evidence_channel other ON other.concentrator = mine.concentrator AND other.device = mine.device
    JOIN meter_state s ON s.evidence_channel = other.id AND s.kind = 'removal' AND s.revoked_at IS NULL
     AND s.at < :finish AND m.valid @> s.at
    GROUP BY m.channel
""")
_CHECK = text("""
    SELECT k.channel, p.day, p.total * 10.0::float8 ^ (other.exponent - own.exponent) AS total,
           lower(k.valid) AS since, upper(k.valid) AS until
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN check_channel k ON k.channel = given.id AND k.valid && tstzrange(:begin, :finish)
    JOIN channel own ON own.id = k.channel
    JOIN channel other ON other.id = k.check_channel AND other.unit = own.unit
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (d.day) d.day, d.missing,
               coalesce(d.total, (SELECT coalesce(sum(v), 0) FROM unnest(d."values") v)) AS total
        FROM day_profile d WHERE d.channel = k.check_channel AND d.day >= :first AND d.day < :end
        ORDER BY d.day, d.version DESC
    ) p
    WHERE p.missing = 0
""")
_ESTIMATED = text("""
    SELECT p.channel, p.day
    FROM day_profile p
    WHERE p.channel = ANY(:channels) AND p.day >= :first AND p.day < :end
      AND p.quality && CAST(:estimates AS smallint[])
      AND NOT EXISTS (
          SELECT FROM day_profile later
          WHERE later.channel = p.channel AND later.day = p.day AND later.version > p.version)
""")


@dataclass(frozen=True, slots=True)
class Counted:
    """What the registers of the chunk's channels counted between two borders of days, one entry a channel and stretch.

    A stretch runs from day `first` to day `last` (places in the chunk's days, both included). `units` and
    `last_digit` (one unit of each register, together) are in the channel's own unit; `verdict` is the worst of its
    registers, and where it is not counted `before` and `after` are the states that say so.
    """

    row: Ints
    first: Ints
    last: Ints
    units: Floats
    last_digit: Floats
    verdict: Ints
    before: Ints
    after: Ints

    @classmethod
    def of(cls, rows: Sequence[Sequence[float]]) -> "Counted":
        """From (row, first, last, units, last digit, verdict, before, after) each."""
        columns = np.array(rows, np.float64).reshape(-1, 8).T
        row, first, last, units, digit, verdict, before, after = columns
        ints = [column.astype(np.int64) for column in (row, first, last, verdict, before, after)]
        return cls(ints[0], ints[1], ints[2], units, digit, *ints[3:])


@dataclass(frozen=True, slots=True)
class Versions:
    """Where mapping and version of the register disagree, (channels, days): in the unit, in the constant."""

    other_unit: Bools
    other_multiplier: Bools
    applied: Floats
    expected: Floats


_Stretch = tuple[int, int]
"""Places of the days at whose beginnings it begins and ends."""
_Segment = tuple[datetime, datetime]
_Validity = tuple[datetime | None, datetime | None]
_Key = tuple[int, _Stretch, int]
"""Channel, stretch, place of the segment in it."""
_Difference = tuple[int, int, State, State]
"""Units, verdict, both states."""


def read_counted(connection: Connection, chunk: Chunk) -> Counted:
    """Between the borders of the days to judge at which the registers of the channel's point were read.

    A channel of intervals is compared with the register of its direction; active import with the single tariff, or
    with high and low together, where no register counts the whole. A stretch in which the register was exchanged, or
    its constant changed, is counted in parts; it is left out where a state is missing at the change.
    """
    judged = np.flatnonzero(chunk.target.any(axis=0))
    if not len(judged):
        return Counted.of([])
    registers = _registers(connection, chunk)
    channels = sorted({channel for parts in registers.values() for channel, _ in parts})
    borders = {
        place: chunk.days[place].start if place < len(chunk.days) else chunk.days[-1].end
        for place in _borders(chunk, int(judged[0]), int(judged[-1]))
    }
    states = find_states(connection, [(channel, at) for channel in channels for at in borders.values()], SAMPLE)
    mapped = _mapped(connection, channels, chunk)
    asked: set[tuple[int, datetime]] = set()
    stretches: dict[int, list[_Stretch]] = {}
    segments: dict[tuple[int, _Stretch], list[_Segment]] = {}
    for row, parts in registers.items():
        known = [place for place, at in borders.items() if all((channel, at) in states for channel, _ in parts)]
        stretches[row] = list(pairwise(known))
        for stretch in stretches[row]:
            for channel, _ in parts:
                cut = _segments(mapped.get(channel, ()), borders[stretch[0]], borders[stretch[1]])
                segments[channel, stretch] = cut
                asked.update((channel, at) for segment in cut for at in segment)
    asked -= states.keys()
    states |= find_states(connection, sorted(asked), SAMPLE)
    pairs = {
        (channel, stretch, place): (states[channel, begin], states[channel, end])
        for (channel, stretch), cut in segments.items()
        for place, (begin, end) in enumerate(cut)
        if (channel, begin) in states and (channel, end) in states
    }
    differing = _differences(connection, pairs)
    entries: list[Sequence[float]] = []
    for row, parts in registers.items():
        for stretch in stretches[row]:
            keys = [
                ((channel, stretch, place), shift)
                for channel, shift in parts
                for place in range(len(segments[channel, stretch]))
            ]
            if not keys or any(key not in differing for key, _ in keys):
                continue
            found = [differing[key] for key, _ in keys]
            factors = [each[3].factor * 10.0**shift for each, (_, shift) in zip(found, keys, strict=True)]
            units = sum(each[0] * factor for each, factor in zip(found, factors, strict=True))
            _, verdict, before, after = max(found, key=lambda each: each[1])
            digit = sum(abs(factor) for factor in factors)
            entries.append((row, stretch[0], stretch[1] - 1, units, digit, verdict, before.value, after.value))
    return Counted.of(entries)


def _mapped(connection: Connection, channels: Sequence[int], chunk: Chunk) -> dict[int, list[_Validity]]:
    """When which register fed each channel, oldest first."""
    parameters = {"channels": list(channels), "begin": chunk.days[0].start, "finish": chunk.days[-1].end}
    found: dict[int, list[_Validity]] = {}
    for row in connection.execute(_MAPPED, parameters):
        found.setdefault(row.channel, []).append((row.since, row.until))
    return found


def _segments(mapped: Sequence[_Validity], begin: datetime, end: datetime) -> list[_Segment]:
    """[begin, end] cut where another register, or another constant, takes over. The end of a register's time is asked
    for an instant earlier: at the instant itself the next one stands."""
    segments: list[_Segment] = []
    for since, until in mapped:
        low = begin if since is None else max(begin, since)
        high = end if until is None else min(end, until)
        if low < high:
            segments.append((low, high - _INSTANT if high == until else high))
    return segments


def _differences(connection: Connection, pairs: Mapping[_Key, tuple[State, State]]) -> dict[_Key, _Difference]:
    """What each pair of states of one register says; pairs of two registers are left out."""
    kept = [(key, *pair) for key, pair in pairs.items() if pair[0].evidence_channel == pair[1].evidence_channel]
    if not kept:
        return {}
    found = find_faces(connection, [(after.evidence_channel, after.at) for _, _, after in kept])
    faces = [found[after.evidence_channel, after.at] for _, _, after in kept]
    first, last = min(before.at for _, before, _ in kept), max(after.at for _, _, after in kept)
    rolled = find_rollovers(connection, [before.evidence_channel for _, before, _ in kept], first, last)
    most = [face.most(before.at, after.at) for face, (_, before, after) in zip(faces, kept, strict=True)]
    confirmed = [
        any(before.at < at <= after.at for at in rolled.get(before.evidence_channel, ())) for _, before, after in kept
    ]
    units, verdict = differences(
        np.array([before.value for _, before, _ in kept], np.int64),
        np.array([after.value for _, _, after in kept], np.int64),
        np.array([face.digits or NO_DIGITS for face in faces], np.int64),
        np.array([NO_LIMIT if each is None else each for each in most], np.int64),
        np.array(confirmed),
    )
    return {
        key: (int(units[place]), int(verdict[place]), before, after) for place, (key, before, after) in enumerate(kept)
    }


def _registers(connection: Connection, chunk: Chunk) -> dict[int, list[tuple[int, int]]]:
    """For each row of the chunk its state channels, with the power of ten from theirs into its unit."""
    if chunk.kind is Kind.STATE:
        return {row: [(channel, 0)] for row, channel in enumerate(chunk.channels.tolist())}
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for each in connection.execute(_REGISTERS, {"channels": chunk.channels.tolist()}):
        row = int(np.searchsorted(chunk.channels, each.channel))
        shift = each.exponent - int(chunk.facts.exponent[row])
        found.setdefault(row, {})[each.direction] = (each.state_channel, shift)
    chosen: dict[int, list[tuple[int, int]]] = {}
    for row, of in found.items():
        own = chunk.facts.direction[row]
        for names in ((own,), ("JT",), ("VT", "NT")):
            if all(name in of for name in names):
                chosen[row] = [of[name] for name in names]
                break
    return chosen


def _borders(chunk: Chunk, first: int, last: int) -> list[int]:
    """Places of days at whose beginning a stretch may begin or end: for registers all of them, so that a state which
    fell is found whenever it was read; for profiles each of a few, else months and the last day."""
    places = range(first + 1, last + 1)
    if len(places) < FEW_DAYS or chunk.kind is Kind.STATE:
        return [first, *places, last + 1]
    return [first, *(place for place in places if chunk.days[place].date.day == 1 or place == last), last + 1]


def read_versions(connection: Connection, chunk: Chunk) -> Versions:
    """Mappings of the channels that disagree with the version of their register."""
    shape = chunk.target.shape
    versions = Versions(np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.ones(shape), np.ones(shape))
    for each in connection.execute(_VERSIONS, _period(chunk)):
        row = np.searchsorted(chunk.channels, each.channel)
        for place, day in enumerate(chunk.days):
            if (each.since is None or each.since < day.end) and (each.until is None or day.start < each.until):
                versions.other_unit[row, place] |= each.other_unit
                if each.applied != each.expected:
                    versions.other_multiplier[row, place] = True
                    versions.applied[row, place], versions.expected[row, place] = each.applied, each.expected
    return versions


def read_removed(connection: Connection, chunk: Chunk) -> Bools:
    """Days that begin after the meter behind a channel was removed, while its mapping still holds: (channels, days)."""
    removed = np.zeros(chunk.target.shape, np.bool_)
    for each in connection.execute(_REMOVED, _period(chunk)):
        row = np.searchsorted(chunk.channels, each.channel)
        for place, day in enumerate(chunk.days):
            removed[row, place] = each.since <= day.start and (each.until is None or day.start < each.until)
    return removed


def read_check(connection: Connection, chunk: Chunk) -> Floats:
    """Complete days of the check meters that were such all day, in the channel's unit: (channels, days), else NaN."""
    totals = np.full(chunk.target.shape, np.nan)
    for each in connection.execute(_CHECK, {**_period(chunk), **_dates(chunk)}):
        place = (each.day - chunk.days[0].date).days
        day = chunk.days[place]
        if (each.since is None or each.since <= day.start) and (each.until is None or day.end <= each.until):
            totals[np.searchsorted(chunk.channels, each.channel), place] = each.total
    return totals


def read_estimated(connection: Connection, chunk: Chunk) -> Bools:
    """Days with estimates among the ESTIMATED_DAYS before the chunk: (channels, ESTIMATED_DAYS)."""
    estimated = np.zeros((len(chunk.channels), ESTIMATED_DAYS), np.bool_)
    first = chunk.days[0].date - timedelta(days=ESTIMATED_DAYS)
    parameters = {
        "channels": chunk.channels.tolist(),
        "first": first,
        "end": chunk.days[0].date,
        "estimates": [int(Quality.ESTIMATED), int(Quality.SUBSTITUTE)],
    }
    for each in connection.execute(_ESTIMATED, parameters):
        estimated[np.searchsorted(chunk.channels, each.channel), (each.day - first).days] = True
    return estimated


def _period(chunk: Chunk) -> dict[str, Any]:
    return {"channels": chunk.channels.tolist(), "begin": chunk.days[0].start, "finish": chunk.days[-1].end}


def _dates(chunk: Chunk) -> dict[str, date]:
    return {"first": chunk.days[0].date, "end": chunk.days[-1].next.date}


INPUTS = (
    Input(COUNTED, read_counted),
    Input(VERSIONS, read_versions),
    Input(REMOVED, read_removed),
    Input(CHECK, read_check),
    Input(ESTIMATED, read_estimated),
)
