"""Check 4: every row of its table, units, and the multiplied records of gas."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from central.checks.framework import GAS
from central.checks.message_items import Invoiced
from central.checks.received_items import ALL, FOREIGN
from central.checks.standard.message_price import MessagePrice
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = MessagePrice()
ITEM = {
    "invoice": 40, "place": 1, "supply_point": 1, "rate": 7, "price": Decimal("106.22"), "effect": Decimal(1),
    "unit": "MWH", "first": date(2026, 3, 1), "end_": date(2026, 4, 1), "electric": 1, "issuer": None,
}  # fmt: skip
BASIS = {"rate": 7, "price": Decimal("106.22"), "unit": "MWh", "price_unit": "Kč/MWh"}


def found(basis: dict[str, Any], *items: dict[str, Any], own: int = 0, which: str = ALL) -> list[tuple[Result, str]]:
    rows = [{**ITEM, "place": place, **item} for place, item in enumerate(items, 1)]
    read = Invoiced(frame(rows, tuple(ITEM), ("unit",)), np.array([own], dtype=np.int64))
    told_ = told(CHECK, CHECK.verdict(bases({**BASIS, **basis}), read, {"which": which}))
    return [(each.result, each.text.en) for each in told_]


def results(basis: dict[str, Any], *items: dict[str, Any], **other: Any) -> list[Result]:
    return [result for result, _ in found(basis, *items, **other)]


def test_equal_in_a_message_is_an_information_and_in_all_ok() -> None:
    assert results({}, {}) == [Result.INFO, Result.OK]
    assert results({}, {}, {}) == [Result.INFO, Result.INFO, Result.OK]


def test_different_in_some_is_an_error_that_names_both() -> None:
    said = found({}, {}, {"price": Decimal("106.23")})
    assert [result for result, _ in said] == [Result.INFO, Result.ERROR]
    assert said[1][1] == "The price 106.22 Kč/MWh differs from the received invoice 40, line 2: 106.23."


@pytest.mark.parametrize(
    "item",
    [{"supply_point": 2}, {"rate": 9}, {"first": date(2026, 4, 1), "end_": date(2026, 5, 1)}],
)
def test_no_message_about_it_is_a_warning(item: dict[str, Any]) -> None:
    assert results({}, item) == [Result.WARNING]
    assert results({}) == [Result.WARNING]


@pytest.mark.parametrize("rate", [1, 2, 11, 18, 24, 26, 2001, 1998])
def test_a_rate_outside_the_lists_shows_nothing(rate: int) -> None:
    assert results({"rate": rate}, {"rate": rate}) == []


@pytest.mark.parametrize(
    ("unit", "price_unit", "price", "their_unit", "their_price", "expected"),
    [
        ("MWh", "Kč/MWh", "106.22", "KWH", "0.10622", Result.INFO),
        ("MWh", "Kč/MWh", "106.22", "KWH", "0.1062", Result.ERROR),
        ("kWh", "Kč/kWh", "0.10622", "MWH", "106.22", Result.INFO),
        ("MW", "Kč/MW/měs", "252565", "MW_MONTH", "252565", Result.INFO),
        ("MW", "Kč/MW/měs", "252565", "MW", "252565", Result.WARNING),
        ("měs", "Kč/OPM/měs", "12.87", "MONTH", "12.87", Result.INFO),
        ("MWh", "Kč/MWh", "106.22", "MVARH", "106.22", Result.WARNING),
        ("MWh", "Kč/MWh", "106.22", "XYZ", "106.22", Result.WARNING),
        ("ks", "Kč/ks", "1", "MWH", "1", Result.WARNING),
    ],
)
def test_units_are_converted_and_what_has_none_in_common_is_said(
    unit: str, price_unit: str, price: str, their_unit: str, their_price: str, expected: Result
) -> None:
    basis = {"unit": unit, "price_unit": price_unit, "price": Decimal(price)}
    first, *_ = found(basis, {"unit": their_unit, "price": Decimal(their_price)})
    assert first[0] is expected
    assert ("no unit in common" in first[1]) == (expected is Result.WARNING)


def test_gas_capacity_is_multiplied_by_its_share_and_added_within_an_invoice() -> None:
    basis = {
        "rate": 1019, "commodity": GAS, "price": Decimal("300"), "unit": "tis. m³", "price_unit": "Kč/tis. m³",
    }  # fmt: skip
    parts = [
        {"rate": 1019, "unit": "1000M3_DAY", "price": Decimal("1000"), "effect": Decimal("0.1")},
        {"rate": 1019, "unit": "1000M3_DAY", "price": Decimal("2000"), "effect": Decimal("0.1")},
    ]
    assert results(basis, *parts) == [Result.INFO, Result.OK]
    assert results({**basis, "price": Decimal("200")}, *parts) == [Result.ERROR]
    assert results(basis, parts[0], {**parts[1], "invoice": 41}) == [Result.ERROR, Result.ERROR]
    # a twelfth of a price has more places than a basis; an amount beyond all sense stops nobody
    twelfth = {"rate": 1019, "unit": "1000M3_DAY", "price": Decimal("115933.79"), "effect": Decimal("0.083333")}
    assert results({**basis, "price": Decimal("9661.110522")}, twelfth) == [Result.INFO, Result.OK]
    assert results({**basis, "price": Decimal("9661.110523")}, twelfth) == [Result.ERROR]
    huge = {**twelfth, "price": Decimal("9000000000000"), "effect": Decimal("9000000000000")}
    assert results(basis, huge) == [Result.WARNING]


def test_1020_is_compared_with_the_price_of_1001() -> None:
    assert results({"rate": 1020, "commodity": GAS}, {"rate": 1001}) == [Result.INFO, Result.OK]


def test_only_items_of_another_operator() -> None:
    assert results({}, {}, own=1, which=FOREIGN) == []
    assert results({}, {}, own=1, which=ALL) == [Result.INFO, Result.OK]
    assert results({}, {}, own=2, which=FOREIGN) == [Result.INFO, Result.OK]


@pytest.mark.parametrize("rate", [1, 2, 3, 4, 11, 18, 19, 23, 24, 25, 26, 1003, 1018, 1021, 1998, 1999, 2001])
def test_rates_outside_of_the_list_show_nothing(rate: int) -> None:
    assert results({"rate": rate}, {"rate": rate}) == []
