"""A condition as a tree over columns: values that are exact numbers or words, and what is true of them.

Truth has three values: what compares a missing value is neither true nor false, and stays so unless `and` or `or`
decides without it.
"""

import operator
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from central.checks import units
from central.checks.customer import exact
from central.checks.customer.columns import APART, Column
from central.checks.customer.exact import Exact, Mask
from central.checks.customer.measures import CROWNS, PLAIN, Measure
from central.checks.frame import MISSING, Frame, Numbers, group
from central.checks.framework import CouldNotRunError

OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """The columns that a condition looks at, until when it must be done, and the units of each basis."""

    frame: Frame
    units: Frame
    until: float = float("inf")

    def tick(self) -> None:
        """CouldNotRunError when the time is up."""
        if time.monotonic() > self.until:
            raise CouldNotRunError("its conditions took longer than they may")


class Value(Protocol):
    """A number of each row; `measure` says of what."""

    @property
    def measure(self) -> Measure: ...

    def parts(self) -> Iterable["Value | Truth"]: ...

    def of(self, rows: Rows) -> Exact: ...


class Truth(Protocol):
    """What is true of each row."""

    def parts(self) -> Iterable["Value | Truth"]: ...

    def of(self, rows: Rows) -> "Judged": ...


@dataclass(frozen=True, slots=True)
class Judged:
    """Of each row: true, false, or neither; `apart`: it compares what has no unit in common."""

    true: Mask
    false: Mask
    apart: Mask


@dataclass(frozen=True, slots=True)
class Named:
    """A column of numbers."""

    column: Column

    @property
    def measure(self) -> Measure:
        return self.column.measure

    def parts(self) -> Iterable[Value | Truth]:
        return ()

    def of(self, rows: Rows) -> Exact:
        data = rows.frame[self.column.name]
        missing, apart = data == MISSING, data == APART
        return Exact(np.where(missing | apart, 0, data), self.column.scale, missing, apart)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a unit."""

    value: Fraction
    measure: Measure = PLAIN

    def parts(self) -> Iterable[Value | Truth]:
        return ()

    def of(self, rows: Rows) -> Exact:
        return exact.number(self.value)


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of values, each with its sign."""

    terms: tuple[Value, ...]
    signs: tuple[int, ...]
    measure: Measure

    def parts(self) -> Iterable[Value | Truth]:
        return self.terms

    def of(self, rows: Rows) -> Exact:
        rows.tick()
        return exact.total([term.of(rows) for term in self.terms], self.signs)


@dataclass(frozen=True, slots=True)
class Product:
    """A product of values."""

    factors: tuple[Value, ...]
    measure: Measure

    def parts(self) -> Iterable[Value | Truth]:
        return self.factors

    def of(self, rows: Rows) -> Exact:
        rows.tick()
        return exact.product([factor.of(rows) for factor in self.factors])


@dataclass(frozen=True, slots=True)
class Shaped:
    """A value without its sign (`places` is None), or rounded to decimal places."""

    inner: Value
    places: int | None = None

    @property
    def measure(self) -> Measure:
        return self.inner.measure

    def parts(self) -> Iterable[Value | Truth]:
        return (self.inner,)

    def of(self, rows: Rows) -> Exact:
        rows.tick()
        inner = self.inner.of(rows)
        return exact.absolute(inner) if self.places is None else exact.rounded(inner, self.places)


