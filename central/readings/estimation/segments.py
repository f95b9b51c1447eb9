"""What registers counted between two of their states, as stretches of a profile's window."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.copy_binary import PG_EPOCH_MS, unpack_rows
from central.readings.calendar import Ints
from central.readings.estimation.plan import Segment
from central.readings.registers.difference import difference
from central.readings.rows import copy_out
from shared.quantities import Flag

UNUSABLE = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID)
LATE_MS = 60_000
"""A state read up to so long after the beginning of an interval stands for that beginning. A meter that is polled has
it some seconds after; the quarter-hour that settlement allows would put consumption of the next interval into this."""

TOTALS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "A+": (("A+",), ("JT",), ("VT", "NT")),
    "A-": (("A-",),),
    "R+": (("R+",),),
    "R-": (("R-",),),
    "V": (("V",),),
}
"""By the direction of a profile the registers whose sum counts the same, the first of which there are states wins."""

# The exponent of the register against that of the profile: a state's unit in the profile's.
_FED = text("""
    SELECT profile.id AS profile, state.direction, m.evidence_channel, m.multiplier::bigint * m.sign AS factor,
           e.exponent - profile.exponent AS power,
           coalesce((extract(epoch FROM lower(m.valid)) * 1000)::bigint, -(1::bigint << 52)) AS from_ms,
           coalesce((extract(epoch FROM upper(m.valid)) * 1000)::bigint, 1::bigint << 52) AS to_ms,
           (SELECT v.digits FROM register_version v
            WHERE v.evidence_channel = m.evidence_channel AND v.valid @> CAST(:end AS timestamptz)) AS digits
    FROM (SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)) wanted
    JOIN channel profile ON profile.id = wanted.id
    JOIN channel state ON state.point = profile.point AND state.kind = 'state' AND state.unit = profile.unit
    JOIN channel_mapping m ON m.channel = state.id AND m.valid && tstzrange(:begin, :end, '[]')
    JOIN evidence_channel e ON e.id = m.evidence_channel
""")
_STATES = """
COPY (
    SELECT r.evidence_channel, r.at, r.value, r.quality, r.batch_id
    FROM (SELECT DISTINCT id FROM unnest(%s::integer[]) AS given (id)) wanted
    JOIN register_reading r ON r.evidence_channel = wanted.id
    WHERE r.at >= %s AND r.at <= %s
      AND NOT EXISTS (SELECT FROM batch f WHERE f.id = r.batch_id AND f.revoked_at IS NOT NULL)
    UNION ALL
    SELECT s.evidence_channel, s.at, s.value, 0, 0
    FROM (SELECT DISTINCT id FROM unnest(%s::integer[]) AS given (id)) wanted
    JOIN meter_state s ON s.evidence_channel = wanted.id
    WHERE s.at >= %s AND s.at <= %s AND s.revoked_at IS NULL AND s.kind <> 'estimate'
) TO STDOUT (FORMAT BINARY)
"""


@dataclass(frozen=True, slots=True)
class Register:
    """A register while it feeds a state channel, [from, to] in ms: multiplier and sign, its power of ten against the
    profile's unit, digits where known."""

    evidence: int
    factor: int
    power: int
    from_ms: int
    to_ms: int
    digits: int | None


@dataclass(slots=True)
class Counted:
    """Registers of profiles by direction, and their states: of each evidence channel instants in ms and values."""

    registers: dict[int, dict[str, list[Register]]] = field(default_factory=dict)
    states: dict[int, tuple[Ints, Ints]] = field(default_factory=dict)


