"""Check 26: prices rounded as the distributor rounds them, messages 127 and 240 only."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from central.checks.framework import ELECTRICITY
from central.checks.message_items import Invoiced
from central.checks.received_items import ALL, FOREIGN
from central.checks.rounding import rounding
from central.checks.standard.rounded_price import EXACT, RATES, RoundedPrice
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = RoundedPrice()
PRE, OTHER = "8591824003008", "8591824009994"
ITEM = {
    "invoice": 40, "place": 1, "supply_point": 1, "rate": 12, "price": Decimal("123.457"), "effect": Decimal(1),
    "unit": "OPM_MONTH", "first": date(2026, 3, 1), "end_": date(2026, 4, 1), "electric": 1, "issuer": PRE,
}  # fmt: skip
BASIS = {"rate": 12, "price": Decimal("123.4567"), "unit": "měs", "price_unit": "Kč/měs"}
INFO, OK, WARNING, ERROR = Result.INFO, Result.OK, Result.WARNING, Result.ERROR


def found(
    basis: dict[str, Any], *items: dict[str, Any], own: int = 0, which: str = ALL, rounding: str = EXACT
) -> list[tuple[Result, str]]:
    rows = [{**ITEM, "place": place, **item} for place, item in enumerate(items, 1)]
    read = Invoiced(frame(rows, tuple(ITEM), ("unit", "issuer")), np.array([own], dtype=np.int64))
    given = {"which": which, "rounding": rounding}
    told_ = told(CHECK, CHECK.verdict(bases({**BASIS, **basis}), read, given))
    return [(each.result, each.text.en) for each in told_]


def results(basis: dict[str, Any], *items: dict[str, Any], **other: Any) -> list[Result]:
    return [result for result, _ in found(basis, *items, **other)]


@pytest.mark.parametrize(
    ("ours", "theirs", "issuer", "places", "expected"),
    [
        ("123.4567", "123.457", PRE, EXACT, INFO),
        ("123.4565", "123.457", PRE, EXACT, INFO),
        ("123.456499", "123.457", PRE, EXACT, ERROR),
        ("123.456499", "123.456", PRE, EXACT, INFO),
        ("123.4567", "123.4567", PRE, EXACT, ERROR),
        ("123.4567", "123.457", OTHER, EXACT, ERROR),
        ("123.4567", "123.4567", OTHER, EXACT, INFO),
        ("123.4567", "123.457", OTHER, "3", INFO),
        ("123.4567", "123.46", OTHER, "2", INFO),
        ("123.4567", "123.46", PRE, "2", ERROR),
        ("-123.4565", "-123.457", PRE, EXACT, INFO),
        ("0", "0", PRE, EXACT, INFO),
    ],
)
def test_a_price_is_rounded_as_the_distributor_rounds_it(
    ours: str, theirs: str, issuer: str, places: str, expected: Result
) -> None:
    item = {"price": Decimal(theirs), "issuer": issuer}
    assert results({"price": Decimal(ours)}, item, rounding=places)[0] is expected


def test_only_listed_rates_of_an_issuer_are_rounded() -> None:
    basis = {"rate": 7, "price": Decimal("106.2247"), "unit": "MWh", "price_unit": "Kč/MWh"}
    assert results(basis, {"rate": 7, "unit": "MWH", "price": Decimal("106.225")}) == [ERROR]
    assert results(basis, {"rate": 7, "unit": "MWH", "price": Decimal("106.2247")}) == [INFO, OK]


@pytest.mark.parametrize(
    ("unit", "price_unit", "price", "their_unit", "their_price", "places", "expected"),
    [
        ("MWh", "Kč/MWh", "106.22", "KWH", "0.10622", EXACT, INFO),
        ("MWh", "Kč/MWh", "106.22", "KWH", "0.1062", "4", INFO),
        ("MWh", "Kč/MWh", "106.25", "KWH", "0.1063", "4", INFO),
        ("MWh", "Kč/MWh", "106.2234567", "KWH", "0.106223", EXACT, WARNING),
        ("kWh", "Kč/kWh", "0.10622", "MWH", "106.22", EXACT, INFO),
        ("MW", "Kč/MW/měs", "252565", "MW", "252565", EXACT, WARNING),
        ("MWh", "Kč/MWh", "106.22", "MVARH", "106.22", EXACT, WARNING),
        ("ks", "Kč/ks", "1", "MWH", "1", EXACT, WARNING),
        ("MWh", "Kč/MWh", "9000000000", "MWH", "9000000000", EXACT, WARNING),
    ],
)
def test_prices_are_compared_in_the_unit_of_the_message(
    unit: str, price_unit: str, price: str, their_unit: str, their_price: str, places: str, expected: Result
) -> None:
    # seven decimal places have no whole millionths: such a price is missing
    ours = None if price == "106.2234567" else Decimal(price)
    basis = {"rate": 7, "unit": unit, "price_unit": price_unit, "price": ours}
    first, *_ = found(basis, {"rate": 7, "unit": their_unit, "price": Decimal(their_price)}, rounding=places)
    assert first[0] is expected
    assert ("no unit in common" in first[1]) == (expected is WARNING)


def test_both_prices_are_named() -> None:
    ((result, said),) = found({}, {"price": Decimal("123.456")})
    assert result is ERROR
    assert said == (
        "The price 123.4567 Kč/měs, in the unit of the message and rounded 123.457, differs from the received invoice "
        "40, line 1: 123.456."
    )


def test_equal_in_all_messages_is_ok_and_in_one_an_information() -> None:
    assert results({}, {}, {"invoice": 41}) == [INFO, INFO, OK]
    assert results({}, {}, {"price": Decimal(1)}) == [INFO, ERROR]


@pytest.mark.parametrize("item", [{"electric": 0}, {"rate": 7}, {"supply_point": 2}, {"first": date(2026, 4, 1)}])
def test_without_a_message_127_or_240_it_could_not_run(item: dict[str, Any]) -> None:
    item = {"end_": date(2026, 5, 1), **item} if "first" in item else item
    assert results({}, item) == [WARNING]
    assert results({}) == [WARNING]


def test_it_is_about_electricity_and_the_listed_rates() -> None:
    assert CHECK.definition.commodities == (ELECTRICITY,)
    assert [rate for rate in (1, 11, 18, 24, 26, 1001) if rate in RATES] == []
    assert results({"rate": 26}, {"rate": 26}) == []
    nothing = Invoiced(frame([], tuple(ITEM), ("unit", "issuer")), np.zeros(0, dtype=np.int64))
    assert told(CHECK, CHECK.verdict(bases(), nothing, {"which": ALL, "rounding": EXACT})) == []


def test_only_items_of_another_operator() -> None:
    assert results({}, {}, own=1, which=FOREIGN) == []
    assert results({}, {}, own=1, which=ALL) == [INFO, OK]


def test_rounding_that_ships_says_what_it_stands_on() -> None:
    for each in rounding().issuers:
        assert len(each.source) > 20
        assert {int(rate) for rate in each.places} <= set(RATES)
        assert all(0 <= places <= 5 for places in each.places.values())
