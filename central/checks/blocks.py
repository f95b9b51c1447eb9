"""Findings as they are kept: columns packed into blocks, not a row each; texts are made when somebody reads them.

A million bases under twenty checks are twenty million findings; as blocks they are some hundred rows of whole numbers,
each with the numbers that were compared. docs/decisions/checks.md says why.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MICRO, MISSING, Numbers
from central.checks.framework import Findings, Kind, Subject, Text, Value
from central.checks.verdict import Result

ROWS: Final = 10_000
"""Findings of a block at most."""
_SIZES: Final = tuple(np.dtype(name) for name in ("<i1", "<i2", "<i4", "<i8"))
_EPOCH: Final = date(1970, 1, 1).toordinal()
_NOTHING: Final = "–"
_FEW_WORDS: Final = 64
"""A vocabulary that is kept whole with every block."""


class PackedColumn(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Whole numbers in as few octets as hold them, less `least`; MISSING is the largest number of the type."""

    type: str
    least: int
    octets: bytes


class PackedValue(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A value's name, kind, vocabulary and column."""

    name: str
    kind: str
    words: tuple[str, ...]
    column: PackedColumn


class PackedFindings(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A block: subjects ascending, results, places of messages, values."""

    subjects: PackedColumn
    results: PackedColumn
    messages: PackedColumn
    values: tuple[PackedValue, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Findings of one check about subjects of one kind, by subject, with how many there are of each result."""

    about: Subject
    group: str | None
    first: int
    last: int
    counts: tuple[int, ...]
    packed: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding as it is shown."""

    subject: int
    result: Result
    text: Text
    links: tuple[tuple[str, str, int], ...]
    """Name of the value, kind of thing, its id."""


def pack(found: Findings) -> Iterator[Block]:
    """The findings as blocks, by subject."""
    order = np.argsort(found.subjects, kind="stable")
    for start in range(0, len(order), ROWS):
        part = order[start : start + ROWS]
        subjects, results = found.subjects[part], found.results[part]
        values = tuple(_pack_value(name, value.take(part)) for name, value in found.values.items())
        content = PackedFindings(_pack(subjects), _pack(results), _pack(found.messages[part]), values)
        yield Block(
            found.about,
            found.group,
            int(subjects[0]),
            int(subjects[-1]),
            tuple(np.bincount(results, minlength=len(Result)).tolist()),
            msgspec.msgpack.encode(content),
        )


def unpack(packed: bytes, about: Subject = Subject.BASIS, group: str | None = None) -> Findings:
    """What `pack` packed."""
    content = msgspec.msgpack.decode(packed, type=PackedFindings)
    return Findings(
        subjects=_unpack(content.subjects),
        results=_unpack(content.results).astype(np.int8),
        messages=_unpack(content.messages).astype(np.int16),
        values={value.name: Value(Kind(value.kind), _unpack(value.column), value.words) for value in content.values},
        about=about,
        group=group,
    )


def spell(found: Findings, places: Iterable[int], messages: Sequence[Text]) -> list[Finding]:
    """Some findings with their texts, `messages` being those of the check when it ran."""
    spelled = []
    for place in places:
        names = {name: shown(value, place) for name, value in found.values.items()}
        message = messages[int(found.messages[place])]
        links = tuple(
            (name, value.words[0], int(value.data[place]))
            for name, value in found.values.items()
            if value.kind is Kind.LINK and value.data[place] != MISSING
        )
        said = Text(message.cs.format_map(names), message.en.format_map(names))
        spelled.append(Finding(int(found.subjects[place]), Result(int(found.results[place])), said, links))
    return spelled


def shown(value: Value, place: int) -> str:
    """A value as it stands in a message."""
    number = int(value.data[place])
    if number == MISSING:
        return _NOTHING
    match value.kind:
        case Kind.DECIMAL:
            return _plain(Decimal(number) / MICRO)
        case Kind.MONEY:
            return f"{Decimal(number) / 100:.2f}"
        case Kind.DAY:
            return date.fromordinal(_EPOCH + number).isoformat()
        case Kind.WORD:
            return value.words[number]
        case _:
            return str(number)


def _plain(value: Decimal) -> str:
    return format(value.quantize(Decimal(1)) if value == value.to_integral() else value.normalize(), "f")


def _pack_value(name: str, value: Value) -> PackedValue:
    """With the words that are said only, where there are many: a block need not hold the names of all meters."""
    words, column = value.words, value.data
    if value.kind is Kind.WORD and len(words) > _FEW_WORDS:
        there = column != MISSING
        said, places = np.unique(column[there], return_inverse=True)
        words, column = tuple(words[place] for place in said.tolist()), np.full(len(column), MISSING, dtype=np.int64)
        column[there] = places
    return PackedValue(name, str(value.kind), words, _pack(column))


def _pack(column: NDArray[Any]) -> PackedColumn:
    numbers = column.astype(np.int64)
    there = numbers != MISSING
    some = numbers[there]
    least, most = (int(some.min()), int(some.max())) if len(some) else (0, 0)
    for kind in _SIZES:
        limit = int(np.iinfo(kind).max)
        if most - least < limit:
            shifted = np.where(there, numbers - least, limit)
            return PackedColumn(kind.str, least, shifted.astype(kind).tobytes())
    return PackedColumn("<i8", 0, numbers.astype("<i8").tobytes())


def _unpack(packed: PackedColumn) -> Numbers:
    if packed.type not in {kind.str for kind in _SIZES}:
        raise ValueError(f"A column of numbers is of type {packed.type}; <i1, <i2, <i4 or <i8 is expected.")
    numbers = np.frombuffer(packed.octets, packed.type).astype(np.int64)
    limit = int(np.iinfo(np.dtype(packed.type)).max)
    if packed.type == "<i8" and packed.least == 0:
        return np.where(numbers == limit, MISSING, numbers)
    return np.where(numbers == limit, MISSING, numbers + packed.least)
