"""PostgreSQL's binary COPY format as numpy columns, both ways, without a Python object per value.

Format (PostgreSQL manual, COPY, "Binary Format"): a header, per row a 16-bit field count and per field a 32-bit length
(-1 for NULL) and the value in network byte order, a trailer. Rows of equal field lengths have equal layouts, so many
of them are one structured numpy array.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
PG_EPOCH_MS = 946_684_800_000
"""2000-01-01 UTC in ms since 1970; a timestamptz travels as microseconds since then."""
PG_EPOCH_DAYS = 10_957

_SCALARS = {"bool": "?", "int2": ">i2", "int4": ">i4", "int8": ">i8", "date": ">i4", "timestamptz": ">i8"}
_ARRAYS = {"int2[]": (21, ">i2"), "int4[]": (23, ">i4"), "int8[]": (20, ">i8")}
_ARRAY_HEADER = 20

# Below this many equal rows in a run, walking row by row costs less than setting up another numpy view.
_SHORT_RUN = 48
_WALK = 2048


@dataclass(frozen=True, slots=True)
class Column:
    """One column of rows to write: `data` is (rows,), (rows, n) for arrays, (rows, octets) of uint8 for bytes and
    text, one `bytes` for all rows, or None for NULL in all rows."""

    type: str
    data: Array | bytes | None


def pack_rows(rows: int, columns: Sequence[Column]) -> bytes:
    """The rows in binary COPY format, without HEADER and TRAILER; all of them have the same lengths."""
    fields: list[tuple[Any, ...]] = [("count", ">i2")]
    for place, column in enumerate(columns):
        fields.append((f"l{place}", ">i4"))
        if column.data is not None:
            fields += _value_fields(place, column)
    record = np.zeros(rows, dtype=np.dtype(fields))
    record["count"] = len(columns)
    for place, column in enumerate(columns):
        if column.data is None:
            record[f"l{place}"] = -1
        else:
            _fill(record, place, column)
    return record.tobytes()


def _value_fields(place: int, column: Column) -> list[tuple[Any, ...]]:
    data = column.data
    if column.type in _SCALARS:
        return [(f"v{place}", _SCALARS[column.type])]
    if column.type in _ARRAYS:
        assert isinstance(data, np.ndarray)
        return [
            (f"h{place}", ">i4", (5,)),
            (f"v{place}", [("l", ">i4"), ("v", _ARRAYS[column.type][1])], (data.shape[1],)),
        ]
    octets = len(data) if isinstance(data, bytes) else _octets(data)
    return [(f"v{place}", f"V{octets}")]


def _octets(data: Array | None) -> int:
    assert data is not None
    return int(data.shape[1])


def _fill(record: Array, place: int, column: Column) -> None:
    data, length, value = column.data, f"l{place}", f"v{place}"
    if column.type in _SCALARS:
        record[length] = record.dtype[value].itemsize
        record[value] = data
    elif column.type in _ARRAYS:
        assert isinstance(data, np.ndarray)
        oid, element = _ARRAYS[column.type]
        size, count = np.dtype(element).itemsize, data.shape[1]
        record[length] = _ARRAY_HEADER + count * (4 + size)
        record[f"h{place}"] = (1, 0, oid, count, 1)
        record[value]["l"] = size
        record[value]["v"] = data
    else:
        record[length] = record.dtype[value].itemsize
        if isinstance(data, bytes):
            record[value] = np.void(data)
        else:
            assert data is not None
            record[value] = np.ascontiguousarray(data, dtype=np.uint8).view(f"V{data.shape[1]}")[:, 0]


def unpack_rows(buffer: bytes, types: Sequence[str]) -> Iterator[list[Array | None]]:
    """Groups of rows with equal layout, each as a list of columns in native byte order (None: NULL in all its rows).

    Scalars come as (rows,), arrays as (rows, n); the order of rows is kept within a group only. `types` are names such
    as "int4", "timestamptz", "int4[]"; an array with NULL elements or more than one dimension raises ValueError.
    """
    if not buffer.startswith(HEADER[:11]):
        raise ValueError("The data do not begin as a binary COPY does.")
    start = len(HEADER) + struct.unpack_from(">i", buffer, 15)[0]
    whole = np.frombuffer(buffer, np.uint8)
    for lengths, places in _scan(buffer, start, len(types)).items():
        dtype = _row_dtype(tuple(types), lengths)
        offsets = np.concatenate([np.asarray(place, np.int64) for place in places])
        size = dtype.itemsize
        if len(offsets) == 1 or bool(np.all(np.diff(offsets) == size)):
            rows: Array = np.frombuffer(buffer, dtype, len(offsets), int(offsets[0]))
        else:
            # A view of every window of this size: rows are copied whole, without an index per octet.
            rows = np.lib.stride_tricks.sliding_window_view(whole, size)[offsets].view(dtype)[:, 0]
        yield [_column(rows, place, name, lengths[place]) for place, name in enumerate(types)]


def _scan(buffer: bytes, start: int, fields: int) -> dict[tuple[int, ...], list[Any]]:
    """Row offsets by layout. Long runs of equal rows are found by numpy, mixed stretches walked row by row."""
    found: dict[tuple[int, ...], list[Any]] = {}
    end = len(buffer) - len(TRAILER)
    if buffer[end:] != TRAILER:
        raise ValueError("The data do not end as a binary COPY does: they were cut.")
    offset, window, walk = start, 256, 1
    while offset < end:
        lengths, size = _row_at(buffer, offset, fields)
        run = _run_length(buffer, offset, min(window, (end - offset) // size), lengths, size)
        if run >= _SHORT_RUN:
            found.setdefault(lengths, []).append(offset + size * np.arange(run, dtype=np.int64))
            offset += run * size
            window = min(window * 4, 1 << 20)
            walk = 1
            continue
        # A single row of another kind among equal ones ends a run; only where runs stay short it pays to walk far.
        window = 256
        walked: dict[tuple[int, ...], list[int]] = {}
        steps, walk = walk, min(walk * 4, _WALK)
        for _ in range(steps):
            if offset >= end:
                break
            lengths, size = _row_at(buffer, offset, fields)
            walked.setdefault(lengths, []).append(offset)
            offset += size
        for key, places in walked.items():
            found.setdefault(key, []).append(places)
    return found


def _row_at(buffer: bytes, offset: int, fields: int) -> tuple[tuple[int, ...], int]:
    position = offset + 2
    lengths = []
    for _ in range(fields):
        length = int.from_bytes(buffer[position : position + 4], "big", signed=True)
        lengths.append(length)
        position += 4 + (length if length > 0 else 0)
    return tuple(lengths), position - offset


def _run_length(buffer: bytes, offset: int, rows: int, lengths: tuple[int, ...], size: int) -> int:
    """How many rows from `offset` on have exactly these field lengths."""
    if rows < _SHORT_RUN:
        return rows if rows <= 1 else 0
    view = np.frombuffer(buffer, _heads(lengths), rows, offset)
    same = view["count"] == view["count"][0]
    for place in range(len(lengths)):
        head = view[f"l{place}"]
        same &= head == head[0]
    return rows if same.all() else int(np.argmin(same))


@lru_cache(maxsize=512)
def _heads(lengths: tuple[int, ...]) -> np.dtype[Any]:
    """Field count and lengths of a row as raw integers, to be compared with one another only."""
    positions, position = [], 2
    for length in lengths:
        positions.append(position)
        position += 4 + max(length, 0)
    return np.dtype(
        {
            "names": ["count", *(f"l{place}" for place in range(len(lengths)))],
            "formats": ["u2", *["u4"] * len(lengths)],
            "offsets": [0, *positions],
            "itemsize": position,
        }
    )


@lru_cache(maxsize=512)
def _row_dtype(types: tuple[str, ...], lengths: tuple[int, ...]) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = [("count", ">i2")]
    for place, (name, length) in enumerate(zip(types, lengths, strict=True)):
        fields.append((f"l{place}", ">i4"))
        if length < 0:
            continue
        if name in _SCALARS:
            fields.append((f"v{place}", _SCALARS[name]))
        elif name in _ARRAYS:
            element = _ARRAYS[name][1]
            count, rest = divmod(length - _ARRAY_HEADER, 4 + np.dtype(element).itemsize)
            if length == 12:  # an empty array has no dimension
                fields.append((f"h{place}", ">i4", (3,)))
                continue
            if rest or count < 1:
                raise ValueError(f"A field of {length} octets is not a flat {name} without NULL elements.")
            fields += [(f"h{place}", ">i4", (5,)), (f"v{place}", [("l", ">i4"), ("v", element)], (count,))]
        else:
            fields.append((f"v{place}", f"V{length}"))
    dtype = np.dtype(fields)
    if dtype.itemsize != 2 + sum(4 + max(length, 0) for length in lengths):
        raise ValueError(f"Rows of field lengths {lengths} do not hold the types {', '.join(types)}.")
    return dtype


def _column(rows: Array, place: int, name: str, length: int) -> Array | None:
    if length < 0:
        return None
    if name in _SCALARS:
        raw = rows[f"v{place}"]
        return raw.astype(raw.dtype.newbyteorder("="))
    if name in _ARRAYS:
        if length == 12:
            return np.empty((len(rows), 0), np.dtype(_ARRAYS[name][1]).newbyteorder("="))
        header = rows[f"h{place}"]
        if (header[:, 0] != 1).any() or (header[:, 1] != 0).any():
            raise ValueError(f"Column {place} holds arrays with NULL elements or more than one dimension.")
        raw = rows[f"v{place}"]["v"]
        return raw.astype(raw.dtype.newbyteorder("="))
    return np.ascontiguousarray(rows[f"v{place}"]).view(np.uint8).reshape(len(rows), length)
