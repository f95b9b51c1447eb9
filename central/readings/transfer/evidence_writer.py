"""A plan into the database: batches of the source's own number series, blocks and states by binary COPY.

The file's id is the epoch of its batches, so that (source, file, number) names each once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.copy_binary import HEADER, PG_EPOCH_MS, TRAILER, Column, pack_rows
from central.readings.assemble import Blocks
from central.readings.calendar import COMMODITIES, DayTable, Ints
from central.readings.rows import driver
from central.readings.transfer.planning import Plan
from shared.quantities import Kind

BLOCKS_A_BATCH: Final = 5_000
"""About so many metering days of channels make one batch: consolidation takes whole ones, within bounded memory."""
_COPY_BLOCK: Final = (
    'COPY block (start, batch_id, evidence_channel, step, marks, "values", quality) FROM STDIN (FORMAT BINARY)'
)
_COPY_STATE: Final = (
    "COPY register_reading (at, batch_id, value, evidence_channel, quality, marks) FROM STDIN (FORMAT BINARY)"
)
_BATCH: Final = text("""
    INSERT INTO batch (edge, epoch, seq, received_at, evidence_channels, first_start, last_end)
    SELECT :source, :file, seq, :now, channels::integer[],
           timestamptz 'epoch' + first_ms * interval '1 millisecond',
           timestamptz 'epoch' + last_ms * interval '1 millisecond'
    FROM unnest(CAST(:seqs AS bigint[]), CAST(:channels AS text[]), CAST(:first AS bigint[]), CAST(:last AS bigint[]))
        AS new (seq, channels, first_ms, last_ms)
    ORDER BY seq
    RETURNING seq, id
""")


@dataclass(frozen=True, slots=True)
class Runs:
    """Stretches of values that follow one another within one metering day: the blocks to be made of a plan.

    `first` and `count` are places in the plan; (runs,) each.
    """

    first: Ints
    count: Ints
    evidence: Ints
    start_ms: Ints
    step_ms: Ints
    flagged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Written:
    """What was stored."""

    batches: int
    blocks: int
    values: int
    states: int


def runs_of(intervals: Plan) -> Runs:
    """Cut the interval values of a plan at holes and at borders of metering days."""
    count = len(intervals.at_ms)
    if not count:
        none = np.empty(0, np.int64)
        return Runs(none, none, none, none, none, np.empty(0, np.bool_))
    ids = np.array([each.id for each in intervals.registers], np.int64)
    steps = np.array([each.step_ms for each in intervals.registers], np.int64)
    commodity = np.array([COMMODITIES.index(each.commodity) for each in intervals.registers], np.int64)
    register, at = intervals.register, intervals.at_ms
    day = np.empty(count, np.int64)
    for code, name in enumerate(COMMODITIES):
        ours = commodity[register] == code
        if ours.any():
            table = DayTable.covering(name, int(at[ours].min()), int(at[ours].max()) + 1)
            day[ours] = table.numbers(at[ours])
    new = (register[1:] != register[:-1]) | (at[1:] != at[:-1] + steps[register[1:]]) | (day[1:] != day[:-1])
    first = np.flatnonzero(np.concatenate([[True], new]))
    flagged = np.add.reduceat((intervals.flags != 0).astype(np.int64), first) > 0
    lengths = np.diff(np.concatenate([first, [count]]))
    return Runs(first, lengths, ids[register[first]], at[first], steps[register[first]], flagged)


def blocks_of(intervals: Plan, runs: Runs, batch: Ints) -> Iterator[tuple[Ints, Blocks]]:
    """The runs as blocks, those of equal length and with or without flags together, with their places in `runs`."""
    for length in np.unique(runs.count).tolist():
        for flagged in (False, True):
            chosen = np.flatnonzero((runs.count == length) & (runs.flagged == flagged))
            if not len(chosen):
                continue
            places = runs.first[chosen][:, None] + np.arange(length)
            yield (
                chosen,
                Blocks(
                    runs.evidence[chosen],
                    runs.start_ms[chosen],
                    runs.step_ms[chosen],
                    batch[chosen],
                    intervals.value[places].astype(np.int32),
                    intervals.flags[places] if flagged else None,
                ),
            )


def write_evidence(connection: Connection, source: str, file: int, plan: Plan, now: datetime) -> Written:
    """Store everything of the plan in the caller's transaction."""
    intervals, states = plan.of_kind(Kind.INTERVAL), plan.of_kind(Kind.STATE)
    runs = runs_of(intervals)
    share = np.arange(len(runs.first)) // BLOCKS_A_BATCH
    ends = runs.start_ms + runs.count * runs.step_ms
    parts = [np.flatnonzero(share == number) for number in range(int(share.max(initial=-1)) + 1)]
    batches = [
        (_array(np.unique(runs.evidence[part]).tolist()), int(runs.start_ms[part].min()), int(ends[part].max()))
        for part in parts
    ]
    if len(states.at_ms):
        read = np.unique(np.array([each.id for each in states.registers], np.int64)[states.register]).tolist()
        batches.append((_array(read), int(states.at_ms.min()), int(states.at_ms.max())))
    ids = _insert_batches(connection, source, file, batches, now)
    block_batch = ids[share] if len(share) else np.empty(0, np.int64)
    _copy(connection, _COPY_BLOCK, (_packed_blocks(blocks) for _, blocks in blocks_of(intervals, runs, block_batch)))
    if len(states.at_ms):
        _copy(connection, _COPY_STATE, [_packed_states(states, int(ids[-1]))])
    return Written(len(batches), len(runs.first), len(intervals.at_ms), len(states.at_ms))


def _array(ids: list[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


def _insert_batches(
    connection: Connection, source: str, file: int, batches: list[tuple[str, int, int]], now: datetime
) -> Ints:
    """Ids of the new batches, in order."""
    if not batches:
        return np.empty(0, np.int64)
    channels, first, last = zip(*batches, strict=True)
    seqs = list(range(1, len(batches) + 1))
    parameters = {
        "source": source,
        "file": file,
        "now": now,
        "seqs": seqs,
        "channels": list(channels),
        "first": list(first),
        "last": list(last),
    }
    found = {row.seq: row.id for row in connection.execute(_BATCH, parameters)}
    return np.array([found[seq] for seq in seqs], np.int64)


def _copy(connection: Connection, statement: str, packed: Iterable[bytes]) -> None:
    with driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for part in packed:
            copy.write(part)
        copy.write(TRAILER)


def _packed_blocks(blocks: Blocks) -> bytes:
    rows = len(blocks.evidence)
    flags: Any = None if blocks.flags is None else blocks.flags.astype(np.int32)
    return pack_rows(
        rows,
        [
            Column("timestamptz", _microseconds(blocks.start_ms)),
            Column("int8", blocks.batch),
            Column("int4", blocks.evidence),
            Column("int4", blocks.step_ms),
            Column("int2", np.zeros(rows, np.int16)),
            Column("int4[]", blocks.values),
            Column("int4[]", flags),
        ],
    )


def _packed_states(states: Plan, batch: int) -> bytes:
    rows = len(states.at_ms)
    ids = np.array([each.id for each in states.registers], np.int64)
    return pack_rows(
        rows,
        [
            Column("timestamptz", _microseconds(states.at_ms)),
            Column("int8", np.full(rows, batch, np.int64)),
            Column("int8", states.value),
            Column("int4", ids[states.register]),
            Column("int4", states.flags),
            Column("int2", np.zeros(rows, np.int16)),
        ],
    )


def _microseconds(ms: Ints) -> Ints:
    return (ms - PG_EPOCH_MS) * 1000
