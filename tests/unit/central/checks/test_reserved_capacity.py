"""Check 1: every row of its table, and where the results stand without a basis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.checks.framework import Subject
from central.checks.standard.reserved_capacity import Reserved, ReservedCapacity
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = ReservedCapacity()
NAMES = ("id", "contract_item", "rate", "statement_type", "month", "kilowatts", "draft")
EVER = (date(2020, 1, 1), date(2030, 1, 1))
MARCH, FEBRUARY = date(2026, 3, 1), date(2026, 2, 1)


def line(rate: int, mw: str, **other: Any) -> dict[str, Any]:
    return {"rate": rate, "quantity": Decimal(mw), "unit": "MW", **other}


def capacity(rate: int, kilowatts: str | None, **other: Any) -> dict[str, Any]:
    """A line of another basis than those that are checked."""
    amount = None if kilowatts is None else Decimal(kilowatts)
    plain = {"id": 90, "contract_item": 1, "statement_type": 0, "month": MARCH, "draft": None}
    return {**plain, "rate": rate, "kilowatts": amount, **other}


def reserved(
    rows: Sequence[dict[str, Any]],
    *others: dict[str, Any],
    items: tuple[int, ...] = (1,),
    days: tuple[date, date] = EVER,
) -> Reserved:
    """What is read of the bases themselves, and of others."""
    own = [
        capacity(
            row["rate"], str(row["quantity"] * 1000), id=place,
            **{name: row[name] for name in ("contract_item", "statement_type") if name in row},
        )
        for place, row in enumerate(rows, 1)
        if row["rate"] in (5, 6)
    ]  # fmt: skip
    return Reserved(
        frame(
            [{"contract_item": item, "first": days[0], "end_": days[1]} for item in items],
            ("contract_item", "first", "end_"),
        ),
        frame([*own, *others], NAMES),
    )  # fmt: skip


def found(
    *rows: dict[str, Any], others: Sequence[dict[str, Any]] = (), items: tuple[int, ...] = (1,),
    days: tuple[date, date] = EVER,
) -> list[tuple[int, Result, str]]:  # fmt: skip
    told_ = told(CHECK, CHECK.verdict(bases(*rows), reserved(rows, *others, items=items, days=days), {}))
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
    before = [capacity(6, "250", month=FEBRUARY)]
    assert (1, Result.WARNING, "The sum of 0.2 MW differs from last month's (0.25 MW).") in found(
        line(6, "0.2"), others=before
    )
    same = [capacity(6, "150", month=FEBRUARY), capacity(5, "50", month=FEBRUARY, id=91)]
    assert Result.WARNING not in {result for _, result, _ in found(line(6, "0.2"), others=same)}
    # neither another item's, nor an accrual, nor what is longer ago
    other = [
        capacity(6, "9", month=FEBRUARY, contract_item=2),
        capacity(6, "9", month=FEBRUARY, statement_type=4, id=91),
        capacity(6, "9", month=date(2026, 1, 1), id=92),
    ]
    assert Result.WARNING not in {result for _, result, _ in found(line(6, "0.2"), others=other)}


def test_what_is_not_checked_counts_too() -> None:
    """Invoiced, not marked, or in an error that was cancelled: it is entered all the same."""
    assert found(line(6, "0"), others=[capacity(5, "100")]) == [
        (1, Result.OK, "Reserved capacity is entered: monthly 0.1 MW, yearly 0 MW."),
        (1, Result.INFO, "The yearly reserved capacity is zero."),
    ]
    assert found(line(7, "5"), others=[capacity(5, "100")]) == []


def test_months_are_judged_apart() -> None:
    april = {"first": date(2026, 4, 1), "end_": date(2026, 5, 1), "calendar_row": None}
    rows = [line(6, "0.2", calendar_row=None), line(6, "0", **april)]
    own = [capacity(6, "200", id=1), capacity(6, "0", id=2, month=date(2026, 4, 1))]
    read = Reserved(reserved([]).items, frame(own, NAMES))
    results = [(each.subject, each.result) for each in told(CHECK, CHECK.verdict(bases(*rows), read, {}))]
    assert {(1, Result.OK), (2, Result.ERROR), (2, Result.WARNING)} <= set(results)
    assert (1, Result.ERROR) not in results


def test_kilowatts_and_megawatts_are_added_and_anything_else_is_said_not_to_be() -> None:
    assert found(line(6, "0.2"), others=[capacity(5, "0.5")])[0][2] == (
        "Reserved capacity is entered: monthly 0.0005 MW, yearly 0.2 MW."
    )
    results = found(line(6, "0.2"), others=[capacity(5, None)])
    assert results == [
        (1, Result.WARNING, "The check could not run: a quantity of reserved capacity is neither in MW nor in kW, or "
                            "has more than six decimals."),
    ]  # fmt: skip
    assert Result.WARNING not in {
        result for _, result, _ in found(line(6, "0.2"), others=[capacity(5, None, month=FEBRUARY)])
    }


def test_without_any_basis_the_results_stand_on_the_calendar_row() -> None:
    rows = [line(7, "5", calendar_row=9)]
    found_ = CHECK.verdict(bases(*rows), reserved(rows), {})
    about = {(each.about, each.group) for each in found_ if len(each)}
    assert about == {(Subject.CALENDAR_ROW, "regular")}
    results = told(CHECK, found_)
    assert {each.subject for each in results} == {9}
    assert [each.result for each in results] == [Result.ERROR, Result.INFO, Result.INFO]


def test_items_that_do_not_pay_it_and_lines_that_take_back_are_not_judged() -> None:
    assert found(line(6, "0"), items=(2,)) == []
    assert found(line(6, "-0.2", statement_type=7)) == []


def test_items_rows_and_groups_are_judged_apart() -> None:
    rows = [line(6, "0.2"), line(6, "0", contract_item=2), line(6, "0", statement_type=4)]
    results = found(*rows, items=(1, 2))
    assert {(subject, result) for subject, result, _ in results if result in (Result.OK, Result.ERROR)} == {
        (1, Result.OK), (2, Result.ERROR), (3, Result.ERROR),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("days", "judged"),
    [
        ((date(2026, 3, 1), date(2026, 4, 1)), True),
        ((date(2025, 1, 1), date(2026, 3, 2)), True),
        ((date(2026, 3, 31), date(2027, 1, 1)), True),
        ((date(2025, 1, 1), date(2026, 3, 1)), False),
        ((date(2026, 4, 1), date(2027, 1, 1)), False),
    ],
)
def test_it_applies_on_days_on_which_reserved_capacity_is_paid(days: tuple[date, date], judged: bool) -> None:
    bare = found({"rate": 9}, days=days)
    assert [result for _, result, _ in bare] == ([Result.ERROR, Result.INFO, Result.INFO] if judged else [])
    entered = found(line(5, "0.1"), line(6, "0.2"), days=days)
    assert [result for _, result, _ in entered] == ([Result.OK] * 2 if judged else [])
