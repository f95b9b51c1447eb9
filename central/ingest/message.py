"""A message as it came from the broker, and its opening: address, keys still raw, columns of checked size.

Nothing here looks at the registry or at values. What cannot be opened becomes a `Refusal` of the whole body, with its
number when the address is usable.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from central.ingest.reasons import WHOLE_BODY, Reason
from shared.typed_columns import inflate
from shared.wire import (
    DELTA_ZLIB,
    PLAIN,
    SCHEMA,
    BlockColumns,
    Record,
    WireError,
    edge_of_topic,
    parse_properties,
)


@dataclass(slots=True)
class Message:
    """What the broker handed over."""

    topic: str
    body: bytes
    properties: list[tuple[str, str]]
    token: Any = None
    """Whatever the receiver needs to acknowledge it to the broker."""


class RawBatch(msgspec.Struct, array_like=True):
    """`shared.wire.Batch` with the table of keys left as bytes, because tables repeat and are resolved once."""

    keys: msgspec.Raw
    intervals: BlockColumns | None = None
    states: BlockColumns | None = None
    records: list[Record] = []


@dataclass(slots=True)
class Opened:
    """A message that can be read."""

    message: Message
    edge: str
    epoch: int
    """Unsigned, as on the wire."""
    seq: int
    keys: bytes
    intervals: BlockColumns | None
    states: BlockColumns | None
    records: list[Record]
    octets: int
    """Of its values, unpacked: what it will take in memory."""


@dataclass(slots=True)
class Refusal:
    """Something that goes to quarantine. `epoch` and `seq` are None when the message has no usable address."""

    message: Message
    edge: str | None
    epoch: int | None
    seq: int | None
    reason: Reason
    sentence: str
    index: int = WHOLE_BODY
    body: bytes | None = field(default=None)
    """A batch of the one refused block; None: the message's own body."""


_decoder = msgspec.msgpack.Decoder(RawBatch)


def open_message(message: Message) -> Opened | Refusal:
    """Read a message's address and outer form."""
    edge: str | None = None
    try:
        edge = edge_of_topic(message.topic)
        address = parse_properties(message.properties)
    except WireError as error:
        reason = Reason.TOPIC if edge is None else Reason.ADDRESS
        return Refusal(message, edge, None, None, reason, str(error))

    def refuse(reason: Reason, sentence: str) -> Refusal:
        return Refusal(message, edge, address.epoch, address.seq, reason, sentence)

    if address.edge != edge:
        return refuse(
            Reason.EDGE_MISMATCH,
            f"The message names the edge {address.edge} and came on the topic of {edge}; each publishes only its own.",
        )
    if address.schema != SCHEMA:
        return refuse(
            Reason.SCHEMA,
            f"The message has schema version {address.schema!r}, central reads {SCHEMA!r}: update it, then replay.",
        )
    try:
        raw = _decoder.decode(message.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return refuse(Reason.BODY, f"The batch of {len(message.body)} bytes cannot be decoded: {error}.")
    try:
        octets = _open_columns(raw.intervals, "<i4") + _open_columns(raw.states, "<i8")
    except WireError as error:
        reason = Reason.PACKING if error.code == "packing" else Reason.COLUMN
        return refuse(reason, str(error))
    return Opened(
        message, edge, address.epoch, address.seq, bytes(raw.keys), raw.intervals, raw.states, raw.records, octets
    )


def _open_columns(columns: BlockColumns | None, value_type: str) -> int:
    """Check that the columns' sizes agree, unpack values in place; returns the octets of the values."""
    if columns is None:
        return 0
    n = len(columns.key) // 4
    item = _itemsize(value_type)
    if columns.packing == DELTA_ZLIB:
        columns.values = _sum_up(inflate(columns.values), value_type)
        columns.packing = PLAIN
    elif columns.packing != PLAIN:
        raise WireError("packing", f"The packing {columns.packing} is unknown; 0 is plain, 1 is delta and zlib.")
    if (
        len(columns.key) != 4 * n
        or len(columns.start) != 8 * n
        or len(columns.step) != 4 * n
        or len(columns.count) != 4 * n
        or len(columns.marks) != n
        or len(columns.values) % item
        or len(columns.flagged) % 4
        or len(columns.quality) % 2
    ):
        raise WireError(
            "column",
            f"The columns of {n} blocks have {len(columns.start)} bytes of starts, {len(columns.step)} of steps, "
            f"{len(columns.count)} of counts, {len(columns.marks)} of marks, {len(columns.values)} of values, "
            f"{len(columns.flagged)} of flagged, {len(columns.quality)} of quality; "
            f"expected {8 * n}, {4 * n}, {4 * n}, {n} and multiples of {item}, 4 and 2.",
        )
    return len(columns.values)


@lru_cache
def _itemsize(value_type: str) -> int:
    return int(np.dtype(value_type).itemsize)


def _sum_up(octets: bytes, value_type: str) -> bytes:
    """Values from their wrapping differences."""
    if len(octets) % _itemsize(value_type):
        raise WireError("column", f"The values have {len(octets)} bytes, not a multiple of {_itemsize(value_type)}.")
    differences = np.frombuffer(octets, value_type)
    return np.cumsum(differences, dtype=differences.dtype).astype(value_type).tobytes()
