"""The blocks of one kind of many messages, put together as columns of one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.quantities import Kind
from shared.wire import BlockColumns

VALUE_TYPE = {Kind.INTERVAL: "<i4", Kind.STATE: "<i8"}


@dataclass(slots=True)
class Blocks:
    """n blocks of one kind; all arrays have length n except `values` and `quality`."""

    kind: Kind
    message: NDArray[np.int32]
    """Position of its message in the transaction."""
    index: NDArray[np.int32]
    """Index in its batch, as refusals name it."""
    key: NDArray[np.int32]
    """Index in its message's table of keys."""
    row: NDArray[np.int32]
    """Row in the channel table, or minus the Reason for which the key cannot be taken."""
    start: NDArray[np.int64]
    """ms UTC."""
    step: NDArray[np.int32]
    """ms."""
    count: NDArray[np.int64]
    marks: NDArray[np.uint8]
    first: NDArray[np.int64]
    """Place of its first value in `values`."""
    values: NDArray[Any]
    quality_first: NDArray[np.int64]
    """Place of its first flag in `quality`, or -1."""
    quality: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.message)

    @property
    def end(self) -> NDArray[np.int64]:
        """ms UTC; a state ends when it begins."""
        return self.start + self.step.astype(np.int64) * self.count

    def end_of(self, place: int) -> int:
        """ms UTC, of one block: a sentence must not read all of them."""
        return int(self.start[place]) + int(self.step[place]) * int(self.count[place])


@dataclass(frozen=True, slots=True)
class Part:
    """The blocks of one kind of one message, of checked sizes, with its keys resolved."""

    message: int
    columns: BlockColumns
    rows: NDArray[np.int32]
    first_index: int


def assemble(kind: Kind, parts: Sequence[Part]) -> tuple[Blocks, dict[int, str]]:
    """Put parts together; a message whose columns contradict each other is left out and named with a sentence."""
    blocks, wrong = _assemble(kind, parts)
    if not wrong:
        return blocks, {}
    blocks, _ = _assemble(kind, [part for part in parts if part.message not in wrong])
    return blocks, wrong


def _assemble(kind: Kind, parts: Sequence[Part]) -> tuple[Blocks, dict[int, str]]:
    value_type = VALUE_TYPE[kind]
    item = np.dtype(value_type).itemsize
    columns = [part.columns for part in parts]
    sizes = np.array([len(column.marks) for column in columns], np.int64)
    value_sizes = np.array([len(column.values) // item for column in columns], np.int64)
    part_of = np.repeat(np.arange(len(parts)), sizes)
    block_base = np.cumsum(sizes) - sizes
    key: NDArray[np.int32] = np.frombuffer(b"".join([column.key for column in columns]), "<i4")
    count = np.frombuffer(b"".join([column.count for column in columns]), "<i4").astype(np.int64)
    wrong = dict(_wrong_columns(parts, part_of, sizes, value_sizes, key, count))
    # Only with counts that add up do the places below mean anything; wrong parts never leave this module.
    key_sizes = np.array([len(part.rows) for part in parts], np.int64)
    row = _row(parts, key, key_sizes, part_of)
    quality_first, quality, wrong_quality = _quality(parts, block_base, sizes, count)
    wrong |= wrong_quality
    return (
        Blocks(
            kind=kind,
            message=np.repeat(np.array([part.message for part in parts], np.int32), sizes),
            index=(np.arange(len(key)) - block_base[part_of] + _first_indexes(parts)[part_of]).astype(np.int32),
            key=key,
            row=row,
            start=np.frombuffer(b"".join([column.start for column in columns]), "<i8"),
            step=np.frombuffer(b"".join([column.step for column in columns]), "<i4"),
            count=count,
            marks=np.frombuffer(b"".join([column.marks for column in columns]), "u1"),
            first=np.cumsum(count) - count,
            values=np.frombuffer(b"".join([column.values for column in columns]), value_type),
            quality_first=quality_first,
            quality=quality,
        ),
        wrong,
    )


def _first_indexes(parts: Sequence[Part]) -> NDArray[np.int64]:
    return np.array([part.first_index for part in parts], np.int64)


def _wrong_columns(
    parts: Sequence[Part],
    part_of: NDArray[np.int64],
    sizes: NDArray[np.int64],
    value_sizes: NDArray[np.int64],
    key: NDArray[np.int32],
    count: NDArray[np.int64],
) -> Iterator[tuple[int, str]]:
    """Messages whose counts do not add up to their values, or whose blocks point at keys that they do not carry."""
    key_sizes = np.array([len(part.rows) for part in parts], np.int64)
    stray = (key < 0) | (key >= key_sizes[part_of])
    if stray.any():
        for place in np.unique(part_of[stray]).tolist():
            worst = int(key[(part_of == place) & stray][0])
            yield (
                parts[place].message,
                f"A block points at key {worst}; the batch has {int(key_sizes[place])} keys.",
            )
    sums = np.bincount(part_of, weights=count, minlength=len(parts)).astype(np.int64) if len(parts) else sizes
    disagree = sums != value_sizes
    if (count < 0).any():
        disagree |= np.bincount(part_of[count < 0], minlength=len(parts)) > 0
    for place in np.flatnonzero(disagree).tolist():
        yield (
            parts[place].message,
            f"The counts of {int(sizes[place])} blocks add up to {int(sums[place])} values; "
            f"the message carries {int(value_sizes[place])}.",
        )


def _row(
    parts: Sequence[Part], key: NDArray[np.int32], key_sizes: NDArray[np.int64], part_of: NDArray[np.int64]
) -> NDArray[np.int32]:
    if not len(key):
        return np.empty(0, np.int32)
    rows = np.concatenate([part.rows for part in parts])
    if not len(rows):
        return np.zeros(len(key), np.int32)
    base = np.cumsum(key_sizes) - key_sizes
    row: NDArray[np.int32] = rows[np.clip(base[part_of] + key, 0, len(rows) - 1)]
    return row


def _quality(
    parts: Sequence[Part], block_base: NDArray[np.int64], sizes: NDArray[np.int64], count: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint16], dict[int, str]]:
    """Where each flagged block's flags stand; few blocks have any, so messages are gone through one by one."""
    first = np.full(len(count), -1, np.int64)
    found: list[bytes] = []
    wrong: dict[int, str] = {}
    place = 0
    for number, part in enumerate(parts):
        columns = part.columns
        if not columns.flagged and not columns.quality:
            continue
        flagged = np.frombuffer(columns.flagged, "<i4").astype(np.int64)
        if len(flagged) and (
            int(flagged[0]) < 0 or int(flagged[-1]) >= int(sizes[number]) or (np.diff(flagged) <= 0).any()
        ):
            wrong[part.message] = f"The flagged blocks are not ascending positions below {int(sizes[number])}."
            continue
        blocks = block_base[number] + flagged
        lengths = count[blocks]
        if int(lengths.sum()) * 2 != len(columns.quality):
            wrong[part.message] = (
                f"The flagged blocks have {int(lengths.sum())} values; "
                f"the message carries {len(columns.quality) // 2} qualities."
            )
            continue
        first[blocks] = place + np.cumsum(lengths) - lengths
        place += len(columns.quality) // 2
        found.append(columns.quality)
    return first, np.frombuffer(b"".join(found), "<u2"), wrong
