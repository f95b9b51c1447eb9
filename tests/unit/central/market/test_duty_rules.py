"""Deadlines of duties by the calendar of working days."""

from datetime import UTC, date, datetime

import pytest

from central.market.duties.rules import deadline_of, rules, warn_from, working_day_after
from central.market.format_package import load_package


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 3, 2), 5, date(2026, 3, 9)),
        (date(2026, 3, 6), 1, date(2026, 3, 9)),
        (date(2026, 4, 2), 1, date(2026, 4, 7)),  # Good Friday and Easter Monday
        (date(2026, 4, 4), 0, date(2026, 4, 7)),
        (date(2026, 3, 2), 0, date(2026, 3, 2)),
        (date(2026, 12, 23), 1, date(2026, 12, 28)),
    ],
)
def test_working_days_skip_weekends_and_holidays(day: date, count: int, expected: date) -> None:
    assert working_day_after(day, count) == expected


@pytest.mark.parametrize(
    ("why", "first", "end", "issued", "deadline", "warned"),
    [
        ("registration", date(2026, 3, 2), None, None, (2026, 3, 9, 23), (2026, 3, 4, 23)),
        # Data of Thursday 2 April: the next working day is Tuesday the 7th, 11:00 CEST; warned of from its beginning.
        ("day", date(2026, 4, 2), date(2026, 4, 3), None, (2026, 4, 7, 9), (2026, 4, 6, 22)),
        ("month", date(2026, 3, 1), date(2026, 4, 1), None, (2026, 4, 9, 22), (2026, 4, 6, 22)),
        ("bill", date(2026, 3, 1), date(2026, 4, 1), date(2026, 4, 8), (2026, 4, 15, 22), (2026, 4, 12, 22)),
    ],
)
def test_deadlines_and_warnings(
    why: str,
    first: date,
    end: date | None,
    issued: date | None,
    deadline: tuple[int, int, int, int],
    warned: tuple[int, int, int, int],
) -> None:
    rule = rules()[why]
    due = deadline_of(rule, first, end, issued)
    assert due == datetime(*deadline, tzinfo=UTC)
    assert warn_from(rule, due) == datetime(*warned, tzinfo=UTC)


def test_every_rule_names_a_message_that_we_send() -> None:
    package = load_package("sandbox-2026")
    assert {package.message(rule.code).direction for rule in rules().values()} == {"out"}
