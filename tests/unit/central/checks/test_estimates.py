"""Check 1004: what was measured, made up, and made up in a final settlement."""

from __future__ import annotations

import pytest

from central.checks.standard.estimates import Estimates
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Estimates()
NAMES = ("basis", "values_", "states")


@pytest.mark.parametrize(
    ("values", "states", "statement", "expected"),
    [
        (0, 0, 0, Result.OK),
        (0, 0, 6, Result.OK),
        (4, 0, 0, Result.WARNING),
        (0, 1, 2, Result.WARNING),
        (1, 0, 6, Result.ERROR),
        (0, 1, 10, Result.ERROR),
    ],
)
def test_every_row(values: int, states: int, statement: int, expected: Result) -> None:
    read = frame([{"basis": 1, "values_": values, "states": states}], NAMES)
    (finding,) = told(CHECK, CHECK.verdict(bases({"statement_type": statement}), read, {}))
    assert finding.result is expected
    if expected is not Result.OK:
        assert str(values) in finding.text.cs
        assert str(states) in finding.text.en


def test_a_basis_without_measurements_shows_nothing() -> None:
    assert told(CHECK, CHECK.verdict(bases({}), frame([], NAMES), {})) == []
