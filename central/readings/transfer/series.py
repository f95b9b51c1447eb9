"""What a reader makes of a file: values of named series as columns, and what could not be read, by line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from shared.quantities import Kind

MOST_PROBLEMS: Final = 200
"""Problems that are named; more are only counted."""
MOST_TEXT: Final = 80
"""Characters of a faulty value that are repeated."""
NANO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in one place of a file; line 1 is the first, None where no line can be named."""

    line: int | None
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        where = "The file" if self.line is None else f"Line {self.line}"
        column = f", column {self.column}" if self.column else ""
        return f"{where}{column}: {self.value!r}, expected {self.expected}"


@dataclass(slots=True)
class Problems:
    """The first of them by name and the number of all."""

    named: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, line: int | None, column: str, value: object, expected: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.named) < MOST_PROBLEMS:
            self.named.append(Problem(line, column[:MOST_TEXT], _printable(value), expected))

    def add_many(self, lines: Ints, columns: Sequence[str], values: Sequence[object], expected: str) -> None:
        """Note several of one kind; only so many as are named have to be given, `lines` counts."""
        room = max(0, MOST_PROBLEMS - len(self.named))
        for line, column, value in zip(lines[:room].tolist(), columns, values, strict=False):
            self.named.append(Problem(line or None, column[:MOST_TEXT], _printable(value), expected))
        self.count += len(lines)

    def extend(self, others: Iterable["Problems"]) -> None:
        """All of theirs too."""
        for other in others:
            self.named.extend(other.named[: max(0, MOST_PROBLEMS - len(self.named))])
            self.count += other.count


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What a file says of one series: values are in `unit` (None: not said) x 10^`exponent`, times `sign`."""

    kind: Kind
    step_ms: int
    unit: str | None = None
    exponent: int = 0
    sign: int = 1


@dataclass(slots=True)
class Parsed:
    """A whole file. Arrays are (values,): series, instant, value = whole + nano x 10^-9, flags of the wire, line."""

    keys: list[str]
    facts: list[SeriesFacts]
    key: NDArray[np.int32]
    """Place in `keys`."""
    at_ms: Ints
    """Beginning of the interval, or the instant of the state; UTC."""
    whole: Ints
    nano: Ints
    """Of the sign of the value, so that both add up."""
    flags: NDArray[np.int32]
    line: Ints
    empty: int = 0
    """Places where a value could stand and none does."""
    problems: Problems = field(default_factory=Problems)

    def __len__(self) -> int:
        return len(self.key)


def nothing(problems: Problems) -> Parsed:
    """A file of which nothing could be read."""
    none = np.empty(0, np.int64)
    short: NDArray[Any] = np.empty(0, np.int32)
    return Parsed([], [], short, none, none, none, short, none, 0, problems)


def _printable(value: object) -> str:
    return str(value)[:MOST_TEXT].replace("\0", "\ufffd")
