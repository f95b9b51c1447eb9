"""What differs between two runs and why, and which statement a row of the payment calendar orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.settlement.calendar_rows import CalendarRow, Due, statement_due
from central.settlement.compare import RunInput, RunLine, causes, changes, vat_of


def line(component: str, quantity: str, price: str, amount: str, vat_percent: Decimal = Decimal("21.00")) -> RunLine:
    ean = "859182400100000011"
    figures = (Decimal(number) for number in (quantity, price, amount))
    return RunLine(ean, "distribution", component, component, "MWh", *figures, vat_percent)


def test_only_what_differs_is_told_with_both_sides() -> None:
    first = [line("use_of_networks", "10.000", "100.00", "1000.00"), line("system_services", "10", "170.92", "1709.20")]
    second = [
        line("use_of_networks", "10.500", "100.00", "1050.00"),
        line("system_services", "10", "170.92", "1709.20"),
    ]
    (change,) = changes(first, second)
    assert (change.component, change.difference) == ("use_of_networks", Decimal("50.00"))
    assert change.first is not None
    assert change.second is not None
    assert (change.first.quantity, change.second.quantity) == (Decimal("10.000"), Decimal("10.500"))


def test_a_split_of_lines_alone_is_no_change() -> None:
    whole = [line("energy_vt", "3.000", "50", "150.00")]
    parts = [line("energy_vt", "1.000", "50", "50.00"), line("energy_vt", "2.000", "50", "100.00")]
    assert changes(whole, parts) == []


def test_a_component_of_one_run_only_is_a_change_of_its_whole_amount() -> None:
    (gone,) = changes([line("reactive", "1", "440", "440.00")], [])
    assert (gone.second, gone.difference) == (None, Decimal("-440.00"))
    (new,) = changes([], [line("reactive", "1", "440", "440.00")])
    assert (new.first, new.difference) == (None, Decimal("440.00"))


def test_another_rate_of_vat_is_a_change_although_the_amount_stays() -> None:
    billed = [line("use_of_networks", "1.000", "50.10", "50.10"), line("breaker", "1", "10.05", "10.05")]
    (change,) = changes(billed, [replace(billed[0], vat_percent=Decimal("12.00")), billed[1]])
    assert (change.component, change.difference) == ("use_of_networks", 0)
    assert change.first is not None
    assert change.second is not None
    # 50.10 x 21 % = 10.521, 50.10 x 12 % = 6.012
    assert (vat_of([change.first]), vat_of([change.second])) == (Decimal("10.52"), Decimal("6.01"))
    assert changes(billed, [replace(each, vat_percent=Decimal(21)) for each in billed]) == []


def test_vat_of_several_components_is_that_of_their_sum_under_each_rate() -> None:
    many = changes([line(f"c{n}", "1", "0.02", "0.02") for n in range(3)], [])
    # 3 x 0.02 x 21 % = 0.0126; rounded line by line it would be 0.00
    assert vat_of(each.first for each in many if each.first) == Decimal("0.01")


def used(
    versions: list[int] | None = None, rate: str = "C25d", package: str = "cz 2026.3", state: int = 5
) -> list[RunInput]:
    profiles = [{"channel": 7, "direction": "A+", "first": "2026-03-09", "versions": versions or [1, 1, 1]}]
    readings = [{"direction": "VT", "periods": [{"from": {"value": 0}, "to": {"value": state}}]}]
    return [RunInput(package, {"item": {"rate": rate, "id": 3}, "channels": [{"id": 7}]}, profiles, readings)]


@pytest.mark.parametrize(
    ("second", "kind", "said"),
    [
        ({"versions": [1, 2, 1]}, "profile", "2026-03-10"),
        ({"state": 6}, "state", "Registr VT"),
        ({"rate": "C45d"}, "registry", "item.rate"),
        ({"package": "cz 2026.4"}, "package", "cz 2026.3 → cz 2026.4"),
        ({}, "rule", "Vstupy jsou stejné"),
    ],
)
def test_the_cause_is_what_the_inputs_pinned_differently(second: dict[str, Any], kind: str, said: str) -> None:
    (cause,) = causes(used(), used(**second))
    assert cause.kind == kind
    assert said in cause.text


def test_several_causes_are_told_beside_one_another() -> None:
    assert [cause.kind for cause in causes(used(), used([2, 2, 2], "C45d"))] == ["profile", "registry"]


def row(**other: Any) -> CalendarRow:
    common: dict[str, Any] = {
        "id": 1, "contract": 9, "number": "S-9", "start": date(2026, 6, 1), "end": date(2026, 7, 1),
        "regular_due": False, "annual_due": False, "since": date(2020, 1, 1),
    }  # fmt: skip
    return CalendarRow(**{**common, **other})


@pytest.mark.parametrize(
    ("events", "statement", "first", "end"),
    [
        ({"regular_due": True, "last_statement": date(2026, 6, 1)}, "regular", date(2026, 6, 1), date(2026, 7, 1)),
        ({"regular_due": True, "last_statement": date(2026, 4, 1)}, "regular", date(2026, 4, 1), date(2026, 7, 1)),
        (
            {"annual_due": True, "last_statement": date(2026, 6, 1), "last_annual": date(2025, 9, 1)},
            "annual", date(2025, 9, 1), date(2026, 7, 1),
        ),
        ({"annual_due": True, "regular_due": True}, "annual", date(2025, 7, 1), date(2026, 7, 1)),
        ({"regular_due": True, "since": date(2026, 5, 12)}, "regular", date(2026, 5, 12), date(2026, 7, 1)),
        ({"annual_due": True, "until": date(2026, 6, 20)}, "annual", date(2025, 7, 1), date(2026, 6, 20)),
    ],
)  # fmt: skip
def test_a_row_orders_the_statement_of_its_events_since_the_last_one(
    events: dict[str, Any], statement: str, first: date, end: date
) -> None:
    assert statement_due(row(**events)) == Due(9, statement, first, end)


def test_a_row_with_an_advance_alone_orders_nothing() -> None:
    assert statement_due(row()) is None
