"""Conditions of customer checks: what may be written, what is refused and why, and what is true of each row."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.checks.customer import exact
from central.checks.customer.columns import APART, COLUMNS, of_bases
from central.checks.customer.exact import Exact
from central.checks.customer.nodes import Rows
from central.checks.customer.parse import RuleError, parse
from central.checks.frame import MISSING, Frame
from central.checks.framework import CouldNotRunError
from tests.unit.central.checks.columns import bases


def truth(text: str, *rows: dict[str, Any], **compared: list[int]) -> list[bool | None]:
    """What the condition is of each basis: None where it is neither true nor false."""
    frame = bases(*rows)
    condition = parse(text)
    own = of_bases(frame, condition.columns)
    laid = {name: np.array(column, dtype=np.int64) for name, column in compared.items()}
    judged = condition.of(Rows(Frame({**own.columns, **laid}, own.words), frame))
    pairs = zip(judged.true.tolist(), judged.false.tolist(), strict=True)
    return [True if true else False if false else None for true, false in pairs]


@pytest.mark.parametrize(
    ("text", "row", "wanted"),
    [
        ("rate = 7", {"rate": 7}, True),
        ("rate <> 7", {"rate": 7}, False),
        ("rate != 7", {"rate": 8}, True),
        ("rate in (5, 7)", {"rate": 7}, True),
        ("rate not in (5, 7)", {"rate": 7}, False),
        ("not rate = 5 and not rate = 6", {"rate": 7}, True),
        ("rate = 5 or rate = 6 or rate = 7", {"rate": 7}, True),
        ("rate = 7 and (rate = 5 or rate > 6)", {"rate": 7}, True),
        ("quantity >= 1.5 MWh", {"quantity": Decimal("1.5")}, True),
        ("quantity > 1.5 MWh", {"quantity": Decimal("1.5")}, False),
        ("quantity = 1500 kWh", {"quantity": Decimal("1.5")}, True),
        ("quantity = 1.5 MWh", {"quantity": Decimal(1500), "unit": "kWh"}, True),
        ("abs(quantity - 2 MWh) = 500 kWh", {"quantity": Decimal("1.5")}, True),
        ("price < 0.50 Kč/kWh", {"price": Decimal("499.999999")}, True),
        ("price < 0.50 Kč/kWh", {"price": Decimal(500)}, False),
        ("price = 1 Kč/MW/měs", {"unit": "kW", "price_unit": "Kč/kW/měs", "price": Decimal("0.001")}, True),
        ("amount <> round(quantity * price, 2)", {"quantity": Decimal(3), "price": Decimal("0.335"),
                                                  "amount": Decimal("1.01")}, False),
        ("amount <> round(quantity * price, 2)", {"quantity": Decimal(3), "price": Decimal("0.335"),
                                                  "amount": Decimal("1.00")}, True),
        ("round(quantity * price, 2) = -1.01 Kč", {"quantity": Decimal(-3), "price": Decimal("0.335")}, True),
        ("amount / 3 = 0.333333 Kč", {"amount": Decimal(1)}, False),
        ("amount / 3 * 3 = 1 Kč", {"amount": Decimal(1)}, True),
        ("amount > 20 % * 100 Kč", {"amount": Decimal("20.01")}, True),
        ("amount > 0", {"amount": Decimal("0.01")}, True),
        ("-amount < 0", {"amount": Decimal("0.01")}, True),
        ("unit = 'MWh'", {"unit": "MWh"}, True),
        ("unit <> 'MWh'", {"unit": "MWh"}, False),
        ("'ks' = unit", {"unit": "ks"}, True),
        ("service in ('supply', 'other')", {"service": 1}, True),
        ("commodity not in ('gas')", {"commodity": 0}, True),
        ("days = 31 days", {}, True),
        ("last - first = 30 days", {}, True),
        ("first + 31 days > last", {}, True),
        ("first = 2026-03-01", {}, True),
        ("price is missing", {"price": None}, True),
        ("price is not missing", {"price": None}, False),
        ("price > 0", {"price": None}, None),
        ("not price > 0", {"price": None}, None),
        ("price > 0 or rate = 7", {"price": None, "rate": 7}, True),
        ("price > 0 and rate = 8", {"price": None, "rate": 7}, False),
        ("quantity > 1 MWh", {"unit": "A"}, None),
        ("unit = 'MWh' and quantity > 1 MWh", {"unit": "A"}, False),
        ("price > 1 Kč/MWh", {"price_unit": "EUR/MWh"}, None),
    ],
)  # fmt: skip
def test_what_is_true_of_a_basis(text: str, row: dict[str, Any], wanted: bool | None) -> None:
    row = {"rate": 9, **row}
    assert truth(text, row) == [wanted]


def test_numbers_beyond_eight_octets_stay_exact() -> None:
    large = {"quantity": Decimal("8999999999999.999999"), "price": Decimal("8999999999999.999999")}
    exactly = "81000000000000 Kč - 0.000018 Kč"
    assert truth(f"quantity * price / 1000000000000 > {exactly}", large) == [True]
    assert truth("quantity * price = quantity * price + 0.000001 Kč", large) == [False]


def test_earlier_and_compared_columns() -> None:
    rows = ({"quantity": Decimal(13)}, {"quantity": Decimal(12)}, {}, {})
    earlier = [10_000_000, 10_000_000, MISSING, APART]
    assert truth("quantity > previous_quantity * 120 %", *rows, previous_quantity=earlier) == [True, False, None, None]
    assert truth("previous_quantity is missing", *rows, previous_quantity=earlier) == [False, False, True, False]


def test_values_without_a_common_unit_are_told_apart_from_missing_ones() -> None:
    frame = bases({"unit": "A"}, {"quantity": None}, {"unit": "MWh"})
    condition = parse("quantity > 0.5 MWh")
    judged = condition.of(Rows(of_bases(frame, condition.columns), frame))
    assert judged.apart.tolist() == [True, False, False]
    assert (judged.true | judged.false).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Found the end; expected"),
        ("rate", "Found the end; expected"),
        ("rate = ", "expected (, + or -, a column"),
        ("rate = 5 or", "Found the end"),
        ("rate = 5)", "Line 1, column 9: Found ')'"),
        ("rate ~ 5", "Line 1, column 6: Found '~'"),
        ("rates = 5", "Line 1, column 1: There is no column 'rates'; there are rate, statement_type, quantity"),
        ("order = 5", "There is no column 'order'"),
        ("__import__ = 5", "There is no column '__import__'"),
        ("rate.real = 5", "Found '.'"),
        ("quantity > 5", "What is in unit of the basis cannot be compared"),
        ("quantity > 5 Kč", "What is in unit of the basis cannot be compared"),
        ("amount > 5 MWh", "in Kč cannot be compared with, added to or taken from what is in energy"),
        ("quantity + amount > 0", "in unit of the basis cannot be compared"),
        ("quantity > price", "cannot be compared"),
        ("amount > 5", "give numbers their unit"),
        ("first > 5", "date cannot be compared"),
        ("first * 2 > 0", "A day cannot be multiplied"),
        ("first + last > first", "From a day only a day or days can be taken"),
        ("first > 2026-02-30", "There is no day 2026-02-30."),
        ("unit > 'MWh'", "Words are compared by = and <> only"),
        ("unit = MWh", "There is no column 'MWh'"),
        ("rate = 'five'", "A column of words is compared with words in quotes"),
        ("rate in (5, 'five')", "A number cannot be one of words"),
        ("unit + 1 > 0", "unit is a word; a number is expected here"),
        ("service = 'distributio'", "is never 'distributio'; it is one of distribution, supply"),
        ("amount / quantity > 0", "Only a number that is not 0 can divide"),
        ("amount / 0 > 0", "Only a number that is not 0 can divide"),
        ("5 is missing", "Only a column can be missing"),
        ("round(quantity, 2) > 1 MWh", "cannot be rounded"),
        ("round(amount, 7) > 1 Kč", "a whole number from 0 to 6 is expected"),
        ("rate = 1234567890123456789", "18 digits at most"),
        ("rate * rate * rate * rate * rate = 1", "4 columns at most"),
        ("rate = 5 " + "or rate = 5 " * 250, "2000 at most"),
        (" or ".join(["rate=5"] * 180), "more than 200 values"),
        ("(" * 60 + "rate" + ")" * 60 + " = " + "-" * 60 + "5", "nested more than 40 deep"),
    ],
)
def test_what_is_refused_says_where_and_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse(text)
    assert said in refused.value.message


def test_the_time_is_kept_between_two_steps() -> None:
    frame = bases({})
    condition = parse("rate * 2 = 4")
    with pytest.raises(CouldNotRunError, match="took longer"):
        condition.of(Rows(of_bases(frame, condition.columns), frame, until=0.0))


def test_no_rows() -> None:
    frame = bases()
    condition = parse("quantity > 1 MWh or abs(amount) <> round(quantity * price, 2)")
    judged = condition.of(Rows(of_bases(frame, condition.columns), frame))
    assert (len(judged.true), len(judged.false)) == (0, 0)


def test_every_column_of_numbers_can_be_compared() -> None:
    for column in COLUMNS.values():
        if column.measure.powers or column.scale != 1:
            assert parse(f"{column.name} = {column.name}").columns == {column.name}


WHOLE = st.lists(st.integers(-(2**63) + 2, 2**63 - 1), min_size=3, max_size=3)
SCALES = st.fractions(min_value=Fraction(1, 10**9), max_value=10**6, max_denominator=10**9)


def column(values: list[int], scale: Fraction) -> Exact:
    return Exact(np.array(values, dtype=np.int64), scale, exact.NOWHERE, exact.NOWHERE)


@given(WHOLE, SCALES, WHOLE, SCALES)
def test_columns_are_as_exact_as_fractions(one: list[int], a: Fraction, other: list[int], b: Fraction) -> None:
    left, right = column(one, a), column(other, b)
    pairs = [(x * a, y * b) for x, y in zip(one, other, strict=True)]
    added, multiplied = exact.total([left, right], (1, -1)), exact.product([left, right])
    assert [int(x) * added.scale for x in added.data] == [x - y for x, y in pairs]
    assert [int(x) * multiplied.scale for x in multiplied.data] == [x * y for x, y in pairs]
    assert exact.compare(left, right, lambda x, y: x < y).tolist() == [x < y for x, y in pairs]


@given(WHOLE, SCALES, st.integers(0, 6))
def test_rounding_is_half_away_from_zero(values: list[int], scale: Fraction, places: int) -> None:
    found = exact.rounded(column(values, scale), places)
    for value, rounded in zip(values, found.data, strict=True):
        shifted = abs(value * scale) * 10**places
        wanted = (2 * shifted.numerator + shifted.denominator) // (2 * shifted.denominator)
        assert int(rounded) == (wanted if value >= 0 else -wanted)