def read_counted(
    connection: Connection, channels: Sequence[int], begin: datetime, end: datetime, step_ms: int
) -> Counted:
    """Registers at the points of these profiles and their usable states from `begin` to `end`; two queries."""
    result = Counted()
    for row in connection.execute(_FED, {"channels": list(channels), "begin": begin, "end": end}):
        register = Register(row.evidence_channel, row.factor, row.power, row.from_ms, row.to_ms, row.digits)
        result.registers.setdefault(row.profile, {}).setdefault(row.direction, []).append(register)
    wanted = sorted(
        {register.evidence for each in result.registers.values() for fed in each.values() for register in fed}
    )
    if not wanted:
        return result
    parts = [
        (evidence.astype(np.int64), at // 1000 + PG_EPOCH_MS, value, quality, batch)
        for evidence, at, value, quality, batch in unpack_rows(
            copy_out(connection, _STATES, (wanted, begin, end, wanted, begin, end)),
            ("int4", "timestamptz", "int8", "int4", "int8"),
        )
        if evidence is not None and at is not None and value is not None and quality is not None and batch is not None
    ]
    if parts:
        columns = [np.concatenate([part[place] for part in parts]) for place in range(5)]
        result.states = usable_states(columns[0], columns[1], columns[2], columns[3], columns[4], step_ms)
    return result


def usable_states(
    evidence: Ints, at_ms: Ints, value: Ints, quality: NDArray[np.int32], batch: Ints, step_ms: int
) -> dict[int, tuple[Ints, Ints]]:
    """By register the states at beginnings of intervals: the first within LATE_MS of each, the later batch's of two."""
    keep = ((quality & UNUSABLE) == 0) & (at_ms % step_ms <= LATE_MS)
    evidence, at_ms, value, batch = evidence[keep], at_ms[keep], value[keep], batch[keep]
    order = np.lexsort((-batch, at_ms, evidence))
    evidence, value, slot = evidence[order], value[order], at_ms[order] // step_ms * step_ms
    if not len(evidence):
        return {}
    first = np.concatenate([[True], (evidence[1:] != evidence[:-1]) | (slot[1:] != slot[:-1])])
    evidence, value, slot = evidence[first], value[first], slot[first]
    edges = np.flatnonzero(np.concatenate([[True], evidence[1:] != evidence[:-1], [True]]))
    return {
        int(evidence[low]): (slot[low:high], value[low:high])
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    }


def segments_of(
    counted: Counted, profile: int, direction: str, start_ms: int, step_ms: int, missing: NDArray[np.bool_]
) -> list[Segment]:
    """Stretches between states that hold something missing: of the first set of registers that has any states."""
    registers = counted.registers.get(profile, {})
    gone = np.concatenate([[0], np.cumsum(missing)])
    for names in TOTALS.get(direction, ()):
        tables = [_instants(registers.get(name, ()), counted.states) for name in names]
        common = sorted(set(tables[0]).intersection(*tables[1:]))
        common = [at for at in common if 0 <= (at - start_ms) // step_ms <= len(missing)]
        if not common:
            continue
        found = []
        for low, high in pairwise(common):
            first, end = (low - start_ms) // step_ms, (high - start_ms) // step_ms
            if gone[end] > gone[first] and (segment := _segment(tables, low, high, first, end)) is not None:
                found.append(segment)
        return found
    return []


_Table = dict[int, dict[Register, int]]


def _instants(registers: Sequence[Register], states: Mapping[int, tuple[Ints, Ints]]) -> _Table:
    """By instant the states of the registers that feed there; at an exchange of both."""
    table: _Table = defaultdict(dict)
    for register in registers:
        slots, values = states.get(register.evidence, (np.empty(0, np.int64), np.empty(0, np.int64)))
        inside = (slots >= register.from_ms) & (slots <= register.to_ms)
        for at, value in zip(slots[inside].tolist(), values[inside].tolist(), strict=True):
            table[at][register] = value
    return table


def _segment(tables: Sequence[_Table], low: int, high: int, first: int, end: int) -> Segment | None:
    """What all registers of a set counted together; None where one of them was exchanged, or fell, between."""
    total, resolution = 0, 0
    for table in tables:
        both = [register for register in table[low] if register in table[high]]
        if len(both) != 1:
            return None
        register = both[0]
        counted = difference(table[low][register], table[high][register], register.digits)
        if not counted.verdict.is_counted:
            return None
        scaled = _in_profile(counted.units * register.factor, register.power)
        total += scaled
        resolution += max(1, abs(_in_profile(register.factor, register.power)))
    return Segment(first, end, total, resolution) if total >= 0 else None


def _in_profile(value: int, power: int) -> int:
    """A register's quantity in the profile's unit, rounded half up where the register counts finer."""
    unit: int = 10 ** abs(power)
    return value * unit if power >= 0 else (2 * value + unit) // (2 * unit)
