"""Tables into series: wide and long layouts, whole columns at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from central.platform.errors import BadInput
from central.platform.rows_of_files import Row, rows_of
from central.readings.calendar import Ints
from central.readings.transfer.decimals import parse_decimals
from central.readings.transfer.mapping import FLAGS, TableMapping
from central.readings.transfer.series import Parsed, Problems, nothing
from central.readings.transfer.stamps import Wall, instants, parse_stamp, zone_of

MOST_VALUES: Final = 5_000_000
_CELLS: Final = 500_000
"""Fields that are looked at together."""
_LACKING: Final = -1
"""In the place of flags: the quality says that there is no value."""
_UNKNOWN: Final = -2


@dataclass(frozen=True, slots=True)
class Layout:
    """Where what stands: places of columns. `series` of a wide table by key, `key` and `value` of a long one."""

    names: list[str]
    time: list[int]
    series: dict[str, int] = field(default_factory=dict)
    qualities: dict[str, int] = field(default_factory=dict)
    key: list[int] = field(default_factory=list)
    value: int = -1
    quality: int = -1


@dataclass(slots=True)
class _Piece:
    """Values of some rows, by column; `stamp` is the place in the table of stamps."""

    key: Ints
    stamp: Ints
    whole: Ints
    nano: Ints
    flags: Ints
    line: Ints


def read_table(content: bytes, mapping: TableMapping) -> Parsed:
    """The series of a table. BadInput where it is not one; faults of single values are the result's problems."""
    problems = Problems()
    reader = _TableReader(mapping, problems)
    for lines, columns in _pieces(rows_of(content, mapping), mapping, reader, problems):
        reader.take(lines, columns)
    return reader.result()


def layout_of(mapping: TableMapping, names: Sequence[str]) -> Layout:
    """Where the mapping's columns stand among these names; BadInput names one that is not there, or twice."""
    names = list(names)

    def place(name: str) -> int:
        found = [number for number, each in enumerate(names) if each == name]
        if len(found) != 1:
            seen = ", ".join(each for each in names[:20] if each) or "none"
            what = "no column" if not found else f"{len(found)} columns"
            raise BadInput("column", f"The table has {what} {name!r}; its columns are {seen}. Correct the mapping.")
        return found[0]

    time = [place(name) for name in mapping.time.columns]
    if mapping.layout == "long":
        assert mapping.value is not None
        quality = -1 if mapping.quality is None else place(mapping.quality)
        keys = [place(name) for name in mapping.key]
        return Layout(names, time, key=keys, value=place(mapping.value), quality=quality)
    others = [
        name
        for number, name in enumerate(names)
        if name and number not in time and not any(fnmatchcase(name, each) for each in mapping.ignore)
    ]
    suffix = mapping.quality
    known = set(others)
    marks = {name for name in others if suffix and name.endswith(suffix) and name.removesuffix(suffix) in known}
    series = {name: place(name) for name in others if name not in marks}
    if not series:
        raise BadInput("column", "The table has no column of a series; is the delimiter that of the mapping?")
    return Layout(names, time, series, {name.removesuffix(suffix or ""): place(name) for name in marks})


def _pieces(
    rows: Iterator[Row], mapping: TableMapping, reader: "_TableReader", problems: Problems
) -> Iterator[tuple[Ints, list[Any]]]:
    """Rows of values as columns of trimmed Arrow strings, some at a time."""
    first = mapping.first_row or (mapping.header_row or 0) + 1
    kept: list[Sequence[str]] = []
    lines: list[int] = []
    for number, (line, fields) in enumerate(rows, 1):
        if number == mapping.header_row:
            names = [name.strip() for name in fields]
            while names and not names[-1]:
                names.pop()
            reader.begin(names)
        if number < first:
            continue
        if not (fields and fields[0]) and not any(map(str.strip, fields)):
            continue
        if reader.width is None:
            reader.begin([str(place + 1) for place in range(len(fields))])
        width = reader.require_width()
        if len(fields) != width and (fitted := _fitted(fields, width, mapping.format == "xlsx")) is None:
            problems.add(line, "", f"{len(fields)} fields", f"{width} fields as in the header")
            continue
        kept.append(fields if len(fields) == width else fitted or ())
        lines.append(line)
        if len(kept) * width >= _CELLS:
            yield _columns(lines, kept)
            kept, lines = [], []
    if kept:
        yield _columns(lines, kept)


