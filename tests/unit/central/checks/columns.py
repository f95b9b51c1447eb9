"""Billing bases as columns, for tests of checks: what a test does not name has a plain value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from central.checks.bases import COLUMNS
from central.checks.blocks import Finding, spell
from central.checks.frame import MISSING, Frame
from central.checks.framework import Check, Findings

_EPOCH = date(1970, 1, 1).toordinal()
DEFAULTS: Mapping[str, Any] = {
    "supply_point": 1, "contract_item": 1, "contract": 1, "payer": 1, "rate": 7, "statement_type": 0,
    "quantity": Decimal(1), "unit": "MWh", "price": Decimal(1), "price_unit": "Kč/MWh", "amount": Decimal(1),
    "first": date(2026, 3, 1), "end_": date(2026, 4, 1), "calendar_row": 1, "service": 0, "commodity": 0, "input": 1,
    "original": None, "state": 0,
}  # fmt: skip


def frame(rows: Sequence[Mapping[str, Any]], names: Sequence[str], vocabularies: Sequence[str] = ()) -> Frame:
    """Columns of rows: decimals become millionths, dates days, None what is missing, words places."""
    words = {name: tuple(sorted({row[name] for row in rows})) for name in vocabularies}
    return Frame(
        {
            name: np.array([_number(row[name], words.get(name, ()), name) for row in rows], dtype=np.int64)
            for name in names
        },
        words,
    )


def bases(*rows: Mapping[str, Any]) -> Frame:
    """Bases with ids from 1 on, `amount` in crowns, by what each row says."""
    numbered = [{"id": place, **DEFAULTS, **row} for place, row in enumerate(rows, 1)]
    return frame(numbered, COLUMNS, ("unit", "price_unit"))


def told(check: Check, found: Sequence[Findings]) -> list[Finding]:
    """Everything found, with its texts."""
    messages = check.definition.messages
    return [finding for each in found for finding in spell(each, range(len(each)), messages)]


def _number(value: Any, words: tuple[str, ...], name: str) -> int:
    if words:
        return words.index(value)
    if value is None:
        return MISSING
    if isinstance(value, date):
        return value.toordinal() - _EPOCH
    if isinstance(value, Decimal):
        return int(value * (100 if name.endswith("amount") else 1_000_000))
    return int(value)
