"""The shape of a check: numbers, texts, where it applies, and a verdict as a pure function over columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from central.checks.verdict import Result


@dataclass(frozen=True)
class BasisColumns:
    """Billing bases as columns of equal length; decimals are objects, so that 0.10 stays 0.10."""

    id: NDArray[np.int64]
    supply_point: NDArray[np.int64]
    rate: NDArray[np.int32]
    statement_type: NDArray[np.int16]
    quantity: NDArray[np.object_]
    unit: Sequence[str]
    unit_price: NDArray[np.object_]
    price_unit: Sequence[str]

    def __len__(self) -> int:
        return len(self.id)

    def take(self, chosen: NDArray[np.bool_]) -> "BasisColumns":
        """The rows where `chosen` is true."""
        places = np.flatnonzero(chosen).tolist()
        return BasisColumns(
            id=self.id[places],
            supply_point=self.supply_point[places],
            rate=self.rate[places],
            statement_type=self.statement_type[places],
            quantity=self.quantity[places],
            unit=[self.unit[place] for place in places],
            unit_price=self.unit_price[places],
            price_unit=[self.price_unit[place] for place in places],
        )


@dataclass(frozen=True, slots=True)
class Text:
    """A message in both languages of the product."""

    cs: str
    en: str


@dataclass(frozen=True)
class Verdicts:
    """One result and one text for each row of the columns that were checked."""

    results: NDArray[np.int8]
    texts: Sequence[Text]

    def result(self, place: int) -> Result:
        return Result(int(self.results[place]))


@dataclass(frozen=True, slots=True)
class Definition:
    """What a check is; its settings (active, groups, output variant) are the operator's and stand in the database.

    `groups` are the groups of bases it may run on (regular, accrual, annual), `statements` the statements whose
    invoicing it guards.
    """

    number: int
    name: Text
    rule: Text
    group: str
    groups: tuple[str, ...]
    statements: tuple[str, ...]


class Check(Protocol):
    """A standard check: its definition, and the verdict over columns (no database, no clock)."""

    @property
    def definition(self) -> Definition: ...

    def verdict(self, bases: BasisColumns) -> Verdicts: ...
