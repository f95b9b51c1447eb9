"""Columns of equal length, read from the database as whole numbers by one binary COPY.

Everything that a check compares is a whole number here: decimals in millionths, money in haléře, days since 1970-01-01,
ids. A NULL, and a decimal that has no whole number of millionths below 9 * 10^12, is MISSING.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from central.platform.copy_binary import HEADER, TRAILER
from central.readings.rows import copy_out

Numbers = NDArray[np.int64]
Chosen = NDArray[np.bool_]

MISSING: Final = int(np.iinfo(np.int64).min)
"""What stands for a value that there is not."""
MICRO: Final = 1_000_000
"""Decimals are whole numbers of millionths."""


@dataclass(frozen=True)
class Frame:
    """Named columns of equal length; those with `words` hold places in their vocabulary."""

    columns: Mapping[str, Numbers]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> Numbers:
        return self.columns[name]

    def take(self, chosen: Chosen | NDArray[np.intp]) -> "Frame":
        """The rows that a mask or places choose."""
        return Frame({name: column[chosen] for name, column in self.columns.items()}, self.words)


def join(frames: Sequence[Frame]) -> Frame:
    """The rows of frames with the same columns, one after another."""
    first = frames[0]
    return Frame({name: np.concatenate([frame[name] for frame in frames]) for name in first.columns}, first.words)


def read_frame(
    connection: Connection, query: str, names: Sequence[str], parameters: Mapping[str, Any] | None = None
) -> Frame:
    """The rows of a query as columns; every named column is a whole number or NULL. Parameters stand as %(name)s.

    The database lays the columns together, and sends each in one piece: taking rows one by one cost Python 3 us each,
    more than many checks need for their verdict. All columns together must stay below 1 GB (80 million numbers).
    """
    chosen = ", ".join(f"array_agg(coalesce(CAST(q.{name} AS bigint), {MISSING}))" for name in names)
    # a statement that begins with a comment cannot follow COPY's bracket on the same line
    statement = f"COPY (SELECT {chosen} FROM (\n{query}\n) q) TO STDOUT (FORMAT binary)"  # noqa: S608 - names and query are of our own code
    return unpack(copy_out(connection, statement, dict(parameters or {})), names)


_ARRAY: Final = 20
"""Octets before the elements of an array: dimensions, whether there are NULLs, type, length, lower bound."""
_ELEMENT: Final = np.dtype([("length", ">i4"), ("value", ">i8")])


def unpack(copied: bytes, names: Sequence[str]) -> Frame:
    """One row of arrays of 8-octet numbers in COPY's binary format; an array is NULL where there are no rows."""
    at, columns = len(HEADER) + 2, {}
    for name in names:
        size = int.from_bytes(copied[at : at + 4], "big", signed=True)
        at += 4
        many = max(size - _ARRAY, 0) // _ELEMENT.itemsize
        if size >= 0 and _ARRAY + many * _ELEMENT.itemsize != size:
            raise ValueError(f"{size} octets are no array of whole numbers.")
        columns[name] = np.frombuffer(copied, _ELEMENT, many, at + _ARRAY if many else 0)["value"].astype(np.int64)
        at += max(size, 0)
    if at + len(TRAILER) != len(copied) or len({len(column) for column in columns.values()}) > 1:
        raise ValueError(f"{len(copied)} octets are no {len(names)} columns of equal length.")
    return Frame(columns)


def match(keys: Sequence[Numbers], others: Sequence[Numbers]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All pairs of places (left, right) whose keys are equal; a key may have several columns. Sorted by the left."""
    left, right = _codes(keys, others)
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    begin = np.searchsorted(ordered, left, "left")
    counts = np.searchsorted(ordered, left, "right") - begin
    places = np.repeat(np.arange(len(left)), counts)
    offsets = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places, order[np.repeat(begin, counts) + offsets]


def group(keys: Sequence[Numbers]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A number for each row's key (0 on), and the place of the first row of each."""
    codes = _code(keys)
    _, first, numbers = np.unique(codes, return_index=True, return_inverse=True)
    return numbers, first


def totals(numbers: NDArray[np.intp], values: Numbers, groups: int) -> Numbers:
    """Exact sums by group."""
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, numbers, values)
    return sums


def _codes(keys: Sequence[Numbers], others: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
    if len(keys) == 1:
        return keys[0], others[0]
    codes = _code([np.concatenate([one, other]) for one, other in zip(keys, others, strict=True)])
    return codes[: len(keys[0])], codes[len(keys[0]) :]


_CODES: Final = 2**62


def _code(keys: Sequence[Numbers]) -> Numbers:
    """One number for each combination of values, equal exactly where all of them are."""
    codes = keys[0]
    for key in keys[1:]:
        if not len(codes):
            return codes
        least, width = int(key.min()), int(key.max()) - int(key.min()) + 1
        low, high = int(codes.min()), int(codes.max())
        if (high - low + 1) * width < _CODES:
            # numbers of narrow ranges are digits as they are: sorting them first took most of the time
            codes = (codes - low) * width + (key - least)
            continue
        first = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        values, second = np.unique(key, return_inverse=True)
        codes = first * len(values) + second
    return codes
