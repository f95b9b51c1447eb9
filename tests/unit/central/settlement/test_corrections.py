"""What of a settlement made anew is compared with what is invoiced."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from central.settlement.corrections import is_billed
from central.settlement.model import Line

LINE = Line(
    "network_use",
    date(2026, 3, 1),
    date(2026, 4, 1),
    item=1,
    payer=2,
    code=1,
    name="Použití sítí",
    name_en="Use of networks",
    quantity=Decimal(2),
    unit="MWh",
    unit_price=Decimal("100"),
    price_unit="Kč/MWh",
    amount=Decimal("200.00"),
    why="",
)


@pytest.mark.parametrize(
    ("changes", "billed"),
    [
        ({}, True),
        ({"service": "supply"}, True),
        ({"service": "purchase"}, False),
        ({"unit_price": Decimal(0), "amount": Decimal(0)}, False),
    ],
)
def test_only_what_goes_to_an_invoice_is_compared(changes: dict[str, object], billed: bool) -> None:
    assert is_billed(replace(LINE, **changes)) is billed
