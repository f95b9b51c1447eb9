"""Wire contract between concentrators and central: MQTT 5 topics, addresses, MessagePack bodies.

A batch is columnar through and through: it carries its own table of keys, and its blocks are columns of little-endian
typed arrays, so that central decodes a message of any number of blocks in a fixed number of steps (figures:
tests/bench/README.md). This module is pure Python on purpose: the agent must not need numpy. Golden vectors:
tests/unit/shared/test_wire.py.
"""

import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from shared.identifiers import EdgeId, IdentifierError, parse_edge_id
from shared.quantities import Kind
from shared.typed_columns import WireError as WireError
from shared.typed_columns import differences, from_little, inflate, little, sums

SCHEMA: Final = "1"
MARK_REREAD: Final = 1
"""The block was read again on purpose: an earlier block may hold the same instants."""
MARK_HISTORICAL: Final = 2
"""The block fills the past and must not be shown as the present value."""
PLAIN: Final = 0
DELTA_ZLIB: Final = 1
"""Values as differences to the one before (wrapping), then zlib: for narrow links."""


T = TypeVar("T")

ROOT: Final = "rzv/1"


def data_topic(edge: str) -> str:
    """Where a concentrator publishes its batches."""
    return f"{ROOT}/{edge}/data"


def state_topic(edge: str) -> str:
    """Where a concentrator keeps its birth (retained)."""
    return f"{ROOT}/{edge}/state"


def ack_topic(edge: str) -> str:
    """Where central acknowledges and welcomes."""
    return f"{ROOT}/{edge}/ack"


def config_topic(edge: str) -> str:
    """Where central leaves the concentrator's configuration (retained)."""
    return f"{ROOT}/{edge}/config"


def command_topic(edge: str) -> str:
    """Where central sends commands."""
    return f"{ROOT}/{edge}/command"


def result_topic(edge: str) -> str:
    """Where a concentrator tells what became of configurations and commands."""
    return f"{ROOT}/{edge}/result"


def edge_of_topic(topic: str) -> EdgeId:
    """The concentrator whose topic this is."""
    parts = topic.split("/")
    if len(parts) != 4 or "/".join(parts[:2]) != ROOT:
        raise WireError("topic", f"The topic {topic!r} must look like {ROOT}/<edge>/data.")
    try:
        return parse_edge_id(parts[2])
    except IdentifierError as error:
        raise WireError("topic", str(error)) from None


class Key(msgspec.Struct, array_like=True, frozen=True):
    """A register of a device: what central ties to an evidence channel."""

    device: str
    register: str
    unit: str
    exponent: int
    kind: Kind


class BlockColumns(msgspec.Struct, array_like=True):
    """Blocks of one kind as columns; all arrays little-endian, n = number of blocks."""

    key: bytes
    """int32[n], index into the batch's keys."""
    start: bytes
    """int64[n], beginning of the first interval (state: instant of the sample), ms UTC."""
    step: bytes
    """int32[n], ms; 0 for states."""
    count: bytes
    """int32[n], number of values."""
    marks: bytes
    """uint8[n], MARK_* bits."""
    values: bytes
    """int32 (intervals) or int64 (states) of all blocks, one after the other."""
    flagged: bytes = b""
    """int32[], ascending positions of the blocks that have meter flags."""
    quality: bytes = b""
    """uint16[], meter flags of the flagged blocks' values, one after the other."""
    packing: int = PLAIN


class Record(msgspec.Struct, array_like=True):
    """Something that happened at a meter or an agent: event, gap, clock correction."""

    kind: str
    device: str
    at: int
    """ms UTC."""
    data: dict[str, str | int | float | None] = {}


class Batch(msgspec.Struct, array_like=True):
    """Body of a data message. A block's index: its place in intervals; states go on from there, then records."""

    keys: list[Key]
    intervals: BlockColumns | None = None
    states: BlockColumns | None = None
    records: list[Record] = []


class Birth(msgspec.Struct):
    """What a concentrator says of itself when it comes (retained) and, as its will, when it is gone."""

    online: bool
    epoch: int
    held: list[tuple[int, int, int]] = []
    """Numbered and not yet acknowledged: epoch, first, last."""
    incarnation: str = ""
    """The database incarnation it last heard of."""
    agent: str = ""
    config_number: int = 0
    at: int = 0
    """ms UTC."""
    ask: int = 0
    """If not 0: central is to say (`Evidence`) which intervals it has from this instant on, ms UTC."""


