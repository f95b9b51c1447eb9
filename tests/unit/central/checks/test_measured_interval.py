"""Check 2: every row of its table, with borders."""

from __future__ import annotations

from datetime import date

import pytest

from central.checks.frame import Frame
from central.checks.standard.measured_interval import MeasuredInterval
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = MeasuredInterval()
NAMES = ("basis", "channel", "first", "end_")


def measured(*rows: tuple[int, date, date]) -> Frame:
    return frame([dict(zip(NAMES, (basis, 7, first, end), strict=True)) for basis, first, end in rows], NAMES)


@pytest.mark.parametrize(
    ("first", "end", "expected"),
    [
        (date(2026, 3, 1), date(2026, 4, 1), Result.OK),
        (date(2026, 3, 5), date(2026, 3, 6), Result.OK),
        (date(2026, 2, 28), date(2026, 4, 1), Result.ERROR),
        (date(2026, 3, 1), date(2026, 4, 2), Result.ERROR),
        (date(2026, 1, 1), date(2026, 2, 1), Result.ERROR),
    ],
)
def test_every_row_of_the_table(first: date, end: date, expected: Result) -> None:
    (finding,) = told(CHECK, CHECK.verdict(bases({}), measured((1, first, end)), {}))
    assert finding.result is expected
    for part in (first.isoformat(), end.isoformat(), "2026-03-01", "2026-04-01"):
        assert part in finding.text.cs
        assert part in finding.text.en
    assert finding.links == (("channel", "channel", 7),)


def test_each_measurement_is_judged_and_a_basis_without_one_shows_nothing() -> None:
    inside, outside = (date(2026, 3, 1), date(2026, 4, 1)), (date(2026, 2, 1), date(2026, 4, 1))
    found = told(CHECK, CHECK.verdict(bases({}, {}, {}), measured((1, *inside), (1, *outside), (3, *inside)), {}))
    assert [(each.subject, each.result) for each in found] == [(1, Result.OK), (1, Result.ERROR), (3, Result.OK)]
