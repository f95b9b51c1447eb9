from datetime import date
from decimal import Decimal

import pytest

from central.registry.calendar import Terms, calendar_rows

MONTHLY = Terms(1, 0, None)
YEARLY = Terms(12, 1, Decimal(1500))
QUARTERLY = Terms(3, 3, Decimal(900))


def test_a_monthly_contract_has_a_regular_statement_each_month() -> None:
    rows = list(calendar_rows(date(2026, 1, 15), date(2026, 4, 1), None, [(None, MONTHLY)]))
    assert [(row.start, row.end) for row in rows] == [
        (date(2026, 1, 15), date(2026, 2, 1)),
        (date(2026, 2, 1), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 4, 1)),
    ]
    assert all(row.regular_due and not row.annual_due and not row.advance_due for row in rows)


def test_a_yearly_contract_has_advances_and_one_annual_settlement() -> None:
    rows = list(calendar_rows(date(2026, 1, 1), date(2027, 1, 1), None, [(None, YEARLY)]))
    assert [row.start.month for row in rows if row.annual_due] == [12]
    assert sum(row.advance_amount or 0 for row in rows) == 12 * 1500
    assert {row.advance_on.day for row in rows if row.advance_on} == {15}
    assert not any(row.regular_due for row in rows)


def test_the_month_in_which_a_contract_ends_has_a_statement() -> None:
    rows = list(calendar_rows(date(2026, 1, 1), date(2026, 5, 10), date(2026, 5, 10), [(None, YEARLY)]))
    assert [(row.end, row.annual_due) for row in rows if row.annual_due] == [(date(2026, 5, 10), True)]


def test_a_quarterly_contract_has_an_advance_at_the_beginning_and_a_statement_at_the_end() -> None:
    rows = list(calendar_rows(date(2026, 1, 1), date(2026, 7, 1), None, [(None, QUARTERLY)]))
    assert [(row.start.month, row.advance_due, row.regular_due) for row in rows] == [
        (1, True, False), (2, False, False), (3, False, True), (4, True, False), (5, False, False), (6, False, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "expected"), [(date(2026, 1, 20), date(2026, 1, 20)), (date(2026, 1, 3), date(2026, 1, 15))]
)
def test_an_advance_is_due_within_its_period(start: date, expected: date) -> None:
    (row,) = calendar_rows(start, date(2026, 2, 1), None, [(None, YEARLY)])
    assert row.advance_on == expected


def test_terms_count_from_the_month_in_which_they_hold() -> None:
    rows = list(calendar_rows(date(2026, 1, 1), date(2026, 5, 1), None, [(None, MONTHLY), (date(2026, 3, 1), YEARLY)]))
    assert [row.regular_due for row in rows] == [True, True, False, False]
    assert [row.advance_due for row in rows] == [False, False, True, True]
