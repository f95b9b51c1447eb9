"""What is due by the packages that ship: by level, rate, choice and agreed capacity, electricity and gas."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from central.checks.due import DUE, expected, supplied
from central.settlement.formulas import ALL_FORMULAS
from central.settlement.law import Law, law_of
from central.settlement.model import TariffPoint
from central.tariffs.load import SHIPPED, load_file

DAY = date(2026, 3, 1)


@cache
def law(name: str) -> Law:
    return law_of(load_file(SHIPPED / f"{name}.json"))


def due(name: str, *agreed: str, day: date = DAY, operator: str = "CEZ", **facts: Any) -> tuple[set[int], set[str]]:
    told = expected(law(name), TariffPoint(operator=operator, **facts), day, frozenset(agreed))
    return set(told.rates), set(told.reasons)


YEAR, MONTH = "reserved_capacity_year_kw", "reserved_capacity_month_kw"
E2026 = "cz-electricity-2026"


@pytest.mark.parametrize(
    ("agreed", "facts", "rates", "reasons"),
    [
        ((), {"level": "VN"}, {7, 9, 15}, {"zero"}),
        ((YEAR,), {"level": "VN"}, {6, 7, 9, 15}, {"zero"}),
        ((YEAR, MONTH), {"level": "VVN"}, {5, 6, 7, 9, 15}, {"zero"}),
        ((YEAR,), {"level": "VN", "capacity_exempt": True}, {7, 9, 15}, {"zero", "capacity_exempt"}),
        ((YEAR,), {"level": "VN", "tariff_choice": "single_component"}, {9, 15, 26}, {"zero", "single_component"}),
        ((), {"level": "NN", "rate": "C02d"}, {9, 12, 13, 15}, {"zero"}),
        ((), {"level": "NN", "rate": "C25d"}, {9, 12, 13, 14, 15}, {"zero"}),
        ((), {"level": "NN", "rate": "X99"}, set(), set()),
    ],
)
def test_electricity_of_2026(agreed: Any, facts: Any, rates: set[int], reasons: set[str]) -> None:
    assert due(E2026, *agreed, **facts) == (rates, reasons)


def test_a_component_with_a_price_is_due() -> None:
    assert due("cz-electricity-2025", level="NN", rate="C02d", day=date(2025, 3, 1))[0] == {8, 9, 12, 13, 15}


def test_gas_by_band() -> None:
    package = "cz-gas-2015"
    operator = next(iter(load_file(SHIPPED / f"{package}.json").file.operators))
    day = date(2015, 3, 1)
    small, _ = due(package, operator=operator, day=day, annual_mwh=Decimal(5))
    large, _ = due(package, operator=operator, day=day, annual_mwh=Decimal(600))
    assert {1001, 1002} <= small
    assert 1019 not in small
    assert {1001, 1019} <= large
    assert 1002 not in large
    assert due(package, operator=operator, day=day)[0] == {1001}


def test_without_a_package_nothing_can_be_told() -> None:
    told = expected(None, TariffPoint(operator="CEZ", level="VN"), DAY, frozenset())
    assert (told.rates, told.reasons) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("commodity", "priced", "two", "rates"),
    [
        ("electricity", ("fixed", "energy", "vt", "nt"), False, {1, 2}),
        ("electricity", ("fixed", "energy", "vt", "nt"), True, {1, 2, 3}),
        ("electricity", ("vt",), True, {2}),
        ("electricity", ("vt",), False, set()),
        ("gas", ("fixed", "energy"), False, {2011, 2012}),
        ("gas", (), False, set()),
    ],
)
def test_supply_by_an_own_list(commodity: str, priced: tuple[str, ...], two: bool, rates: set[int]) -> None:
    assert supplied(commodity, priced, two_tariffs=two) == rates


def test_every_formula_in_the_table_exists() -> None:
    assert set(DUE) <= set(ALL_FORMULAS)
