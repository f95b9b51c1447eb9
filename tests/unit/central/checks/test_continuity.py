"""Check 1002: gaps, first bills, beginnings of contract items, intervals that are too long."""

from __future__ import annotations

from datetime import date
from typing import Any

from central.checks.standard.continuity import Billed, Continuity
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Continuity()
BEFORE = (date(2026, 2, 1), date(2026, 3, 1))


def found(
    *intervals: tuple[date, date], item: date = date(2025, 1, 1), days: int = 31, **basis: Any
) -> list[tuple[Result, str]]:
    mine = bases(basis)
    names = ("supply_point", "service", "first", "end_")
    billed = [{"supply_point": 1, "service": 0, "first": first, "end_": end} for first, end in intervals]
    read = Billed(
        frame(billed, names),
        frame([{"contract_item": 1, "first": item}], ("contract_item", "first")),
        frame([{"calendar_row": 1, "days": days}], ("calendar_row", "days")),
    )
    return [(each.result, each.text.en) for each in told(CHECK, CHECK.verdict(mine, read, {}))]


def test_what_follows_is_ok_also_where_it_overlaps() -> None:
    assert found(BEFORE) == [(Result.OK, "Follows the days billed until 2026-03-01.")]
    assert found(BEFORE, (date(2026, 2, 15), date(2026, 3, 5)))[0][0] is Result.OK


def test_a_gap_is_an_error_that_counts_the_days() -> None:
    ((result, text),) = found((date(2026, 1, 1), date(2026, 2, 1)))
    assert result is Result.ERROR
    assert "28 days lack" in text


def test_nothing_before_and_a_new_contract_item_are_informations() -> None:
    assert found() == [(Result.INFO, "First bill of the service at the point.")]
    later = (date(2026, 3, 1), date(2026, 4, 1))
    assert found(later) == [(Result.INFO, "First bill of the service at the point.")]
    moved_in = found((date(2025, 1, 1), date(2025, 6, 1)), item=date(2026, 3, 1))
    assert moved_in == [(Result.INFO, "The contract item begins on 2026-03-01.")]


def test_longer_than_the_calendar_row_is_a_warning_but_of_a_year() -> None:
    assert [result for result, _ in found(BEFORE, days=28)] == [Result.OK, Result.WARNING]
    assert [result for result, _ in found(BEFORE, days=28, statement_type=6)] == [Result.OK]


def test_a_line_that_takes_back_is_not_judged() -> None:
    assert found(BEFORE, statement_type=7) == []
    assert found(BEFORE, statement_type=15) == []
