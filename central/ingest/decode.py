"""Messages to a prepared transaction: opened, registry looked up, checked, packed. No database but the registry's.

`prepare` takes as many messages as fit into its budget of unpacked values, so that a flood of small packed messages
cannot take the memory of the process.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from central.ingest.channels import ChannelTable, decode_keys
from central.ingest.check import refuse_blocks, refuse_record, sentence_of
from central.ingest.columns import Blocks, Part, assemble
from central.ingest.message import Message, Opened, Refusal, open_message
from central.ingest.pack import PackedRows, pack_blocks, pack_readings
from central.ingest.reasons import Reason
from shared.quantities import Kind
from shared.wire import Batch, BlockColumns, Key, WireError, encode_batch

VALUES_BUDGET: Final = 4 * 1024 * 1024
"""Octets of values in one transaction: 170 messages of 64 blocks of 96 (larger was not faster, tests/bench)."""

Pack = Callable[[Blocks, NDArray[np.bool_], NDArray[np.int32]], list[PackedRows]]


class ChannelSource(Protocol):
    """Where evidence channels come from; `central.ingest.testing` has one without a database."""

    table: ChannelTable

    def require(self, edges: Collection[str]) -> None:
        """Know the channels of these edges."""
        ...

    def look_again(self, keys: Iterable[tuple[str, Key]]) -> bool:
        """Look for keys that are not known; says whether anything was found."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A batch to commit: its number and its message."""

    edge: str
    epoch: int
    """Unsigned."""
    seq: int
    message: Message


@dataclass(frozen=True, slots=True)
class Event:
    """A record of a batch; `position` is its batch's place in the transaction."""

    position: int
    at_ms: int
    edge: str
    device: str
    kind: str
    data: str
    """JSON."""


@dataclass(slots=True)
class Prepared:
    """One transaction, complete but for the batch ids that the database gives."""

    messages: list[Message] = field(default_factory=list)
    """All messages it stands for, repeats and unnumbered ones too."""
    numbers: list[Number] = field(default_factory=list)
    """By position; each number once."""
    channels: list[list[int]] = field(default_factory=list)
    """Distinct evidence channels of the good blocks, by position, ascending."""
    first_ms: list[int | None] = field(default_factory=list)
    last_ms: list[int | None] = field(default_factory=list)
    blocks: list[PackedRows] = field(default_factory=list)
    readings: list[PackedRows] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    refusals: list[tuple[int | None, Refusal]] = field(default_factory=list)
    """With the position of their batch; None: without a number."""


def prepare(
    messages: Sequence[Message],
    source: ChannelSource,
    now_ms: int,
    budget: int = VALUES_BUDGET,
    pack: Pack = pack_blocks,
) -> tuple[Prepared, int]:
    """A transaction of the first messages, and how many of them it took (at least one). Raises what `source` raises."""
    prepared = Prepared()
    positions: dict[tuple[str, int, int], int] = {}
    opened: list[tuple[int, Opened]] = []
    octets = 0
    for message in messages:
        if prepared.messages and octets >= budget:
            break
        prepared.messages.append(message)
        result = open_message(message)
        position = _number(prepared, positions, result)
        if position is None and result.epoch is not None:
            continue  # the same number again: the first one counts
        if isinstance(result, Refusal):
            prepared.refusals.append((position, result))
        elif position is not None:
            opened.append((position, result))
            octets += result.octets
    _fill(prepared, opened, source, now_ms, pack)
    return prepared, len(prepared.messages)


def _number(prepared: Prepared, positions: dict[tuple[str, int, int], int], result: Opened | Refusal) -> int | None:
    """Position of a new number; None if the message has none or repeats one of this transaction."""
    if result.edge is None or result.epoch is None or result.seq is None:
        return None
    number = (result.edge, result.epoch, result.seq)
    if number in positions:
        return None
    position = positions[number] = len(prepared.numbers)
    prepared.numbers.append(Number(*number, result.message))
    return position


def _fill(prepared: Prepared, opened: list[tuple[int, Opened]], source: ChannelSource, now_ms: int, pack: Pack) -> None:
    source.require({batch.edge for _, batch in opened})
    rows, opened = _resolve(prepared, opened, source)
    batches = dict(opened)
    intervals, states = _assemble(prepared, batches, rows)
    summary = _Summary(len(prepared.numbers))
    table = source.table
    for blocks, pack_kind, target in (
        (intervals, pack, prepared.blocks),
        (states, pack_readings, prepared.readings),
    ):
        if not len(blocks):
            continue
        reason = refuse_blocks(blocks, table, now_ms)
        good = reason == 0
        evidence_channel = table.id[np.where(good, blocks.row, 0)] if len(table) else np.zeros(len(blocks), np.int32)
        if not good.all():
            prepared.refusals += _refuse_blocks(batches, blocks, reason, table)
        if good.any():
            target.extend(pack_kind(blocks, good, evidence_channel))
            summary.add(blocks, good, evidence_channel)
    prepared.channels, prepared.first_ms, prepared.last_ms = summary.finish()
    for position, batch in batches.items():
        if batch.records:
            _take_records(prepared, position, batch, now_ms)


