"""Check 6: every row of its table."""

from __future__ import annotations

from decimal import Decimal

import pytest

from central.checks.standard.unit_price import UnitPriceNotZero
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, told

CHECK = UnitPriceNotZero()


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
    (finding,) = told(CHECK, CHECK.verdict(bases({"quantity": Decimal(quantity), "price": Decimal(price)}), None, {}))
    assert finding.result is expected
    for message in (finding.text.cs, finding.text.en):
        assert f"{Decimal(quantity).normalize():f} MWh" in message
        assert f"{Decimal(price).normalize():f} Kč/MWh" in message


def test_a_number_too_fine_to_compare_is_not_zero() -> None:
    (finding,) = told(CHECK, CHECK.verdict(bases({"quantity": None, "price": Decimal(1)}), None, {}))
    assert (finding.result, finding.text.en) == (Result.OK, "Quantity – MWh, price 1 Kč/MWh.")


def test_columns_keep_their_order_and_an_empty_set_is_empty() -> None:
    rows = [{"quantity": Decimal(one), "price": Decimal(other)} for one, other in ((1, 1), (1, 0), (0, 0))]
    found = told(CHECK, CHECK.verdict(bases(*rows), None, {}))
    assert [each.result for each in found] == [Result.OK, Result.ERROR, Result.WARNING]
    assert [each.subject for each in found] == [1, 2, 3]
    assert told(CHECK, CHECK.verdict(bases().take([]), None, {})) == []  # type: ignore[arg-type]  # no rows
