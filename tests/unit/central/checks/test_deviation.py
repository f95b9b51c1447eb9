"""Check 1003: each result, the borders of tolerance and least quantity, windows, both commodities."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from central.checks.frame import Frame
from central.checks.framework import GAS
from central.checks.standard.deviation import NAMES, UNITS, Deviation, _spelled, windows
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Deviation()
PLAIN = {each.name: each.default for each in CHECK.definition.parameters}
MONTH_BEFORE = (date(2026, 2, 1), date(2026, 3, 1))
YEAR_BEFORE = (date(2025, 3, 1), date(2025, 4, 1))
WORDS = tuple(UNITS)


def billed(*rows: dict[str, Any]) -> Frame:
    """Earlier lines with ids from 101 on."""
    plain = {"supply_point": 1, "service": 0, "rate": 7, "quantity": Decimal(31), "unit": "MWh", "settled": 0}
    numbered = [{"basis": 101 + place, **plain, **row} for place, row in enumerate(rows)]
    for row in numbered:
        row["first"], row["end_"] = row.pop("valid", YEAR_BEFORE)
        row["unit"] = None if row["unit"] is None else WORDS.index(row["unit"])
    return frame(numbered, NAMES)


def results(lines: Frame, earlier: Frame, **parameters: Any) -> list[Result]:
    return [each.result for each in told(CHECK, CHECK.verdict(lines, earlier, PLAIN | parameters))]


def quantity(value: str, **rest: Any) -> dict[str, Any]:
    return {"quantity": Decimal(value), **rest}


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        ("31", "31", Result.OK),
        ("46.5", "31", Result.OK),
        ("46.500001", "31", Result.WARNING),
        ("15.5", "31", Result.OK),
        ("15.499999", "31", Result.WARNING),
        ("0", "31", Result.WARNING),
        ("31", "0", Result.WARNING),
        ("0", "0", Result.OK),
        ("0.099999", "0.01", Result.OK),
        ("0.1", "0.01", Result.WARNING),
        ("0.01", "0.1", Result.WARNING),
    ],
)
def test_the_same_month_a_year_before(now: str, before: str, expected: Result) -> None:
    assert results(bases(quantity(now)), billed(quantity(before))) == [expected]


def test_it_names_both_numbers_their_days_and_the_earlier_basis() -> None:
    (found,) = told(CHECK, CHECK.verdict(bases(quantity("62")), billed({}), PLAIN))
    assert found.result is Result.WARNING
    assert found.text.en.startswith(
        "62 MWh in 31 days; stejné období před rokem / the same period a year before: 31 MWh in 31 days, scaled "
        "31 MWh. The deviation of 100 % is outside 50 %."
    )
    assert found.links == (("earlier_basis", "billing_basis", 101),)


@pytest.mark.parametrize(
    ("against", "expected"),
    [
        ("year_or_months", [("a year before", Result.OK)]),
        ("year", [("a year before", Result.OK)]),
        ("months", [("last months", Result.WARNING)]),
        ("both", [("a year before", Result.OK), ("last months", Result.WARNING)]),
    ],
)
def test_what_it_is_compared_with(against: str, expected: list[tuple[str, Result]]) -> None:
    earlier = billed({}, quantity("10", valid=MONTH_BEFORE))
    found = told(CHECK, CHECK.verdict(bases(quantity("31")), earlier, PLAIN | {"against": against}))
    assert [each.result for each in found] == [result for _, result in expected]
    assert all(words in each.text.en for each, (words, _) in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("against", "earlier", "expected"),
    [
        ("year_or_months", [], [Result.INFO]),
        ("year", [quantity("31", valid=MONTH_BEFORE)], [Result.INFO]),
        ("months", [{}], [Result.INFO]),
        ("both", [], [Result.INFO]),
        ("both", [{}], [Result.OK]),
        ("both", [quantity("28", valid=MONTH_BEFORE)], [Result.OK]),
        ("year_or_months", [quantity("28", valid=MONTH_BEFORE)], [Result.OK]),
    ],
)
def test_without_the_history_that_is_asked_for(against: str, earlier: list[Any], expected: list[Result]) -> None:
    assert results(bases(quantity("31")), billed(*earlier), against=against) == expected


def test_the_mean_of_the_last_months_is_scaled_by_days() -> None:
    earlier = billed(
        quantity("10", valid=(date(2025, 12, 1), date(2026, 1, 1))),
        quantity("50", valid=(date(2026, 1, 1), date(2026, 2, 1))),
        quantity("30", valid=MONTH_BEFORE),
    )
    (found,) = told(CHECK, CHECK.verdict(bases(quantity("31")), earlier, PLAIN | {"against": "months"}))
    assert "90 MWh in 90 days, scaled 31 MWh. The deviation of 0 %" in found.text.en
    assert found.links == (("earlier_basis", "billing_basis", 103),)
    (found,) = told(CHECK, CHECK.verdict(bases(quantity("31")), earlier, PLAIN | {"against": "months", "months": "2"}))
    assert "80 MWh in 59 days" in found.text.en


def test_lines_that_stand_beside_each_other_are_one_quantity() -> None:
    half, rest = (date(2025, 3, 1), date(2025, 3, 16)), (date(2025, 3, 16), date(2025, 4, 1))
    earlier = billed(
        quantity("10", valid=half), quantity("5", valid=half), quantity("16", valid=rest), quantity("9", supply_point=2)
    )
    found = told(CHECK, CHECK.verdict(bases(quantity("20"), quantity("11")), earlier, PLAIN))
    assert [each.subject for each in found] == [1, 2]
    assert {each.text.en.split(" Check")[0] for each in found} == {found[0].text.en}
    assert "31 MWh in 31 days; " in found[0].text.en
    assert ": 31 MWh in 31 days, scaled 31 MWh" in found[0].text.en


def test_a_month_that_a_settlement_of_the_year_bills_again_is_no_double_take_off() -> None:
    earlier = billed(quantity("31"), quantity("30", settled=1), quantity("1", settled=1))
    (found,) = told(CHECK, CHECK.verdict(bases(quantity("31")), earlier, PLAIN))
    assert found.result is Result.OK
    assert ": 62 MWh in 62 days, scaled 31 MWh" in found.text.en


@pytest.mark.parametrize(
    "other",
    [
        {"supply_point": 2},
        {"service": 1},
        {"rate": 13},
        {"valid": (date(2025, 1, 1), date(2026, 1, 1))},
        {"valid": (date(2026, 3, 1), date(2026, 4, 1))},
        {"valid": (date(2025, 3, 17), date(2025, 4, 17))},
    ],
)
def test_what_is_no_history_of_it(other: dict[str, Any]) -> None:
    assert results(bases({}), billed(other)) == [Result.INFO]


def test_a_year_is_compared_with_a_year_and_not_with_months() -> None:
    year = {"statement_type": 6, "first": date(2026, 1, 1), "end_": date(2027, 1, 1), "quantity": Decimal(365)}
    autumn = quantity("92", valid=(date(2025, 10, 1), date(2026, 1, 1)))
    assert results(bases(year), billed(quantity("365", valid=(date(2025, 1, 1), date(2026, 1, 1))))) == [Result.OK]
    assert results(bases(year), billed(autumn), against="months") == [Result.INFO]
    months = [quantity("30", valid=(date(2025, month, 1), date(2025, month + 1, 1))) for month in range(1, 12)]
    (found,) = told(CHECK, CHECK.verdict(bases(year), billed(*months), PLAIN))
    assert "330 MWh in 334 days" in found.text.en


@pytest.mark.parametrize(
    ("line", "before", "expected"),
    [
        ({"unit": "kWh", "quantity": Decimal(31_000)}, {}, Result.OK),
        ({"unit": "kWh", "quantity": Decimal(62_000)}, {}, Result.WARNING),
        ({"commodity": GAS, "rate": 1001}, {"rate": 1001, "quantity": Decimal(1)}, Result.OK),
        ({"commodity": GAS, "rate": 1001, "unit": "m³"}, {"rate": 1001, "unit": "m³"}, Result.WARNING),
    ],
)
def test_units_of_both_commodities(line: dict[str, Any], before: dict[str, Any], expected: Result) -> None:
    assert results(bases(line), billed(before)) == [expected]


@pytest.mark.parametrize(
    ("line", "before"),
    [
        ({"unit": "MW"}, {}),
        ({"unit": "m³"}, {}),
        ({}, {"unit": "m³"}),
        ({}, {"unit": None}),
        ({}, {"quantity": None}),
        ({"quantity": None}, {}),
    ],
)
def test_what_has_no_unit_in_common_is_never_compared(line: dict[str, Any], before: dict[str, Any]) -> None:
    (found,) = told(CHECK, CHECK.verdict(bases(line), billed(before), PLAIN))
    assert found.result is Result.WARNING
    assert found.text.en.startswith("The quantity cannot be compared")


def test_what_is_not_judged() -> None:
    assert results(bases({"rate": 15}, {"rate": 9}, {"statement_type": 7}, {"statement_type": 5}), billed({})) == []
    assert results(bases(), billed()) == []


@pytest.mark.parametrize("tolerance", [Decimal(0), Decimal(1_000_000)])
def test_the_ends_of_the_tolerance(tolerance: Decimal) -> None:
    expected = Result.WARNING if tolerance == 0 else Result.OK
    assert results(bases(quantity("32")), billed({}), tolerance=tolerance) == [expected]
    assert results(bases(quantity("31")), billed({}), tolerance=tolerance) == [Result.OK]


def test_windows_and_how_the_database_is_asked_for_them() -> None:
    days = np.array([(date(2028, 2, 29) - date(1970, 1, 1)).days])
    sides = windows(days, days + 1, 3)
    assert _spelled(sides) == (
        '{"[2027-02-28 Europe/Prague,2027-03-01 Europe/Prague)","[2027-11-29 Europe/Prague,2028-02-29 Europe/Prague)"}'
    )
    assert _spelled(windows(days[:0], days[:0], 3)) == "{}"


@pytest.mark.parametrize(
    ("now", "before", "tolerance", "expected"),
    [
        ("310001", "31", "1000000", Result.OK),
        ("310031", "31", "1000000", Result.OK),
        ("310031.000001", "31", "1000000", Result.WARNING),
        ("930000000", "310000000", "1000000", Result.OK),
        ("930000000", "310000000", "199.999999", Result.WARNING),
        ("930000000", "310000000", "200", Result.OK),
        ("1000000000.000001", "310000000", "50", Result.WARNING),
        ("31", "9000000000000", "50", Result.WARNING),
        ("9000000000000", "9000000000000", "50", Result.WARNING),
    ],
)
def test_absurd_tolerances_and_quantities_stay_exact(now: str, before: str, tolerance: str, expected: Result) -> None:
    assert results(bases(quantity(now)), billed(quantity(before)), tolerance=Decimal(tolerance)) == [expected]
