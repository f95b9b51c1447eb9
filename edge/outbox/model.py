"""What goes into the outbox and comes out of it."""

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import msgspec

from edge.errors import OutboxError
from edge.schedule import SampleMark
from edge.timeline import Stretch
from shared.quantities import Kind
from shared.wire import Block, Key, Record

Ranges = list[tuple[int, int, int]]
"""epoch, first, last."""


class Lane(IntEnum):
    """Order in which blocks leave."""

    LIVE = 0
    BACKFILL = 1


class Worth(IntEnum):
    """What goes first when the disk budget is full: the highest number, and of it the oldest. Billing data never go."""

    BILLING = 0
    """Load profiles, states that are billed, and what tells of gaps and holes in them."""
    EVENT = 1
    """Events that nothing depends on."""
    MEASUREMENT = 2
    """Present values that are looked at."""


class BatchState(IntEnum):
    """State of a numbered batch. `REOFFERED`: acknowledged by a database that is no more, offered to the new one."""

    UNACKED = 0
    ACKED = 1
    REOFFERED = 2


class Address(NamedTuple):
    """Number of a batch."""

    epoch: int
    seq: int


class RegisterStretch(NamedTuple):
    """A stretch of the timeline of one register."""

    device: str
    register: str
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Deposit:
    """Blocks and records of one reading, and the progress that they mean: committed together or not at all."""

    blocks: Sequence[Block] = ()
    records: Sequence[Record] = ()
    lane: Lane = Lane.LIVE
    progress: Sequence[RegisterStretch] = ()
    """What is known of load profiles from now on. If a block of a register that is named here is lost on its way, its
    span is read again."""
    sample: tuple[str, SampleMark] | None = None
    """Device, and how far its samples have come."""
    live: Sequence[tuple[str, int]] = ()
    """Device, and the end (ms) of the last interval that is stored of its live series."""
    remember: Mapping[str, str] = field(default_factory=dict)
    """What is to be found again under these keys (`Outbox.meta`)."""
    worth: Worth = Worth.BILLING


@dataclass(frozen=True, slots=True)
class NumberedBatch:
    """A batch with its number, as published."""

    address: Address
    body: bytes
    lane: Lane = Lane.LIVE
    """The last lane of which there is something in it."""


@dataclass(slots=True)
class Counts:
    """What the outbox holds, kept in memory so that nobody needs to count rows."""

    pending: int = 0
    """Blocks and records without a number."""
    pending_live: int = 0
    """Those of them in the lane `LIVE`."""
    unacked: int = 0
    """Numbered batches that central has not acknowledged."""
    acked: int = 0
    reoffered: int = 0
    refused: int = 0
    """Blocks that central refused; they are in its quarantine and in our table."""
    dropped: dict[Worth, int] = field(default_factory=dict)
    """Blocks and records that the disk budget cost since the agent's start."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What went because the disk budget was full: blocks and records of one worth, and the time they span, ms UTC."""

    worth: Worth
    count: int
    first_ms: int
    last_ms: int


@dataclass(slots=True)
class Closed:
    """What closed numbers meant."""

    numbers: Ranges = field(default_factory=list)
    """Those of which nothing was known before."""
    lost: list[RegisterStretch] = field(default_factory=list)
    """To be read again: they travelled in batches that nobody holds any more."""
    requeued: int = 0
    """Blocks and records that were still held and go out under new numbers."""
    unknown: bool = False
    """There was a number of which this outbox knows nothing: it is not the one that gave it."""


@dataclass(slots=True)
class Acknowledged:
    """What an acknowledgement changed."""

    batches: list[Address] = field(default_factory=list)
    refused: list[tuple[int, int, str]] = field(default_factory=list)
    """seq, index, reason that were not known yet."""


class StoredBlock(msgspec.Struct, array_like=True):
    """A block as it waits in the outbox; values and quality as little-endian typed arrays."""

    key: Key
    start_ms: int
    step_ms: int
    values: bytes
    quality: bytes | None
    marks: int


_encoder = msgspec.msgpack.Encoder()
_block_decoder = msgspec.msgpack.Decoder(StoredBlock)
_record_decoder = msgspec.msgpack.Decoder(Record)
_TYPECODES = {Kind.INTERVAL: "i", Kind.STATE: "q"}


def encode_block(block: Block) -> bytes:
    """`block` as stored. Raises `OutboxError` for what the wire could not carry: nothing unsendable gets in."""
    try:
        values = _octets(array(_TYPECODES[block.key.kind], block.values))
        quality = _octets(array("H", block.quality)) if block.quality is not None else None
    except (OverflowError, TypeError) as error:
        raise OutboxError(
            f"A value of {block.key.device} {block.key.register} at {block.start_ms} does not fit the wire: {error}."
        ) from None
    if block.quality is not None and len(block.quality) != len(block.values):
        raise OutboxError(
            f"A block of {block.key.device} {block.key.register} has {len(block.values)} values, "
            f"but {len(block.quality)} qualities."
        )
    return _encoder.encode(StoredBlock(block.key, block.start_ms, block.step_ms, values, quality, block.marks))


def decode_block(body: bytes) -> Block:
    """The block of a stored body."""
    stored = _block_decoder.decode(body)
    quality = _array("H", stored.quality) if stored.quality is not None else None
    values = _array(_TYPECODES[stored.key.kind], stored.values)
    return Block(stored.key, stored.start_ms, stored.step_ms, values, quality, stored.marks)


def encode_record(record: Record) -> bytes:
    """`record` as stored. Raises `OutboxError` for what the wire could not carry."""
    try:
        return _encoder.encode(record)
    except (OverflowError, TypeError, ValueError) as error:
        raise OutboxError(f"The record {record.kind} at {record.at} does not fit the wire: {error}.") from None


def decode_record(body: bytes) -> Record:
    """The record of a stored body."""
    return _record_decoder.decode(body)


def without(span: tuple[int, int], known: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of the inclusive range `span` when the ranges `known` are taken out."""
    left = []
    first, last = span
    for begin, end in sorted(known):
        if begin > last:
            break
        if begin > first:
            left.append((first, begin - 1))
        first = max(first, end + 1)
    if first <= last:
        left.append((first, last))
    return left


def ranges_of(addresses: Iterable[Address]) -> Ranges:
    """`addresses` as inclusive ranges, by epoch in the order of first appearance."""
    by_epoch: dict[int, list[int]] = {}
    for epoch, seq in addresses:
        by_epoch.setdefault(epoch, []).append(seq)
    ranges: Ranges = []
    for epoch, numbers in by_epoch.items():
        for seq in sorted(numbers):
            if ranges and ranges[-1][0] == epoch and ranges[-1][2] == seq - 1:
                ranges[-1] = (epoch, ranges[-1][1], seq)
            else:
                ranges.append((epoch, seq, seq))
    return ranges


def _octets(values: "array[int]") -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _array(typecode: str, octets: bytes) -> "array[int]":
    values = array(typecode, octets)
    if sys.byteorder == "big":
        values.byteswap()
    return values
