"""Duties of closed days: until when a part of a month must be told."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from central.workflow.telling.days import MONTH, _due


@pytest.mark.parametrize(
    ("first", "stop"),
    [
        (date(2026, 3, 1), date(2026, 4, 1)),
        (date(2026, 3, 1), date(2026, 3, 4)),
        (date(2026, 3, 20), date(2026, 4, 1)),
    ],
)
def test_a_part_of_a_month_is_due_with_the_whole_month(first: date, stop: date) -> None:
    row = SimpleNamespace(id=1, ean="859182400900000018", first=first, stop=stop, profiles="x", losses=None)
    whole = SimpleNamespace(**{**vars(row), "first": date(2026, 3, 1), "stop": date(2026, 4, 1)})
    made = _due(MONTH, row)
    assert (made.first_day, made.end_day, made.month) == (first, stop, date(2026, 3, 1))
    assert made.deadline == _due(MONTH, whole).deadline
