"""Rules of the validation that compare profiles and states with registers, versions, check meters and estimates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from central.readings.calendar import date_of
from central.readings.registers.difference import Verdict, difference
from central.readings.vee.register_inputs import (
    CHECK,
    COUNTED,
    ESTIMATED,
    ESTIMATED_DAYS,
    REMOVED,
    VERSIONS,
    Counted,
    Versions,
)
from central.readings.vee.rule import Findings, Severity
from central.readings.vee.rules import RULES
from central.readings.vee.testing import make_chunk
from shared.quantities import MISSING_VALUE, Quality

RULE = {rule.name: rule for rule in RULES}
DAY = [100] * 96
"""9,600 in a day."""


def found(rule: str, *rows: Sequence[int], **given: Any) -> Findings:
    return RULE[rule].judge(make_chunk(RULE[rule], rows, **given))


def counted(*entries: tuple[int, int, int, float, float], verdict: int = 0) -> dict[str, Any]:
    """Stretches: row, first and last day, units, last digit."""
    return {COUNTED: Counted.of([(*entry, verdict, 0, 0) for entry in entries])}


@pytest.mark.parametrize(
    ("units", "digit", "share", "is_found"),
    [
        (9_600, 1, 0.001, False),
        (9_610, 1, 0.001, True),  # 10 above max(2, 9.6)
        (9_609, 1, 0.001, False),
        (9_580, 10, 0.001, False),  # 20 = 2 x the last digit
        (9_579, 10, 0.001, True),
        (9_504, 1, 0.01, False),
        (9_503, 1, 0.01, True),
        (9_600 / 40, 1, 0.01, True),  # the constant of the transformers was left out
    ],
)
def test_a_profile_agrees_with_its_register(units: float, digit: float, share: float, is_found: bool) -> None:
    findings = found("register_sum", DAY, parameters={"share": share}, inputs=counted((0, 0, 0, units, digit)))
    assert len(findings) == is_found
    if is_found:
        assert findings.measured.tolist() == [abs(9_600 - units)]
        assert findings.evidence[0]["counted_by_registers"] == units


def test_a_stretch_of_days_is_found_on_its_last_day_and_each_version_on_its_own() -> None:
    """The constant changes after the second day: each stretch is checked with its own."""
    rows = DAY * 2 + [300] * 96 * 2
    good = counted((0, 0, 1, 19_200, 2), (0, 2, 3, 57_600, 6))
    assert len(found("register_sum", rows, inputs=good)) == 0
    bad = found("register_sum", rows, inputs=counted((0, 0, 1, 19_200, 2), (0, 2, 3, 19_200, 2)))
    assert [date_of(number).isoformat() for number in bad.day.tolist()] == ["2026-03-05"]
    assert bad.evidence[0] == {"sum_of_profile": 57_600, "counted_by_registers": 19_200, "days": 2}


def test_a_profile_with_a_hole_is_not_compared() -> None:
    assert len(found("register_sum", [MISSING_VALUE, *DAY[1:]], inputs=counted((0, 0, 0, 1, 1)))) == 0
    assert len(found("register_sum", DAY, inputs=counted((0, 0, 0, 1, 1), verdict=Verdict.FELL))) == 0


@pytest.mark.parametrize(
    ("total", "is_found"), [(1_000, False), (998, False), (1_002, False), (997, True), (1_003, True)]
)
def test_tariffs_together_are_the_total(total: float, is_found: bool) -> None:
    inputs = counted((0, 0, 0, 600, 1), (1, 0, 0, 400, 1), (2, 0, 0, total, 1))
    findings = found("tariff_sum", DAY, DAY, DAY, directions=["VT", "NT", "JT"], points=["P", "P", "P"], inputs=inputs)
    assert findings.channel.tolist() == ([3] if is_found else [])


def test_tariffs_that_were_read_more_often_are_added_up() -> None:
    """High and low were read at each midnight, the whole only before and after both days."""
    both = [(0, 0, 0, 600, 1), (0, 1, 1, 500, 1), (1, 0, 0, 400, 1), (1, 1, 1, 300, 1)]
    given = {"directions": ["VT", "NT", "JT"], "points": ["P", "P", "P"]}
    rows = [DAY * 2] * 3
    assert len(found("tariff_sum", *rows, **given, inputs=counted(*both, (2, 0, 1, 1_800, 1)))) == 0
    assert len(found("tariff_sum", *rows, **given, inputs=counted(*both, (2, 0, 1, 1_803, 1)))) == 1
    assert len(found("tariff_sum", *rows, **given, inputs=counted(*both[1:], (2, 0, 1, 1, 1)))) == 0


def test_tariffs_of_another_point_are_not_added() -> None:
    inputs = counted((0, 0, 0, 600, 1), (1, 0, 0, 400, 1), (2, 0, 0, 5, 1))
    given = {"directions": ["VT", "NT", "JT"], "points": ["P", "Q", "P"], "inputs": inputs}
    assert len(found("tariff_sum", DAY, DAY, DAY, **given)) == 0


@pytest.mark.parametrize(
    ("before", "after", "digits", "severity"),
    [
        (99_999_678, 123, 8, Severity.INFO),
        (50_000_000, 123, 8, Severity.ERROR),
        (99_999_678, 123, None, Severity.ERROR),
        (123, 456, 8, None),
    ],
)
def test_a_state_that_fell(before: int, after: int, digits: int | None, severity: Severity | None) -> None:
    judged = difference(before, after, digits)
    entry = (0, 0, 0, judged.units, 1, judged.verdict, before, after)
    findings = found("register", DAY, inputs={COUNTED: Counted.of([entry])})
    assert findings.severity.tolist() == ([] if severity is None else [severity])
    if severity is not None:
        assert (findings.measured.tolist(), findings.limit.tolist()) == ([after], [before])


@pytest.mark.parametrize("rule", ["unit_multiplier", "unit_multiplier_of_states"])
def test_unit_and_constant_are_those_of_the_registers_version(rule: str) -> None:
    nothing = np.zeros((1, 2), np.bool_)
    other = np.array([[False, True]])
    constant = Versions(nothing, other, np.array([[1.0, 40.0]]), np.array([[1.0, 60.0]]))
    (evidence,) = found(rule, DAY * 2, inputs={VERSIONS: constant}).evidence
    assert (evidence["applied"], evidence["expected"], evidence["other_unit"]) == (40, 60, False)
    unit = Versions(other, nothing, np.ones((1, 2)), np.ones((1, 2)))
    assert found(rule, DAY * 2, inputs={VERSIONS: unit}).evidence[0]["other_unit"] is True


def test_values_after_the_meter_was_removed() -> None:
    gone = {REMOVED: np.array([[False, True, True]])}
    findings = found("removed", DAY * 2 + [MISSING_VALUE] * 96, inputs=gone)
    assert [date_of(number).isoformat() for number in findings.day.tolist()] == ["2026-03-03"]
    assert findings.measured.tolist() == [96]


@pytest.mark.parametrize(
    ("check", "is_found"),
    [(9_600, False), (9_700, False), (9_500, False), (9_710, True), (9_490, True), (np.nan, False)],
)
def test_the_check_meter_differs_by_more_than_both_classes(check: float, is_found: bool) -> None:
    """Classes 0.6 and 0.5 allow 1.1 % of 9,600: 105.6."""
    given = {"main_class": 0.6, "check_class": 0.5}
    assert len(found("check_meter", DAY, parameters=given, inputs={CHECK: np.array([[check]])})) == is_found


def test_a_small_day_is_not_compared_with_the_check_meter() -> None:
    assert len(found("check_meter", [1] * 96, inputs={CHECK: np.array([[500.0]])})) == 0


@pytest.mark.parametrize(("before", "is_found"), [(0, False), (9, False), (10, True), (30, True)])
def test_a_channel_that_is_estimated_for_too_long(before: int, is_found: bool) -> None:
    earlier = np.zeros((1, ESTIMATED_DAYS), np.bool_)
    earlier[0, ESTIMATED_DAYS - before :] = before > 0
    given = {"quality": {(0, 5): Quality.SUBSTITUTE}, "inputs": {ESTIMATED: earlier}}
    findings = found("prolonged_estimation", DAY, **given)
    assert len(findings) == is_found
    if is_found:
        assert findings.measured.tolist() == [min(before + 1, ESTIMATED_DAYS)]
    assert len(found("prolonged_estimation", DAY, inputs={ESTIMATED: earlier})) == 0