@dataclass(frozen=True, slots=True)
class Converted:
    """A value in each basis's own unit, brought to the smallest unit of a dimension; apart where it is of another."""

    inner: Value
    dimension: str
    power: int
    measure: Measure

    def parts(self) -> Iterable[Value | Truth]:
        return (self.inner,)

    def of(self, rows: Rows) -> Exact:
        rows.tick()
        factors, apart = self._factors(rows.units)
        inner = self.inner.of(rows)
        column = Exact(factors, Fraction(1, _LARGEST if self.power < 0 else 1), exact.NOWHERE, apart)
        return exact.product([inner, column])

    def _factors(self, bases: Frame) -> tuple[Numbers, NDArray[np.bool_]]:
        factors, apart = np.zeros(len(bases), dtype=np.int64), np.ones(len(bases), dtype=np.bool_)
        if not len(bases):
            return factors, apart
        numbers, first = group([bases["unit"], bases["price_unit"]])
        of_group = np.zeros(len(first), dtype=np.int64)
        for place, row in enumerate(first.tolist()):
            unit = bases.words["unit"][int(bases["unit"][row])]
            price_unit = bases.words["price_unit"][int(bases["price_unit"][row])]
            found = units.of_basis(unit, "" if self.power > 0 else price_unit)
            foreign = self.power < 0 and price_unit.split("/")[0] != CROWNS
            if found is not None and found[0] == self.dimension and not foreign:
                of_group[place] = found[1] if self.power > 0 else _LARGEST // found[1]
        return of_group[numbers], of_group[numbers] == 0


_LARGEST: Final = 1_000
"""What every unit's number of smallest units divides."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of two values of one measure."""

    sign: str
    left: Value
    right: Value

    def parts(self) -> Iterable[Value | Truth]:
        return (self.left, self.right)

    def of(self, rows: Rows) -> Judged:
        rows.tick()
        left, right = self.left.of(rows), self.right.of(rows)
        holds = exact.compare(left, right, OPERATORS[self.sign])
        unknown = left.unknown | right.unknown
        return Judged(holds & ~unknown, ~holds & ~unknown, left.apart | right.apart)


@dataclass(frozen=True, slots=True)
class Word:
    """Whether a column of words has one of these."""

    column: Column
    words: tuple[str, ...]
    wanted: bool = True

    def parts(self) -> Iterable[Value | Truth]:
        return ()

    def of(self, rows: Rows) -> Judged:
        data = rows.frame[self.column.name]
        known = rows.frame.words.get(self.column.name, self.column.words)
        holds = np.isin(data, [place for place, word in enumerate(known) if word in self.words]) == self.wanted
        there = (data != MISSING) & (data != APART)
        return Judged(holds & there, ~holds & there, exact.NOWHERE)


@dataclass(frozen=True, slots=True)
class Absent:
    """Whether a column has no value; one in another unit is not absent."""

    column: Column
    wanted: bool = True

    def parts(self) -> Iterable[Value | Truth]:
        return ()

    def of(self, rows: Rows) -> Judged:
        holds = (rows.frame[self.column.name] == MISSING) == self.wanted
        return Judged(holds, ~holds, exact.NOWHERE)


@dataclass(frozen=True, slots=True)
class Both:
    """All of them (`all_of`), or one of them at least."""

    conditions: tuple[Truth, ...]
    all_of: bool

    def parts(self) -> Iterable[Value | Truth]:
        return self.conditions

    def of(self, rows: Rows) -> Judged:
        first, *rest = (each.of(rows) for each in self.conditions)
        true, false, apart = first.true, first.false, first.apart
        for each in rest:
            true = true & each.true if self.all_of else true | each.true
            false = false | each.false if self.all_of else false & each.false
            apart = apart | each.apart
        return Judged(true, false, apart)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    condition: Truth

    def parts(self) -> Iterable[Value | Truth]:
        return (self.condition,)

    def of(self, rows: Rows) -> Judged:
        inner = self.condition.of(rows)
        return Judged(inner.false, inner.true, inner.apart)


@dataclass(frozen=True)
class Condition:
    """A whole condition, with the columns that it names."""

    text: str
    root: Truth
    columns: frozenset[str] = field(default=frozenset())

    def of(self, rows: Rows) -> Judged:
        """What is true of each row; columns as long as the rows."""
        found = self.root.of(rows)
        many = len(rows.units)
        true, false, apart = (np.broadcast_to(each, (many,)) for each in (found.true, found.false, found.apart))
        return Judged(true, false, apart & ~true & ~false)
