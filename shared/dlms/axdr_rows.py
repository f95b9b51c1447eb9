"""Rows of one pattern, decoded many at a time: the buffer of a profile repeats its types row after row.

A pattern is made of a row that was decoded the slow way; it takes the rows after it as long as their tags are the same.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from shared.dlms.axdr_types import DELTAS, FIXED, FORMATS, Delta, Tag

_NULL: Final = int(Tag.NULL)
_OCTET_STRING: Final = int(Tag.OCTET_STRING)
MOST_CELLS: Final = 64

Row = tuple[Any, ...]


class RowPattern:
    """Structures of cells whose tags and sizes are known. `cells`: tag and size (of octets only) of each."""

    def __init__(self, cells: tuple[tuple[int, int], ...]) -> None:
        # Alternately the octets that must be the same and a value; null is nothing but octets.
        layout, mark = ">", bytes((Tag.STRUCTURE, len(cells)))
        marks: list[bytes] = []
        places: list[int] = []
        for tag, size in cells:
            mark += bytes((tag, size)) if tag == _OCTET_STRING else bytes((tag,))
            if tag == _NULL:
                places.append(-1)
                continue
            marks.append(mark)
            layout += f"{len(mark)}s" + (f"{size}s" if tag == _OCTET_STRING else FORMATS[tag])
            places.append(2 * len(marks) - 1)
            mark = b""
        if mark:
            marks.append(mark)
            layout += f"{len(mark)}s"
        self._layout = struct.Struct(layout)
        self._marks = tuple(marks)
        self._pick: Callable[[Row], Row] = itemgetter(*places)
        self._deltas = [n for n, (tag, _) in enumerate(cells) if tag in DELTAS]

    def rows(self, data: bytes, place: int, most: int) -> tuple[list[Row], int]:
        """As many rows from `place` on as have the pattern, at most `most`, and where they end."""
        size = self._layout.size
        whole = min(most, (len(data) - place) // size)
        rows: list[Row] = []
        append, pick, marks = rows.append, self._pick, self._marks
        for cells in self._layout.iter_unpack(memoryview(data)[place : place + whole * size]):
            if cells[::2] != marks:
                break
            append(pick((*cells, None)))
        end = place + len(rows) * size
        return (self._with_deltas(rows) if self._deltas and rows else rows), end

    def _with_deltas(self, rows: list[Row]) -> list[Row]:
        columns: list[Any] = list(zip(*rows, strict=True))
        for n in self._deltas:
            columns[n] = map(Delta, columns[n])
        return list(zip(*columns, strict=True))


_pattern_of = lru_cache(maxsize=256)(RowPattern)


def row_pattern(data: bytes, place: int, end: int) -> RowPattern | None:
    """The pattern of the structure that was decoded from [place, end); None if it has none (text, nesting, one cell)"""
    count = data[place + 1]
    if not 2 <= count <= MOST_CELLS:
        return None
    cells: list[tuple[int, int]] = []
    place += 2
    for _ in range(count):
        tag = data[place]
        fixed = FIXED[tag]
        place += 1
        if fixed is not None:
            cells.append((tag, 0))
            place += fixed.size
        elif tag == _NULL:
            cells.append((tag, 0))
        elif tag == _OCTET_STRING and data[place] < 0x80:
            cells.append((tag, data[place]))
            place += 1 + data[place]
        else:
            return None
    return _pattern_of(tuple(cells)) if place == end else None
