"""Check 9: every row of its table, for both commodities."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from central.checks.frame import Frame
from central.checks.framework import GAS
from central.checks.standard.operators import Operators
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Operators()
NAMES = ("contract", "supply_point", "operator", "category", "first", "end_")
EVER = (date(2025, 1, 1), date(2099, 1, 1))
HALF, REST = (date(2025, 1, 1), date(2026, 3, 16)), (date(2026, 3, 16), date(2099, 1, 1))


def items(*rows: tuple[int, int, tuple[date, date]], contract: int = 1) -> Frame:
    return frame(
        [
            dict(zip(NAMES, (contract, 1, operator, category, *valid), strict=True))
            for operator, category, valid in rows
        ],
        NAMES,
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(1, 0, EVER)], [Result.OK]),
        ([(1, 0, HALF), (1, 0, REST)], [Result.OK]),
        ([(1, 0, HALF), (1, 0, EVER)], [Result.OK]),
        ([(1, 0, HALF), (0, 0, REST)], [Result.ERROR]),
        ([(1, 0, (date(2026, 5, 1), date(2027, 1, 1)))], [Result.ERROR]),
        ([(0, 0, EVER)], [Result.INFO]),
        ([], [Result.INFO]),
    ],
)
def test_electricity(rows: list[Any], expected: list[Result]) -> None:
    found = told(CHECK, CHECK.verdict(bases({}), items(*rows), {}))
    assert [each.result for each in found] == expected


def test_gas_has_a_category_too() -> None:
    gas = bases({"commodity": GAS})
    found = told(CHECK, CHECK.verdict(gas, items((1, 1, HALF), (1, 0, REST)), {}))
    assert [each.result for each in found] == [Result.OK, Result.ERROR]
    assert "15 of 31 days" in found[1].text.en
    assert found[1].text.cs.startswith("kategorie zákazníka")


def test_the_item_of_another_contract_does_not_count() -> None:
    found = told(CHECK, CHECK.verdict(bases({}), items((1, 0, EVER), contract=2), {}))
    assert [each.result for each in found] == [Result.INFO]
