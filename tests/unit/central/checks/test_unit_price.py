"""Check 6, every row of its table, and the order of results."""

from decimal import Decimal

import numpy as np
import pytest

from central.checks.framework import BasisColumns
from central.checks.standard.unit_price import UnitPriceNotZero
from central.checks.verdict import COLOURS, CZECH, GROUPS, Result, worst_of


def bases(*pairs: tuple[str, str]) -> BasisColumns:
    count = len(pairs)
    return BasisColumns(
        id=np.arange(count, dtype=np.int64),
        supply_point=np.ones(count, dtype=np.int64),
        rate=np.full(count, 7, dtype=np.int32),
        statement_type=np.zeros(count, dtype=np.int16),
        quantity=np.array([Decimal(quantity) for quantity, _ in pairs], dtype=np.object_),
        unit=["MWh"] * count,
        unit_price=np.array([Decimal(price) for _, price in pairs], dtype=np.object_),
        price_unit=["Kč/MWh"] * count,
    )


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("1", "0", Result.ERROR),
        ("-1", "0", Result.ERROR),
        ("0.000001", "0.00", Result.ERROR),
        ("1", "106.22", Result.OK),
        ("-1", "106.22", Result.OK),
        ("0", "0", Result.WARNING),
        ("0.000", "106.22", Result.INFO),
    ],
)
def test_every_row_of_the_table(quantity: str, price: str, expected: Result) -> None:
    verdicts = UnitPriceNotZero().verdict(bases((quantity, price)))
    assert verdicts.result(0) is expected
    for message in (verdicts.texts[0].cs, verdicts.texts[0].en):
        assert f"{quantity} MWh" in message
        assert f"{price} Kč/MWh" in message


def test_columns_keep_their_order_and_an_empty_set_is_empty() -> None:
    verdicts = UnitPriceNotZero().verdict(bases(("1", "1"), ("1", "0"), ("0", "0")))
    assert verdicts.results.tolist() == [Result.OK, Result.ERROR, Result.WARNING]
    assert len(UnitPriceNotZero().verdict(bases()).results) == 0


def test_take_chooses_rows() -> None:
    chosen = bases(("1", "1"), ("2", "0"), ("3", "5")).take(np.array([False, True, True]))
    assert chosen.id.tolist() == [1, 2]
    assert list(chosen.quantity) == [Decimal(2), Decimal(3)]
    assert len(chosen) == 2


def test_worst_of_and_its_order() -> None:
    order = [Result.NONE, Result.INFO, Result.OK, Result.WARNING, Result.ERROR_CANCELLED, Result.ERROR]
    assert sorted(Result) == order
    assert worst_of([Result.OK, Result.ERROR_CANCELLED, Result.WARNING]) is Result.ERROR_CANCELLED
    assert worst_of([Result.ERROR_CANCELLED, Result.ERROR]) is Result.ERROR
    assert worst_of([]) is Result.NONE
    assert set(CZECH) == set(COLOURS) == set(Result)


def test_each_statement_type_belongs_to_one_group() -> None:
    types = [statement for group in GROUPS.values() for statement in group]
    assert len(types) == len(set(types)) == 15
