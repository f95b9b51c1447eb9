"""Check 1: every row of its table, and where the results stand without a basis."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from central.checks.framework import Subject
from central.checks.standard.reserved_capacity import Reserved, ReservedCapacity
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = ReservedCapacity()
EARLIER = ("contract_item", "calendar_row", "quantity")


def reserved(*earlier: tuple[int, int, Decimal], items: tuple[int, ...] = (1,)) -> Reserved:
    return Reserved(
        frame([{"contract_item": item} for item in items], ("contract_item",)),
        frame([dict(zip(EARLIER, row, strict=True)) for row in earlier], EARLIER),
    )


def line(rate: int, mw: str, **other: Any) -> dict[str, Any]:
    return {"rate": rate, "quantity": Decimal(mw), **other}


def found(*rows: dict[str, Any], read: Reserved | None = None) -> list[tuple[int, Result, str]]:
    told_ = told(CHECK, CHECK.verdict(bases(*rows), reserved() if read is None else read, {}))
    return [(each.subject, each.result, each.text.en) for each in told_]


def test_both_entered() -> None:
    said = "Reserved capacity is entered: monthly 0.1 MW, yearly 0.2 MW."
    assert found(line(5, "0.1"), line(6, "0.2")) == [(1, Result.OK, said), (2, Result.OK, said)]


def test_a_sum_of_zero_is_an_error_with_both_partial_results() -> None:
    results = found(line(5, "0"), line(6, "0"))
    assert [result for _, result, _ in results] == [Result.ERROR] * 2 + [Result.INFO] * 4
    assert {text for _, result, text in results if result is Result.INFO} == {
        "The monthly reserved capacity is zero.",
        "The yearly reserved capacity is zero.",
    }


def test_one_that_lacks_is_an_information_in_either_branch() -> None:
    assert [(result, text) for _, result, text in found(line(6, "0.2"))] == [
        (Result.OK, "Reserved capacity is entered: monthly – MW, yearly 0.2 MW."),
        (Result.INFO, "There is no basis of the monthly reserved capacity."),
    ]
    assert [result for _, result, _ in found(line(5, "0"))] == [Result.ERROR, Result.INFO, Result.INFO]


def test_another_sum_than_last_month_is_a_warning() -> None:
    read = reserved((1, 1, Decimal("0.25")))
    assert (1, Result.WARNING, "The sum of 0.2 MW differs from last month's (0.25 MW).") in found(
        line(6, "0.2"), read=read
    )
    same = reserved((1, 1, Decimal("0.2")))
    assert Result.WARNING not in {result for _, result, _ in found(line(6, "0.2"), read=same)}


def test_without_any_basis_the_results_stand_on_the_calendar_row() -> None:
    found_ = CHECK.verdict(bases(line(7, "5", calendar_row=9)), reserved(), {})
    about = {(each.about, each.group) for each in found_ if len(each)}
    assert about == {(Subject.CALENDAR_ROW, "regular")}
    results = told(CHECK, found_)
    assert {each.subject for each in results} == {9}
    assert [each.result for each in results] == [Result.ERROR, Result.INFO, Result.INFO]


def test_items_that_do_not_pay_it_and_lines_that_take_back_are_not_judged() -> None:
    assert found(line(6, "0"), read=reserved(items=(2,))) == []
    assert found(line(6, "-0.2", statement_type=7)) == []


def test_items_rows_and_groups_are_judged_apart() -> None:
    rows = [line(6, "0.2"), line(6, "0", contract_item=2), line(6, "0", statement_type=4)]
    results = found(*rows, read=reserved(items=(1, 2)))
    assert {(subject, result) for subject, result, _ in results if result in (Result.OK, Result.ERROR)} == {
        (1, Result.OK), (2, Result.ERROR), (3, Result.ERROR),
    }  # fmt: skip
