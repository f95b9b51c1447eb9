"""Values of rates read from the shipped packages: their days and what they cost an item."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache

import pytest

from central.checks.frame import MISSING
from central.checks.rate_values import (
    PaysBy,
    RateValue,
    combination_of,
    has_two_tariffs,
    micro,
    values_of_rate,
)
from central.tariffs.load import SHIPPED, load_file
from central.tariffs.package import Package
from tests.unit.central.checks.columns import bases, frame

Y2025, Y2026, Y2027 = date(2025, 1, 1), date(2026, 1, 1), date(2027, 1, 1)
HIGH = PaysBy("electricity", "CEZ", "VN")
LOW = PaysBy("electricity", "CEZ", "NN", "D25d", 3, Decimal(25))
GAS = PaysBy("gas", "GASNET", annual_mwh=Decimal(20))


@cache
def packages() -> tuple[Package, ...]:
    names = ("cz-electricity-2025", "cz-electricity-2026", "cz-gas-2017-example")
    return tuple(load_file(SHIPPED / f"{name}.json") for name in names)


@pytest.mark.parametrize(
    ("pays", "code", "expected"),
    [
        (HIGH, 6, [(Y2025, Y2026), (Y2026, Y2027)]),
        (HIGH, 5, [(Y2026, Y2027)]),
        (HIGH, 7, [(Y2025, Y2026), (Y2026, Y2027)]),
        # its rule changes in June, its price does not: one value of the year
        (HIGH, 17, [(Y2026, Y2027)]),
        (HIGH, 10, [(Y2025, Y2026), (Y2026, Y2027)]),
        # made of a price and its cap
        (HIGH, 8, [(Y2025, Y2026), (Y2026, Y2027)]),
        (HIGH, 2021, [(Y2025, Y2026), (Y2026, Y2027)]),
        (HIGH, 13, []),
        (HIGH, 999, []),
        (LOW, 12, [(Y2026, Y2027)]),
        (LOW, 13, [(Y2025, Y2026), (Y2026, Y2027)]),
        (PaysBy("electricity", "CEZ", "NN", "C60d", unmetered_w=Decimal(15)), 12, [(Y2026, Y2027)]),
        (PaysBy("electricity", "CEZ", "NN", "D00x", 3, Decimal(25)), 13, []),
        (PaysBy("electricity", "CEZ", "NN", "D25d"), 12, []),
        (PaysBy("electricity", "NOBODY", "VN"), 10, []),
        (PaysBy("gas", "CEZ"), 1001, []),
        (GAS, 1001, [(date(2017, 1, 1), date(2028, 1, 1))]),
        (GAS, 2022, [(date(2017, 1, 1), date(2028, 1, 1))]),
        (PaysBy("gas", "GASNET"), 1001, []),
    ],
)
def test_days_of_the_values(pays: PaysBy, code: int, expected: list[tuple[date, date]]) -> None:
    assert [(value.first, value.end) for value in values_of_rate(packages(), pays, code)] == expected


def value(pays: PaysBy, code: int) -> RateValue:
    return values_of_rate(packages()[1:2], pays, code)[0]


def test_what_a_value_costs_an_item() -> None:
    package = packages()[1]
    keys = {"operator": "CEZ", "rate": "D25d"}
    assert value(LOW, 13).price == package.require_price("energy_vt", Y2026, **keys).value
    assert value(LOW, 14).price == package.require_price("energy_nt", Y2026, **keys).value
    payment = package.breaker_price("D25d", "CEZ", 3, Decimal(25), Y2026)
    assert payment is not None
    assert (value(LOW, 12).price, value(LOW, 12).unit) == (payment.monthly, "CZK/month")
    larger = PaysBy("electricity", "CEZ", "NN", "D25d", 3, Decimal(200))
    by_ampere = package.breaker_price("D25d", "CEZ", 3, Decimal(200), Y2026)
    assert by_ampere is not None
    assert by_ampere.per_ampere
    assert value(larger, 12).price == by_ampere.price.value * 200
    lamp = PaysBy("electricity", "CEZ", "NN", "C60d", unmetered_w=Decimal(15))
    assert value(lamp, 12).price == 2 * package.require_price("unmetered_10w", Y2026, operator="CEZ", rate="C60d").value
    assert value(lamp, 12).unit == "CZK/month"
    assert value(PaysBy("electricity", "CEZ", "NN", "C60d"), 12).price is None
    flat = PaysBy("electricity", "CEZ", "NN", "C60d", unmetered_flat=True)
    assert value(flat, 12).price == package.require_price("unmetered_flat", Y2026, operator="CEZ", rate="C60d").value
    assert value(HIGH, 8).price is None
    assert value(HIGH, 6).unit == "CZK/MW/month"


def test_two_tariffs_are_a_matter_of_the_rate_at_low_voltage() -> None:
    assert has_two_tariffs(packages(), LOW)
    assert not has_two_tariffs(packages(), PaysBy("electricity", "CEZ", "NN", "D02d"))
    assert not has_two_tariffs(packages(), PaysBy("electricity", "CEZ", "NN"))
    assert not has_two_tariffs(packages(), HIGH)
    assert not has_two_tariffs(packages(), GAS)


def test_what_the_item_paid_by_on_the_last_day_counts() -> None:
    names = ("contract_item", "first", "end_", "combination")
    rows = [(1, date(2026, 3, 31), None, 7), (1, date(2020, 1, 1), date(2026, 3, 31), 6), (2, None, None, 8)]
    items = frame([dict(zip(names, row, strict=True)) for row in rows], names)
    asked = bases({}, {"end_": date(2026, 3, 31)}, {"contract_item": 2}, {"contract_item": 3}, {"contract_item": None})
    assert combination_of(asked, items).tolist() == [7, 6, 8, MISSING, MISSING]


@pytest.mark.parametrize(
    ("price", "expected"),
    [(Decimal("1.234567"), 1_234_567), (Decimal("0.0000001"), MISSING), (None, MISSING), (Decimal(0), 0)],
)
def test_millionths(price: Decimal | None, expected: int) -> None:
    assert micro(price) == expected
