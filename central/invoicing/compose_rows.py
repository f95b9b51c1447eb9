"""The rows that documents are composed from, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from central.invoicing.document import PastPeriod


@dataclass(frozen=True, slots=True)
class BasisRow:
    """A billing basis to be invoiced; `start` and `end` are the time it bills, `statement_type` as in the checks.

    `measured`: it stands on measurements; `computed`: a value of them was estimated or put in place of a missing one.
    """

    id: int
    supply_point: int
    rate: int
    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    amount: Decimal
    vat_percent: Decimal
    why: Mapping[str, Any]
    start: datetime | None = None
    end: datetime | None = None
    statement_type: int = 0
    made_at: datetime | None = None
    measured: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class PointInput:
    """What a run pinned for a point: facts, quantities, states, lines for information, findings.

    `id` is the input; None stands for bases made by hand, of which only the point, contract and time are known.
    `past` is what the point took in earlier settled periods, the oldest first.
    """

    id: int | None
    supply_point: int
    facts: Mapping[str, Any]
    start: datetime
    end: datetime
    quantities: Mapping[str, str]
    readings: Sequence[Mapping[str, Any]]
    information: Sequence[Mapping[str, Any]]
    findings: Sequence[Mapping[str, Any]]
    past: Sequence[PastPeriod] = ()