class Ack(msgspec.Struct, tag="ack"):
    """What central has committed of one epoch."""

    epoch: int
    upto: int
    """1..upto are committed or closed."""
    beyond: list[tuple[int, int]] = []
    """Further committed ranges, inclusive."""
    refused: list[tuple[int, int, str]] = []
    """seq, index of the block, reason: kept in quarantine, the number counts as committed."""
    incarnation: str = ""


class Welcome(msgspec.Struct, tag="welcome"):
    """Answer to a birth."""

    incarnation: str
    marks: list[tuple[str, str, int]] = []
    """High-water marks of evidence: device, register, end of the last interval or instant of the last state, ms UTC."""
    closed: list[tuple[int, int, int]] = []
    """Numbers that nobody held and that were closed: epoch, first, last."""


class Evidence(msgspec.Struct, tag="evidence"):
    """Answer to a birth that asks, a page of it: which intervals central has of the concentrator's registers."""

    incarnation: str
    since: int
    """From this instant on it says what there is, ms UTC: that of the birth, or later if that lies too far back."""
    asked: int
    """`at` of the birth."""
    page: int
    """From 1."""
    pages: int
    registers: list[tuple[str, str, list[int]]] = []
    """Device, register, and what there is of it: beginning and end of each stretch without a hole, ascending, ms UTC. A
    register that central does not know is on no page."""


Answer = Ack | Welcome | Evidence

_encoder = msgspec.msgpack.Encoder()
_batches = msgspec.msgpack.Decoder(Batch)
_births = msgspec.msgpack.Decoder(Birth)
_answers = msgspec.msgpack.Decoder(Answer)


def encode_batch(batch: Batch) -> bytes:
    """Body of a data message."""
    return _encoder.encode(batch)


def decode_batch(body: bytes) -> Batch:
    """The batch of a body; only its outer form is checked."""
    return _decode(_batches, body, "batch")


def encode_birth(birth: Birth) -> bytes:
    """Body of a state message."""
    return _encoder.encode(birth)


def decode_birth(body: bytes) -> Birth:
    """The birth of a state message's body."""
    return _decode(_births, body, "birth")


def encode_message(message: Answer) -> bytes:
    """Body of a message on the ack topic."""
    return _encoder.encode(message)


def decode_message(body: bytes) -> Answer:
    """The message of an ack topic's body."""
    message: Answer = _decode(_answers, body, "acknowledgement")
    return message


def _decode(decoder: "msgspec.msgpack.Decoder[T]", body: bytes, what: str) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("body", f"The {what} of {len(body)} bytes cannot be decoded: {error}.") from None


@dataclass(frozen=True, slots=True)
class BatchAddress:
    """Where a batch comes from and its number: the message's user properties."""

    edge: EdgeId
    epoch: int
    seq: int
    schema: str = SCHEMA


def user_properties(edge: str, epoch: int, seq: int) -> list[tuple[str, str]]:
    """The MQTT 5 user properties of a batch."""
    return [("edge", edge), ("epoch", f"{epoch:016x}"), ("seq", str(seq)), ("schema", SCHEMA)]


def parse_properties(properties: Iterable[tuple[str, str]]) -> BatchAddress:
    """The address that a message's user properties give; its schema version is not judged here."""
    found = dict(properties)
    missing = [name for name in ("edge", "epoch", "seq", "schema") if name not in found]
    if missing:
        raise WireError("address", f"The message lacks the user properties {', '.join(missing)}.")
    try:
        edge = parse_edge_id(found["edge"])
    except IdentifierError as error:
        raise WireError("address", str(error)) from None
    epoch, seq = found["epoch"], found["seq"]
    if len(epoch) != 16 or not all(digit in "0123456789abcdef" for digit in epoch):
        raise WireError("address", f"The epoch {epoch!r} must be 16 hexadecimal digits in lower case.")
    if not (seq.isascii() and seq.isdigit() and 1 <= len(seq) <= 18 and int(seq) >= 1):
        raise WireError("address", f"The sequence number {seq!r} must be a whole number from 1.")
    return BatchAddress(edge, int(epoch, 16), int(seq), found["schema"])


def signed_epoch(epoch: int) -> int:
    """An epoch (unsigned 64 bit) as PostgreSQL's bigint."""
    return epoch - 2**64 if epoch >= 2**63 else epoch


def unsigned_epoch(stored: int) -> int:
    """The epoch that a bigint stands for."""
    return stored % 2**64


@dataclass(frozen=True, slots=True)
class Block:
    """What a meter hands over in one answer: one register, a start, a step, n values."""

    key: Key
    start_ms: int
    step_ms: int
    values: Sequence[int]
    quality: Sequence[int] | None = None
    """Meter flags (`shared.quantities.Flag`) per value, or None when all zero."""
    marks: int = 0


