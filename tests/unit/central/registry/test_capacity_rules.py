import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import jsonschema
import pytest

from central.registry.capacity_rules import (
    RULES_FILE,
    Held,
    Order,
    Standing,
    judge,
    months_later,
    rules,
    working_day_before,
)

EAN = "859182400941700019"
YEAR = Order(EAN, "year", Decimal(500), date(2026, 6, 1), None, date(2026, 5, 4), False)
MONTH = Order(EAN, "month", Decimal(100), date(2026, 6, 1), date(2026, 7, 1), date(2026, 5, 29), False)
STANDING = Standing(
    yearly=[Held(Decimal(400), date(2026, 1, 1), None)],
    monthly=[],
    inputs=[Held(Decimal(600), date(2025, 1, 1), None)],
)


def test_the_rules_follow_their_schema_and_say_what_they_stand_on() -> None:
    schema = json.loads((RULES_FILE.parent / "schema.json").read_text())
    jsonschema.validate(json.loads(RULES_FILE.read_text()), schema)
    assert {rule.name for rule in rules()} == {"within_input", "decrease", "first_day", "month_order"}


@pytest.mark.parametrize(
    ("order", "standing"),
    [
        (YEAR, STANDING),
        (replace(YEAR, kw=Decimal(600)), STANDING),
        (YEAR, replace(STANDING, inputs=[])),
        # Lowered 12 months after the last change, or since another customer came.
        (replace(YEAR, kw=Decimal(300), start=date(2027, 1, 1)), STANDING),
        (replace(YEAR, kw=Decimal(300)), replace(STANDING, customer_since=date(2026, 4, 1))),
        # Friday, 29 May, is the last working day of May; Thursday the last but one.
        (MONTH, STANDING),
        (replace(MONTH, ordered_on=date(2026, 5, 28), via_supplier=True), STANDING),
        # The first of the year: the last working day before is Thursday, 31 December.
        (replace(MONTH, start=date(2027, 1, 1), end=date(2027, 2, 1), ordered_on=date(2026, 12, 31)), STANDING),
    ],
)
def test_orders_that_stand(order: Order, standing: Standing) -> None:
    assert judge(order, standing) == []


@pytest.mark.parametrize(
    ("order", "standing", "named"),
    [
        (replace(YEAR, kw=Decimal(601)), STANDING, ["601 kW", "600 kW"]),
        (replace(MONTH, kw=Decimal(201)), STANDING, ["601 kW", "600 kW"]),
        # The input is lowered while the order holds.
        (YEAR, replace(STANDING, inputs=[*STANDING.inputs[:0], Held(Decimal(600), None, date(2026, 9, 1)),
                                         Held(Decimal(450), date(2026, 9, 1), None)]), ["2026-09-01", "450 kW"]),
        (replace(YEAR, kw=Decimal(300)), STANDING, ["400 kW since 2026-01-01", "300 kW", "2027-01-01"]),
        (replace(YEAR, kw=Decimal(300), start=date(2026, 12, 1)), STANDING, ["2027-01-01"]),
        (replace(YEAR, kw=Decimal(300)), replace(STANDING, customer_since=date(2025, 12, 1)), ["2027-01-01"]),
        (replace(YEAR, start=date(2026, 6, 15)), STANDING, ["2026-06-15", "first day"]),
        (replace(MONTH, end=None), STANDING, ["needs an end"]),
        (replace(MONTH, ordered_on=date(2026, 5, 30)), STANDING, ["2026-05-30", "2026-05-29"]),
        (replace(MONTH, ordered_on=date(2026, 5, 29), via_supplier=True), STANDING, ["supplier", "2026-05-28"]),
    ],
)  # fmt: skip
def test_orders_that_are_refused_name_both_sides(order: Order, standing: Standing, named: list[str]) -> None:
    (sentence,) = judge(order, standing)
    assert EAN in sentence
    for part in named:
        assert part in sentence


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 6, 1), 1, date(2026, 5, 29)),
        (date(2026, 4, 7), 1, date(2026, 4, 2)),  # Easter: Good Friday and Monday are holidays
        (date(2026, 4, 7), 2, date(2026, 4, 1)),
        (date(2026, 1, 1), 2, date(2025, 12, 30)),
    ],
)
def test_working_days_before(day: date, count: int, expected: date) -> None:
    assert working_day_before(day, count) == expected


def test_months_later_ends_with_the_month() -> None:
    assert months_later(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert months_later(date(2026, 12, 1), 12) == date(2027, 12, 1)