def _fitted(fields: Sequence[str], width: int, pad: bool) -> Sequence[str] | None:
    """Fields of a row that ends with delimiters too many; of a sheet, whose rows end with the last full cell."""
    if len(fields) > width:
        return None if any(map(str.strip, fields[width:])) else fields[:width]
    return [*fields, *[""] * (width - len(fields))] if pad else None


def _columns(lines: list[int], rows: list[Sequence[str]]) -> tuple[Ints, list[Any]]:
    flat = pa.array(list(chain.from_iterable(zip(*rows, strict=True))), pa.string())
    trimmed = pc.utf8_trim_whitespace(flat)
    count = len(rows)
    return np.array(lines, np.int64), [trimmed.slice(n * count, count) for n in range(len(trimmed) // count)]


class _TableReader:
    """Gathers pieces; stamps are read once each, whatever how often they stand in the table."""

    def __init__(self, mapping: TableMapping, problems: Problems) -> None:
        self.mapping = mapping
        self.problems = problems
        self.width: int | None = None
        self.layout: Layout | None = None
        self.keys: dict[str, int] = {}
        self.stamps: dict[str, int] = {}
        self.walls: list[Wall | None] = []
        self.pieces: list[_Piece] = []
        self.count = 0
        self.empty = 0

    def begin(self, names: list[str]) -> None:
        """Learn the names of the columns."""
        self.layout, self.width = layout_of(self.mapping, names), len(names)
        self.keys = {key: place for place, key in enumerate(self.layout.series)}

    def require_width(self) -> int:
        """How many columns the table has."""
        assert self.width is not None
        return self.width

    def take(self, lines: Ints, columns: list[Any]) -> None:
        """Read the values of some rows."""
        layout = self.layout
        assert layout is not None
        stamp = self._stamps(lines, columns, layout)
        good = stamp >= 0
        if self.mapping.layout == "long":
            key = self._keys(columns, layout)
            qualities = [columns[layout.quality]] if layout.quality >= 0 else None
            self._values(key, stamp, lines, columns[layout.value], qualities, good, [layout.names[layout.value]])
            return
        count, names = len(lines), list(layout.series)
        values = pa.concat_arrays([columns[place] for place in layout.series.values()])
        marks = None
        if layout.qualities:
            nothing_said = pa.array([None] * count, pa.string())
            marks = [columns[layout.qualities[name]] if name in layout.qualities else nothing_said for name in names]
        tile = len(names)
        key = np.repeat(np.arange(tile, dtype=np.int64), count)
        self._values(key, np.tile(stamp, tile), np.tile(lines, tile), values, marks, np.tile(good, tile), names)

    def _values(
        self,
        key: Ints,
        stamp: Ints,
        lines: Ints,
        texts: Any,
        qualities: list[Any] | None,
        good: NDArray[np.bool_],
        names: list[str],
    ) -> None:
        """`names` are those of the columns that `texts` holds one after another."""
        per_column = max(1, len(texts) // len(names))

        def say(bad: NDArray[np.bool_], source: Any, expected: str) -> None:
            places = np.flatnonzero(bad)
            some = places[: 1 + max(0, 200 - len(self.problems.named))].tolist()
            columns = [names[place // per_column] for place in some]
            self.problems.add_many(lines[places], columns, [source[place].as_py() for place in some], expected)

        lacking = pc.is_in(texts, pa.array(self.mapping.missing, pa.string())).to_numpy(zero_copy_only=False)
        number, whole, nano = parse_decimals(texts, self.mapping.decimal_sign, self.mapping.thousands)
        flags = np.zeros(len(texts), np.int64)
        if qualities is not None:
            marks = pa.concat_arrays(qualities)
            flags = self._flags(marks)
            say((flags == _UNKNOWN) & good & ~lacking, marks, f"a quality: {', '.join(sorted(self.mapping.qualities))}")
        absent = lacking | (flags == _LACKING)
        say(good & ~absent & ~number, texts, f"a number with {self.mapping.decimal_sign!r} as decimal sign")
        self.empty += int(np.count_nonzero(good & absent))
        keep = np.flatnonzero(good & ~absent & number & (flags >= 0) & (key >= 0))
        self.count += len(keep)
        if self.count > MOST_VALUES:
            raise BadInput("size", f"The file has more than {MOST_VALUES} values; send it in parts.")
        self.pieces.append(_Piece(key[keep], stamp[keep], whole[keep], nano[keep], flags[keep], lines[keep]))

    def _flags(self, marks: Any) -> Ints:
        codes = {text: FLAGS.get(name, _LACKING) for text, name in self.mapping.qualities.items()}
        encoded = pc.dictionary_encode(marks)
        table = [codes.get(text, _UNKNOWN) for text in encoded.dictionary.to_pylist()]
        places = pc.fill_null(encoded.indices, len(table)).to_numpy(zero_copy_only=False)
        flags: Ints = np.array([*table, 0], np.int64)[places]
        return flags

    def _keys(self, columns: list[Any], layout: Layout) -> Ints:
        parts = [columns[place] for place in layout.key]
        texts = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "/")
        encoded = pc.dictionary_encode(texts)
        table = [self.keys.setdefault(text, len(self.keys)) for text in encoded.dictionary.to_pylist()]
        places: Ints = np.array(table, np.int64)[encoded.indices.to_numpy()]
        return places

    def _stamps(self, lines: Ints, columns: list[Any], layout: Layout) -> Ints:
        """Places of the stamps of rows, -1 where there is none."""
        parts = [columns[place] for place in layout.time]
        texts = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " ")
        encoded = pc.dictionary_encode(texts)
        table = np.array([self._stamp(text) for text in encoded.dictionary.to_pylist()], np.int64)
        places: Ints = table[encoded.indices.to_numpy()]
        bad = np.flatnonzero(places < 0)
        if len(bad):
            some = bad[:200].tolist()
            names = [" ".join(self.mapping.time.columns)] * len(some)
            expected = f"a stamp of the form {self.mapping.time.format}"
            self.problems.add_many(lines[bad], names, [texts[place].as_py() for place in some], expected)
        return places

    def _stamp(self, text: str) -> int:
        place = self.stamps.get(text)
        if place is None:
            # A date cell and a time cell of a workbook join to "2026-03-01T00:00:00 00:15:00".
            given = text.replace("T00:00:00 ", "T") if self.mapping.time.format == "iso" else text
            wall = parse_stamp(given, self.mapping.time.format)
            place = -1 if wall is None else len(self.walls)
            if wall is not None:
                self.walls.append(wall)
            self.stamps[text] = place
        return place

    def result(self) -> Parsed:
        """Everything that was taken."""
        if self.layout is None:
            self.problems.add(None, "", "no row", "a header and rows of values")
            return nothing(self.problems)
        keys = list(self.keys)
        facts = [self.mapping.facts(key) for key in keys]
        columns = [
            np.concatenate([np.empty(0, np.int64), *(getattr(p, n) for p in self.pieces)]) for n in _Piece.__slots__
        ]
        key, stamp, whole, nano, flags, line = columns
        steps = np.array([each.step_ms for each in facts], np.int64)
        wall = np.array([each.ms for each in self.walls if each], np.int64)
        utc = np.array([each.utc for each in self.walls if each], np.bool_)
        at_ms, faults = instants(
            wall[stamp],
            utc[stamp],
            key,
            steps[key] if len(steps) else np.empty(0, np.int64),
            zone=zone_of(self.mapping.time.zone),
            ends=self.mapping.time.stamps == "end",
            repeated=self.mapping.time.repeated_hour,
        )
        bad = faults["gap"] | faults["repeated"]
        texts = {place: text for text, place in self.stamps.items()}
        for name, expected in (
            ("gap", f"a stamp that clocks of {self.mapping.time.zone} show"),
            ("repeated", f"a stamp that stands for one instant in {self.mapping.time.zone}"),
        ):
            places = np.flatnonzero(faults[name])
            some = places[:200].tolist()
            given = [texts[int(stamp[place])] for place in some]
            self.problems.add_many(line[places], [" ".join(self.mapping.time.columns)] * len(some), given, expected)
        keep = ~bad
        return Parsed(
            keys,
            facts,
            key[keep].astype(np.int32),
            at_ms[keep],
            whole[keep],
            nano[keep],
            flags[keep].astype(np.int32),
            line[keep],
            self.empty,
            self.problems,
        )