@dataclass(slots=True)
class _Columns:
    typecode: str
    key: "array[int]" = field(default_factory=lambda: array("i"))
    start: "array[int]" = field(default_factory=lambda: array("q"))
    step: "array[int]" = field(default_factory=lambda: array("i"))
    count: "array[int]" = field(default_factory=lambda: array("i"))
    marks: bytearray = field(default_factory=bytearray)
    flagged: "array[int]" = field(default_factory=lambda: array("i"))
    quality: "array[int]" = field(default_factory=lambda: array("H"))
    values: "array[int]" = field(init=False)

    def __post_init__(self) -> None:
        self.values = array(self.typecode)

    def add(self, key: int, block: Block) -> None:
        if block.quality is not None and any(block.quality):
            if len(block.quality) != len(block.values):
                raise WireError(
                    "quality",
                    f"A block of {len(block.values)} values has {len(block.quality)} qualities; both must agree.",
                )
            self.flagged.append(len(self.key))
            self.quality.extend(block.quality)
        self.key.append(key)
        self.start.append(block.start_ms)
        self.step.append(block.step_ms)
        self.count.append(len(block.values))
        self.marks.append(block.marks)
        self.values.extend(block.values)

    def pack(self, packing: int) -> BlockColumns | None:
        if not self.key:
            return None
        values = little(self.values) if packing == PLAIN else zlib.compress(little(differences(self.values)))
        return BlockColumns(
            key=little(self.key),
            start=little(self.start),
            step=little(self.step),
            count=little(self.count),
            marks=bytes(self.marks),
            values=values,
            flagged=little(self.flagged),
            quality=little(self.quality),
            packing=packing,
        )


def pack_batch(blocks: Iterable[Block], records: Iterable[Record] = (), packing: int = PLAIN) -> Batch:
    """A batch of blocks and records, its keys in the order of first use. Indexes follow `Batch`."""
    keys: dict[Key, int] = {}
    columns = {Kind.INTERVAL: _Columns("i"), Kind.STATE: _Columns("q")}
    for block in blocks:
        index = keys.setdefault(block.key, len(keys))
        try:
            columns[block.key.kind].add(index, block)
        except OverflowError:
            raise WireError(
                "range", f"A value of {block.key.device} {block.key.register} does not fit the wire's integers."
            ) from None
    return Batch(list(keys), columns[Kind.INTERVAL].pack(packing), columns[Kind.STATE].pack(packing), list(records))


def unpack_batch(batch: Batch) -> tuple[list[Block], list[Record]]:
    """The blocks (intervals, then states) and records of a batch; raises `WireError` where columns do not fit."""
    blocks = _unpack(batch.keys, batch.intervals, "i") + _unpack(batch.keys, batch.states, "q")
    return blocks, batch.records


def _unpack(keys: Sequence[Key], columns: BlockColumns | None, typecode: str) -> list[Block]:
    if columns is None:
        return []
    if columns.packing == PLAIN:
        values = from_little(typecode, columns.values, "values")
    elif columns.packing == DELTA_ZLIB:
        values = sums(from_little(typecode, inflate(columns.values), "values"))
    else:
        raise WireError("packing", f"The packing {columns.packing} is unknown; 0 is plain, 1 is delta and zlib.")
    key = from_little("i", columns.key, "key")
    start = from_little("q", columns.start, "start")
    step = from_little("i", columns.step, "step")
    count = from_little("i", columns.count, "count")
    flagged = set(from_little("i", columns.flagged, "flagged"))
    quality = from_little("H", columns.quality, "quality")
    if not len(key) == len(start) == len(step) == len(count) == len(columns.marks):
        raise WireError(
            "column", f"The columns have {len(key)} keys, {len(start)} starts, {len(step)} steps, {len(count)} counts."
        )
    blocks = []
    place = flag_place = 0
    for n, (index, length) in enumerate(zip(key, count, strict=True)):
        if not 0 <= index < len(keys):
            raise WireError("key", f"Block {n} points at key {index}; the batch has {len(keys)}.")
        if length < 0 or place + length > len(values):
            raise WireError("column", f"Block {n} wants {length} values at place {place}; there are {len(values)}.")
        flags = None
        if n in flagged:
            flags = quality[flag_place : flag_place + length]
            if len(flags) != length:
                raise WireError("column", f"Block {n} wants {length} qualities; there are {len(flags)} left.")
            flag_place += length
        blocks.append(Block(keys[index], start[n], step[n], values[place : place + length], flags, columns.marks[n]))
        place += length
    if place != len(values) or flag_place != len(quality):
        raise WireError(
            "column", f"{len(values) - place} values and {len(quality) - flag_place} qualities belong to no block."
        )
    return blocks
