"""Rows of `block` and `register_reading` in binary COPY format, packed by numpy, a structured array per layout.

A row's batch id is not known when it is packed (the database gives it when the batch's number turns out to be new),
so rows keep the position of their message, and `PackedRows.take` fills the ids in and drops the rows of repeats.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from central.ingest.columns import Blocks
from central.platform.copy_binary import PG_EPOCH_MS

COPY_BLOCK: Final = (
    'COPY block (start, batch_id, evidence_channel, step, marks, "values", quality) FROM STDIN (FORMAT binary)'
)
COPY_READING: Final = (
    "COPY register_reading (at, batch_id, value, evidence_channel, quality, marks) FROM STDIN (FORMAT binary)"
)

SHORT: Final = 8
"""Rows of blocks up to this length are sorted by channel: putting them into the index (evidence_channel, start) is most
of their cost, and goes a third faster when neighbours follow each other (tests/bench/README.md)."""

_INT4_OID: Final = 23
_ELEMENT: Final = np.dtype([("length", ">i4"), ("value", ">i4")])


@dataclass(slots=True)
class PackedRows:
    """Rows of one layout; `rows["batch"]` still holds nothing."""

    rows: NDArray[Any]
    message: NDArray[np.int32]
    """Position of each row's message in the transaction."""
    values: int
    """Values in a row."""

    def take(self, batch_ids: NDArray[np.int64]) -> NDArray[Any]:
        """The rows whose message has a batch id (0: it has none, its number was there already), ids filled in."""
        ids = batch_ids[self.message]
        rows = self.rows
        kept = ids > 0
        if not kept.all():
            rows, ids = rows[kept], ids[kept]
        rows["batch"] = ids
        return rows


def pack_blocks(blocks: Blocks, good: NDArray[np.bool_], evidence_channel: NDArray[np.int32]) -> list[PackedRows]:
    """Rows of `block` for the good blocks, one array per number of values and with or without quality."""
    packed: list[PackedRows] = []
    lengths = np.unique(blocks.count[good])
    flagged = blocks.quality_first >= 0
    any_flagged = bool(flagged.any())
    for length in lengths.tolist():
        chosen = good & (blocks.count == length)
        plain = chosen & ~flagged if any_flagged else chosen
        for mask, quality in ((plain, False), (chosen & flagged, True)) if any_flagged else ((plain, False),):
            if mask.any():
                packed.append(_pack_length(blocks, mask, evidence_channel, length, quality))
    return packed


def _pack_length(
    blocks: Blocks, mask: NDArray[np.bool_], evidence_channel: NDArray[np.int32], length: int, quality: bool
) -> PackedRows:
    short = length <= SHORT
    whole = bool(mask.all()) and not short
    chosen: Any = slice(None) if whole else np.flatnonzero(mask)
    if short:
        chosen = chosen[np.argsort(evidence_channel[chosen], kind="stable")]
    rows = np.empty(len(blocks) if whole else len(chosen), _block_row(length, quality))
    rows["fields"] = 7
    rows["start_length"], rows["start"] = 8, pg_microseconds(blocks.start[chosen])
    rows["batch_length"] = 8
    rows["channel_length"], rows["channel"] = 4, evidence_channel[chosen]
    rows["step_length"], rows["step"] = 4, blocks.step[chosen]
    rows["marks_length"], rows["marks"] = 2, blocks.marks[chosen]
    rows["values_length"], rows["values_header"] = 20 + 8 * length, (1, 0, _INT4_OID, length, 1)
    rows["values"]["length"] = 4
    if whole and len(blocks.values) == length * len(blocks):
        rows["values"]["value"] = blocks.values.reshape(-1, length)
    else:
        rows["values"]["value"] = blocks.values[blocks.first[chosen][:, None] + np.arange(length)]
    if quality:
        rows["quality_length"], rows["quality_header"] = 20 + 8 * length, (1, 0, _INT4_OID, length, 1)
        rows["quality"]["length"] = 4
        rows["quality"]["value"] = blocks.quality[blocks.quality_first[chosen][:, None] + np.arange(length)]
    else:
        rows["quality_length"] = -1
    return PackedRows(rows, blocks.message[chosen], length)


def pack_readings(blocks: Blocks, good: NDArray[np.bool_], evidence_channel: NDArray[np.int32]) -> list[PackedRows]:
    """Rows of `register_reading` for the good blocks of states, which have one value each."""
    chosen = np.flatnonzero(good)
    if not len(chosen):
        return []
    rows = np.empty(len(chosen), _READING_ROW)
    rows["fields"] = 6
    rows["at_length"], rows["at"] = 8, pg_microseconds(blocks.start[chosen])
    rows["batch_length"] = 8
    rows["value_length"], rows["value"] = 8, blocks.values[blocks.first[chosen]]
    rows["channel_length"], rows["channel"] = 4, evidence_channel[chosen]
    place = blocks.quality_first[chosen]
    flags = np.zeros(len(chosen), np.int32)
    flags[place >= 0] = blocks.quality[place[place >= 0]]
    rows["quality_length"], rows["quality"] = 4, flags
    rows["marks_length"], rows["marks"] = 2, blocks.marks[chosen]
    return [PackedRows(rows, blocks.message[chosen], 1)]


def pg_microseconds(ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Instants as a timestamptz travels: microseconds since 2000-01-01 UTC."""
    microseconds: NDArray[np.int64] = (ms - PG_EPOCH_MS) * 1000
    return microseconds


@lru_cache(maxsize=1024)
def _block_row(length: int, quality: bool) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = [
        ("fields", ">i2"),
        ("start_length", ">i4"),
        ("start", ">i8"),
        ("batch_length", ">i4"),
        ("batch", ">i8"),
        ("channel_length", ">i4"),
        ("channel", ">i4"),
        ("step_length", ">i4"),
        ("step", ">i4"),
        ("marks_length", ">i4"),
        ("marks", ">i2"),
        ("values_length", ">i4"),
        ("values_header", ">i4", (5,)),
        ("values", _ELEMENT, (length,)),
        ("quality_length", ">i4"),
    ]
    if quality:
        fields += [("quality_header", ">i4", (5,)), ("quality", _ELEMENT, (length,))]
    return np.dtype(fields)


_READING_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        ("at_length", ">i4"),
        ("at", ">i8"),
        ("batch_length", ">i4"),
        ("batch", ">i8"),
        ("value_length", ">i4"),
        ("value", ">i8"),
        ("channel_length", ">i4"),
        ("channel", ">i4"),
        ("quality_length", ">i4"),
        ("quality", ">i4"),
        ("marks_length", ">i4"),
        ("marks", ">i2"),
    ]
)
