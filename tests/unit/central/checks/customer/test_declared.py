"""Declared customer checks: their form, what they say of each basis, and what is laid beside bases."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from central.checks.customer.columns import APART
from central.checks.customer.compared import lay_history, lay_received
from central.checks.customer.declared import DeclaredCheck
from central.checks.customer.form import CheckForm
from central.checks.customer.numbers import FIRST_NUMBER
from central.checks.frame import MISSING, Frame
from central.checks.framework import Asked, CouldNotRunError
from central.checks.verdict import Result
from central.platform.errors import BadInput
from tests.unit.central.checks.columns import bases, frame, told

MUCH = {
    "name": {"cs": "Mnoho", "en": "Much"},
    "commodities": ["electricity"],
    "services": ["distribution"],
    "applies": "rate in (7, 15)",
    "conditions": [
        {
            "when": "quantity > 50 MWh",
            "severity": "error",
            "text": {"cs": "{quantity} {unit} za {days} dnů", "en": "{quantity} {unit} in {days} days from {first}"},
        },
        {"when": "price = 0", "severity": "warning", "text": {"cs": "cena {price}", "en": "price {price}"}},
    ],
    "otherwise": {"severity": "ok", "text": {"cs": "v pořádku", "en": "all right"}},
}


def made(**changes: Any) -> DeclaredCheck:
    return DeclaredCheck(FIRST_NUMBER, 3, CheckForm.model_validate({**MUCH, **changes}).require_sound())


def said(check: DeclaredCheck, *rows: dict[str, Any]) -> list[tuple[int, Result, str]]:
    chosen = bases(*rows)
    nobody: Any = None
    read = check.read(Asked(nobody, np.zeros(0, dtype=np.int64), date(2026, 4, 1)), chosen)
    found = told(check, check.verdict(chosen, read, {}))
    return sorted((each.subject, each.result, each.text.en) for each in found)


def test_every_basis_is_told_what_holds_for_it() -> None:
    assert said(
        made(),
        {"rate": 7, "quantity": Decimal("50.001"), "price": Decimal(0)},
        {"rate": 7, "quantity": Decimal(50)},
        {"rate": 9, "quantity": Decimal(99)},
        {"rate": 15, "quantity": Decimal(99), "service": 1},
        {"rate": 15, "quantity": Decimal(60), "unit": "A"},
        {"rate": 15, "quantity": None},
        {"rate": 15, "quantity": None, "price": Decimal(0)},
    ) == [
        (1, Result.WARNING, "price 0"),
        (1, Result.ERROR, "50.001 MWh in 31 days from 2026-03-01"),
        (2, Result.OK, "all right"),
        (5, Result.WARNING, "The check could not run: the values compared have no unit or currency in common."),
        (6, Result.WARNING, "The check could not run: a value that its condition compares is missing."),
        (7, Result.WARNING, "price 0"),
    ]


def test_a_check_of_an_unknown_condition_is_no_ok() -> None:
    check = made(applies="price > 1 Kč/MWh", conditions=[MUCH["conditions"][0]])
    assert said(check, {"price": None, "quantity": Decimal(1)}) == [
        (1, Result.WARNING, "The check could not run: a value that its condition compares is missing.")
    ]


def test_nothing_is_said_where_nothing_holds_and_nothing_else_is_wanted() -> None:
    assert said(made(otherwise=None), {"rate": 7}) == []
    assert said(made()) == []


def test_the_rule_is_told_in_words_and_the_definition_is_of_the_framework() -> None:
    definition = made().definition
    assert definition.rule.en == (
        "bases where rate in (7, 15); for quantity > 50 MWh: error; for price = 0: warning; otherwise: ok"
    )
    assert (definition.number, definition.version, definition.commodities) == (100_001, 3, (0,))
    assert len(definition.messages) == 5


def test_its_time_is_kept() -> None:
    check = DeclaredCheck(FIRST_NUMBER, 1, CheckForm.model_validate(MUCH), seconds=-1)
    with pytest.raises(CouldNotRunError, match="took longer"):
        said(check, {"rate": 7})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"applies": "rate = "}, "In applies: Found the end"),
        ({"conditions": [{**MUCH["conditions"][0], "when": "price"}]}, "In condition 1: Found the end"),
        (
            {"conditions": [{**MUCH["conditions"][0], "text": {"cs": "{rate}", "en": "{tariff}"}}]},
            "{tariff} in the text of condition 1 is no value; {name} of one of amount, commodity",
        ),
        (
            {"conditions": [{**MUCH["conditions"][0], "text": {"cs": "{", "en": "a"}}]},
            "In the text of condition 1 ('{') braces do not match",
        ),
        (
            {"otherwise": {"severity": "ok", "text": {"cs": "{rate.real}", "en": "a"}}},
            "{rate.real} in the text of otherwise is no value",
        ),
        ({"otherwise": {"severity": "ok", "text": {"cs": "{rate:>9999999}", "en": "a"}}}, "{rate:>9999999} in"),
        ({"otherwise": {"severity": "ok", "text": {"cs": "{rate!r}", "en": "a"}}}, "{rate!r} in"),
        ({"otherwise": {"severity": "ok", "text": {"cs": "{}", "en": "a"}}}, "{} in"),
        ({"otherwise": {"severity": "ok", "text": {"cs": "{0}", "en": "a"}}}, "{0} in"),
    ],
)
def test_a_form_that_is_not_sound_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        made(**change)
    assert message in refused.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": []},
        {"commodities": ["water"]},
        {"services": []},
        {"conditions": [{**MUCH["conditions"][0], "severity": "fatal"}]},
        {"name": {"cs": "a\x00b", "en": "b"}},
        {"number": 6},
    ],
)
def test_a_form_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**change)


MWH, KWH, PIECES, PER_MWH, PER_KWH = 11, 12, 13, 21, 22
DIGESTS = {MWH: 0, KWH: 1, PER_MWH: 11, PER_KWH: 12}
"""Places of MWh, kWh, Kč/MWh, Kč/kWh among the known units."""
EARLIER = {
    "supply_point": 1, "service": 0, "component": 5, "unit": MWH, "price_unit": PER_MWH, "quantity": Decimal(10),
    "price": Decimal(2), "amount": Decimal(20), "first": date(2026, 2, 1), "end_": date(2026, 3, 1), "holds": 1,
}  # fmt: skip
MARCH = {"first": date(2026, 3, 1), "end_": date(2026, 4, 1)}


def history(*rows: dict[str, Any]) -> Frame:
    """The checked basis 1 (of March), and earlier ones from 101 on."""
    every = [
        {"id": 1, **EARLIER, **MARCH},
        *({"id": 100 + place, **EARLIER, **row} for place, row in enumerate(rows, 1)),
    ]
    return frame(every, ("id", *EARLIER))


def laid(*rows: dict[str, Any]) -> dict[str, int]:
    found = lay_history(bases({}), history(*rows), DIGESTS)
    return {name: int(column[0]) for name, column in found.items()}


@pytest.mark.parametrize(
    ("rows", "quantity", "price"),
    [
        ([{}], 10_000_000, 2_000_000),
        ([], MISSING, MISSING),
        ([{"component": 6}], MISSING, MISSING),
        ([{"supply_point": 2}], MISSING, MISSING),
        ([{"holds": 0}], MISSING, MISSING),
        ([{"first": date(2025, 1, 1), "end_": date(2025, 1, 9)}], MISSING, MISSING),
        ([{"end_": date(2026, 2, 20), "quantity": Decimal(7)}, {}], 10_000_000, 2_000_000),
        ([{}, {"quantity": Decimal(11)}], 11_000_000, 2_000_000),
        ([{"unit": KWH, "price_unit": PER_KWH, "quantity": Decimal(5000), "price": Decimal("0.002")}], 5_000_000,
         2_000_000),
        ([{"unit": KWH, "price_unit": PER_KWH, "quantity": Decimal("0.0001"), "price": Decimal(1)}], APART,
         1_000_000_000),
        ([{"unit": PIECES, "price_unit": 0}], APART, APART),
        ([{"quantity": None, "unit": KWH, "price": None, "price_unit": PER_KWH}], MISSING, MISSING),
    ],
)  # fmt: skip
def test_the_basis_before_is_in_the_unit_of_the_basis(rows: list[dict[str, Any]], quantity: int, price: int) -> None:
    found = laid(*rows)
    assert (found["previous_quantity"], found["previous_price"]) == (quantity, price)


def test_the_month_a_year_before_is_added() -> None:
    year = {"first": date(2025, 3, 1), "end_": date(2025, 3, 16)}
    rest = {"first": date(2025, 3, 16), "end_": date(2025, 4, 1), "quantity": Decimal(5), "amount": Decimal(9)}
    found = laid(year, rest)
    assert (found["year_before_quantity"], found["year_before_amount"]) == (15_000_000, 2_900)
    assert laid({**year, "unit": PIECES}, rest)["year_before_quantity"] == APART
    assert laid()["year_before_quantity"] == MISSING


def test_received_lines_inside_the_interval_are_added() -> None:
    names = ("supply_point", "rate", "net", "first", "end_")
    line = {"supply_point": 1, "rate": 7, "net": 150, **MARCH}
    other = {**line, "first": date(2026, 2, 1)}
    lines = frame([line, {**line, "first": date(2026, 3, 16)}, other, {**line, "rate": 8}], names)
    found = lay_received(bases({"rate": 7}, {"rate": 9}), lines)
    assert found["received_amount"].tolist() == [300, MISSING]
    assert found["received_lines"].tolist() == [2, 0]
