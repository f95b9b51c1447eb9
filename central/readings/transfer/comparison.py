"""A plan against what is in evidence already: new, the same, or in conflict, by register."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, text

from central.readings.assemble import Mappings, assemble
from central.readings.calendar import COMMODITIES, Ints, from_ms
from central.readings.closing import closed_days
from central.readings.rows import read_blocks
from central.readings.touched import FOREVER_MS, Spans, mappings_of, spans_of, touched_days
from central.readings.transfer.evidence_writer import blocks_of, runs_of
from central.readings.transfer.planning import Plan
from shared.quantities import MISSING_VALUE, Kind

# Of states read again, the latest batch's counts.
_STATES = text("""
    SELECT wanted.place, found.value
    FROM unnest(CAST(:ids AS integer[]), CAST(:ms AS bigint[])) WITH ORDINALITY AS wanted (id, ms, place)
    CROSS JOIN LATERAL (
        SELECT r.value FROM register_reading r
        WHERE r.evidence_channel = wanted.id AND r.at = timestamptz 'epoch' + wanted.ms * interval '1 millisecond'
          AND r.at >= :first AND r.at <= :last
          AND NOT EXISTS (SELECT FROM batch f WHERE f.id = r.batch_id AND f.revoked_at IS NOT NULL)
        ORDER BY r.batch_id DESC LIMIT 1
    ) found
""")


@dataclass(frozen=True, slots=True)
class SeriesPreview:
    """What one series of a file would bring: `new` values, the `same` as are there, `conflicts` with other values."""

    key: str
    evidence_channel: int
    meter: str
    register: str
    kind: str
    first: datetime
    last: datetime
    """Beginning of the last interval, or the last state."""
    values: int
    new: int
    same: int
    conflicts: int
    first_conflict: datetime | None


def compare(connection: Connection, plan: Plan) -> list[SeriesPreview]:
    """By register, in the file's order; one query for intervals and one for states."""
    result = []
    both = np.full(len(plan.at_ms), MISSING_VALUE, np.int64)
    interval = np.array([each.kind is Kind.INTERVAL for each in plan.registers], np.bool_)
    if len(both):
        places = np.flatnonzero(interval[plan.register])
        both[places] = _present_intervals(connection, plan.of_kind(Kind.INTERVAL))
        places = np.flatnonzero(~interval[plan.register])
        both[places] = _present_states(connection, plan.of_kind(Kind.STATE))
    for place, register in enumerate(plan.registers):
        ours = np.flatnonzero(plan.register == place)
        if not len(ours):
            continue
        there, value, at = both[ours], plan.value[ours], plan.at_ms[ours]
        known = there != MISSING_VALUE
        conflict = known & (there != value)
        first_conflict = from_ms(int(at[np.argmax(conflict)])) if conflict.any() else None
        result.append(
            SeriesPreview(
                plan.keys[place],
                register.id,
                register.meter,
                register.name,
                register.kind.value,
                from_ms(int(at[0])),
                from_ms(int(at[-1])),
                len(ours),
                int(np.count_nonzero(~known)),
                int(np.count_nonzero(known & ~conflict)),
                int(np.count_nonzero(conflict)),
                first_conflict,
            )
        )
    return result


def count_closed_days(connection: Connection, plan: Plan) -> int:
    """How many days of channels that settlement has pinned the plan's values would change: as late versions."""
    runs = runs_of(plan.of_kind(Kind.INTERVAL))
    if not len(runs.first):
        return 0
    mappings = mappings_of(connection, evidence=np.unique(runs.evidence).tolist())
    days = touched_days(Spans(runs.evidence, runs.start_ms, runs.start_ms + runs.count * runs.step_ms), mappings)
    return int(np.count_nonzero(closed_days(connection, days)))


def _present_intervals(connection: Connection, intervals: Plan) -> Ints:
    """The value in evidence at each instant of the plan, MISSING_VALUE where there is none.

    Consolidation's own assembly answers, with each register standing for a channel that only it feeds.
    """
    runs = runs_of(intervals)
    if not len(runs.first):
        return np.empty(0, np.int64)
    registers = sorted(intervals.registers, key=lambda each: each.id)
    ids = np.array([each.id for each in registers], np.int64)
    count = len(ids)
    alone = Mappings(
        ids,
        ids,
        np.ones(count, np.int64),
        np.full(count, -FOREVER_MS, np.int64),
        np.full(count, FOREVER_MS, np.int64),
        np.array([max(1, each.step_ms) for each in registers], np.int64),
        np.array([COMMODITIES.index(each.commodity) for each in registers], np.int64),
    )
    ends = runs.start_ms + runs.count * runs.step_ms
    days = touched_days(Spans(runs.evidence, runs.start_ms, ends), alone)
    none = np.empty(0, np.int64)
    present = assemble(days, read_blocks(connection, spans_of(days, alone)), alone, none)
    # Where each value of the plan stands among the days' values: placed as its own index.
    ours = Plan(
        intervals.registers,
        intervals.keys,
        intervals.register,
        intervals.at_ms,
        np.arange(len(intervals.at_ms), dtype=np.int64),
        np.zeros(len(intervals.at_ms), np.int32),
        intervals.line,
    )
    blocks = [each for _, each in blocks_of(ours, runs_of(ours), np.ones(len(runs.first), np.int64))]
    placed = assemble(days, blocks, alone, none)
    there = np.flatnonzero(placed.batch >= 0)
    result = np.full(len(intervals.at_ms), MISSING_VALUE, np.int64)
    result[placed.values[there]] = present.values[there]
    return result


def _present_states(connection: Connection, states: Plan) -> Ints:
    """The state in evidence at each instant of the plan, MISSING_VALUE where there is none."""
    result = np.full(len(states.at_ms), MISSING_VALUE, np.int64)
    if len(result):
        ids = np.array([each.id for each in states.registers], np.int64)[states.register]
        bounds = {"first": from_ms(int(states.at_ms.min())), "last": from_ms(int(states.at_ms.max()))}
        rows = connection.execute(_STATES, {"ids": ids.tolist(), "ms": states.at_ms.tolist(), **bounds}).all()
        for row in rows:
            result[row.place - 1] = row.value
    return result