def _resolve(
    prepared: Prepared, opened: list[tuple[int, Opened]], source: ChannelSource
) -> tuple[dict[int, NDArray[np.int32]], list[tuple[int, Opened]]]:
    """The rows of each batch's keys; a batch whose keys cannot be decoded is refused."""
    readable: list[tuple[int, Opened]] = []
    unknown: list[tuple[str, Key]] = []
    for position, batch in opened:
        try:
            unknown += [(batch.edge, key) for key in source.table.unknown_keys(batch.edge, batch.keys)]
        except WireError as error:
            prepared.refusals.append((position, _refuse_batch(batch, Reason.BODY, str(error))))
        else:
            readable.append((position, batch))
    if unknown:
        source.look_again(unknown)
    return {position: source.table.resolve(batch.edge, batch.keys) for position, batch in readable}, readable


def _assemble(
    prepared: Prepared, batches: dict[int, Opened], rows: dict[int, NDArray[np.int32]]
) -> tuple[Blocks, Blocks]:
    """Intervals and states as columns; a batch whose columns contradict each other is refused as a whole."""
    while True:
        intervals, wrong = assemble(
            Kind.INTERVAL,
            [
                Part(position, batch.intervals, rows[position], 0)
                for position, batch in batches.items()
                if batch.intervals is not None
            ],
        )
        states, wrong_states = assemble(
            Kind.STATE,
            [
                Part(position, batch.states, rows[position], _length(batch.intervals))
                for position, batch in batches.items()
                if batch.states is not None
            ],
        )
        wrong |= wrong_states
        if not wrong:
            return intervals, states
        for position, sentence in wrong.items():
            prepared.refusals.append((position, _refuse_batch(batches.pop(position), Reason.COLUMN, sentence)))


def _length(columns: BlockColumns | None) -> int:
    return 0 if columns is None else len(columns.marks)


class _Summary:
    """What a batch row says of its good blocks."""

    def __init__(self, positions: int) -> None:
        self._first = np.full(positions, np.iinfo(np.int64).max)
        self._last = np.full(positions, np.iinfo(np.int64).min)
        self._pairs: list[NDArray[np.int64]] = []
        self._positions = positions

    def add(self, blocks: Blocks, good: NDArray[np.bool_], evidence_channel: NDArray[np.int32]) -> None:
        chosen: Any = slice(None) if good.all() else good
        message = blocks.message[chosen]
        np.minimum.at(self._first, message, blocks.start[chosen])
        np.maximum.at(self._last, message, blocks.end[chosen])
        self._pairs.append((message.astype(np.int64) << 32) | evidence_channel[chosen])

    def finish(self) -> tuple[list[list[int]], list[int | None], list[int | None]]:
        if not self._pairs:
            nothing: list[int | None] = [None] * self._positions
            return [[] for _ in range(self._positions)], nothing, nothing
        pairs = np.unique(np.concatenate(self._pairs))
        borders = np.searchsorted(pairs >> 32, np.arange(self._positions + 1)).tolist()
        channels: list[int] = (pairs & 0xFFFFFFFF).tolist()
        filled = [after > before for before, after in pairwise(borders)]
        return (
            [channels[before:after] for before, after in pairwise(borders)],
            [value if there else None for value, there in zip(self._first.tolist(), filled, strict=True)],
            [value if there else None for value, there in zip(self._last.tolist(), filled, strict=True)],
        )


def _refuse_batch(batch: Opened, reason: Reason, sentence: str) -> Refusal:
    return Refusal(batch.message, batch.edge, batch.epoch, batch.seq, reason, sentence)


def _refuse_blocks(
    batches: dict[int, Opened], blocks: Blocks, reason: NDArray[np.uint8], table: ChannelTable
) -> Iterator[tuple[int, Refusal]]:
    keys: dict[int, list[Key]] = {}
    for place in np.flatnonzero(reason).tolist():
        position = int(blocks.message[place])
        batch = batches[position]
        if position not in keys:
            keys[position] = decode_keys(batch.keys)
        key, why = keys[position][int(blocks.key[place])], Reason(int(reason[place]))
        refusal = _refuse_batch(batch, why, sentence_of(why, blocks, place, key, table, batch.edge))
        refusal.index = int(blocks.index[place])
        refusal.body = one_block(key, blocks, place)
        yield position, refusal


def one_block(key: Key, blocks: Blocks, place: int) -> bytes:
    """A batch that holds just this block, value for value as it came."""
    first, count, flags = int(blocks.first[place]), int(blocks.count[place]), int(blocks.quality_first[place])
    one = slice(place, place + 1)
    columns = BlockColumns(
        key=np.zeros(1, "<i4").tobytes(),
        start=blocks.start[one].astype("<i8").tobytes(),
        step=blocks.step[one].astype("<i4").tobytes(),
        count=blocks.count[one].astype("<i4").tobytes(),
        marks=blocks.marks[one].tobytes(),
        values=blocks.values[first : first + count].tobytes(),
        flagged=b"" if flags < 0 else np.zeros(1, "<i4").tobytes(),
        quality=b"" if flags < 0 else blocks.quality[flags : flags + count].astype("<u2").tobytes(),
    )
    state = blocks.kind is Kind.STATE
    return encode_batch(Batch([key], None if state else columns, columns if state else None))


def _take_records(prepared: Prepared, position: int, batch: Opened, now_ms: int) -> None:
    first = _length(batch.intervals) + _length(batch.states)
    for place, record in enumerate(batch.records):
        sentence = refuse_record(record, batch.edge, now_ms)
        if sentence is None:
            data = msgspec.json.encode(record.data).decode()
            prepared.events.append(Event(position, record.at, batch.edge, record.device, record.kind, data))
            continue
        refusal = _refuse_batch(batch, Reason.RECORD, sentence)
        refusal.index = first + place
        refusal.body = encode_batch(Batch([], records=[record]))
        prepared.refusals.append((position, refusal))
