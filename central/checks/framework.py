"""The shape of a check: what it is called, what it reads, and its verdict as a pure function over columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from central.checks.frame import Frame, Numbers, read_frame
from central.platform.arrays import int_array
from central.readings.rows import driver

ELECTRICITY, GAS = 0, 1
COMMODITIES: tuple[str, ...] = ("electricity", "gas")
SERVICES: tuple[str, ...] = ("distribution", "supply", "other", "purchase")


@dataclass(frozen=True, slots=True)
class Text:
    """A message in both languages of the product; {names} in it are values of the finding."""

    cs: str
    en: str


class Subject(StrEnum):
    """What a finding speaks about."""

    BASIS = "basis"
    CALENDAR_ROW = "calendar_row"
    """A row of the payment calendar without a basis (bez vazby na podklad)."""
    SUPPLY_POINT = "supply_point"


class Kind(StrEnum):
    """How a value of a finding is shown."""

    COUNT = "count"
    DECIMAL = "decimal"
    """Millionths."""
    MONEY = "money"
    """Haléře."""
    DAY = "day"
    """Days since 1970-01-01."""
    WORD = "word"
    """A place in the value's vocabulary."""
    LINK = "link"
    """The id of a thing that was compared; the vocabulary's one word names its kind (received_invoice_item)."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of every finding, under a name that its messages use."""

    kind: Kind
    data: Numbers
    words: tuple[str, ...] = ()

    def take(self, chosen: NDArray[Any]) -> "Value":
        return Value(self.kind, self.data[chosen], self.words)


@dataclass(frozen=True)
class Findings:
    """What a check found: parallel columns. Several findings may speak about one subject: the worst one counts.

    `subjects` are ids of what `about` says, `messages` places in the definition's messages. Findings about calendar
    rows say in `group` to which bases of the row they belong (regular, accrual, annual).
    """

    subjects: Numbers
    results: NDArray[np.int8]
    messages: NDArray[np.int16]
    values: Mapping[str, Value] = field(default_factory=dict)
    about: Subject = Subject.BASIS
    group: str | None = None

    def __len__(self) -> int:
        return len(self.subjects)


def findings(
    subjects: Numbers,
    results: NDArray[Any] | int,
    messages: NDArray[Any] | int,
    values: Mapping[str, Value] | None = None,
    **about: Any,
) -> Findings:
    """Findings whose results and messages are columns, or one for all subjects."""
    many = len(subjects)
    return Findings(
        subjects=subjects.astype(np.int64, copy=False),
        results=np.broadcast_to(np.asarray(results, dtype=np.int8), (many,)),
        messages=np.broadcast_to(np.asarray(messages, dtype=np.int16), (many,)),
        values=values or {},
        **about,
    )


@dataclass(frozen=True, slots=True)
class Parameter:
    """What the operator may set of a check beyond when it runs: a number not below `least`, or one of `choices`."""

    name: str
    text: Text
    default: Decimal | str
    choices: tuple[str, ...] = ()
    least: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a check is; its settings (active, groups, output variant) are the operator's and stand in the database.

    `groups` are the groups of bases it may run on (regular, accrual, annual), `statements` the statements whose
    invoicing it guards, `commodities` and `services` the bases that it speaks about.
    """

    number: int
    name: Text
    rule: Text
    group: str
    groups: tuple[str, ...]
    statements: tuple[str, ...]
    messages: tuple[Text, ...]
    commodities: tuple[int, ...] = (ELECTRICITY, GAS)
    parameters: tuple[Parameter, ...] = ()
    once: bool = False
    """It looks at a whole month in one go, whether there are bases or not; it is handed none, and runs only where a
    month is asked for."""
    whole_rows: bool = False
    """It looks at all bases of the calendar rows that it comes upon, of points that nobody asked for, too."""
    version: int | None = None
    """Of a customer check: which of its versions this is."""


@dataclass(frozen=True)
class Asked:
    """What a check reads for: a connection, the points whose bases are checked, today, and the first day of the month
    that was asked for.

    `shared` keeps what several checks read of the same points.
    """

    connection: Connection
    points: Numbers
    today: date
    month: date | None = None
    together: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The bases that are about to be invoiced together; those with a cancelled error, too, which are not looked at."""
    shared: dict[str, Any] = field(default_factory=dict)

    def frame(self, query: str, names: Sequence[str], **parameters: Any) -> Frame:
        """The rows of a query; %(points)s stands for the points as an array literal of bigint."""
        return read_frame(self.connection, query, names, {"points": int_array(self.points), **parameters})

    def words(self, query: str, **parameters: Any) -> tuple[str, ...]:
        """The texts that a query of one column gives, in its order; parameters as of a frame."""
        with driver(self.connection).cursor() as cursor:
            given = {"points": int_array(self.points), **parameters} if "%(" in query else None
            return tuple(row[0] for row in cursor.execute(query.encode(), given).fetchall())

    def once(self, name: str, read: Callable[["Asked"], Any]) -> Any:
        """What `read` gives, read once for all checks that ask for it under this name."""
        if name not in self.shared:
            self.shared[name] = read(self)
        return self.shared[name]


class CouldNotRunError(Exception):
    """A check cannot run, and says itself why: its words are told as they are."""


class Check(Protocol):
    """A check: its definition, what it compares with, and the verdict over columns (no database, no clock)."""

    @property
    def definition(self) -> Definition: ...

    def read(self, asked: Asked, bases: Frame) -> Any:
        """What the bases are compared with: whole sets by a few queries, never one for a basis."""
        ...

    def verdict(self, bases: Frame, read: Any, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """At most a few columns of findings; a basis that none speaks about shows no result of this check."""
        ...


@runtime_checkable
class Refreshing(Protocol):
    """A check that also keeps an attribute of what it compares; not when cancelled errors are only looked at."""

    def refresh(self, asked: Asked, bases: Frame, read: Any, parameters: Mapping[str, Any]) -> None:
        """Store the attribute by what was read for the verdict; a failure is one of the check."""
        ...
